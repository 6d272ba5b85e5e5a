# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where rotated files go: other directories, other file systems, and names with the ending of the log."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.sparse import allocated
from ansible_collections.day2.ops.plugins.module_utils._logs.names import Naming
from ansible_collections.day2.ops.tests.unit.module_utils._logs.conftest import both, failing, names, rotate, tree

JULY = 1751328000.0  # 2025-07-01, a Tuesday


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
        error = str(failing(check=check, paths=[two], old_dir=old, keep={"last": 0}, compression=compression))
        assert f"is a rotated file of {one}, not of {two}: not touched" in error
        assert "Give each log an old_dir of its own" in error
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


def test_the_mark_and_the_holes_go_along(tmp_path: Path, other: Path) -> None:
    one, two = two_logs(tmp_path)
    os.truncate(one, 3 << 30)
    with one.open("ab") as log:
        log.write(b"the end\n")
    done = both(paths=[one], old_dir=str(other), compression="none")
    moved = other / "app.log.1"
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


def test_the_number_before_the_extension(log: Path, logs: Path) -> None:
    (logs / "other.txt").write_text("x\n")
    (logs / "app.log.1").write_text("older\n")
    os.utime(logs / "app.log.1", (0, 0))
    both(paths=[logs / "app.*", logs / "other*"], extension=".log")
    assert names(logs) == ["app.1.log.gz", "app.2.log.gz", "app.log", "other.txt", "other.txt.1.gz"]
    log.write_text("two\n")
    both(paths=[logs / "*"], extension=".log", keep={"last": 2})
    assert names(logs) == ["app.1.log.gz", "app.2.log.gz", "app.log", "other.txt", "other.txt.1.gz"]


def test_the_date_before_the_extension(log: Path, logs: Path) -> None:
    options: dict[str, Any] = {"extension": ".log", "names": "dated"}
    both_names = rotate(paths=[log], **options)["rotations"][0]["rotated_to"]
    assert re.fullmatch(r"app-\d{8}-\d{6}\.log", os.path.basename(both_names))
    assert not both(paths=[logs / "*"], **options)["changed"]


def test_lumberjacks_dates_by_an_explicit_format(log: Path, logs: Path) -> None:
    for number in range(3):
        name = logs / f"app-2025-06-2{number}T10-00-00.{number}37.log"
        name.write_text("lumberjack\n")
        os.utime(name, (0, 0))
    options: dict[str, Any] = {"extension": ".log", "names": "dated", "keep": {"last": 2}}
    assert len(rotate(paths=[logs / "*.log"], size="1G")["rotations"]) == 4  # without it they are logs
    rotate(paths=[logs / "*.log"], date_format="-%Y-%m-%dT%H-%M-%S.%f", size="1G", **options)
    assert names(logs) == [*(f"app-2025-06-2{n}T10-00-00.{n}37.log.gz" for n in (1, 2)), "app.log"]


@pytest.mark.parametrize(
    ("date_format", "name", "start", "length"),
    [
        ("-%Y%m", "app.log-202507", JULY, 31 * 86400),
        (".%Y-%m", "app.log.2025-07", JULY, 31 * 86400),
        ("-%G-W%V", "app.log-2025-W27", JULY - 86400, 7 * 86400),
        ("-%Y%m%d", "app.log-20250701", JULY, 86400),
        ("-%Y%m%d%H", "app.log-2025070100", JULY, 3600),
        ("-%s", "app.log-1751328000", JULY, 1),
    ],
)
def test_dates(date_format: str, name: str, start: float, length: float) -> None:
    naming = Naming(True, date_format)
    assert naming.new_name("app.log", JULY) == name
    parsed = naming.parse(name + ".zst")
    assert parsed is not None
    assert (parsed.base, parsed.when, parsed.length) == ("app.log", start, length)
    assert [parsed.within(when) for when in (start - 5, start + 0.5 * length, start + 2 * length)] == [
        start,
        min(start + 0.5 * length, start + length - 1),
        start + length - 1,
    ]


@pytest.mark.parametrize("bad", ["-%Y", "-%m%d", "-%G", "-%V", "-%G%V%d", "-%Y%m%s", "-%Y%m\0"])
def test_dates_that_name_no_period(bad: str) -> None:
    with pytest.raises(InvalidRequest, match="can't be used"):
        Naming(True, bad)
    assert Naming(True, "-%G-W%V").parse("app.log-2025-W54") is None
    assert Naming(True, "-%Y%m").parse("app.log-202513") is None


def test_one_rotation_a_month(log: Path, logs: Path) -> None:
    options: dict[str, Any] = {"names": "dated", "date_format": "-%Y%m", "size": None, "frequency": "monthly"}
    assert rotate(paths=[log], **options)["changed"]
    log.write_text("two\n")
    assert not both(paths=[log], keep={"within": "1h"}, **options)["changed"]
