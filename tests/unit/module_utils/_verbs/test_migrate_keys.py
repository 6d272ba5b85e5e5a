# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables that do not say what tells their rows apart, columns that refer to others, and sizes of columns."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._stores.records.model import ForeignKey, Info
from ansible_collections.day2.ops.plugins.module_utils._stores.records.note import without_place
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from tests.unit.module_utils._verbs.migrations import Store, Stores, four_steps, run, sql

ALIAS = {"collection": "alias", "fields": ["of", "name"]}
USE = {"collection": "use", "fields": ["what"]}


def made(store: Store, *statements: str) -> Store:
    with contextlib.closing(sqlite3.connect(store["path"])) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return store


def described(store: Store, name: str) -> Info:
    with open_target(store, {}) as records:
        return next(one for one in records.collections() if one.name == name)


@pytest.fixture
def without_keys(stores: Stores) -> Store:
    """A table without a key, and one whose key is null, which SQLite allows."""
    return made(
        stores("sqlite"),
        "CREATE TABLE alias (of INTEGER, name TEXT NOT NULL, CHECK (name <> ''))",
        "INSERT INTO alias VALUES (1, 'a'), (1, 'b'), (2, 'a')",
        "CREATE TABLE use (source TEXT, id INTEGER, what TEXT NOT NULL, PRIMARY KEY (source, id))",
        "INSERT INTO use VALUES (NULL, NULL, 'x'), (NULL, NULL, 'y'), ('s', 1, 'z')",
    )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "json", "dynamodb"])
def test_a_key_that_is_given_is_one_in_the_target(stores: Stores, without_keys: Store, kind: str) -> None:
    target = stores(kind)
    four_steps(without_keys, target, primary_keys=[ALIAS, USE])
    if kind in ("sqlite", "postgresql"):
        assert sorted(sql(target, "SELECT of, name FROM alias")) == [(1, "a"), (1, "b"), (2, "a")]
        assert sorted(sql(target, "SELECT what FROM use WHERE source IS NULL")) == [("x",), ("y",)]
        for row in ("alias VALUES (1, 'a')", "use VALUES ('s', 1, 'other')"):
            with pytest.raises(Exception, match=r"(?i)unique"):
                sql(target, "INSERT INTO " + row)
    # records that changed are found and written by it
    made(without_keys, "INSERT INTO alias VALUES (3, 'c')", "UPDATE use SET source = 't' WHERE what = 'x'")
    more = {"primary_keys": [ALIAS, USE], "safety_backup": False}
    done = run(source=without_keys, target=target, on_existing="merge", **more)
    assert [row["added"] + row["changed"] for row in done["migration"]["collections"]] == [1, 1]
    assert not run(source=without_keys, target=target, on_existing="merge", **more)["changed"]


def test_a_table_of_sqlite_keeps_what_only_sqlite_understands(stores: Stores, without_keys: Store) -> None:
    target = stores("sqlite")
    run(source=without_keys, target=target, primary_keys=[ALIAS, USE])
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        sql(target, "INSERT INTO alias VALUES (1, '')")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([ALIAS, {"collection": "use", "fields": ["id"]}], "The record 1 of the collection use lacks its key field id"),
        (
            [ALIAS, {"collection": "use", "fields": ["what", "no"]}],
            r"\(what, no\) is not a valid key of the collection use",
        ),
        ([{"collection": "alias", "fields": ["name"]}, USE], r"alias has several records with the key \[\"a\"\]"),
    ],
)
def test_keys_that_are_none(stores: Stores, without_keys: Store, keys: Any, words: str) -> None:
    with pytest.raises(Day2Error, match=words):
        run(source=without_keys, target=stores("postgresql"), primary_keys=keys)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "json"])
def test_a_key_that_is_null_somewhere_tells_nothing_apart(stores: Stores, kind: str, tmp_path: Path) -> None:
    """Also where it is null only before, or only afterwards."""
    source, target = stores("sqlite"), stores(kind)
    made(
        source,
        "CREATE TABLE use (source TEXT, id INTEGER, what TEXT, PRIMARY KEY (source, id))",
        "INSERT INTO use VALUES (NULL, 1, 'x'), (NULL, 1, 'x'), ('s', NULL, 'y'), ('s', 1, 'z')",
    )
    four_steps(source, target)
    more = {"on_existing": "replace", "repository": str(tmp_path / "backups"), "name": "app"}
    for change in (
        "DELETE FROM use WHERE rowid = 2",
        "DELETE FROM use WHERE source IS NULL OR id IS NULL",
        "INSERT INTO use VALUES (NULL, 2, 'w'), ('t', 5, 'v')",
        "UPDATE use SET source = 'u' WHERE id = 2",
    ):
        made(source, change)
        four_steps(source, target, **more)
    if kind == "postgresql":
        assert sorted(sql(target, "SELECT * FROM use")) == sorted(sql(source, "SELECT * FROM use"))
        with pytest.raises(Exception, match="unique"):
            sql(target, "INSERT INTO use VALUES ('s', 1, 'again')")
    if kind == "sqlite":
        assert sql(target, "SELECT * FROM use ORDER BY 1, 2") == sql(source, "SELECT * FROM use ORDER BY 1, 2")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_columns_that_refer_to_each_other_are_of_one_kind(stores: Stores, kind: str) -> None:
    """SQLite takes any value into any column; the other compares no numbers with texts."""
    source = made(
        stores("sqlite"),
        "CREATE TABLE unit (code INTEGER_OR_TEXT PRIMARY KEY)",
        "CREATE TABLE axis (id INTEGER PRIMARY KEY, unit INTEGER_OR_TEXT REFERENCES unit (code))",
        "CREATE TABLE tick (id INTEGER PRIMARY KEY, axis INTEGER REFERENCES axis (id))",
        "INSERT INTO unit VALUES (9001), ('metre')",
        "INSERT INTO axis VALUES (1, 9001), (2, NULL)",
        "INSERT INTO tick VALUES (1, 2)",
    )
    target = stores(kind)
    four_steps(source, target, odd="wider")
    (reference,) = described(target, "axis").foreign_keys
    assert reference._replace(name="") == ForeignKey(("unit",), "unit", ("code",))
    if kind == "postgresql":
        kinds = {field.name: field.kind for field in described(target, "axis").fields}
        assert kinds == {"id": "integer", "unit": "json"}
    back = stores("json")
    four_steps(target, back)
    with open_target(source, {}) as old, open_target(back, {}) as new:
        for info in old.collections():
            there = without_place(next(one for one in new.collections() if one.name == info.name))
            assert sorted(map(repr, new.read(there))) == sorted(map(repr, old.read(info)))


def test_sizes_that_all_values_have_go_with_their_columns(stores: Stores) -> None:
    source = made(
        stores("sqlite"),
        """CREATE TABLE track (
          id INTEGER PRIMARY KEY, name NVARCHAR(5) NOT NULL, code CHAR(2), long VARCHAR(3), price NUMERIC(10,2),
          rate DECIMAL(4, 1), fine NUMERIC(5, 2), large NUMERIC(3), most NUMERIC(20, 2), none NUMERIC(9),
          free NUMERIC)""",
        "INSERT INTO track VALUES (1, 'a', 'x', 'abcd', 0.99, 1, 0.125, 1000, 12345678901234567, NULL, 1.5)",
        "INSERT INTO track VALUES (2, '\u00e4\u00f6\u00fc\u00df ', NULL, '', -99999999.99, -999.9, 1, 5, 7, NULL, 2)",
    )
    middle, back, again = stores("postgresql"), stores("sqlite"), stores("postgresql")
    for one, other in ((source, middle), (middle, back), (back, again)):
        four_steps(one, other)
    query = """SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale
      FROM information_schema.columns WHERE table_name = 'track' AND table_schema = current_schema"""
    for store in (middle, again):
        assert {row[0]: tuple(one for one in row[1:] if one is not None) for row in sql(store, query)} == {
            "id": ("bigint", 64, 0),
            "name": ("character varying", 5),
            "code": ("character varying", 2),
            "long": ("text",),
            "price": ("numeric", 10, 2),
            "rate": ("numeric", 4, 1),
            "fine": ("double precision", 53),
            "large": ("bigint", 64, 0),
            "most": ("numeric", 20, 2),
            "none": ("numeric", 9, 0),
            "free": ("double precision", 53),
        }
    declared = {field.name: field.native for field in described(back, "track").fields}
    assert (declared["name"], declared["price"]) == ("CHARACTER VARYING(5)", "DECIMAL_TEXT(10, 2)")
    with pytest.raises(Exception, match="too long"):
        sql(middle, "INSERT INTO track VALUES (3, 'longer')")


def test_the_key_of_documents_in_a_table_can_be_given(stores: Stores) -> None:
    document, source, target = stores("json"), stores("sqlite"), stores("json")
    Path(document["path"]).write_text('{"t": {"a": {"id": "a", "v": [1]}, "b": {"id": "b", "v": {}}}}')
    run(source=document, target=source, shape="document")
    four_steps(source, target, primary_keys=[{"collection": "t", "fields": ["id"]}])
    assert json.loads(Path(target["path"]).read_text()) == json.loads(Path(document["path"]).read_text())
