# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Optimizations of SQLite that are killed or meet a full disk: the records are the same, and the next run works."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from pathlib import Path

import pytest

from ansible_collections.day2.ops.tests.faults.support import run, run_with, spread, steps

ROWS = [(number, "x" * 900) for number in range(0, 400, 2)]


def make(path: Path) -> None:
    """A database of which half is free."""
    for one in path.parent.glob(path.name + "*"):
        one.unlink()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, note TEXT)")
        database.executemany("INSERT INTO events VALUES (?, ?)", [(number, "x" * 900) for number in range(400)])
        database.execute("DELETE FROM events WHERE id % 2")


@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC"])
def test_a_fault_at_a_step(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAY2_STATE", str(tmp_path / "state"))
    path, repository = tmp_path / "data" / "events.db", tmp_path / "backups"
    path.parent.mkdir()
    params = {
        "store": {"type": "sqlite", "path": str(path)},
        "vacuum": "full",
        "min_bytes_freed": "0",
        "journal_mode": "wal",
        "repository": str(repository),
        "name": "events",
    }
    make(path)
    size = path.stat().st_size
    met = 0
    for step in spread(steps("store_optimize", params)):
        make(path)
        subprocess.run(["rm", "-rf", str(repository), str(tmp_path / "state")], check=True)
        ended = run_with(fault, step, "store_optimize", params)
        assert ended.status in (0, 3) or ended.killed, (step, ended.error)
        met += ended.status != 0
        again = run("store_optimize", params)
        assert again.status == 0, (step, again.error)
        with contextlib.closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",), step
            assert database.execute("SELECT * FROM events ORDER BY id").fetchall() == ROWS, step
            assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",), step
        assert path.stat().st_size < 0.7 * size, step
        assert [one.name for one in path.parent.iterdir() if one.name.startswith(".day2-")] == [], step
    assert met > 1
