# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations into tables that are there: of another making, with records that others point to."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from ansible_collections.day2.ops.plugins.module_utils._evidence import journal
from ansible_collections.day2.ops.plugins.module_utils._stores.documents.target import JsonTarget
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.target import DynamodbTarget
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.target import PostgresqlTarget
from ansible_collections.day2.ops.plugins.module_utils._stores.records.model import Info
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.target import SqliteTarget
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import revert
from tests.unit.module_utils._verbs.migrations import Store, Stores, run, sql

STORES: dict[str, Any] = {
    "json": JsonTarget,
    "sqlite": SqliteTarget,
    "postgresql": PostgresqlTarget,
    "dynamodb": DynamodbTarget,
}
# By name the child comes first.
PARENT = "CREATE TABLE parent (id INTEGER PRIMARY KEY, v TEXT)"
CHILD = "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id))"


def made(store: Store, *statements: str) -> Store:
    for statement in statements:
        sql(store, statement)
    return store


def rows(store: Store) -> list[object]:
    return [sql(store, f"SELECT * FROM {name} ORDER BY id") for name in ("parent", "child")]


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_parents_come_first_on_the_way_there_and_back(
    stores: Stores, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    journal.append([], "host", "mark")
    values = "INSERT INTO parent VALUES (1, 'a'), (2, 'b')", "INSERT INTO child VALUES (1, 2), (2, 2)"
    source = made(stores("sqlite"), PARENT, CHILD, *values)
    values = "INSERT INTO parent VALUES (1, 'x'), (3, 'z')", "INSERT INTO child VALUES (1, 1), (2, 3), (9, 3)"
    target = made(stores(kind), PARENT, CHILD, *values)
    before = rows(target)
    more = {"repository": str(tmp_path / "backups"), "name": "family"}
    saved = run(source=source, target=target, on_existing="replace", **more)["safety_backup"]
    assert rows(target) == rows(source)
    assert run(target=target, state="reverted", **more)["changed"]
    assert rows(target) == before
    entries = [json.loads(line) for line in Path(host_state.evidence(host_state.JOURNAL)).read_bytes().splitlines()]
    told = [(one["event"], one["set"], one.get("reason"), one["backup"] == saved) for one in entries[1:]]
    # a file is restored as a whole, with a safety backup of its own
    again = [("backup", "family", "safety", False)] if kind == "sqlite" else []
    assert told == [("backup", "family", "safety", True), *again, ("restore", "family", None, True)]
    assert not run(target=target, state="reverted", **more)["changed"]
    source = made(stores("sqlite"), PARENT, "INSERT INTO parent VALUES (4, 'new')")
    theirs = {"target_tables": "existing"} if kind == "postgresql" else {}
    assert run(source=source, target=target, on_existing="merge", **theirs, **more)["changed"]
    assert rows(target) != before
    assert run(target=target, state="reverted", **more)["changed"]
    assert rows(target) == before  # records that have only stayed, too
    if kind == "postgresql":
        assert run(source=source, target=target, on_existing="merge", **theirs, **more)["changed"]
        monkeypatch.setattr(revert, "_put_back", lambda *_args: None)
        with pytest.raises(TargetError, match="The collection parent differs from its backup"):
            run(target=target, state="reverted", **more)


@pytest.mark.parametrize("mode", ["merge", "replace"])
def test_columns_of_the_target_alone_are_left_to_it(stores: Stores, kind: str, mode: str) -> None:
    source = made(stores("sqlite"), PARENT, "INSERT INTO parent VALUES (1, 'a'), (2, 'b')")
    extra = PARENT.replace(")", ", own TEXT DEFAULT 'new')")
    target = made(stores(kind), extra, "INSERT INTO parent VALUES (1, 'old', 'mine'), (7, 'q', 'mine')")
    more = {"source": source, "target": target, "on_existing": mode, "safety_backup": False}
    assert run(True, **more)["changed"]
    assert run(**more)["changed"]
    left = [(7, "q", "mine")] if mode == "merge" else []
    assert sql(target, "SELECT * FROM parent ORDER BY id") == [(1, "a", "mine"), (2, "b", "new"), *left]
    assert not run(True, **more)["changed"]
    assert not run(**more)["changed"]


def test_a_table_alone_whose_parent_is_not_migrated(stores: Stores, kind: str) -> None:
    source = made(
        stores("sqlite"), PARENT, CHILD, "INSERT INTO parent VALUES (1, 'a')", "INSERT INTO child VALUES (1, 1)"
    )
    target = stores(kind)
    warnings = run(source=source, target=target, only=["child"])["warnings"]
    assert warnings == (
        [] if kind == "sqlite" else ["The foreign key (parent) of child is not migrated, as the target has no parent."]
    )
    assert run(source=source, target=target, safety_backup=False)["changed"]
    assert rows(target) == rows(source)


class Stopped(Exception):
    """Here a run ends."""


def stop(kind: str, source: Store, target: Store, batches: int, **params: Any) -> None:
    """A migration that ends after so many batches."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        write, count = STORES[kind].write, itertools.count()

        def few(self: Any, *arguments: Any) -> None:
            if next(count) == batches:
                raise Stopped
            write(self, *arguments)

        patch.setattr(STORES[kind], "write", few)
        run(source=source, target=target, batch_size=100, **params)


def two_tables(stores: Stores, text: str) -> Store:
    source = made(stores("sqlite"), "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT)", "CREATE INDEX by_v ON a (v)")
    made(source, "CREATE TABLE b (id INTEGER PRIMARY KEY, v TEXT)", "CREATE INDEX b_by_v ON b (v)")
    with contextlib.closing(sqlite3.connect(source["path"])) as database, database:
        for name in "ab":
            database.executemany(f"INSERT INTO {name} VALUES (?, ?)", [(n, text + str(n)) for n in range(500)])
    return source


def contents(store: Store) -> list[Any]:
    with open_target(store, {}) as records:
        return [sorted(one["v"] for one in records.read(info)) for info in records.collections()]


@pytest.mark.parametrize("kind", ["json", "sqlite", "postgresql", "dynamodb"])
def test_a_run_for_some_leaves_the_others_to_be_continued(stores: Stores, kind: str) -> None:
    source, target = two_tables(stores, "x"), stores(kind)
    stop(kind, source, target, 7)
    assert run(source=source, target=target, only=["a"])["changed"]
    done = run(source=source, target=target, safety_backup=False)
    assert done["changed"]
    assert done["migration"]["resumed"]
    assert done["migration"]["written"] == 300
    assert contents(target) == contents(source)
    if kind in ("sqlite", "postgresql"):
        with open_target(target, {}) as records:
            assert [[index.name for index in info.indexes] for info in records.collections()] == [["by_v"], ["b_by_v"]]
    assert not run(source=source, target=target)["changed"]


@pytest.mark.parametrize("kind", ["json", "sqlite", "postgresql", "dynamodb"])
def test_going_back_for_some_leaves_the_others_to_be_continued(stores: Stores, kind: str, tmp_path: Path) -> None:
    source, target = two_tables(stores, "x"), stores(kind)
    more = {"repository": str(tmp_path / "backups"), "name": "two"}
    stop(kind, source, target, 7)
    run(source=source, target=target, only=["a"], **more)
    run(target=target, state="reverted", **more)
    done = run(source=source, target=target, **more)
    assert done["migration"]["resumed"]
    assert done["migration"]["written"] == 800
    assert contents(target) == contents(source)


def test_what_a_document_gathered_for_others_survives_a_run_that_is_undone(stores: Stores) -> None:
    source, target = two_tables(stores, "x"), stores("json")
    stop("json", source, target, 7)
    with open_target(target, {}) as document:
        document.lock()
        document.recover()
        other = Info("other", ("id",))
        document.begin([(other, False, {"version": 1})])
        document.undo([other])
        assert document.checkpoints(["a", "b", "other"]).keys() == {"a", "b"}
        document.undo([Info(name, ("id",)) for name in "ab"])
    assert not Path(target["path"]).exists()
    assert not list(Path(target["path"]).parent.glob(".day2-*.migration*"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_killed_run_goes_on_with_references_to_later_records(stores: Stores, kind: str) -> None:
    source, target = stores("sqlite"), stores(kind)
    made(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE, up INTEGER REFERENCES t (id))")
    with contextlib.closing(sqlite3.connect(source["path"])) as database, database:
        database.executemany("INSERT INTO t VALUES (?, ?, ?)", [(n, str(n), 501 - n) for n in range(1, 501)])
    stop(kind, source, target, 2)
    done = run(source=source, target=target, batch_size=100)
    assert done["migration"]["resumed"]
    assert done["migration"]["written"] == 300
    assert not run(True, source=source, target=target)["changed"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_table_that_was_removed_meanwhile_is_made_again(stores: Stores, kind: str) -> None:
    source, target = two_tables(stores, "x"), stores(kind)
    stop(kind, source, target, 7)
    sql(target, "DROP TABLE b")
    assert run(source=source, target=target)["changed"]
    assert contents(target) == contents(source)


@pytest.mark.parametrize("kind", ["json", "sqlite", "postgresql", "dynamodb"])
def test_a_replacement_that_was_interrupted_can_be_reverted(stores: Stores, kind: str, tmp_path: Path) -> None:
    old, source, target = two_tables(stores, "old"), two_tables(stores, "new"), stores(kind)
    more = {"repository": str(tmp_path / "backups"), "name": "two"}
    run(source=old, target=target)
    stop(kind, source, target, 7, on_existing="replace", **more)
    run(target=target, state="reverted", **more)
    assert contents(target) == contents(old)
    # and nothing is taken for having been done
    assert run(source=source, target=target, on_existing="replace", **more)["changed"]
    assert contents(target) == contents(source)
    run(target=target, state="reverted", **more)
    assert contents(target) == contents(old)


def test_each_backup_that_a_revert_restores_is_recorded(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, source, target = two_tables(stores, "old"), two_tables(stores, "new"), stores("postgresql")
    more = {"repository": str(tmp_path / "backups"), "name": "two"}
    run(source=old, target=target)
    stop("postgresql", source, target, 2, on_existing="replace", only=["b"], **more)
    run(source=source, target=target, on_existing="replace", **more)
    recorded: list[str] = []
    monkeypatch.setattr(revert, "also", lambda _event, **entry: recorded.append(entry["backup"]))
    undone = run(target=target, state="reverted", **more)
    assert contents(target) == contents(old)
    assert len(recorded) == 2
    assert f" {', '.join(recorded)}." in undone["msg"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "dynamodb"])
def test_check_mode_tells_what_will_be_rejected_and_nobody_says_all(stores: Stores, kind: str, tmp_path: Path) -> None:
    source, target = stores("json"), stores(kind)
    records: dict[str, Any] = {f"host-{n}": {"id": f"host-{n}", "text": "x"} for n in range(250)}
    records["bad"] = {"id": "bad", "text": "\ud800"}
    Path(source["path"]).write_text(json.dumps({"hosts": records}))
    more = {"source": source, "target": target, "rejects": str(tmp_path / "rejects")}
    with pytest.raises(TargetError, match="can't store 1 record of hosts"):
        run(True, **more)
    first, done = run(True, **more, max_rejects=1), run(**more, max_rejects=1)
    assert first["diff"] == done["diff"]
    for result in (first, done):
        (row,) = result["migration"]["collections"]
        assert (row["added"], row["rejected"], row["total"]) == (250, 1, 251)
        assert "igrate 250 records" in result["msg"].replace("Migrated", "migrate")
        assert ", except for 1 that it can't store" in result["msg"]
    again = run(**more, max_rejects=1)
    assert not again["changed"]
    assert "has all 250 records, except for 1 that it can't store." in again["msg"]
    assert len((tmp_path / "rejects").read_text().splitlines()) == 1


def test_a_killed_run_reads_a_source_without_an_order_from_its_beginning(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    document, source, target = stores("json"), stores("dynamodb"), stores("sqlite")
    rows = {str(n): {"id": str(n), "v": "lots" if n in (3, 29) else n} for n in range(40)}
    Path(document["path"]).write_text(json.dumps({"a": rows}))
    run(source=document, target=source)
    options = {"max_rejects": 2, "types": {"a.v": "integer"}, "batch_size": 7, "rejects": str(tmp_path / "rejects")}
    write, calls, totals = SqliteTarget.write, itertools.count(1), []

    def stopped(self: SqliteTarget, info: Info, records: Any, account: Any, upsert: bool) -> None:
        if next(calls) == 5:
            raise KeyboardInterrupt
        write(self, info, records, account, upsert)

    def kept(self: SqliteTarget, info: Info, records: Any, account: Any, upsert: bool) -> None:
        totals.append((len(records), upsert))
        write(self, info, records, account, upsert)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(SqliteTarget, "write", stopped)
        run(source=source, target=target, **options)
    with monkeypatch.context() as patch:
        patch.setattr(SqliteTarget, "write", kept)
        done = run(source=source, target=target, **options)
    assert done["migration"]["resumed"]
    assert done["migration"]["collections"][0]["rejected"] == 2
    assert done["migration"]["collections"][0]["done"] == 38
    assert sum(count for count, _upsert in totals) == 38  # all but those that it can not store
    assert all(upsert for _count, upsert in totals)  # over those that are there
    assert sql(target, "SELECT count(*), sum(v) FROM a") == [(38, sum(range(40)) - 3 - 29)]
    assert not run(source=source, target=target, **options)["changed"]


def test_nothing_is_replaced_if_the_safety_backup_fails(stores: Stores, tmp_path: Path) -> None:
    source = made(stores("sqlite"), PARENT, "INSERT INTO parent VALUES (1, 'a')")
    other = "CREATE TABLE other (v TEXT)", "INSERT INTO other VALUES (NULL)"
    target = made(stores("sqlite"), PARENT, "INSERT INTO parent VALUES (1, 'x')", *other)
    with contextlib.closing(sqlite3.connect(target["path"])) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE other (v TEXT NOT NULL)' WHERE name = 'other'")
    wanted = {"source": source, "target": target, "on_existing": "replace", "only": ["parent"]}
    with pytest.raises(TargetError, match="The safety backup of the target failed: .*NULL value in other") as found:
        run(**wanted, repository=str(tmp_path / "backups"), name="family")
    assert found.value.hint == "Nothing was changed."
    assert sql(target, "SELECT v FROM parent") == [("x",)]
