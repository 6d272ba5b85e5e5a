# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations of stores that an application writes meanwhile."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import shared as sqlite_shared
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import source as sqlite_source
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.file import connect
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import backup as migrate_backup
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import info as migrate_info
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import plan
from tests.services import nobody_opens
from tests.unit.module_utils._verbs.migrations import Store, Stores, connected, run, sql

ROWS = 3000
# Commits pairs of rows, one in each table, as fast as it can; with an argument, so many.
WRITER = """
import itertools, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
connection.execute("PRAGMA synchronous=off")
refused = 0
for n in itertools.count() if sys.argv[2] == "all" else range(int(sys.argv[2])):
    try:
        connection.execute("BEGIN IMMEDIATE")
        for table in "ab":
            connection.execute("INSERT INTO %s (v) VALUES ('written')" % table)
            connection.execute("UPDATE %s SET v = 'pair %d' WHERE id = %d" % (table, n, n % 3000))
        connection.execute("COMMIT")
    except sqlite3.OperationalError as exc:
        refused += 1
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    if n == 0:
        print("first commit", "refused" if refused else "done", flush=True)
"""


def pairs(stores: Stores, mode: str) -> Store:
    source = stores("sqlite")
    with contextlib.closing(sqlite3.connect(source["path"])) as connection, connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        for table in "ab":
            connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, v TEXT)")
            connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", ((n, "x" * 60) for n in range(ROWS)))
    return source


def writer(store: Store, count: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, store["path"], str(count)], stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(autouse=True)
def _shared_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_shared, "_FEW", 100)


@pytest.mark.parametrize("mode", ["delete", "persist", "wal"])
def test_check_mode_warns_that_the_application_will_wait(stores: Stores, mode: str) -> None:
    source, target = pairs(stores, mode), stores("json")
    foreseen = run(True, source=source, target=target)["warnings"]
    assert ["can't commit" in one for one in foreseen] == ([] if mode == "wal" else [True])
    assert run(source=source, target=target)["warnings"] == []
    assert run(True, source=source, target=target)["warnings"] == []  # nothing will be read into the target


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("mode", ["delete", "truncate", "wal"])
def test_pairs_that_are_committed_during_a_reading_arrive_as_pairs(stores: Stores, mode: str, workers: int) -> None:
    source = pairs(stores, mode)
    application = writer(source, "all")
    try:
        assert application.stdout is not None
        application.stdout.readline()
        for _round in range(2):
            target = stores("json")
            run(source=source, target=target, workers=workers)
            document = json.loads(Path(target["path"]).read_text())
            assert document["a"] == document["b"]
    finally:
        application.kill()
        application.communicate()
    assert sql(source, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(("mode", "answer"), [("delete", "refused"), ("wal", "done")])
def test_a_commit_in_the_middle_of_a_shared_reading(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, mode: str, answer: str
) -> None:
    source, target = pairs(stores, mode), stores("sqlite")
    answers = []
    digest = sqlite_shared.sqlite_digest.summary

    def interrupted(*args: Any) -> Any:
        answers.append(writer(source, 1).communicate()[0])
        return digest(*args)

    in_order = sqlite_shared.in_order

    def watched(*args: Any) -> Iterator[Any]:
        for item in in_order(*args):
            answers.append(writer(source, 1).communicate()[0])
            yield item

    monkeypatch.setattr(sqlite_shared, "in_order", watched)
    if mode == "wal":  # read by one process
        monkeypatch.setattr(sqlite_shared.sqlite_digest, "summary", interrupted)
    run(source=source, target=target, workers=2, only=["a"])
    assert f"first commit {answer}\n" in answers
    assert sql(target, "SELECT count(*) FROM a WHERE v = 'written'") == [(0,)]


def test_a_target_that_is_written_while_it_is_backed_up(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source, target = stores("json"), pairs(stores, "delete")
    Path(source["path"]).write_text(json.dumps({"a": {"1": {"id": 1, "v": "new"}}}))
    take = migrate_backup.take

    def written(*args: Any, **named: Any) -> Any:
        taken = take(*args, **named)
        sql(target, "INSERT INTO a VALUES (5000, 'of the application')")
        return taken

    monkeypatch.setattr(migrate_backup, "take", written)
    before = [*sql(target, "SELECT * FROM a"), (5000, "of the application")]
    with pytest.raises(Day2Error, match="was written to while it was backed up: a has changed") as failure:
        run(source=source, target=target, on_existing="replace", repository=str(tmp_path / "backups"))
    assert "Nothing was changed" in failure.value.hint
    assert sql(target, "SELECT * FROM a") == before
    assert sql(target, "SELECT name FROM sqlite_master ORDER BY 1") == [("a",), ("b",)]


def test_the_guard_of_the_tests_finds_who_opens_a_file_beside_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "x.db")
    with contextlib.closing(connect(path, "rwc")) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM t").fetchall()
        monkeypatch.setattr(nobody_opens, "_PLUGINS", "test_migrate_writers")
        with open(path, "rb"):
            pass
    assert len(nobody_opens.found()) == 1
    nobody_opens.found().clear()


def look(source: Store, target: Store) -> dict[str, Any]:
    values = {name: one.get("default") for name, one in migrate_info.ARGUMENTS["argument_spec"].items()}
    return migrate_info.run({**values, "source": source, "target": target, "compare": True}, False, Progress())


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_an_application_commits_while_migrate_info_compares(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, mode: str, side: str
) -> None:
    source, target = pairs(stores, mode), pairs(stores, mode)
    sql(target, "UPDATE b SET v = 'other' WHERE id = 5")
    answers = []
    compare = plan.compare

    def interrupted(*args: Any, **named: Any) -> Any:
        answers.append(writer(source if side == "source" else target, 1).communicate()[0])
        return compare(*args, **named)

    monkeypatch.setattr(plan, "compare", interrupted)
    found = look(source, target)
    assert answers == ["first commit done\n"]
    assert found["warnings"] == []
    assert [(one["name"], one["changed"]) for one in found["comparison"]] == [("a", 0), ("b", 1)]


def test_without_room_for_a_copy_migrate_info_says_that_the_application_waits(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = pairs(stores, "delete"), stores("json")
    monkeypatch.setattr(sqlite_source.files, "free_bytes", lambda _directory: 0)
    assert [
        "is not in WAL mode" in one or "free space for a copy" in one for one in look(source, target)["warnings"]
    ] == [
        True,
        True,
    ]


@pytest.mark.parametrize("kind", ["json", "sqlite"])
def test_pairs_of_postgresql_arrive_as_pairs(stores: Stores, kind: str) -> None:
    source = stores("postgresql")
    for table in "ab":
        sql(source, f"CREATE TABLE {table} (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v text)")
        sql(source, f"INSERT INTO {table} (v) SELECT 'x' FROM generate_series(1, {ROWS})")
    ended = threading.Event()
    written = []

    def application() -> None:
        with connected(source) as server:
            while not ended.is_set():
                with server.transaction():
                    for table in "ab":
                        server.execute(f"INSERT INTO {table} (v) VALUES ('written')")
                        server.execute(f"UPDATE {table} SET v = 'pair {len(written)}' WHERE id = {len(written)}")
                written.append(1)

    thread = threading.Thread(target=application)
    thread.start()
    try:
        for _round in range(2):
            target = stores(kind)
            run(source=source, target=target)
            with open_target(target, {}) as opened:
                a, b = (list(opened.read(info)) for info in opened.collections())
            assert a == b
    finally:
        ended.set()
        thread.join()
    assert written
