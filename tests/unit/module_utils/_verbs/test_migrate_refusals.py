# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode refuses what the run would refuse, in the same words, and nothing is left of either."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from tests.unit.module_utils._verbs.migrations import Store, Stores, connected, four_steps, run, sql


def refused(source: Store, target: Store, **params: Any) -> str:
    """What both say."""
    told = []
    for check in (True, False):
        with pytest.raises(TargetError) as caught:
            run(check, source=source, target=target, **params)
        told.append(str(caught.value))
    assert told[0] == told[1]
    tables = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    assert sql(target, tables) == []
    return told[0]


@pytest.mark.once
def test_names_of_system_columns_and_too_many_columns(stores: Stores) -> None:
    source = stores("sqlite")
    sql(source, "CREATE TABLE a (id INTEGER PRIMARY KEY, xmin INTEGER)")
    sql(source, "CREATE TABLE b (id INTEGER PRIMARY KEY, ctid TEXT)")
    sql(
        source,
        "CREATE TABLE wide (id INTEGER PRIMARY KEY, {})".format(", ".join(f"c{one} TEXT" for one in range(1700))),
    )
    message = refused(source, stores("postgresql"))
    assert 'a: column name "xmin" conflicts with a system column name' in message
    assert 'b: column name "ctid" conflicts with a system column name' in message
    assert "wide: tables can have at most 1600 columns" in message


def test_types_extensions_and_schemas_that_are_missing(stores: Stores, postgresql: Store) -> None:
    source = stores("postgresql")
    other = "o" + uuid.uuid4().hex[:8]
    with connected(source) as server:
        server.execute(f"CREATE SCHEMA {other}")
        server.execute(f"CREATE TYPE {other}.mood AS ENUM ('good')")
        server.execute(f"CREATE TABLE {other}.people (id int PRIMARY KEY)")
        server.execute(f"CREATE TABLE m (id int PRIMARY KEY, mood {other}.mood)")
        server.execute(f"CREATE TABLE p (id int PRIMARY KEY, person int REFERENCES {other}.people)")
        server.execute(f"CREATE DATABASE {other}")
    with psycopg.connect(host=postgresql["host"], user="postgres", dbname=other, autocommit=True) as server:
        server.execute("CREATE SCHEMA {}".format(source["schema"]))
    target = {**source, "database": other}
    told = []
    for check in (True, False):
        with pytest.raises(TargetError) as caught:
            run(check, source=source, target=target)
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert f'm: schema "{other}" does not exist' in told[0]
    assert f'p: schema "{other}" does not exist' in told[0]


def test_a_foreign_key_to_nothing_unique_stays_behind_with_a_warning(stores: Stores) -> None:
    source = stores("sqlite")
    sql(source, "CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT)")
    sql(source, "CREATE TABLE child (id INTEGER PRIMARY KEY, p TEXT REFERENCES parent (code), q REFERENCES gone (id))")
    sql(source, "INSERT INTO parent VALUES (1, 'a')")
    sql(source, "INSERT INTO child VALUES (1, 'a', 1)")
    for kind in ("postgresql",):
        done = four_steps(source, stores(kind))
        assert done["warnings"] == [
            "The foreign key (q) of child is not migrated, as the target has no gone.",
            "The foreign key (p) of child is not migrated, as its target is not unique.",
        ]
    four_steps(source, stores("sqlite"))


def test_rows_that_are_larger_than_a_page_are_rejects(stores: Stores, tmp_path: Path) -> None:
    source = stores("json")
    names = [f"c{one}" for one in range(1200)]
    rows = {"small": dict.fromkeys(names, "12345"), "texts": dict.fromkeys(names, "x" * 100), "few": {"c1": "x" * 9000}}
    Path(source["path"]).write_text(json.dumps({"wide": rows}))
    for check in (True, False):
        with pytest.raises(TargetError, match=r"can't store 1 record of wide \(\[\"texts\"\]: the row has "):
            run(check, source=source, target=stores("postgresql"))
    target = stores("postgresql")
    four_steps(source, target, rejects=str(tmp_path / "rejects"), max_rejects=1)
    assert sql(target, "SELECT count(*) FROM wide") == [(2,)]


@pytest.fixture
def latin(postgresql: Store) -> Iterator[Store]:
    name = f"latin_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(host=postgresql["host"], user="postgres", dbname="postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    yield {**postgresql, "database": name}
    with psycopg.connect(host=postgresql["host"], user="postgres", dbname="postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_what_the_encoding_of_the_database_lacks_is_a_reject(stores: Stores, latin: Store, tmp_path: Path) -> None:
    source = stores("sqlite")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    sql(source, "INSERT INTO t VALUES (1, 'é'), (2, 'ł'), (3, '€')")
    for check in (True, False):
        with pytest.raises(TargetError, match=r"2 records of t \(\[2\]: the field v contains the character 'ł'"):
            run(check, source=source, target=latin)
        with psycopg.connect(host=latin["host"], user="postgres", dbname=latin["database"]) as server:
            server.execute("DROP TABLE IF EXISTS t, day2_migration")
    done = four_steps(source, latin, rejects=str(tmp_path / "rejects"), max_rejects=2)
    assert done["migration"]["errors"] == 2
    with psycopg.connect(host=latin["host"], user="postgres", dbname=latin["database"]) as server:
        assert server.execute("SELECT v FROM t").fetchall() == [("é",)]


def test_a_read_only_database(stores: Stores) -> None:
    source, target = stores("json"), stores("postgresql")
    Path(source["path"]).write_text(json.dumps({"t": {"a": {"v": 1}}}))
    role = "r" + uuid.uuid4().hex[:8]
    with connected(target) as server:
        server.execute(f"CREATE ROLE {role} LOGIN")
        server.execute("GRANT ALL ON SCHEMA {} TO {}".format(target["schema"], role))
        server.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")
    for check in (True, False):
        with pytest.raises(TargetError, match="read-only transaction"):
            run(check, source=source, target={**target, "username": role})


@pytest.mark.parametrize("kind", ["json", "sqlite", "postgresql", "dynamodb"])
def test_another_key_is_refused_before_anything_is_written(stores: Stores, kind: str) -> None:
    first, source, target = stores("sqlite"), stores("sqlite"), stores(kind)
    sql(first, "CREATE TABLE c (id TEXT PRIMARY KEY, n TEXT)")
    sql(first, "INSERT INTO c VALUES ('a', 'b')")
    run(source=first, target=target)
    sql(source, "CREATE TABLE c (n TEXT PRIMARY KEY, id TEXT)")
    sql(source, "INSERT INTO c VALUES ('a', 'b')")
    for check in (True, False):
        with pytest.raises(TargetError, match="has the key"):
            run(check, source=source, target=target, on_existing="merge", safety_backup=False)
    assert not run(source=first, target=target)["changed"]


LARGE = "hex(randomblob(9000))"  # of which no compression makes less than half


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("t (k TEXT PRIMARY KEY, v TEXT)", "'a', 'b'), ({0}, 'x'), ('c', {0}"),
        ("t (id INTEGER PRIMARY KEY, v TEXT UNIQUE)", "1, 'a'), (2, {0}), (3, NULL"),
        ("t (id INTEGER PRIMARY KEY, v BLOB, w TEXT); CREATE INDEX i ON t (w, v)", "1, x'00', 'a'), (2, {1}, 'b'"),
        ("t (a TEXT, b TEXT, PRIMARY KEY (a, b))", "'a', 'b'), ({2}, {2}"),
    ],
)
def test_entries_of_indexes_that_are_too_large_are_rejects(
    stores: Stores, tmp_path: Path, table: str, values: str
) -> None:
    source = stores("sqlite")
    for statement in ("CREATE TABLE " + table).split("; "):
        sql(source, statement)
    large = values.format(LARGE, "randomblob(2800)", "hex(randomblob(1500))")
    sql(source, f"INSERT INTO t VALUES ({large})")
    # what compresses well is certain only to the server
    columns = [row[1:3] for row in sql(source, "PRAGMA table_info(t)")]
    fine = [
        "replace(hex(zeroblob(9000)), '00', 'xy')" if kind == "TEXT" else "x'07'" if kind == "BLOB" else "7000"
        for _name, kind in columns
    ]
    sql(source, "INSERT INTO t VALUES ({})".format(", ".join(fine)))
    message = refused(source, stores("postgresql"))
    assert "The target can't store 1 record of t" in message
    assert "an entry of an index would be too large: index row " in message
    target = stores("postgresql")
    done = four_steps(source, target, rejects=str(tmp_path / "rejects"), max_rejects=1)
    assert done["migration"]["errors"] == 1
    assert sql(target, "SELECT count(*) FROM t") == [(sql(source, "SELECT count(*) FROM t")[0][0] - 1,)]


@pytest.mark.parametrize(
    ("column", "good", "bad", "words"),
    [
        ("v smallint", 32767, 32768, "the field v is out of range for smallint"),
        ("v integer", -(2**31), -(2**31) - 1, "the field v is out of range for integer"),
        ("v mood", "good", "odd", 'PostgreSQL rejects it: invalid input value for enum mood: "odd"'),
        ("v positive", 1, -1, 'value for domain positive violates check constraint "positive_check"'),
        ("v integer CHECK (v > 0)", 1, -1, 'violates check constraint "t_v_check"'),
        (
            "v timestamp(3)",
            "2024-01-01T00:00:00.123",
            "2024-01-01T00:00:00.1234",
            "more than 3 fractional digits of a second",
        ),
    ],
)
@pytest.mark.parametrize("held", [False, True])
def test_what_a_table_that_is_there_does_not_take_is_a_reject(
    stores: Stores, tmp_path: Path, column: str, good: Any, bad: Any, words: str, held: bool
) -> None:
    source, target = stores("json"), stores("postgresql")
    rows = {str(n): {"id": n, "v": bad if n == 2 else good} for n in range(1, 4)}
    Path(source["path"]).write_text(json.dumps({"t": rows}))
    with connected(target) as server:
        server.execute("CREATE TYPE mood AS ENUM ('good')")
        server.execute("CREATE DOMAIN positive AS integer CHECK (value > 0)")
        server.execute("CREATE SEQUENCE s")
        server.execute(f"CREATE TABLE t (id integer PRIMARY KEY, {column}, n bigint NOT NULL DEFAULT nextval('s'))")
        if held:
            server.execute("INSERT INTO t (id) VALUES (1)")
    given: dict[str, Any] = {"on_existing": "merge", "safety_backup": False, "types": {}}
    for check in (True, False):
        with pytest.raises(TargetError, match="can't store 1 record of t") as caught:
            run(check, source=source, target=target, **given)
        assert words in caught.value.message
    assert sql(target, "SELECT count(*) FROM t") == [(int(held),)]
    given.update(rejects=str(tmp_path / "rejects"), max_rejects=1)
    done = run(source=source, target=target, **given)
    assert done["migration"]["errors"] == 1
    assert sql(target, "SELECT id FROM t ORDER BY id") == [(1,), (3,)]
    assert words in (tmp_path / "rejects").read_text().replace("\\", "")


def test_a_name_that_a_view_has_is_refused(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    sql(target, "CREATE VIEW t AS SELECT 1 AS id")
    for check in (True, False):
        with pytest.raises(TargetError, match='t: relation "t" already exists'):
            run(check, source=source, target=target)


@pytest.mark.parametrize(
    "made",
    [
        "CREATE VIEW T AS SELECT 1 AS id",
        "CREATE INDEX t ON other (id)",
        "CREATE TABLE T (id INTEGER PRIMARY KEY)",
        "CREATE TABLE T (id INTEGER PRIMARY KEY, v)",
    ],
)
def test_a_name_that_something_else_of_sqlite_has_is_refused(stores: Stores, made: str) -> None:
    source, target = stores("sqlite"), stores("sqlite")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    sql(target, "CREATE TABLE other (id INTEGER)")
    sql(target, made)
    for check in (True, False):
        with pytest.raises(TargetError, match="has the (view|index|table) [tT], so that it can't have a table with"):
            run(check, source=source, target=target)


@pytest.mark.parametrize(
    ("column", "good", "bad", "words"),
    [
        ("uuid", "0123456789ABCDEF0123456789abcdef", "x", "is not a UUID"),
        ("interval", "P1M2DT3H", "soon", "is not an interval"),
        ("time", "12:30", "25:00", "is not a time of day"),
    ],
)
def test_a_table_that_is_there_spells_values_in_its_own_way(
    stores: Stores, tmp_path: Path, column: str, good: str, bad: str, words: str
) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    sql(source, f"INSERT INTO t VALUES (1, '{good}'), (2, '{bad}')")
    sql(target, f"CREATE TABLE t (id bigint PRIMARY KEY, v {column})")
    for check in (True, False):
        with pytest.raises(TargetError, match=f"t.v {words} in 1 record "):
            run(check, source=source, target=target)
    four_steps(source, target, odd="reject", rejects=str(tmp_path / "rejects"), max_rejects=1)
    assert sql(target, f"SELECT id FROM t WHERE v = '{good}'") == [(1,)]


@pytest.mark.parametrize(("name", "told"), [("$n", r"\$n"), ("a b", "a b"), ("x" * 255, "x+"), ("", '""')])
def test_names_that_dynamodb_does_not_take(stores: Stores, name: str, told: str) -> None:
    source, target = stores("json"), stores("dynamodb")
    Path(source["path"]).write_text(json.dumps({"ok": {"a": {"v": 1}}, name: {"a": {"v": 1}}}))
    for check in (True, False):
        with pytest.raises(TargetError, match=f"DynamoDB can't have tables called .*{told}\\."):
            run(check, source=source, target=target)
    with open_target(target, {}) as opened:
        assert opened.collections() == []


def test_tables_without_columns_are_named(stores: Stores) -> None:
    source = stores("postgresql")
    for statement in ("CREATE TABLE none ()", "CREATE TABLE made (a int GENERATED ALWAYS AS (1) STORED)"):
        sql(source, statement)
    sql(source, "CREATE TABLE t (id int PRIMARY KEY)")
    notes = run(source=source, target=stores("sqlite"))["warnings"]
    told = ["The table without columns of its own made is not migrated."]
    assert notes == [*told, "The table without columns of its own none is not migrated."]
