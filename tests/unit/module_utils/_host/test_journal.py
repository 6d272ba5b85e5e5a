# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._host import journal
from ansible_collections.day2.ops.plugins.module_utils._host.places import state


@pytest.fixture(autouse=True)
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))


def record(job: str = "a", status: str = "ok", existing: Any = ("a", "b"), **more: Any) -> None:
    now = time.time()
    entry = {"job": job, "verb": "backup", "began": now - 2, "ended": now, "status": status, "msg": "m", **more}
    journal.record(entry, existing)


def test_a_torn_line_is_survived() -> None:
    record()
    with open(state("journal.jsonl"), "ab") as handle:
        handle.write(b'{"job": "a", "ver')
    record("b")
    assert [one["job"] for one in journal.runs()] == ["a", "b"]


def test_the_summary_is_made_again_from_the_journal() -> None:
    record(status="failed")
    record(status="failed")
    before = journal.summary()
    for damaged in ("{", '{"jobs": {"a": {"failures": "2"}}}', '{"jobs": {"a": {"status": "ok", "days": 5}}}'):
        Path(state(journal.SUMMARY)).write_text(damaged)
        assert journal.summary() == before
    assert before["a"]["failures"] == 2
    record()
    assert journal.summary()["a"]["failures"] == 0


def test_a_busy_run_changes_no_summary() -> None:
    record(status="failed")
    before = journal.summary()
    record(status="busy")
    assert journal.summary() == before
    assert len(journal.runs()) == 2


def test_removed_jobs_are_forgotten() -> None:
    record("a")
    record("b", existing=("b",))
    assert sorted(journal.summary()) == ["b"]


def test_the_last_success_survives_failures() -> None:
    record()
    success = journal.summary()["a"]["last_ok"]
    record(status="stopped")
    assert journal.summary()["a"]["last_ok"] == success


def test_the_summary_stays_small() -> None:
    names = [f"job-number-{number}" for number in range(25)]
    for name in names:
        record(name, "failed", names, msg=f"{name} failed: " + "long " * 400)
    assert Path(state(journal.SUMMARY)).stat().st_size <= 4096
    assert len(journal.summary()) == 25
    assert all(one["status"] == "failed" for one in journal.summary().values())
    assert all(one["msg"].startswith(f"{name} failed") for name, one in journal.summary().items())


def test_the_journal_is_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_LARGEST", 2000)
    monkeypatch.setattr(journal, "_KEPT", 1000)
    for number in range(40):
        record(msg=str(number))
    assert len(journal.runs()) < 20
    assert [one["msg"] for one in journal.runs()][-5:] == ["35", "36", "37", "38", "39"]


def test_lines_stay_small() -> None:
    many = [f"/srv/app/file-{number} cannot be read." for number in range(50_000)]
    record(warnings=many, facts={"removed": many, "reason": "changed"})
    assert Path(state("journal.jsonl")).stat().st_size < 50_000
    assert journal.runs()[0]["warnings"][-1] == "and 49980 more"
    assert journal.runs()[0]["facts"] == {"reason": "changed"}
    assert journal.summary()["a"]["warnings"] == 50_000


@pytest.mark.parametrize("line", ['{"began": "x"}', '{"ended": Infinity}', '{"job": []}', "[" * 100_000, "[]"])
def test_lines_that_are_no_runs_are_skipped(line: str) -> None:
    record()
    more = json.loads(line) if line.startswith("{") else None
    whole = json.loads(Path(state("journal.jsonl")).read_text())
    with open(state("journal.jsonl"), "a") as handle:
        handle.write((json.dumps({**whole, **more}) if more else line) + "\n")
    os.unlink(state(journal.SUMMARY))
    record("b")
    assert sorted(journal.summary()) == ["a", "b"]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A file system for the state; the function fills it."""
    place = tmp_path / "state"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)

    def fill() -> None:
        with contextlib.suppress(OSError), open(place / "ballast", "wb", buffering=0) as handle:
            while True:
                handle.write(bytes(4096))

    yield fill
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.root
@pytest.mark.parametrize("block", [False, True])
def test_a_full_disk_hides_no_failure(full: Callable[[], None], block: bool) -> None:
    record()
    path = Path(state("journal.jsonl"))
    if block:  # the journal ends with its block, so that not even its line can be written
        with path.open("ab") as handle:
            handle.write(b"\n" * (4096 - path.stat().st_size))
    full()
    if block:
        with pytest.raises(OSError, match="No space left"):
            record(status="failed")
    else:
        record(status="failed")
    assert json.loads(Path(state(journal.SUMMARY)).read_text())["jobs"]["a"]["status"] == "failed"


def test_times_in_the_future_are_unknown() -> None:
    assert journal.known_time(time.time() + 3600) == 0
    assert journal.known_time("yesterday") == journal.known_time(None) == journal.known_time(True) == 0
    assert journal.known_time(1_700_000_000) == 1_700_000_000


def test_files_are_private() -> None:
    record()
    assert {path.stat().st_mode & 0o077 for path in Path(state()).iterdir()} == {0}
    assert json.loads(Path(state(journal.SUMMARY)).read_text())["schema"] == 1
