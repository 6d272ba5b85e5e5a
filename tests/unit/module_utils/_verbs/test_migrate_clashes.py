# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Existing tables with unique indexes on some rows, on expressions and with collations, and exclusion constraints."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from tests.unit.module_utils._verbs.migrations import Store, Stores, run, sql

TABLE = "CREATE TABLE users (id INTEGER PRIMARY KEY, v TEXT, n INTEGER)"
IGNORING_CASE = (
    "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
    " ALTER TABLE users ALTER v TYPE text COLLATE ci; CREATE UNIQUE INDEX odd ON users (v)"
)
RANGES = "ALTER TABLE users ADD CONSTRAINT odd EXCLUDE USING gist (int4range(n, n + 10) WITH &&)"
# The rule, and two values of v and n that it does not take together.
RULES = [
    ("sqlite", "CREATE UNIQUE INDEX odd ON users (lower(v))", ("'a'", 1), ("'A'", 2)),
    ("sqlite", "CREATE UNIQUE INDEX odd ON users (v) WHERE n > 0", ("'a'", 1), ("'a'", 2)),
    ("sqlite", "CREATE UNIQUE INDEX odd ON users (v COLLATE RTRIM)", ("'a'", 1), ("'a  '", 2)),
    ("sqlite", "CREATE UNIQUE INDEX odd ON users (v COLLATE NOCASE, abs(n))", ("'a'", 1), ("'A'", -1)),
    (
        "sqlite",
        "ALTER TABLE users ADD g AS (lower(v)); CREATE UNIQUE INDEX odd ON users (g)",
        ("'a'", 1),
        ("'A'", 2),
    ),
    ("postgresql", "CREATE UNIQUE INDEX odd ON users (lower(v))", ("'a'", 1), ("'A'", 2)),
    (
        "postgresql",
        "ALTER TABLE users ADD g text GENERATED ALWAYS AS (lower(v)) STORED UNIQUE",
        ("'a'", 1),
        ("'A'", 2),
    ),
    ("postgresql", "CREATE UNIQUE INDEX odd ON users (v) WHERE n > 0", ("'a'", 1), ("'a'", 2)),
    (
        "postgresql",
        "ALTER TABLE users ALTER v TYPE varchar(9); CREATE UNIQUE INDEX odd ON users ((v::char(9)))",
        ("'a'", 1),
        ("'a '", 2),
    ),
    ("postgresql", IGNORING_CASE, ("'a'", 1), ("'A'", 2)),
    ("postgresql", RANGES, ("'a'", 1), ("'b'", 9)),
    ("postgresql", "ALTER TABLE users ADD CONSTRAINT odd UNIQUE NULLS NOT DISTINCT (v)", ("NULL", 1), ("NULL", 2)),
    ("postgresql", 'CREATE UNIQUE INDEX "o%d""d" ON users ((n %% 7 + 0))', ("'a'", 1), ("'b'", 8)),
]
each_rule = pytest.mark.parametrize(("kind", "rule", "one", "other"), RULES)


def made(store: Store, *statements: str) -> Store:
    for statement in statements:
        for part in statement.split("; "):
            sql(store, part.replace("%%", "%"))
    return store


def row(number: int, values: Any) -> str:
    return f"INSERT INTO users VALUES ({number}, {values[0]}, {values[1]})"


def rows(store: Store, columns: str = "id, v, n") -> list[Any]:
    found = sql(store, f"SELECT {columns} FROM users ORDER BY id")
    return [tuple(str(one).strip() for one in values) for values in found]


def refused(match: str, **params: Any) -> None:
    """Check mode and the run refuse it in the same words, and nothing is changed."""
    before = rows(params["target"])
    for check in (True, False):
        with pytest.raises(TargetError, match=match):
            run(check, safety_backup=False, **params)
        assert rows(params["target"]) == before


@each_rule
def test_two_records_of_the_source(stores: Stores, kind: str, rule: str, one: Any, other: Any) -> None:
    source = made(stores("sqlite"), TABLE, row(1, one), row(2, other))
    target = made(stores(kind), TABLE, rule)
    refused(r"users: the records \[1\] and \[2\] of the source violate the (unique index|exclusion) ", source=source,
            target=target)  # fmt: skip


@each_rule
def test_a_record_of_the_target_that_stays(stores: Stores, kind: str, rule: str, one: Any, other: Any) -> None:
    source = made(stores("sqlite"), TABLE, row(1, one))
    target = made(stores(kind), TABLE, rule, row(5, other))
    match = r"users: the record \[1\] of the source and \[5\] of the target violate the "
    refused(match, source=source, target=target, on_existing="merge")


@each_rule
def test_a_value_moves_from_a_record_that_goes_or_changes(
    stores: Stores, kind: str, rule: str, one: Any, other: Any
) -> None:
    source = made(stores("sqlite"), TABLE, row(1, other), row(2, ("'x'", -100)), row(3, ("'y'", -203)))
    target = made(stores(kind), TABLE, rule, row(2, one), row(3, ("'Z'", -304)))
    params: dict[str, Any] = {
        "source": source,
        "target": target,
        "on_existing": "replace",
        "safety_backup": False,
        "batch_size": 1,
    }
    check = run(True, **params)
    assert not [said for said in check["warnings"] if "only known" in said]
    assert check["diff"] == run(**params)["diff"]
    assert rows(target) == rows(source)
    assert not run(True, **params)["changed"]


def test_values_that_move_from_record_to_record_in_several_batches(stores: Stores) -> None:
    unique = "CREATE UNIQUE INDEX odd ON users (v)"
    source = made(stores("sqlite"), TABLE, *(row(number, (f"'{number}'", 0)) for number in range(5)))
    target = made(stores("sqlite"), TABLE, unique, *(row(number, (f"'{number - 1}'", 0)) for number in range(1, 5)))
    params = {"source": source, "target": target, "on_existing": "replace", "safety_backup": False, "batch_size": 1}
    assert run(**params)["changed"]
    assert rows(target) == rows(source)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_columns_that_only_the_target_has_keep_their_values(stores: Stores, kind: str) -> None:
    """The first of two equal values belongs to a record that has been removed for the application."""
    source = made(stores("sqlite"), TABLE, row(1, ("'a'", 1)), row(2, ("'a'", 2)), row(3, ("'b'", 3)))
    target = made(
        stores(kind),
        TABLE.replace("n INTEGER", "n INTEGER, gone TEXT"),
        "CREATE UNIQUE INDEX odd ON users (v) WHERE gone IS NULL",
        "INSERT INTO users VALUES (1, 'old', 1, 'yesterday')",
    )
    run(source=source, target=target, on_existing="merge", safety_backup=False)
    assert rows(target, "*") == [("1", "a", "1", "yesterday"), ("2", "a", "2", "None"), ("3", "b", "3", "None")]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_records_without_a_key_are_shown(stores: Stores, kind: str) -> None:
    table = TABLE.replace(" PRIMARY KEY", "")
    source = made(stores("sqlite"), table, row(1, ("'a'", 1)), row(1, ("'A'", 2)))
    target = made(stores(kind), table, "CREATE UNIQUE INDEX odd ON users (lower(v))")
    match = r"""the records \[1,"a",1\] and \[1,"A",2\] of the source violate the unique index odd"""
    refused(match, source=source, target=target)


def test_what_can_not_be_compared_is_said_in_check_mode(stores: Stores) -> None:
    table = TABLE.replace(" PRIMARY KEY", "")
    source = made(stores("sqlite"), table, row(1, ("'a'", 1)))
    target = made(stores("sqlite"), table, "CREATE UNIQUE INDEX odd ON users (lower(v))", row(7, ("'x'", 7)))
    said = "Whether the records of users comply with odd is only known when they are written."
    found = run(True, source=source, target=target, on_existing="replace", safety_backup=False)
    assert said in found["warnings"]


OWN = [
    "CREATE TABLE users (id INTEGER PRIMARY KEY, v TEXT, n INTEGER CHECK (twice(n) > 0))",
    f"{TABLE}; CREATE UNIQUE INDEX odd ON users (twice(n))",
    f"{TABLE}; CREATE INDEX odd ON users (v COLLATE own)",
]


@pytest.mark.parametrize("table", OWN)
@pytest.mark.parametrize("of", ["source", "target"])
def test_what_only_the_application_defines_is_named_by_check_mode(stores: Stores, table: str, of: str) -> None:
    both = {"source": made(stores("sqlite"), *[TABLE] * (of == "target")), "target": stores("sqlite")}
    with contextlib.closing(sqlite3.connect(both[of]["path"])) as connection:
        connection.create_function("twice", 1, lambda value: 2 * value, deterministic=True)
        connection.create_collation("own", lambda one, other: (one > other) - (one < other))
        connection.executescript(table)
        if of == "source":
            connection.execute(row(1, ("'a'", 1)))
        connection.commit()
    if of == "target":
        made(both["source"], row(1, ("'a'", 1)))
    before = Path(both["target"]["path"]).read_bytes() if of == "target" else None
    for check in (True, False):
        with pytest.raises(TargetError, match="users: no such (function: twice|collation sequence: own)"):
            run(check, **both, safety_backup=False)
    found = Path(both["target"]["path"])
    assert (found.read_bytes() if found.exists() else None) == before


def test_blanks_that_a_column_does_not_keep_are_foreseen(stores: Stores, tmp_path: Path) -> None:
    """Text of a fixed length ends with as many blanks as it takes, and those do not count."""
    source = made(stores("sqlite"), TABLE, row(1, ("'a'", 1)), row(2, ("'a '", 2)))
    target = made(stores("postgresql"), TABLE, "ALTER TABLE users ALTER v TYPE char(9)")
    refused(r"The target can't store 1 record of users \(\[2\]: the field v ends with a blank", source=source,
            target=target)  # fmt: skip
    params: dict[str, Any] = {"source": source, "target": target, "max_rejects": 1, "rejects": str(tmp_path / "no")}
    assert run(True, **params)["diff"] == run(**params)["diff"]
    assert rows(target) == [("1", "a", "1")]


def test_a_plain_index_is_not_looked_at(stores: Stores) -> None:
    source = made(stores("sqlite"), TABLE, row(1, ("'a'", 1)))
    target = made(stores("sqlite"), TABLE, "CREATE INDEX plain ON users (lower(v))")
    assert not [said for said in run(True, source=source, target=target)["warnings"] if "only known" in said]
