# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations that are killed at any moment, or find no space: the next run carries on and ends with the same result."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import write
from tests.conftest import TIMES
from tests.faults.support import run, run_with, steps
from tests.services.stores import schema

RECORDS = 900
DOCUMENT = {
    "requests": {f"req-{n}": {"request_id": f"req-{n}", "status": "running"} for n in range(RECORDS // 3)},
    "machines": {f"m-{n}": {"id": f"m-{n}", "request_id": f"req-{n % 300}", "size": n} for n in range(RECORDS)},
}
KILLS = 4 * TIMES  # of each pair, at random


def store(kind: str, directory: Path, postgresql: dict[str, Any]) -> dict[str, Any]:
    return schema(postgresql) if kind == "postgresql" else {"type": kind, "path": str(directory / ("store." + kind))}


def add_schema(store: dict[str, Any]) -> None:
    """What is added to tables only after their records: indexes, and foreign keys where they can be."""
    index = "CREATE INDEX by_request ON machines (request_id)"
    if store["type"] == "sqlite":
        with contextlib.closing(sqlite3.connect(store["path"])) as database:
            database.execute(index)
        return
    import psycopg

    with psycopg.connect(host=store["host"], user="postgres", dbname="postgres") as connection:
        connection.execute(f"SET search_path = {store['schema']}")
        connection.execute(index)
        connection.execute("ALTER TABLE machines ADD FOREIGN KEY (request_id) REFERENCES requests (request_id)")


def schema_of(store: dict[str, Any]) -> list[Any]:
    with open_target(store, {}) as records:
        return [(one.name, one.key, one.indexes, one.foreign_keys) for one in records.collections()]


def migration(source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    return {"source": source, "target": target, "batch_size": 100}


@pytest.mark.parametrize(
    ("first", "second"),
    [(one, two) for one in ("json", "sqlite", "postgresql") for two in ("json", "sqlite", "postgresql")],
)
@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC"])
def test_a_run_that_was_stopped_is_continued(
    first: str, second: str, fault: str, tmp_path: Path, postgresql: dict[str, Any]
) -> None:
    if fault == "error=ENOSPC" and second == "postgresql":
        return  # it is the server that writes
    document = {"type": "json", "path": str(tmp_path / "document.json")}
    Path(document["path"]).write_text(json.dumps(DOCUMENT))
    (tmp_path / "source").mkdir()
    source = document if first == "json" else store(first, tmp_path / "source", postgresql)
    if first != "json":
        assert run("migrate", migration(document, source)).status == 0
        add_schema(source)

    def fresh(name: str) -> dict[str, Any]:
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        (tmp_path / name).mkdir()
        return store(second, tmp_path / name, postgresql)

    dry = fresh("dry")
    every = steps("migrate", migration(source, dry))
    wanted = schema_of(dry)
    assert ("by_request" in str(wanted)) == ("json" not in (first, second))
    # PostgreSQL is written through a socket: there are few other calls
    for step in random.Random(1).sample(every, min(KILLS if fault == "signal=KILL" else KILLS // 2, len(every))):
        target = fresh("target")
        stopped = run_with(fault, step, "migrate", migration(source, target))
        assert stopped.killed or stopped.status in (0, 3), stopped.error
        again = run("migrate", migration(source, target))
        assert again.status == 0, (step, again.error)
        done = run("migrate", migration(source, target))
        assert (done.status, done.result.get("changed")) == (0, False), (step, done.error)
        assert done.result["migration"]["total"] == RECORDS + RECORDS // 3
        assert schema_of(target) == wanted, step
        if second != "postgresql":
            assert [one.name for one in (tmp_path / "target").iterdir()] == ["store." + second], step


def test_a_schema_that_is_killed_between_two_versions(tmp_path: Path) -> None:
    path = tmp_path / "hawkfish.db"
    versions = [
        {"version": 1, "up": "CREATE TABLE hf_systems (id INTEGER PRIMARY KEY)"},
        {
            "version": 2,
            "up": ["ALTER TABLE hf_systems ADD COLUMN host_id TEXT", "INSERT INTO hf_systems VALUES (1, 'a')"],
        },
    ]
    params = {"target": {"type": "sqlite", "path": str(path)}, "schema": versions}
    every = steps("migrate", params)
    found = set()
    for step in random.Random(1).sample(every, min(2 * KILLS, len(every))):
        path.unlink()
        stopped = run_with("signal=KILL", step, "migrate", params)
        assert stopped.killed or stopped.status == 0, stopped.error
        with contextlib.closing(sqlite3.connect(path)) as database:
            columns = [row[1] for row in database.execute("PRAGMA table_info(hf_systems)")]
            table = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'day2_schema_versions'").fetchone()
            version = database.execute("SELECT max(version) FROM day2_schema_versions").fetchone()[0] if table else 0
        assert columns == [[], ["id"], ["id", "host_id"]][version], step
        found.add(version)
        again = run("migrate", {**params, "safety_backup": False})
        assert again.status == 0, (step, again.error)
        assert again.result["schema"]["version"] == 2
    assert len(found) > 1


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_crash_of_the_server_is_told_and_the_next_run_carries_on(
    side: str, tmp_path: Path, postgresql: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {"type": "json", "path": str(tmp_path / "document.json")}
    Path(document["path"]).write_text(json.dumps(DOCUMENT))
    full = schema(postgresql)
    assert run("migrate", migration(document, full)).status == 0
    move_on = write._Account.move_on

    def crash_at(batch: int) -> Callable[..., dict[str, Any]]:
        numbers = itertools.count(1)

        def crashing(*arguments: Any) -> dict[str, Any]:
            if next(numbers) == batch:
                crash_server(postgresql)
            return move_on(*arguments)

        return crashing

    failed = 0
    for number in range(1, 13, 3 if TIMES == 1 else 1):  # of 12 batches
        source, target = (document, schema(postgresql)) if side == "target" else (full, json_store(tmp_path, number))
        with monkeypatch.context() as patch:
            patch.setattr(write._Account, "move_on", crash_at(number))
            stopped = run("migrate", migration(source, target))
        assert stopped.status in (0, 3), stopped.error
        failed += stopped.status == 3
        again = run("migrate", migration(source, target))
        assert again.status == 0, (stopped.error, again.error)
        done = run("migrate", migration(source, target))
        assert (done.status, done.result.get("changed")) == (0, False), done.error
        assert done.result["migration"]["total"] == RECORDS + RECORDS // 3
    assert failed


def json_store(directory: Path, number: int) -> dict[str, Any]:
    return {"type": "json", "path": str(directory / (f"{number}.json"))}


def crash_server(postgresql: dict[str, Any]) -> None:
    """PostgreSQL takes the sudden end of a process of its own for what it is: all of them end, and it starts anew."""
    import psycopg

    def connection() -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=postgresql["host"], user=postgresql["username"], dbname="postgres", autocommit=True, connect_timeout=60
        )

    until = time.monotonic() + 120
    with contextlib.closing(connection()) as witness, contextlib.closing(connection()) as victim:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        with contextlib.suppress(psycopg.OperationalError):
            while time.monotonic() < until:
                witness.execute("SELECT pg_sleep(0.01)")
    while True:
        try:
            connection().close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < until
            time.sleep(0.05)
