# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Purges that are killed while an application writes, and that run out of disk space: the books agree in the end."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.tables_store import DynamodbTables
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.values import KeyField
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql import purger as postgresql_purger
from ansible_collections.day2.ops.tests.faults.support import run, run_with, spread, steps
from ansible_collections.day2.ops.tests.faults.verb import run_verb
from tests.conftest import TIMES
from tests.services.dynamodb import options
from tests.services.dynamodb_fixtures import dynoxide_url
from tests.services.stores import schema
from tests.services.throttle_proxy import killed_at_call, proxy

__all__ = ["dynoxide_url"]

COUNT = 3000
KILLS = 10 * TIMES
OLD, NEW = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
OTHERS = {"others": {"a": {"x": 1}}, "version": 3}  # of the document


@contextlib.contextmanager
def opened(store: dict[str, Any]) -> Iterator[Any]:
    """A connection on which each statement is a transaction."""
    if store["type"] == "sqlite":
        with contextlib.closing(sqlite3.connect(store["path"], timeout=60, isolation_level=None)) as database:
            yield database
        return
    import psycopg

    search = f"-c search_path={store['schema']}"
    user = {"user": store["username"], "dbname": "postgres", "options": search}
    with psycopg.connect(host=store["host"], autocommit=True, **user) as connection:
        yield connection


def event(number: int) -> dict[str, Any]:
    return {"id": number, "at": OLD if number % 7 else NEW, "note": f"note {number}"}


def make(store: dict[str, Any], mode: str, count: int) -> None:
    """A collection in which every seventh record is new."""
    if store["type"] == "json":
        Path(store["path"]).write_text(json.dumps({"events": list(map(event, range(1, count + 1))), **OTHERS}))
        return
    if store["type"] == "sqlite":
        path = Path(store["path"])
        for one in path.parent.glob(path.name + "*"):
            one.unlink()
    with opened(store) as database:
        if store["type"] == "sqlite":
            database.execute(f"PRAGMA journal_mode={mode}")
        database.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT, note TEXT)")
    fill(store, 1, count)


def fill(store: dict[str, Any], first: int, count: int) -> None:
    rows = [f"({n}, '{OLD if n % 7 else NEW}', 'note {n}')" for n in range(first, first + count)]
    with opened(store) as database:
        database.execute(f"INSERT INTO events VALUES {', '.join(rows)}")


def ids(store: dict[str, Any]) -> list[int]:
    if store["type"] == "json":
        document = json.loads(Path(store["path"]).read_text())
        events = document.pop("events")
        assert document == OTHERS
        assert all(one == event(one["id"]) for one in events)
        return [one["id"] for one in events]
    with opened(store) as database:
        return [row[0] for row in database.execute("SELECT id FROM events ORDER BY id").fetchall()]


def sqlite_in(tmp_path: Path) -> dict[str, Any]:
    return {"type": "sqlite", "path": str(tmp_path / "events.db")}


def params_of(store: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    return {
        "store": store,
        "collection": "events",
        "time_field": "at",
        "older_than": "90d",
        "allow_all": True,
        "max_wait": "60ms",
        "repository": str(tmp_path / "backups"),
        "name": "events",
        **({"key": ["id"]} if store["type"] == "json" else {}),
    }


def application(store: dict[str, Any], log: Path, stop: Path) -> None:
    """Change old records at random until told to stop, and note what was committed."""
    chosen = random.Random(1)
    with opened(store) as connection, log.open("w") as noted:
        for number in range(10**9):
            if stop.exists():
                return
            record = chosen.randrange(1, connection.execute("SELECT max(id) FROM events").fetchone()[0] + 1)
            change = f"UPDATE events SET note = 'new {number}' WHERE id = {record} AND at = '{OLD}'"
            if connection.execute(change).rowcount:
                noted.write(f"{record} new {number}\n")
            time.sleep(0.001)


def purge_on(cores: Sequence[int], params: dict[str, Any]) -> None:
    """With more than one core, two processes read."""
    os.sched_setaffinity(0, cores)
    run_verb("purge", params)


def child(action: Any, *arguments: Any) -> int:
    """A process that does this. Its exit status is not 0 if that failed."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            action(*arguments)
            status = 0
        finally:
            os._exit(status)
    return pid


@contextlib.contextmanager
def writing(store: dict[str, Any], log: Path) -> Iterator[None]:
    stop = log.with_suffix(".stop")
    pid = child(application, store, log, stop)
    try:
        yield
    finally:
        stop.touch()
        _pid, status = os.waitpid(pid, 0)
    assert status == 0


def exported(repository: Path) -> dict[int, list[str]]:
    """The notes with which each record was exported, oldest first."""
    found: dict[int, list[str]] = {}
    manifests = sorted((json.loads(one.read_text())["created"], one) for one in repository.glob("*/2*/manifest.json"))
    for _created, manifest in manifests:
        for path in manifest.parent.glob("data/*"):
            command = ["zstd", "-dcq", str(path)] if path.suffix == ".zst" else ["gzip", "-dc", str(path)]
            text = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
            for record in map(json.loads, text.splitlines()):
                found.setdefault(record["id"], []).append(record["note"])
    return found


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAY2_STATE", str(tmp_path / "state"))


@pytest.mark.parametrize("mode", ["wal", "delete", "postgresql"])
def test_kills_beside_an_application(
    mode: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_purger, "_BLOCKS", 3)  # so few that two processes read
    store = schema(request.getfixturevalue("postgresql")) if mode == "postgresql" else sqlite_in(tmp_path)
    log, params = tmp_path / "log", params_of(store, tmp_path)
    make(store, mode, COUNT)
    with opened(store) as database:  # so far from the others that two processes read
        database.execute(f"INSERT INTO events VALUES (-30000, '{NEW}', 'far')")
    cores = range(os.cpu_count() or 1)
    chosen, most, killed = random.Random(mode), COUNT, 0
    longest = 0.5
    with writing(store, log):
        while killed < KILLS:
            began = time.monotonic()
            pid = child(purge_on, cores, params)
            time.sleep(chosen.uniform(0, longest))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            _pid, status = os.waitpid(pid, 0)
            assert status in (0, signal.SIGKILL)
            killed += status == signal.SIGKILL
            if status == 0:  # it was quicker than expected
                longest = 1.2 * (time.monotonic() - began)
                fill(store, most + 1, COUNT)
                most += COUNT
            else:
                longest = min(1.2, 1.1 * longest)
    last = {number: f"note {number}" for number in range(1, most + 1)}
    for line in log.read_text().splitlines():
        number, _space, note = line.partition(" ")
        last[int(number)] = note
    again = run("purge", params)
    assert again.status == 0, again.error
    assert run("purge", params).result["changed"] is False
    assert ids(store) == [-30000, *range(7, most + 1, 7)]
    if store["type"] == "sqlite":
        with opened(store) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    found = exported(tmp_path / "backups")
    for number, note in last.items():
        if number % 7:
            # as it was in the end, and before that only with other content
            assert found[number][-1] == note, (number, found[number])
            assert len(set(found[number])) == len(found[number]), (number, found[number])
    assert not list((tmp_path / "state").glob("purge/*"))


@pytest.mark.parametrize(
    ("kind", "fault"), [("sqlite", "signal=KILL"), ("sqlite", "error=ENOSPC"), ("json", "signal=KILL")]
)
def test_a_fault_at_a_step(kind: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    store, repository = {"type": kind, "path": str(tmp_path / "data" / "events")}, tmp_path / "backups"
    params = params_of(store, tmp_path)
    if kind == "sqlite":
        params.update(vacuum=True, window={"start": "2020-01-01T00:00:00Z", "end": NEW})
    make(store, "wal", 70)
    met = 0
    for step in spread(steps("purge", params)):
        make(store, "wal", 70)
        subprocess.run(["rm", "-rf", str(repository), str(tmp_path / "state")], check=True)
        ended = run_with(fault, step, "purge", params)
        assert ended.status in (0, 3) or ended.killed, (step, ended.error)
        met += ended.status != 0
        assert set(range(1, 71)) - set(ids(store)) <= set(exported(repository)), step
        again = run("purge", params)
        assert again.status == 0, (step, again.error)
        notes = exported(repository)
        assert {number: note for number, note in notes.items() if len(set(note)) > 1} == {}, step
        assert sorted(notes) == [number for number in range(1, 71) if number % 7], step
        assert ids(store) == list(range(7, 71, 7)), step
        assert run("purge", params).result["changed"] is False
        assert kind == "sqlite" or os.listdir(tmp_path / "data") == ["events"]
    assert met > 1


def test_a_purge_of_dynamodb_that_is_killed_at_a_call(dynoxide_url: str, tmp_path: Path) -> None:
    """Before and after the server does one of each kind of calls. Then the application changes some of what is left."""
    with proxy(dynoxide_url) as server:
        store = {"type": "dynamodb", **options(server.url, f"{tmp_path.name}.")}
        params = {**params_of(store, tmp_path), "name": "events"}
        tables = DynamodbTables(store)
        tables.create_collection("events", [KeyField("id", "N")])
        notes: dict[int, list[str]] = {}

        def write(numbers: Iterable[int], word: str) -> None:
            with tables.writer("events") as writer:
                writer.put([{**event(number), "note": f"{word} {number}"} for number in numbers])
                writer.flush()
            for number in numbers:
                notes.setdefault(number, []).append(f"{word} {number}")

        def left() -> list[int]:
            return sorted(one["id"] for page in tables.read("events") for one in page)

        write(range(1, 71), "first")
        server.bodies.clear()
        assert run("purge", params).result["deleted"] == 60
        calls = [operation for operation, _body in server.bodies]
        old = [number for number in range(1, 71) if number % 7]
        for operation, got in itertools.product(("Scan", "GetItem", "DeleteItem"), (False, True)):
            # the server does not get calls with odd numbers
            places = [at for at, one in enumerate(calls, 1) if one == operation and at % 2 != got]
            write(old, f"before {operation}")
            assert killed_at_call(server, places[len(places) // 2], lambda: run_verb("purge", params))
            kept = left()
            assert all(notes[number][-1] in exported(tmp_path / "backups")[number] for number in set(old) - set(kept))
            write([number for number in kept if number % 7 == 1], f"after {operation}")
            again = run("purge", params)  # it continues, and then exports and deletes what was changed meanwhile
            assert again.status == 0, again.error
            assert left() == list(range(7, 71, 7))
            found = exported(tmp_path / "backups")
            assert all(found[number][-1] == notes[number][-1] for number in old), (operation, got)
            shutil.rmtree(tmp_path / "backups")
        assert run("purge", params).result["changed"] is False
    assert not list((tmp_path / "state").glob("purge/*"))
