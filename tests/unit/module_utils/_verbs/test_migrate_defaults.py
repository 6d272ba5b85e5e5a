# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults of columns: what an application inserts after a migration gets the same values as before."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from tests.unit.module_utils._verbs.migrations import Store, Stores, run, sql

# Of SQLite: the column's declaration, and what a row gets that does not give it; a text of a regular expression.
SQLITE = {
    "created": ("TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?"),
    "changed": ("DATETIME DEFAULT (datetime('now'))", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?"),
    "day": ("DATE DEFAULT current_date", r"\d{4}-\d\d-\d\d"),
    "clock": ("TEXT DEFAULT CURRENT_TIME", r"\d\d:\d\d:\d\d"),
    "word": ("TEXT DEFAULT 'it''s'", "it's"),
    "empty": ("TEXT DEFAULT ''", ""),
    "digits": ("TEXT DEFAULT 7", "7"),
    "small": ("INTEGER DEFAULT (-1)", -1),
    "part": ("REAL DEFAULT 0.25", 0.25),
    "yes": ("BOOLEAN DEFAULT 1", True),
    "no": ("BOOLEAN DEFAULT false", False),
    "price": ("NUMERIC(10,2) NOT NULL DEFAULT 1.5", 1.5),
    "absent": ("TEXT DEFAULT NULL", None),
}
POSTGRESQL = {
    "created": ("timestamptz NOT NULL DEFAULT now()", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*"),
    "changed": ("timestamp DEFAULT (now() AT TIME ZONE 'utc')", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*"),
    "day": ("date DEFAULT CURRENT_DATE", r"\d{4}-\d\d-\d\d"),
    "clock": ("time DEFAULT LOCALTIME", None),
    "word": ("varchar(10) DEFAULT 'it''s'", "it's"),
    "small": ("smallint DEFAULT -1", -1),
    "exact": ("numeric(10,2) DEFAULT 1.50", 1.5),
    "yes": ("boolean DEFAULT true", True),
    "tags": ("jsonb DEFAULT '{}'", "{}"),
    "since": ("date DEFAULT '2025-01-02'", "2025-01-02"),
}


def made(store: Store, columns: dict[str, Any], rows: bool) -> Store:
    declared = ", ".join(f"{name} {words}" for name, (words, _value) in columns.items())
    sql(store, f"CREATE TABLE t (id INTEGER PRIMARY KEY, {declared})")
    if rows:
        sql(store, "INSERT INTO t (id) VALUES (1)")
    return store


def check_a_new_row(store: Store, columns: dict[str, Any]) -> None:
    sql(store, "INSERT INTO t (id) VALUES (2)")
    (row,) = sql(store, "SELECT {} FROM t WHERE id = 2".format(", ".join(columns)))
    for (name, (_words, wanted)), found in zip(columns.items(), row):
        if isinstance(wanted, str):
            text = found if isinstance(found, str) else "{}" if found == {} else str(found)
            assert re.fullmatch(wanted, text), name
        elif wanted is None:
            assert found is None, name
        else:
            assert float(found) == float(wanted), name


@pytest.mark.parametrize("rows", [True, False])
def test_defaults_of_sqlite_in_postgresql_and_back(stores: Stores, rows: bool) -> None:
    chain = [made(stores("sqlite"), SQLITE, rows), stores("postgresql"), stores("sqlite")]
    for source, target in zip(chain, chain[1:]):
        warnings = run(source=source, target=target)["warnings"]
        assert warnings == [] or (target is chain[2] and [one[:8] for one in warnings] == ["Decimals"])
    for store in chain:
        check_a_new_row(store, SQLITE)


@pytest.mark.parametrize("rows", [True, False])
def test_defaults_of_postgresql_in_sqlite_and_back(stores: Stores, rows: bool) -> None:
    columns = {**POSTGRESQL}
    chain = [made(stores("postgresql"), columns, rows), stores("sqlite"), stores("postgresql")]
    (warning, text) = run(source=chain[0], target=chain[1])["warnings"]
    assert "supports it: the default of clock (LOCALTIME)." in warning
    assert text.startswith("Decimals are stored as text in SQLite, and sorted as text: t.exact.")
    assert run(source=chain[1], target=chain[2])["warnings"] == []
    for store in chain[1:]:
        check_a_new_row(store, columns)
        with open_target(store, {}) as records:
            (info,) = records.collections()
            (_old, new) = records.read(info) if rows else [None, *records.read(info)]
        assert {name: type(new[name]).__name__ for name in ("created", "changed", "day")} == {
            "created": "datetime",
            "changed": "datetime",
            "day": "date",
        }


def test_defaults_go_to_the_same_type_as_they_are(stores: Stores) -> None:
    chain = [made(stores("postgresql"), POSTGRESQL, True), stores("postgresql")]
    assert run(source=chain[0], target=chain[1])["warnings"] == []
    query = "SELECT column_name, column_default FROM information_schema.columns WHERE table_schema = '%s'"
    defaults = [dict(sql(one, query % one["schema"])) for one in chain]
    assert {**defaults[0], "small": ""} == {**defaults[1], "small": ""}  # a literal is the same in other words


def test_a_default_that_no_value_of_the_column_can_have_stays_behind(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(
        source,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER DEFAULT 'many', at INTEGER DEFAULT CURRENT_TIMESTAMP,"
        " on_ TEXT DEFAULT true, raw BLOB DEFAULT 'x', share TEXT DEFAULT 1.50)",
    )
    (warning,) = run(source=source, target=target)["warnings"]
    assert warning == (
        "Not migrated from the table t, as only sqlite supports it: the default of n ('many'), the default of at"
        " (CURRENT_TIMESTAMP), the default of on_ (true), the default of raw ('x'), the default of share (1.50)."
    )
    sql(target, "INSERT INTO t (id) VALUES (1)")
    assert sql(target, "SELECT * FROM t") == [(1, None, None, None, None, None)]
