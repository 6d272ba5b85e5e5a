# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates of records and moves of subjects that are killed at a step, and run again."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.tests.faults.support import run, run_with, spread, steps

COUNT = 9
MACHINE = {
    "name": "request",
    "collection": "requests",
    "key": "id",
    "state_field": "status",
    "initial": "PENDING",
    "states": ["PENDING", "RUNNING", "DONE"],
    "transitions": [
        {"name": "start", "from": "PENDING", "to": "RUNNING"},
        {"name": "end", "from": "RUNNING", "to": "DONE", "set": {"note": "ended"}},
    ],
}


def make_sqlite(path: Path) -> None:
    path.unlink(missing_ok=True)
    for side in path.parent.glob(path.name + "-*"):
        side.unlink()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE requests (id TEXT PRIMARY KEY, status TEXT, note TEXT)")
        database.executemany("INSERT INTO requests VALUES (?, 'PENDING', NULL)", [(f"r{n}",) for n in range(COUNT)])
        database.commit()


def make_json(path: Path) -> None:
    records = {f"r{n}": {"status": "PENDING", "note": None} for n in range(COUNT)}
    path.write_text(json.dumps({"requests": records}))


def rows(path: Path, query: str = "SELECT status FROM requests") -> list[Any]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [one[0] for one in database.execute(query)]


def states(kind: str, path: Path) -> list[str]:
    if kind == "sqlite":
        return rows(path)
    return [one["status"] for one in json.loads(path.read_text())["requests"].values()]


@pytest.mark.parametrize("kind", ["sqlite", "json"])
def test_a_killed_update_is_continued(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "store"
    make = make_sqlite if kind == "sqlite" else make_json
    params = {
        "store": {"type": kind, "path": str(path)},
        "collection": "requests",
        "set": {"status": "DONE"},
        "batch_size": 4,
        "repository": str(tmp_path / "backups"),
        "name": "requests",
    }
    make(path)
    killed = 0
    for step in spread(steps("records_update", params)):
        make(path)
        killed += run_with("signal=KILL", step, "records_update", params).killed
        left = states(kind, path)
        # whole batches, or the whole document
        assert left.count("DONE") in ({0, 4, 8, 9} if kind == "sqlite" else {0, 9}), step
        again = run("records_update", params)
        assert again.status == 0, (step, again.error)
        assert states(kind, path) == ["DONE"] * COUNT, step
        assert run("records_update", params).result["changed"] is False
    assert killed > 1


def test_a_killed_move_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "store"
    subjects = [f"r{n}" for n in range(COUNT)]
    params = {
        "store": {"type": "sqlite", "path": str(path)},
        "machine": MACHINE,
        "history": {"collection": None, "create": True},
        "subjects": subjects,
        "state": "DONE",
        "batch_size": 4,
    }
    make_sqlite(path)
    killed = 0
    for step in spread(steps("lifecycle", params)):
        make_sqlite(path)
        killed += run_with("signal=KILL", step, "lifecycle", params).killed
        again = run("lifecycle", params)
        assert again.status == 0, (step, again.error)
        assert rows(path) == ["DONE"] * COUNT, step
        # each of them went the way once
        events = rows(path, "SELECT subject || ' ' || to_state FROM lifecycle_events")
        assert sorted(events) == sorted(f"{one} {state}" for one in subjects for state in ("RUNNING", "DONE")), step
    assert killed > 1
