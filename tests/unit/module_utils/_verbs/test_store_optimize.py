# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import files
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.file_lock import FileLock
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql import optimizer
from ansible_collections.day2.ops.plugins.module_utils._stores.records.inspection import Figures
from ansible_collections.day2.ops.plugins.module_utils._stores.records.optimizing import (
    VACUUM,
    OptimizePlan,
    OptimizeStep,
    OutOfTime,
    Until,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import optimizer as sqlite_optimizer
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.optimizer import SqliteOptimizer
from ansible_collections.day2.ops.plugins.module_utils._verbs.health.windows import read_windows
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import store_optimize
from tests.services.stores import Store
from tests.unit.module_utils._verbs.migrations import Stores, connected, sql
from tests.unit.module_utils.verbs import run_verb

ROWS = 4000
ALWAYS = {"start": "00:00", "end": "24:00"}
# A day that is never today, as today is one of two others.
NEVER = {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAY2_STATE", str(tmp_path / "state"))


def run(store: Store, check: bool = False, **params: Any) -> dict[str, Any]:
    values = {name: one.get("default") for name, one in store_optimize.ARGUMENTS["argument_spec"].items()}
    return run_verb(store_optimize, {**values, "min_bytes_freed": "0", "store": store, **params}, check)


def refused(message: str, store: Store, check: bool = False, **params: Any) -> dict[str, Any]:
    with pytest.raises(Day2Error) as caught:
        run(store, check, **params)
    assert message in str(caught.value)
    return dict(caught.value.details)


def actions(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["action"], one["name"]) for one in result["steps"]]


def four_steps(store: Store, **params: Any) -> dict[str, Any]:
    """Check, run, check, run."""
    first = run(store, True, **params)
    done = run(store, **params)
    assert (first["changed"], done["changed"]) == (True, True)
    assert actions(first) == actions(done)
    assert first["before"] == done["before"]
    assert first["after"] is None
    for check in (True, False):
        again = run(store, check, **params)
        assert (again["changed"], again["steps"]) == (False, [])
    return done


@pytest.fixture
def database(tmp_path: Path) -> Store:
    """Every other row of its table was deleted."""
    store = {"type": "sqlite", "path": str(tmp_path / "data" / "app.db")}
    (tmp_path / "data").mkdir()
    fill(store)
    return store


def fill(store: Store, setting: str = "journal_mode=DELETE", size: int = 200, key: str = " PRIMARY KEY") -> None:
    with contextlib.closing(sqlite3.connect(store["path"], isolation_level=None)) as connection:
        connection.execute(f"PRAGMA {setting}")
        connection.execute(f"CREATE TABLE log (id INTEGER{key}, note TEXT)")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO log VALUES (?, ?)", [(number, "x" * size) for number in range(ROWS)])
        connection.execute("COMMIT")
        connection.execute("DELETE FROM log WHERE id % 2 = 0")


def content(store: Store) -> list[Any]:
    assert sql(store, "PRAGMA integrity_check") == [("ok",)]
    return sql(store, "SELECT rowid, * FROM log ORDER BY rowid")


def free_pages(store: Store) -> int:
    (row,) = sql(store, "PRAGMA freelist_count")
    return int(row[0])


@contextlib.contextmanager
def application(store: Store, statement: str = "SELECT 1") -> Iterator[subprocess.Popen[str]]:
    """Another process that has the database open, and has run a statement, until its standard input ends."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('SELECT count(*) FROM sqlite_master').fetchall(); c.execute(sys.argv[2]).fetchall(); "
        "print('ready', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, store["path"], statement]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_free_space_is_released_and_nothing_else_changes(database: Store, mode: str) -> None:
    sql(database, f"PRAGMA journal_mode={mode}")
    before, size = content(database), os.path.getsize(database["path"])
    inode = os.stat(database["path"]).st_ino
    done = four_steps(database)
    assert actions(done) == [("vacuum", "app.db"), ("analyze", "log")]
    assert content(database) == before
    assert os.stat(database["path"]).st_ino == inode
    assert done["bytes_freed"] == done["before"]["bytes"] - done["after"]["bytes"]
    assert os.path.getsize(database["path"]) == done["after"]["bytes"] < size * 0.6
    assert done["after"]["free_percent"] < 10 < 40 < done["before"]["free_percent"]
    assert all(one["predicted_s"] > 0 and one["duration_s"] is not None for one in done["steps"])


def test_little_to_win_is_left(database: Store) -> None:
    for params, reason in (
        ({"free": "70%"}, "which is below free (70 %)"),
        ({"min_bytes_freed": "64M"}, "which is below min_bytes_freed (64.0 MiB)"),
    ):
        result = run(database, analyze=False, **params)
        assert result["changed"] is False
        assert [reason in one["reason"] for one in result["left_out"]] == [True]
    never = run(database, analyze=False, vacuum="never")
    assert (never["changed"], never["left_out"]) == (False, [])


def test_space_that_vacuum_cannot_win_is_not_tried_again(tmp_path: Path) -> None:
    """A page has room for one such row, and is almost half empty."""
    store = {"type": "sqlite", "path": str(tmp_path / "large.db")}
    fill(store, size=2100)
    done = four_steps(store, analyze=False)
    assert done["after"]["free_percent"] > 40


def test_a_live_application_is_not_locked_out(database: Store) -> None:
    with application(database) as process:
        for check in (True, False):
            details = refused(f"{process.pid} (python", database, check)
            # what does not lock it out is done nevertheless
            assert [one["action"] for one in details["steps"]] == ["analyze"]
        size = os.path.getsize(database["path"])
        done = four_steps(database, window=ALWAYS)
        assert actions(done) == [("vacuum", "app.db")]
        assert os.path.getsize(database["path"]) < size


def test_outside_of_the_window_nothing_is_done(database: Store) -> None:
    for check in (True, False):
        result = run(database, check, window=NEVER)
        assert (result["changed"], result["stopped"], result["before"]) == (False, "window", None)
    assert "outside of the window" in result["msg"]


def test_vacuum_starts_only_if_it_fits(database: Store) -> None:
    before = content(database)
    for check in (True, False):
        details = refused("it takes about", database, check, time_limit="900ms", analyze=False)
        assert details["steps"] == []
    assert content(database) == before
    assert details["bytes_freed"] == 0


def test_what_fits_leaves_less_time_for_the_next() -> None:
    steps = [OptimizeStep(VACUUM, name, "", 10 * 3600) for name in ("a", "b")]
    outcome = store_optimize._Outcome()
    outcome.planned(OptimizePlan(steps, (), Figures()), Until(15.5 * 3600))
    assert outcome.fitting == steps[:1]
    (held,) = outcome.held
    assert re.fullmatch(r"it takes about 10h, but 5h\d+m are left", held.reason)


def test_vacuum_that_is_stopped_has_changed_nothing(database: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(database)
    monkeypatch.setattr(sqlite_optimizer, "_STEPS", 100)
    with SqliteOptimizer({"path": database["path"]}) as database_file:
        step = OptimizeStep(VACUUM, "app.db", "", 1)
        with pytest.raises(OutOfTime):
            database_file.apply(step, Until(0), Progress())
    assert content(database) == before
    assert os.listdir(Path(database["path"]).parent) == ["app.db"]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_free_pages_are_released_in_bursts(tmp_path: Path, mode: str) -> None:
    store = {"type": "sqlite", "path": str(tmp_path / "app.db")}
    fill(store, "auto_vacuum=INCREMENTAL", size=3000)
    sql(store, f"PRAGMA journal_mode={mode}")
    before = content(store)
    assert free_pages(store) > 1000  # more than one burst
    # a reader is no obstacle
    with application(store):
        done = four_steps(store, analyze=False)
    assert actions(done) == [("incremental_vacuum", "app.db")]
    assert content(store) == before
    assert free_pages(store) == 0
    assert done["bytes_freed"] > 1000 * 4096


def test_settings_of_the_file(database: Store) -> None:
    # the others are not stored in the file: each run would change them again
    assert store_optimize.ARGUMENTS["argument_spec"]["journal_mode"]["choices"] == ["delete", "wal"]
    params = {"journal_mode": "wal", "auto_vacuum": "incremental", "free": "90%", "analyze": False}
    done = four_steps(database, **params)
    assert actions(done) == [("journal_mode", "wal"), ("vacuum", "incremental")]
    assert sql(database, "PRAGMA journal_mode") == [("wal",)]
    assert sql(database, "PRAGMA auto_vacuum") == [(2,)]
    changed = four_steps(database, auto_vacuum="full", analyze=False, vacuum="never")
    assert actions(changed) == [("auto_vacuum", "full")]
    refused("requires vacuum=auto", database, auto_vacuum="none", analyze=False, vacuum="never")
    with application(database):
        result = run(database, journal_mode="delete", analyze=False)
        assert (result["changed"], "locked" in result["left_out"][0]["reason"]) == (False, True)
    assert sql(database, "PRAGMA journal_mode") == [("wal",)]


def test_tables_are_analyzed_again_when_they_have_another_size(database: Store) -> None:
    params = {"vacuum": "never"}
    sql(database, "CREATE TABLE empty (id INTEGER)")
    assert actions(four_steps(database, **params)) == [("analyze", "log")]
    sql(database, f"DELETE FROM log WHERE id > {ROWS // 8}")
    again = four_steps(database, **params)
    assert again["steps"][0]["reason"] == f"it had {ROWS // 2} records when it was analyzed, and has {ROWS // 16}"
    sql(database, "CREATE INDEX missing ON log (note) WHERE note IS NULL")
    assert run(database, **params)["changed"] is False
    sql(database, "CREATE INDEX notes ON log (note)")
    assert four_steps(database, **params)["steps"][0]["reason"] == "the index notes has no statistics"


def test_new_row_ids_need_a_safety_backup(tmp_path: Path) -> None:
    store = {"type": "sqlite", "path": str(tmp_path / "app.db")}
    fill(store, key="")
    params: dict[str, Any] = {"analyze": False}
    for check in (True, False):
        details = refused("may give them new row IDs", store, check, **params)
        assert details["steps"] == []
    repository = str(tmp_path / "backups")
    params.update(repository=repository, name="app")
    first = run(store, True, **params)
    assert (first["changed"], os.path.exists(repository)) == (True, False)
    done = run(store, **params)
    assert done["safety_backup"] in os.listdir(Path(repository) / "app")
    assert [row[1] for row in content(store)] == list(range(1, ROWS, 2))
    again = run(store, **params)
    assert (again["changed"], again["safety_backup"]) == (False, None)


def test_a_disk_without_space_is_seen_before(database: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(database)
    monkeypatch.setattr(files, "free_bytes", lambda directory: 4096)
    for check in (True, False):
        assert [one["action"] for one in refused("VACUUM needs", database, check, analyze=False)["left_out"]] == [
            "vacuum"
        ]
    assert content(database) == before


def test_two_at_once(database: Store) -> None:
    lock = FileLock(database["path"])
    assert lock.take()
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(lock.release)
        refused("Another run", database, lock_timeout="0s")


def test_what_is_refused(database: Store, tmp_path: Path) -> None:
    refused("is a directory", {"type": "sqlite", "path": str(tmp_path)})
    refused("does not exist", {"type": "sqlite", "path": str(tmp_path / "none.db")})
    (tmp_path / "a.json").write_text("{}")
    refused("have nothing to optimize", {"type": "json", "path": str(tmp_path / "a.json")})
    for params in ({"free": "much"}, {"free": "120%"}, {"time_limit": "0s"}, {"window": {"start": "1", "end": "2"}}):
        with pytest.raises(InvalidRequest):
            run(database, **params)


@pytest.fixture
def schema(stores: Stores) -> Store:
    """Every other row of its table was deleted, and nothing else looks at it."""
    store = stores("postgresql")
    for statement in (
        "CREATE EXTENSION IF NOT EXISTS pgstattuple SCHEMA public",
        "CREATE TABLE log (id int PRIMARY KEY, note text) WITH (autovacuum_enabled = false)",
        f"INSERT INTO log SELECT n, repeat('x', 200) FROM generate_series(1, {ROWS}) n",
        "DELETE FROM log WHERE id % 2 = 0",
    ):
        sql(store, statement)
    return store


def rows_of(store: Store) -> list[Any]:
    return sql(store, "SELECT * FROM log ORDER BY id")


def indexes(store: Store) -> list[Any]:
    return sql(
        store,
        "SELECT i.relname::text, x.indisvalid FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
        f" WHERE i.relnamespace = '{store['schema']}'::regnamespace ORDER BY 1",
    )


def test_dead_rows_and_half_empty_indexes_of_postgresql(schema: Store) -> None:
    before = rows_of(schema)
    done = four_steps(schema)
    assert actions(done) == [("vacuum", "log"), ("analyze", "log"), ("reindex", "log_pkey")]
    assert rows_of(schema) == before
    assert indexes(schema) == [("log_pkey", True)]
    # what is free in the table is for new rows
    assert [one["action"] for one in run(schema)["left_out"]] == ["vacuum_full"]
    assert done["bytes_freed"] > 0


def test_what_a_cancelled_reindex_has_left_is_dropped(schema: Store) -> None:
    sql(schema, "CREATE UNIQUE INDEX log_pkey_ccnew ON log (id)")
    sql(schema, "CREATE UNIQUE INDEX log_pkey_ccold ON log (note, id)")
    sql(schema, "CREATE INDEX mine ON log (note)")
    names = "'log_pkey_ccnew', 'log_pkey_ccold', 'mine'"
    sql(
        schema,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN (SELECT oid FROM pg_class"
        f" WHERE relname IN ({names}) AND relnamespace = '{schema['schema']}'::regnamespace)",
    )
    params = {"vacuum": "never", "analyze": False, "min_bytes_freed": "1G"}
    done = four_steps(schema, **params)
    assert actions(done) == [("drop_index", "log_pkey_ccnew")]
    # one of other columns, or of another name, is somebody's
    assert indexes(schema) == [("log_pkey", True), ("log_pkey_ccold", False), ("mine", False)]
    assert [one["name"] for one in done["left_out"]] == ["log_pkey_ccold", "mine"]


def test_an_old_transaction_keeps_dead_rows(schema: Store) -> None:
    params = {"reindex": False, "analyze": False}
    with contextlib.closing(connected(schema)) as old:
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM pg_class")
        sql(schema, "DELETE FROM log WHERE id % 3 = 0")
        run(schema, **params)
        again = run(schema, **params)
    assert again["changed"] is False
    assert "still sees its dead rows" in again["left_out"][0]["reason"]


def test_locks_of_others_are_not_waited_for(schema: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizer, "_PATIENCE", 100)
    with contextlib.closing(connected(schema)) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE log IN SHARE UPDATE EXCLUSIVE MODE")
        result = run(schema)
    assert result["changed"] is False
    assert all("locked" in one["reason"] for one in result["left_out"] if one["action"] in ("vacuum", "analyze"))


def test_a_reindex_that_has_to_give_up_leaves_nothing(schema: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(connected(schema)) as server:
        server.execute("VACUUM log")
    monkeypatch.setattr(optimizer, "_PATIENCE", 300)
    with contextlib.closing(connected(schema)) as old:  # a REINDEX waits for its end
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM pg_class")
        result = run(schema, analyze=False)
        assert (result["changed"], actions(result)) == (False, [])
        assert "locked" in next(one["reason"] for one in result["left_out"] if one["action"] == "reindex")
        assert indexes(schema) == [("log_pkey", True)]
    monkeypatch.setattr(optimizer, "_PATIENCE", 10_000)
    assert actions(run(schema, analyze=False)) == [("reindex", "log_pkey")]


def test_the_tables_of_others_are_refused(schema: Store) -> None:
    role = "r_" + schema["schema"]
    sql(schema, f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema['schema']} TO {role}")
    for check in (True, False):
        details = refused("only its owner", {**schema, "username": role}, check)
        assert details["changed"] is False


def test_what_is_for_sqlite_only(schema: Store) -> None:
    for params in ({"vacuum": "full"}, {"journal_mode": "wal"}, {"auto_vacuum": "full"}):
        for check in (True, False):
            refused("for stores of type sqlite", schema, check, **params)


@pytest.mark.parametrize(
    ("start", "end", "now", "left"),
    [
        ("02:00", "05:00", "2025-06-30T04:55:00", 300),
        ("22:00", "05:00", "2025-06-30T23:00:00", 6 * 3600),
        ("22:00", "05:00", "2025-06-30T04:00:00", 3600),
        ("22:00", "05:00", "2025-06-30T12:00:00", 0),
        ("00:00", "24:00", "2025-06-30T23:59:00", 60),
        ("2025-06-30T10:00:00Z", "2025-06-30T11:00:00Z", "2025-06-30T10:59:00", 60),
    ],
)
def test_what_is_left_of_a_window(start: str, end: str, now: str, left: float) -> None:
    (window,) = read_windows([{"start": start, "end": end}], [])
    assert window.left(datetime.fromisoformat(now).replace(tzinfo=timezone.utc)) == left
