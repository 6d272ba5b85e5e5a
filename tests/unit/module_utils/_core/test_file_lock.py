# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.file_lock import FileLock


def test_one_at_a_time(tmp_path: Path) -> None:
    first, second = FileLock(str(tmp_path / "a.db")), FileLock(str(tmp_path / "a.db"))
    assert first.take()
    assert first.take()
    assert not second.take()
    assert FileLock(str(tmp_path / "b.db")).take()
    first.release()
    assert second.take()
    second.release()
    second.release()
    assert not os.path.exists(second.path)


def test_what_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    lock = FileLock(str(tmp_path / "a.db"))
    child = os.fork()
    if child == 0:
        os._exit(0 if lock.take() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert os.path.exists(lock.path)
    assert lock.take()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    lock = FileLock(str(tmp_path / "a.db"))
    os.symlink(tmp_path / "other", lock.path)
    with pytest.raises(OSError, match="symbolic links"):
        lock.take()
    assert not (tmp_path / "other").exists()


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert FileLock(str(tmp_path / "nothing" / "a.db")).take()


def test_the_file_may_be_removed_by_its_last_holder_while_it_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, flock, removed = FileLock(str(tmp_path / "a.db")), fcntl.flock, []

    def removing(fd: Any, operation: int) -> None:
        if not removed:
            os.unlink(lock.path)
            removed.append(lock.path)
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", removing)
    assert lock.take()
    assert removed
    assert os.path.exists(lock.path)
    assert not FileLock(str(tmp_path / "a.db")).take()
