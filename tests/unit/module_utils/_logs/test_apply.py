# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands, what is told to whom, removal, limits; and that one log's trouble stays its own."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled
from ansible_collections.day2.ops.plugins.module_utils._logs import apply as apply_module
from ansible_collections.day2.ops.plugins.module_utils._logs import compress as compress_module
from ansible_collections.day2.ops.plugins.module_utils._logs import rotate as rotate_module
from ansible_collections.day2.ops.tests.unit.module_utils._logs.conftest import (
    Writer,
    both,
    failing,
    names,
    rotate,
)


def old(path: Path, size: int, age: float) -> None:
    path.write_bytes(os.urandom(size))
    os.utime(path, (time.time() - age,) * 2)


def test_keep_none(log: Path, logs: Path) -> None:
    old(logs / "app.log.1", 10, 100)
    done = both(paths=[log], keep={"last": 0})
    assert names(logs) == ["app.log"]
    assert [one["reason"] for one in done["rotations"][0]["removed"]] == ["keep.last is 0"] * 2
    assert done["bytes_freed"] == 14
    assert not both(paths=[log], keep={"last": 0})["changed"]
    log.write_text("two\n")
    both(paths=[log], keep={"last": 0, "within": "1h"})
    assert names(logs) == ["app.log", "app.log.1.gz"]


def test_keep_none_waits_for_the_writer(log: Path, logs: Path, writer: Writer) -> None:
    process = writer(log)
    both(paths=[log], keep={"last": 0})
    assert names(logs) == ["app.log", "app.log.1"]
    log.write_text("two\n")
    assert "still writes" in str(failing(paths=[log], keep={"last": 0}, after=[["true"]], reopen_timeout="0s"))
    assert names(logs) == ["app.log", "app.log.1", "app.log.2"]
    process.kill()
    process.wait()


def test_before_remove(logs: Path, say: list[str], tmp_path: Path) -> None:
    for name in ("a.log", "keep.log"):
        (logs / name).write_text(f"{name}\n")
        old(logs / f"{name}.1", 10, 100)
        old(logs / f"{name}.2", 10000, 200)
    how: dict[str, Any] = {"before_remove": [[*say, "{path}", "{rotated}"]], "compression": "none"}
    rotate(True, paths=[logs / "*.log"], keep={"last": 2}, **how)
    assert not (tmp_path / "said").exists()
    error = failing(paths=[logs / "*.log"], keep={"last": 2}, **how)
    assert f"{logs}/keep.log: the command {say[0]} failed with exit status 1." in str(error)
    assert (tmp_path / "said").read_text().splitlines() == [
        f"{logs}/{name} {logs}/{name}.3" for name in ("a.log", "keep.log")
    ]
    assert names(logs) == ["a.log", "a.log.1", "a.log.2", "keep.log", *(f"keep.log.{n}" for n in (1, 2, 3))]
    failing(paths=[logs / "*.log"], max_total_size="0", **how)
    assert names(logs) == ["a.log", "keep.log", *(f"keep.log.{n}" for n in (1, 2, 3))]


def test_a_mistake_of_ours_is_one_logs(log: Path, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (logs / "b.log").write_text("b\n")
    original = rotate_module._rename

    def broken(plan: Any, new_file: Any) -> None:
        if plan.name == "app.log":
            raise MemoryError("too much")
        original(plan, new_file)

    monkeypatch.setattr(rotate_module, "_rename", broken)
    error = failing(paths=[logs / "*.log"])
    assert f"{log}: MemoryError: too much." in str(error)
    assert names(logs) == ["app.log", "b.log", "b.log.1.gz"]
    assert error.details["changed"]


def test_a_sparse_file_spends_nothing(logs: Path) -> None:
    old(logs / "app.log.1", 1000, 1000)
    (logs / "app.log").write_text("")
    (logs / "huge.log").write_text("")
    os.truncate(logs / "huge.log", 8 << 40)
    for check in (True, False):
        done = rotate(check=check, paths=[logs / "*.log"], max_total_size="100K", size="16T", compression="none")
        assert done["changed"] is False
    assert "app.log.1" in names(logs)


def test_a_directory_spends_its_own_limit(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.log").write_text("")
        old(tmp_path / name / "app.log.1", 5000, 1000)
        old(tmp_path / name / "app.log.2", 5000, 2000)
    old(tmp_path / "b" / "app.log.3", 100000, 10)
    paths = [tmp_path / "a" / "*.log", tmp_path / "b" / "*.log"]
    done = both(paths=paths, max_total_size="20000", compression="none")
    assert {Path(one["name"]).parent.name for log in done["rotations"] for one in log["removed"]} == {"b"}
    assert len(names(tmp_path / "a")) == 3
    assert done["bytes_freed"] >= 100000


def test_check_mode_speaks_of_what_would_be(log: Path) -> None:
    assert rotate(True, paths=[log])["msg"].startswith("1 of 1 log would be rotated, 1 file")


def test_a_run_that_is_stopped_tells_what_it_did(log: Path, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*dummy: object) -> None:
        raise Cancelled("Stopped: it received SIGTERM.")

    monkeypatch.setattr(apply_module, "compress_all", stopped)
    error = failing(paths=[log])
    assert isinstance(error, Cancelled)
    assert error.details["changed"]
    assert error.details["rotations"][0]["rotated_to"] == str(logs / "app.log.1")


def test_a_command_before_all_that_fails(log: Path) -> None:
    error = failing(paths=[log], before=[["false"]])
    assert str(error) == "The command false failed with exit status 1."
    assert error.details["changed"] is False
    assert error.details["rotations"][0]["rotated"] is False


@pytest.mark.parametrize("wrong", [{"paths": ["/d/a\0b"]}, {"old_dir": "a\0"}, {"exclude": ["\0"]}])
def test_nul_characters(log: Path, wrong: dict[str, Any]) -> None:
    assert "contains a NUL character" in str(failing(**{"paths": [log], **wrong}))


def test_planted_leftovers_go(logs: Path) -> None:
    for name in ("app.log", "x" * 210):
        (logs / name).write_text("x\n")
    for number in range(20):
        (logs / f".day2-app.log.copy.{number:08x}").touch()
    (logs / f".day2-{'x' * 200}.00000000").touch()
    (logs / ".day2-other.log.copy.00000000").touch()
    rotate(paths=[logs / "*"], compression="none")
    assert names(logs) == [".day2-other.log.copy.00000000", "app.log", "app.log.1", "x" * 210, "x" * 210 + ".1"]


def test_a_run_that_is_stopped_leaves_no_part_of_a_file(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        (logs / f"{number}.log").write_text("one\n")
    calls, real = itertools.count(1), compress_module.prepare

    def prepare(*arguments: Any, **more: Any) -> Any:
        done = real(*arguments, **more)
        if next(calls) == 6:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        return done

    monkeypatch.setattr(compress_module, "prepare", prepare)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        error = failing(paths=[logs / "*.log"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert isinstance(error, Cancelled)
    assert [name for name in os.listdir(logs) if name.startswith(".day2")] == []
