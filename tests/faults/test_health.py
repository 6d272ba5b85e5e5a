# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports and history: killed, and without space, at each call that changes the file system."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._history.database import History
from ansible_collections.day2.ops.tests.faults.support import run, run_with, steps


@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC"])
def test_a_report_and_a_history_are_old_or_new(fault: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    report, history = state / "app.txt", state / "health.db"
    where = {"report": str(report), "history": str(history)}
    old: dict[str, Any] = {**where, "status": "ok", "at": 1000.0}
    new: dict[str, Any] = {**where, "status": "critical", "at": 2000.0}
    assert run("health_writer", old).status == 0
    shutil.copytree(state, tmp_path / "before")
    texts = {report.read_text()}
    taken = steps("health_writer", new, tmp_path / "strace")
    texts.add(report.read_text())
    assert len(texts) == 2
    for step in taken:
        shutil.rmtree(state)
        shutil.copytree(tmp_path / "before", state)
        done = run_with(fault, step, "health_writer", new)
        assert done.killed or done.status in (0, 3), (step, done.error)
        assert report.read_text() in texts, step
        with History(str(history)) as kept:
            (check,) = kept.checks()
            statuses = [one.status for one in kept.kept(check, 0)]
        assert statuses in (["ok"], ["ok", "critical"]), step
        assert check.status == statuses[-1], step
        assert (done.status != 0) or statuses[-1] == "critical", step
        again = run("health_writer", {**new, "at": 3000.0})
        assert again.status == 0, (step, again.error)
        assert sqlite3.connect(history).execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if fault != "signal=KILL":
            assert sorted(one.name for one in state.iterdir()) == ["app.txt", "health.db"], step
