# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

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
    Path(state(journal.SUMMARY)).write_text("{")
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
        record(name, "failed", names, msg="long " * 400)
    assert Path(state(journal.SUMMARY)).stat().st_size <= 4096
    assert len(journal.summary()) == 25
    assert all(one["status"] == "failed" for one in journal.summary().values())


def test_the_journal_is_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_LARGEST", 2000)
    monkeypatch.setattr(journal, "_KEPT", 5)
    for number in range(40):
        record(msg=str(number))
    assert len(journal.runs()) < 20
    assert journal.runs()[-1]["msg"] == "39"


def test_times_in_the_future_are_unknown() -> None:
    assert journal.known_time(time.time() + 3600) == 0
    assert journal.known_time("yesterday") == journal.known_time(None) == journal.known_time(True) == 0
    assert journal.known_time(1_700_000_000) == 1_700_000_000


def test_files_are_private() -> None:
    record()
    assert {path.stat().st_mode & 0o077 for path in Path(state()).iterdir()} == {0}
    assert json.loads(Path(state(journal.SUMMARY)).read_text())["schema"] == 1
