# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables without a key: rows are compared whole, and equal ones are there as often as in the source."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._stores.documents.target import JsonTarget
from tests.unit.module_utils._verbs.migrations import Store, Stores, four_steps, run, sql
from tests.unit.module_utils._verbs.test_migrate_checkpoint import Killed, fuse

ROWS = "(1, 'a'), (1, 'a'), (1, 'a'), (2, NULL), (NULL, NULL), (NULL, NULL), (NULL, 'A'), (3, 'a')"
QUERY = "SELECT host, event FROM seen"


def rows(store: Store) -> Counter[Any]:
    if store["type"] == "json":
        listed = json.loads(Path(store["path"]).read_text())["seen"]
        assert isinstance(listed, list)
        return Counter((one["host"], one["event"]) for one in listed)
    return Counter(sql(store, QUERY))


@pytest.fixture(params=["sqlite", "postgresql"])
def source(request: pytest.FixtureRequest, stores: Stores) -> Store:
    store = stores(request.param)
    sql(store, "CREATE TABLE seen (host INTEGER, event TEXT)")
    sql(store, "INSERT INTO seen VALUES " + ROWS)
    return store


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "json"])
def test_rows_arrive_as_often_as_they_are_there(stores: Stores, source: Store, kind: str) -> None:
    target = stores(kind)
    four_steps(source, target)
    assert rows(target) == rows(source)
    sql(source, "INSERT INTO seen VALUES (1, 'a'), (9, 'new'), (NULL, NULL)")
    sql(source, "DELETE FROM seen WHERE host = 2")
    with pytest.raises(Day2Error, match="already contains records of seen"):
        run(source=source, target=target)
    with pytest.raises(Day2Error, match="seen, which has no key with which records could be merged"):
        run(True, source=source, target=target, on_existing="merge", safety_backup=False)
    done = four_steps(source, target, on_existing="replace", safety_backup=False)
    assert rows(target) == rows(source)
    (row,) = done["migration"]["collections"]
    assert (row["added"], row["changed"], row["removed"], row["left"]) == (3, 0, 1, 7)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_too_many_of_a_row_are_removed_and_no_more(stores: Stores, source: Store, kind: str) -> None:
    target = stores(kind)
    run(source=source, target=target)
    sql(target, "INSERT INTO seen VALUES (1, 'a'), (1, 'a'), (1, 'A'), (NULL, 'a')")
    done = four_steps(source, target, on_existing="replace", safety_backup=False)
    assert rows(target) == rows(source)
    assert done["migration"]["collections"][0]["removed"] == 4


@pytest.mark.parametrize("held", [True, False])
def test_the_way_back_has_each_row_as_often(stores: Stores, source: Store, tmp_path: Path, held: bool) -> None:
    target = stores(source["type"])
    sql(target, "CREATE TABLE seen (host INTEGER, event TEXT)")
    if held:
        sql(target, "INSERT INTO seen VALUES (7, 'x'), (7, 'x'), (1, 'a')")
    before = rows(target)
    (tmp_path / "repository").mkdir(0o700)
    given = {"target": target, "repository": str(tmp_path / "repository"), "name": "n"}
    run(source=source, on_existing="replace", **given)
    assert rows(target) == rows(source)
    assert run(state="reverted", **given)["changed"]
    assert rows(target) == before
    assert not run(state="reverted", **given)["changed"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_unique_value_may_move_to_another_row(stores: Stores, kind: str) -> None:
    source, target = stores("sqlite"), stores(kind)
    sql(source, "CREATE TABLE seen (host INTEGER UNIQUE, event TEXT)")
    sql(source, "INSERT INTO seen VALUES (1, 'a'), (2, 'b'), (NULL, 'b'), (NULL, 'b')")
    run(source=source, target=target)
    sql(source, "UPDATE seen SET event = CASE event WHEN 'a' THEN 'b' ELSE 'a' END WHERE host > 0")
    four_steps(source, target, on_existing="replace", safety_backup=False)
    assert rows(target) == rows(source)


def test_columns_that_have_the_names_of_row_ids(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("sqlite")
    for store in (source, target):
        sql(store, "CREATE TABLE seen (rowid TEXT, _rowid_ TEXT, oid TEXT GENERATED ALWAYS AS (rowid || 'x'))")
    sql(source, "INSERT INTO seen (rowid, _rowid_) VALUES ('a', 'b'), ('a', 'b')")
    four_steps(source, target)
    sql(target, "INSERT INTO seen (rowid, _rowid_) VALUES ('a', 'b')")
    with pytest.raises(Day2Error, match="columns called rowid, _rowid_ and oid"):
        run(source=source, target=target, on_existing="replace", safety_backup=False)


def test_partitions_have_rows_at_the_same_places(stores: Stores) -> None:
    source, target = stores("postgresql"), stores("postgresql")
    sql(source, "CREATE TABLE seen (host INTEGER, event TEXT)")
    sql(source, "INSERT INTO seen VALUES (1, 'a'), (2, 'a')")
    sql(target, "CREATE TABLE seen (host INTEGER, event TEXT) PARTITION BY LIST (host)")
    for host in (1, 2):
        sql(target, f"CREATE TABLE seen_{host} PARTITION OF seen FOR VALUES IN ({host})")
    sql(target, "INSERT INTO seen VALUES (1, 'z'), (2, 'a'), (1, 'a')")
    four_steps(source, target, on_existing="replace", safety_backup=False)
    assert rows(target) == rows(source)


def test_rows_of_types_that_have_no_order(stores: Stores) -> None:
    source, target, document = stores("postgresql"), stores("postgresql"), stores("json")
    sql(source, "CREATE TABLE seen (host json, event point)")
    sql(source, "INSERT INTO seen VALUES ('{\"b\": 1, \"a\": 1}', '(1,2)'), (NULL, NULL)")
    four_steps(source, target)
    query = "SELECT host::text, event::text FROM seen ORDER BY 1"
    assert sql(target, query) == sql(source, query)
    four_steps(source, document)


def test_what_needs_a_key_says_so(stores: Stores, source: Store) -> None:
    with pytest.raises(Day2Error, match="The collection seen has no key, which a table of DynamoDB requires"):
        run(True, source=source, target=stores("dynamodb"))
    with pytest.raises(Day2Error, match="shape=document stores records by key, but the collection seen has no key"):
        run(True, source=source, target=stores("postgresql"), shape="document")


@pytest.mark.parametrize("grown", [False, True])
@pytest.mark.parametrize("kind", ["sqlite", "json"])
def test_a_killed_run_is_completed_though_the_rows_have_another_order(stores: Stores, kind: str, grown: bool) -> None:
    for commits in range(6 if kind == "sqlite" else 8):
        source, target = stores("sqlite"), stores(kind)
        sql(source, "CREATE TABLE seen (host INTEGER, event TEXT)")
        sql(source, "INSERT INTO seen VALUES " + ROWS)
        with fuse(commits), contextlib.suppress(Killed):
            run(source=source, target=target, batch_size=3)
        sql(source, "CREATE TABLE other AS SELECT * FROM seen ORDER BY host DESC")
        sql(source, "DELETE FROM seen")
        sql(source, "INSERT INTO seen SELECT * FROM other")
        if grown:
            sql(source, "INSERT INTO seen VALUES (1, 'a'), (5, 'late')")
            sql(source, "DELETE FROM seen WHERE host = 3")
        mode = "replace" if grown else "fail"
        given = {"on_existing": mode, "unfinished": "restart", "safety_backup": False} if grown else {}
        run(source=source, target=target, only=["seen"], batch_size=3, **given)
        assert rows(target) == rows(source), commits
        assert not run(source=source, target=target, only=["seen"], **given)["changed"]


def test_a_replacement_that_is_killed_at_each_commit(stores: Stores) -> None:
    source = stores("sqlite")
    sql(source, "CREATE TABLE seen (host INTEGER UNIQUE, event TEXT)")
    sql(source, "INSERT INTO seen VALUES (1, 'a'), (2, 'b'), (NULL, 'b'), (NULL, 'b'), (3, 'c'), (4, 'd')")
    given = {"source": source, "on_existing": "replace", "safety_backup": False, "batch_size": 2}
    for commits in range(8):
        target = stores("sqlite")
        sql(target, "CREATE TABLE seen (host INTEGER UNIQUE, event TEXT)")
        sql(
            target,
            "INSERT INTO seen VALUES (1, 'b'), (2, 'a'), (NULL, 'b'), (NULL, 'x'), (NULL, 'x'), (5, 'e'), (6, 'f')",
        )
        with fuse(commits), contextlib.suppress(Killed):
            run(target=target, **given)
        done = run(target=target, **given)
        assert rows(target) == rows(source), commits
        if done["changed"]:
            assert done["migration"]["collections"][0]["removed"] == 6
        assert not run(target=target, **given)["changed"]


def test_rows_that_the_target_can_not_hold_are_told_whole(stores: Stores, tmp_path: Path) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, "CREATE TABLE seen (host INTEGER, event TEXT)")
    sql(source, "INSERT INTO seen VALUES (1, 'a'), (2, 'b' || char(0)), (2, 'b' || char(0))")
    with pytest.raises(Day2Error, match=r'seen.*"host":2'):
        run(source=source, target=target, odd="reject")
    given = {"rejects": str(tmp_path / "rejects"), "max_rejects": 2, "odd": "reject"}
    done = four_steps(source, target, **given)
    assert done["migration"]["errors"] == 2
    assert rows(target) == Counter([(1, "a")])
    listed = [json.loads(line) for line in (tmp_path / "rejects").read_text().splitlines()]
    assert [one["record"]["host"] for one in listed] == [2, 2]


def test_a_document_without_keys_is_repaired(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = stores("sqlite"), stores("json")
    sql(source, "CREATE TABLE seen (host INTEGER, event TEXT)")
    sql(source, "INSERT INTO seen VALUES (1, 'a'), (2, 'b'), (2, 'b')")
    written = JsonTarget._records
    lost = [1, 1]

    def without_one(self: JsonTarget, info: Any) -> Any:
        return itertools.islice(written(self, info), lost.pop() if lost else None)

    monkeypatch.setattr(JsonTarget, "_records", without_one)
    with pytest.raises(Day2Error, match="2 missing, 0 different"):
        run(source=source, target=target)
    assert len(lost) == 1
    four_steps(source, target, repair=True)
    assert not lost
    assert json.loads(Path(target["path"]).read_text())["seen"] == [
        {"host": 1, "event": "a"},
        {"host": 2, "event": "b"},
        {"host": 2, "event": "b"},
    ]
