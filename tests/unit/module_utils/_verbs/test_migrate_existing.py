# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations into tables that are there: of another making, with records that others point to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.module_utils._verbs.migrations import Store, Stores, run, sql

# By name the child comes first.
PARENT = "CREATE TABLE parent (id INTEGER PRIMARY KEY, v TEXT)"
CHILD = "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id))"


def made(store: Store, *statements: str) -> Store:
    for statement in statements:
        sql(store, statement)
    return store


def rows(store: Store) -> list[object]:
    return [sql(store, "SELECT * FROM %s ORDER BY id" % name) for name in ("parent", "child")]


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_parents_come_first_on_the_way_there_and_back(stores: Stores, kind: str, tmp_path: Path) -> None:
    values = "INSERT INTO parent VALUES (1, 'a'), (2, 'b')", "INSERT INTO child VALUES (1, 2), (2, 2)"
    source = made(stores("sqlite"), PARENT, CHILD, *values)
    values = "INSERT INTO parent VALUES (1, 'x'), (3, 'z')", "INSERT INTO child VALUES (1, 1), (2, 3), (9, 3)"
    target = made(stores(kind), PARENT, CHILD, *values)
    before = rows(target)
    more = {"repository": str(tmp_path / "backups"), "name": "family"}
    assert run(source=source, target=target, on_existing="replace", **more)["changed"]
    assert rows(target) == rows(source)
    assert run(target=target, state="reverted", **more)["changed"]
    assert rows(target) == before
    assert not run(target=target, state="reverted", **more)["changed"]


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
        [] if kind == "sqlite" else ["The foreign key (parent) of child stays behind, as the target has no parent."]
    )
    assert run(source=source, target=target, safety_backup=False)["changed"]
    assert rows(target) == rows(source)


def test_a_unique_value_of_another_record_is_named(stores: Stores, kind: str) -> None:
    source = made(stores("sqlite"), PARENT, "INSERT INTO parent VALUES (1, 'a')")
    target = made(stores(kind), PARENT.replace("TEXT", "TEXT UNIQUE"), "INSERT INTO parent VALUES (50, 'a')")
    with pytest.raises(Exception, match=r"unique value that of another record|Key \(v\)=\(a\) already exists"):
        run(source=source, target=target, on_existing="merge", safety_backup=False)
    assert sql(target, "SELECT * FROM parent") == [(50, "a")]
