# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where rotated files go: other directories and other file systems."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.sparse import allocated
from ansible_collections.day2.ops.tests.unit.module_utils._logs.conftest import both, failing, names, rotate, tree


def two_logs(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("one", "two", "old"):
        (tmp_path / name).mkdir()
    logs = tmp_path / "one" / "app.log", tmp_path / "two" / "app.log"
    for log in logs:
        log.write_text(f"{log}\n")
    return logs


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_two_tasks_with_one_old_dir(tmp_path: Path, compression: str) -> None:
    one, two = two_logs(tmp_path)
    old = str(tmp_path / "old")
    both(paths=[one], old_dir=old, compression=compression)
    before = tree(tmp_path / "old")
    for check in (True, False):
        params: dict[str, Any] = {"keep": {"last": 0}, "max_total_size": "0", "compression": compression}
        error = str(failing(check=check, paths=[two], old_dir=old, **params))
        assert f"is a rotated file of {one}, not of {two}, and was not changed" in error
        assert "Give each log its own old_dir" in error
    assert tree(tmp_path / "old") == before
    assert two.read_text() == f"{two}\n"
    one.write_text("again\n")
    both(paths=[one], old_dir=old, compression=compression)
    assert len(names(tmp_path / "old")) == 2


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "other"
    path.mkdir()
    subprocess.run(["mkfs.ext4", "-q", str(tmp_path / "image"), "64M"], check=True)
    subprocess.run(["mount", "-o", "loop", str(tmp_path / "image"), str(path)], check=True)
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_mark_and_the_holes_go_along(tmp_path: Path, other: Path, compression: str) -> None:
    one, two = two_logs(tmp_path)
    os.truncate(one, 3 << 30)
    with one.open("ab") as log:
        log.write(b"the end\n")
    told = rotate(check=True, paths=[one], old_dir=str(other), compression=compression)
    done = rotate(paths=[one], old_dir=str(other), compression=compression)
    moved = other / "app.log.1"
    assert told["rotations"] == done["rotations"]
    assert bool(done["warnings"]) is (compression == "gzip")
    assert moved.stat().st_size == (3 << 30) + 8
    assert allocated(moved.stat()) < 65536
    with moved.open("rb") as data:
        data.seek(3 << 30)
        assert data.read() == b"the end\n"
    assert done["bytes_freed"] == 0
    assert "not of" in str(failing(paths=[two], old_dir=str(other)))


@pytest.mark.parametrize("path", ["old/deep", "{tmp}/archive/of/logs"])
def test_an_old_dir_is_made(log: Path, logs: Path, tmp_path: Path, path: str) -> None:
    logs.chmod(0o750)
    os.chown(logs, 65534, 65534)
    old = path.format(tmp=tmp_path)
    there = logs / old
    assert "No such file" in str(failing(paths=[log], old_dir=old))
    assert not both(paths=[log], old_dir=old, create_old_dir=True, size="1G")["changed"]
    assert not there.exists()
    both(paths=[log], old_dir=old, create_old_dir=True)
    assert names(there) == ["app.log.1.gz"]
    info = there.stat()
    assert (info.st_mode & 0o7777, info.st_uid, info.st_gid) == (0o750, 65534, 65534)
    log.write_text("two\n")
    both(paths=[log], old_dir=old, create_old_dir=True)
    assert names(there) == ["app.log.1.gz", "app.log.2.gz"]


def test_an_old_dir_that_can_not_be_made(log: Path, logs: Path) -> None:
    (logs / "file").write_text("x")
    for check in (True, False):
        error = failing(check=check, paths=[log], old_dir="file/old", create_old_dir=True)
        assert "file" in str(error)
        assert error.details["changed"] is False
    assert log.read_text() == "one\n"
