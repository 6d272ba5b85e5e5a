# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is a log, what is a rotated file, and what is neither."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.tests.unit.module_utils._logs.conftest import both, failing, names, rotate, tree


def fill(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).write_text(f"{name}\n")


@pytest.mark.parametrize(
    "files",
    [
        ("worker.1", "worker.2", "worker.3", "worker.4"),
        ("gc.log.0", "gc.log.1", "gc.log.2", "gc.log.3"),
        ("X.INFO.20230719-064229.1255", "X.INFO.20230720-064229.1255", "X.INFO.20230721-064229.1255"),
    ],
)
@pytest.mark.parametrize("keep", [{"last": 2}, {"last": 0}])
def test_numbered_logs_without_a_log_of_that_name_are_left_alone(
    logs: Path, files: tuple[str, ...], keep: dict[str, int]
) -> None:
    fill(logs, *files)
    before = tree(logs)
    for _run in range(2):
        done = both(paths=[logs / "*"], keep=keep, max_total_size="0")
        untouched = {name: content for name, content in tree(logs).items() if name in files}
        assert untouched == {name: before[name] for name in untouched}
        assert "could be logs, or rotated files of a missing log" in done["warnings"][0]
    assert set(untouched) == set(files)


def test_numbered_logs_that_are_named_are_logs(logs: Path) -> None:
    fill(logs, "worker.1", "worker.2")
    done = both(paths=[logs / "worker.[0-9]"])
    assert [one["rotated"] for one in done["rotations"]] == [True, True]
    assert names(logs) == ["worker.1", "worker.1.1.gz", "worker.2", "worker.2.1.gz"]
    assert not both(paths=[logs / "worker.[0-9]"])["changed"]


def test_what_was_written_since_the_log_was_rotated_is_not_removed(log: Path, logs: Path) -> None:
    """app.log.2 and app.log.3 are written by the application itself."""
    both(paths=[log], compression="none")
    fill(logs, "app.log.3", "app.log.2")
    for _run in range(2):
        done = both(paths=[logs / "*"], keep={"within": "0s"}, max_total_size="0", compression="none")
        assert names(logs) == ["app.log", "app.log.2", "app.log.3"]
        assert len(done["warnings"]) == 2
        assert f"{logs}/app.log.2 was written to after {log} was last rotated" in done["warnings"][0]
    # a rotation moves them up: from then on they are older than that
    for text in ("two\n", "three\n"):
        log.write_text(text)
        both(paths=[log], keep={"last": 1}, compression="none")
    both(paths=[log], keep={"last": 1}, compression="none")
    assert tree(logs) == {"app.log": b"", "app.log.1": b"three\n"}


def test_a_line_that_came_late_is_no_news(log: Path, logs: Path) -> None:
    """A process that was slow to open its log again has written to the rotated file."""
    both(paths=[log], compression="none", keep={"last": 5})
    with (logs / "app.log.1").open("a") as late:
        late.write("late\n")
    assert both(paths=[log], compression="none", keep={"last": 5})["warnings"] == []
    assert both(paths=[log], keep={"last": 5})["changed"]
    assert names(logs) == ["app.log", "app.log.1.gz"]


def test_copies_that_logrotate_left_go(log: Path, logs: Path) -> None:
    """With copytruncate and dateext they are as young as their last line, and never renamed."""
    options: dict[str, Any] = {
        "names": "dated",
        "date_format": "-%Y%m%d",
        "compression": "none",
        "keep": {"within": "1d"},
    }
    fill(logs, "app.log-20200101", "app.log-20200102")
    assert rotate(paths=[log], **options)["rotations"][0]["removed"] == []  # it may write them still
    assert len(both(paths=[log], **options)["rotations"][0]["removed"]) == 2


def test_late_lines_do_not_put_off_the_next_rotation(log: Path, logs: Path) -> None:
    for text in ("one\n", "two\n"):
        log.write_text(text)
        rotate(paths=[log], compression="none")
    time.sleep(0.3)
    with (logs / "app.log.1").open("a") as late:
        late.write("late\n")
    log.write_text("three\n")
    assert both(paths=[log], size=None, rotate_after="250ms", compression="none")["rotations"][0]["rotated"]


def test_a_ring_is_kept_by_age(log: Path, logs: Path) -> None:
    """The JVM numbers its files in a ring, and renames: number is not age."""
    now = time.time()
    for number, age in ((1, 100), (2, 50), (3, 10)):
        fill(logs, f"app.log.{number}")
        os.utime(logs / f"app.log.{number}", (now - age, now - age))
    log.write_text("")
    done = both(paths=[log], keep={"last": 1}, compression="none")
    assert [one["name"] for one in done["rotations"][0]["removed"]] == [str(logs / "app.log.2")]


def test_a_missing_log_that_is_named_has_rotated_files(logs: Path) -> None:
    fill(logs, "app.log.1", "app.log.2")
    for number in (1, 2):
        os.utime(logs / f"app.log.{number}", (0, 0))
    assert not both(paths=[logs / "app.lo?"], missing_ok=True, keep={"last": 1})["changed"]
    assert both(paths=[logs / "app.log"], keep={"last": 1})["changed"]
    assert names(logs) == ["app.log.1.gz"]


def test_compressed_and_dated_files_are_no_logs(log: Path, logs: Path) -> None:
    fill(logs, "other.log.1.bz2", "other.log-20261126.gz", "app.log-20261127", "app.log-2026112712", "old.tar.xz")
    done = both(paths=[logs / "*"], compression="none")
    assert [one["name"] for one in done["rotations"]] == [str(log)]
    assert "is a compressed file, not a log" in str(failing(paths=[logs / "old.tar.xz"]))


def test_a_directory_that_is_reached_twice(log: Path, logs: Path) -> None:
    (logs.parent / "cur").symlink_to("logs")
    done = rotate(paths=[logs.parent / "*" / "*.log"])
    assert [one["name"] for one in done["rotations"]] == [str(log)]
    assert names(logs) == ["app.log", "app.log.1.gz"]


def test_files_beside_the_directories_that_a_glob_is_about(log: Path, tmp_path: Path) -> None:
    (tmp_path / "other.log").write_text("x")
    (tmp_path / "current").symlink_to("other.log")
    for check in (True, False):
        done = rotate(check, paths=[tmp_path / "*" / "*.log"])
        assert [one["name"] for one in done["rotations"]] == [str(log)]
        assert not done["warnings"]


def test_links_are_passed_over(log: Path, logs: Path) -> None:
    (logs / "current").symlink_to("app.log")
    (logs / "app.INFO").symlink_to("missing")
    (logs / "old").mkdir()
    done = both(paths=[logs / "*"])
    assert done["warnings"] == [
        f"{logs}/{name} is a symbolic link and was skipped." for name in ("app.INFO", "current")
    ]
    assert [one["name"] for one in done["rotations"]] == [str(log)]
    assert "No log matches" in str(failing(paths=[logs / "curr*"]))


def test_exclude(log: Path, logs: Path) -> None:
    fill(logs, "debug.log", "trace.log")
    done = both(paths=[logs / "*.log"], exclude=["debug*", f"{logs}/tr*"])
    assert [one["name"] for one in done["rotations"]] == [str(log)]
    assert not rotate(paths=[logs / "debug.log"], exclude=["*.log"])["changed"]


def test_a_name_that_is_not_utf8(logs: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(logs) + b"/caf\xe9.log"))
    path.write_text("x\n")
    assert both(paths=[logs / "*"])["rotations"][0]["rotated"]
    assert names(logs) == [path.name, path.name + ".1.gz"]
