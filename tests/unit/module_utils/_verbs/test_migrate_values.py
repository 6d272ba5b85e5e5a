# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of PostgreSQL that Python or another store has no type for, through another store and back."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._stores.records.kinds import combined, kind_of
from ansible_collections.day2.ops.plugins.module_utils._stores.records.model import DATE, JSON, TEXT, TIMESTAMPTZ
from tests.unit.module_utils._verbs.migrations import Stores, four_steps, run, sql

VALUES = {
    "at timestamptz": ("infinity", "-infinity", "0044-03-15 11:30:00.5 BC", "12025-01-01 00:00", "2025-01-01 12:00+05"),
    "clock timestamp NOT NULL": ("infinity", "0001-01-01 BC", "2025-01-01", "99999-12-31 23:59:59.999999"),
    "day date": ("infinity", "-infinity", "4713-01-01 BC", "10000-01-01", "2025-06-30"),
    "json jsonb NOT NULL": ("null", '"text"', "{}", "[1, null]"),
    "span interval": ("1 year -2 days 03:04:05.6",),
    "net inet": ("10.0.0.1/8",),
    "list int[]": ("{{1,2},{3,NULL}}",),
    "bits bit(3)": ("101",),
    "cost money": ("12.34",),
    "word char(5)": ("ab",),
    "range int4range": ("[1,5)", "empty"),
    "time timetz": ("10:00+02", "24:00+00"),
}


@pytest.mark.parametrize("through", ["postgresql", "sqlite", "json", "dynamodb"])
def test_they_come_back(stores: Stores, through: str) -> None:
    first, other, last = stores("postgresql"), stores(through), stores("postgresql")
    if through == "json":
        other["values"] = "exact"
    for number, (column, values) in enumerate(VALUES.items()):
        name, type_ = column.split(" ", 1)
        sql(first, f"CREATE TABLE t{number} (id integer PRIMARY KEY, {name} {type_})")
        for key, value in enumerate(values):
            sql(first, f"INSERT INTO t{number} VALUES ({key}, '{value}')")
    assert run(source=first, target=other)["changed"]
    assert not run(source=first, target=other)["changed"]
    if through != "postgresql":  # which have no types, or no arrays: the columns are the first one's
        for number, column in enumerate(VALUES):
            if through == "sqlite" and "[]" not in column:
                continue
            sql(last, f"CREATE TABLE t{number} (id integer PRIMARY KEY, {column})")
    run(source=other, target=last)
    for number, column in enumerate(VALUES):
        query = f"SELECT id, {column.split()[0]}::text FROM t{number} ORDER BY id"
        assert sql(last, query) == sql(first, query), column


def test_a_column_of_times_stays_one_with_those_that_are_beyond() -> None:
    assert kind_of("infinity") == kind_of("0044-03-15 00:00:00+00 BC") == kind_of("12025-01-01")
    assert kind_of("0044-03-15") == kind_of("to infinity") == TEXT
    assert combined({kind_of("infinity"), TIMESTAMPTZ}) == TIMESTAMPTZ
    assert combined({kind_of("infinity"), DATE}) == DATE
    assert combined({kind_of("infinity")}) == combined({kind_of("infinity"), TEXT}) == TEXT
    assert combined({kind_of("infinity"), TEXT, DATE}) == combined({kind_of("infinity"), TIMESTAMPTZ, DATE}) == JSON


def test_an_infinite_number_makes_no_other_column_of_one_of_reals(stores: Stores) -> None:
    first, second, last = stores("sqlite"), stores("postgresql"), stores("sqlite")
    sql(first, "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL)")
    sql(first, "INSERT INTO t VALUES (1, 9e999), (2, -9e999), (3, 1.5)")
    run(source=first, target=second)
    run(source=second, target=last)
    assert sql(second, "SELECT pg_typeof(r)::text FROM t WHERE id = 1") == [("double precision",)]
    assert sql(last, "SELECT * FROM t") == sql(first, "SELECT * FROM t")


@pytest.mark.parametrize("keys", [[b"\x00\xff", b"\x01"], [1, "1", 1.5, b"1"], [1.5, 2.5]])
def test_keys_that_can_be_no_names_of_members(stores: Stores, keys: list[object]) -> None:
    source, target = stores("sqlite"), stores("json")
    with contextlib.closing(sqlite3.connect(source["path"])) as database, database:
        database.execute("CREATE TABLE t (k PRIMARY KEY NOT NULL, v TEXT)")
        database.executemany("INSERT INTO t VALUES (?, 'x')", [(key,) for key in keys])
    four_steps(source, target)
    assert len(json.loads(Path(target["path"]).read_text())["t"]) == len(keys)


def test_a_document_takes_whatever_names_there_are(stores: Stores) -> None:
    source, target = stores("json"), stores("json")
    names = ["Hosts", "hosts", "HOSTS", "^hosts", "sqlite_sequence", "SQLITE_x", "day2_migration", 'a "b"', "", "ä"]
    document = {name: {key: {"id": key, "of": name} for key in ("", "b", "B")} for name in names}
    Path(source["path"]).write_text(json.dumps(document))
    four_steps(source, target)
    assert json.loads(Path(target["path"]).read_text()) == document


def test_nanoseconds_are_not_cut(stores: Stores) -> None:
    first, second, last = stores("sqlite"), stores("json"), stores("sqlite")
    sql(first, "CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP_TEXT, zone TIMESTAMPTZ_TEXT)")
    fine = "2025-06-30T10:00:00.123456789"
    sql(first, f"INSERT INTO t VALUES (1, '{fine}', '{fine}Z')")
    run(source=first, target=second)
    run(source=second, target=last)
    assert sql(last, "SELECT at, zone FROM t") == [(fine, fine + "Z")]


@pytest.mark.parametrize("value", [{"$time": "soonZ"}, {"$time": "2025-06-30T10:00:00.123456789Z"}, {"$bytes": "?"}])
def test_what_only_looks_like_a_tag_is_a_mapping(stores: Stores, value: dict[str, str]) -> None:
    first, second, last = stores("json"), stores("sqlite"), stores("json")
    document = {"c": {"a": {"id": "a", "when": value}}}
    Path(first["path"]).write_text(json.dumps(document))
    four_steps(first, second)
    run(source=second, target=last)
    assert json.loads(Path(last["path"]).read_text()) == document


@pytest.mark.parametrize("kind", ["json", "sqlite", "dynamodb"])
def test_arrays_are_lists_elsewhere(stores: Stores, kind: str) -> None:
    first, other, last = stores("postgresql"), stores(kind), stores("postgresql")
    table = (
        "CREATE TABLE t (id int PRIMARY KEY, n int[], words text[] NOT NULL, at date[], deep float8[], bits bytea[])"
    )
    for store in (first, last):
        sql(store, table)
    words = """ARRAY['a', 'b c', '"q\\', NULL, 'NULL', '']"""
    deep = "'{{1,2.5},{3,4}}'"
    sql(first, f"INSERT INTO t VALUES (1, '{{1,NULL}}', {words}, '{{2025-01-01}}', {deep}, ARRAY[''::bytea])")
    sql(first, "INSERT INTO t VALUES (2, NULL, '{}', '{}', '{NaN}', NULL)")
    four_steps(first, other)
    if kind == "json":
        record = json.loads(Path(other["path"]).read_text())["t"]["1"]
        assert (record["n"], record["deep"]) == ([1, None], [[1, 2.5], [3, 4]])
        assert record["words"] == ["a", "b c", '"q\\', None, "NULL", ""]
    if kind == "sqlite":
        assert sql(other, "SELECT n FROM t WHERE id = 1") == [("[1, null]",)]
    four_steps(other, last)
    assert sql(last, "SELECT t::text FROM t ORDER BY id") == sql(first, "SELECT t::text FROM t ORDER BY id")


def test_the_safety_backup_keeps_arrays_as_they_are(stores: Stores, tmp_path: Path) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, n JSON_TEXT)")
    sql(source, "INSERT INTO t VALUES (1, '[5]')")
    sql(target, "CREATE TABLE t (id bigint PRIMARY KEY, n int[])")
    sql(target, "INSERT INTO t VALUES (1, '[0:1]={1,2}')")
    more = {"repository": str(tmp_path / "backups"), "name": "arrays"}
    assert run(source=source, target=target, on_existing="replace", **more)["changed"]
    assert sql(target, "SELECT n::text FROM t") == [("{5}",)]
    run(target=target, state="reverted", **more)
    assert sql(target, "SELECT n::text FROM t") == [("[0:1]={1,2}",)]


@pytest.mark.parametrize(("form", "text"), [(None, "AP8="), ("base64", "AP8="), ("hex", "00ff")])
def test_bytes_are_text_in_a_document_and_come_back(stores: Stores, form: Optional[str], text: str) -> None:
    source, target, back = stores("sqlite"), stores("json"), stores("postgresql")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, raw BLOB)")
    sql(source, "INSERT INTO t VALUES (1, x'00ff'), (2, x''), (3, NULL)")
    four_steps(source, {**target, "bytes": form})
    records = json.loads(Path(target["path"]).read_text())["t"]
    records = list(records.values()) if isinstance(records, dict) else records
    assert [one["raw"] for one in records] == [text, "", None]
    four_steps(target, back, types={"t.raw": "bytea from %s" % (form or "base64")})
    assert sql(back, "SELECT raw FROM t ORDER BY id") == [(b"\0\xff",), (b"",), (None,)]


def test_bytes_as_text_is_for_plain_targets(stores: Stores) -> None:
    one, other = {**stores("json"), "bytes": "hex"}, stores("json")
    with pytest.raises(InvalidRequest, match="bytes is for a target"):
        run(True, source=one, target=other)
    with pytest.raises(InvalidRequest, match="bytes is for documents with values=plain"):
        run(True, source=other, target={**one, "values": "exact"})


@pytest.mark.parametrize("kind", ["json", "sqlite", "postgresql"])
def test_numbers_that_json_lacks_come_through(stores: Stores, kind: str) -> None:
    source, target = stores("json"), stores(kind)
    text = '{"t": {"a": {"v": NaN, "w": [Infinity, {"x": -Infinity}]}, "b": {"v": Infinity, "w": null}}}'
    Path(source["path"]).write_text(text)
    four_steps(source, target)
    if kind == "json":
        assert repr(json.loads(Path(target["path"]).read_text())) == repr(json.loads(text))


@pytest.mark.parametrize("through", ["json", "sqlite", "postgresql"])
def test_numbers_that_no_float_can_hold_come_back(stores: Stores, through: str) -> None:
    source, middle, back = stores("json"), stores(through), stores("json")
    text = '{"t": {"a": {"id": "a", "v": 1e400, "w": 1%s}, "b": {"id": "b", "v": -1e400, "w": null}}}' % ("0" * 400)
    Path(source["path"]).write_text(text)
    four_steps(source, middle)
    four_steps(middle, back)
    assert not run(True, source=source, target=back)["changed"]
    assert "1e+400" in Path(back["path"]).read_text()
