# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import LockTimeout, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.run_lock import RunLock, private_directory


def lock(folder: Path) -> RunLock:
    info = folder.stat()
    return RunLock(str(folder), info.st_dev, info.st_ino)


def test_one_at_a_time_and_the_holder_is_told(tmp_path: Path) -> None:
    first, second = lock(tmp_path), lock(tmp_path)
    first.take(0)
    with pytest.raises(LockTimeout, match=rf"Another run is working in {tmp_path} \(process {os.getpid()}\)"):
        second.take(0.1)
    first.release()
    first.release()
    second.take(0)
    second.release()
    assert not os.path.exists(second._file)


def test_who_did_not_get_it_releases_nothing(tmp_path: Path) -> None:
    first, second = lock(tmp_path), lock(tmp_path)
    before = set(os.listdir("/proc/self/fd"))
    lock(tmp_path).release()
    first.take(0)
    with pytest.raises(LockTimeout):
        second.take(0)
    second.release()
    with pytest.raises(LockTimeout):
        second.take(0)
    first.release()
    assert set(os.listdir("/proc/self/fd")) <= before


def test_what_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        lock(tmp_path).take(0)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    after = lock(tmp_path)
    after.take(0)
    after.release()


def test_the_lock_is_the_tasks_users_also_while_it_works_as_another(tmp_path: Path) -> None:
    first, second = lock(tmp_path), lock(tmp_path)
    os.seteuid(65534)
    try:
        first.take(0)
        assert os.geteuid() == 65534
    finally:
        os.seteuid(0)
    with pytest.raises(LockTimeout):
        second.take(0)
    first.release()


def test_the_directory_is_private(tmp_path: Path) -> None:
    path = Path(private_directory([str(tmp_path / "locks")]))
    info = path.stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid) == (0o700, 0)
    assert private_directory([str(path)]) == str(path)


def test_what_others_planted_is_passed_over(tmp_path: Path) -> None:
    link, theirs, readable = tmp_path / "link", tmp_path / "theirs", tmp_path / "readable"
    (tmp_path / "private").mkdir(mode=0o700)
    link.symlink_to("private")
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 65534, 65534)
    readable.mkdir(mode=0o755)
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)  # not sticky: others could rename what is in it
    bad = [str(link), str(theirs), str(readable), str(shared / "locks")]
    assert private_directory([*bad, str(tmp_path / "good")]) == str(tmp_path / "good")
    with pytest.raises(TargetError, match="no private directory for locks"):
        private_directory(bad)
