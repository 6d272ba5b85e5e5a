# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import system_calls
from ansible_collections.day2.ops.plugins.module_utils._core.system_calls import AT_FDCWD


def test_a_rename_replaces_nothing_or_exchanges(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    with pytest.raises(FileExistsError):
        system_calls.renameat2(AT_FDCWD, str(one), AT_FDCWD, str(two), system_calls.RENAME_NOREPLACE)
    system_calls.renameat2(AT_FDCWD, str(one), AT_FDCWD, str(two), system_calls.RENAME_EXCHANGE)
    assert (one.read_text(), two.read_text()) == ("2", "1")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        system_calls.renameat2(fd, "one", fd, "three", system_calls.RENAME_NOREPLACE)
    finally:
        os.close(fd)
    assert sorted(os.listdir(tmp_path)) == ["three", "two"]


def test_errors_are_those_of_the_system_and_name_the_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        system_calls.renameat2(AT_FDCWD, str(tmp_path / "no"), AT_FDCWD, str(tmp_path / "new"), 0)
    assert caught.value.filename == str(tmp_path / "no")
    with pytest.raises(OSError, match="Bad file descriptor.*'/data'"):
        system_calls.syncfs(-1, "/data")
    with pytest.raises(OSError, match="Bad file descriptor"):
        system_calls.fallocate(-1, 0, 0, 1)


def test_a_call_that_the_library_lacks_is_one_that_the_system_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_calls, "_function", lambda name: None)
    with pytest.raises(OSError, match="renameat2 is not in the C library") as caught:
        system_calls.renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 0)
    assert caught.value.errno == errno.ENOSYS
    assert system_calls.attributes(AT_FDCWD, b"/proc") == 0


def test_syncfs_and_fallocate(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+b") as handle:
        system_calls.fallocate(handle.fileno(), 0, 0, 10_000)
        system_calls.syncfs(handle.fileno(), "")
        assert os.fstat(handle.fileno()).st_size == 10_000


def test_a_mount_point_is_told_from_a_directory(tmp_path: Path) -> None:
    assert system_calls.attributes(AT_FDCWD, b"/proc") & system_calls.MOUNT_POINT
    assert system_calls.attributes(AT_FDCWD, os.fsencode(tmp_path)) == 0
