# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sums of rows: equal after a restore for values of all types, and different for all different rows."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.identity import (
    list_tables,
    table_sums,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.row_text import FIELDS, RECORD

from .postgresql_bench import Bench, clean

pytestmark = pytest.mark.once  # the same driver and the same server for every Python

pytest.importorskip("psycopg")

TYPES = """
CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'a,b');
CREATE DOMAIN public.whole AS int CHECK (VALUE <> 7); CREATE DOMAIN public.feeling AS public.mood;
CREATE TYPE public.pair AS (a int, b text);
"""
# Values that differ, though some of them are equal to the server, or look alike.
VALUES = {
    "bool": ["true", "false"],
    "int2": ["1", "-1", "11"],
    "int4": ["1", "-2147483648"],
    "int8": ["1", "4294967296", "-1"],
    "oid": ["1", "4294967295"],
    "float4": ["0", "-0", "1", "NaN", "-Infinity", "1.17549435e-38"],
    "float8": ["0", "-0", "0.1", "0.30000000000000004", "NaN", "Infinity"],
    "numeric": ["1", "1.0", "1.00", "0", "0.0", "NaN", "1e-30", "1e40"],
    "numeric(8,2)": ["1", "1.01", "NaN"],
    "date": ["2024-02-29", "infinity", "-infinity", "0044-03-15 BC"],
    "time": ["00:00", "24:00", "00:00:00.000001"],
    "timetz": ["00:00+00", "01:00+01"],
    "timestamp": ["2024-01-01", "2024-01-01 00:00:00.000001", "infinity"],
    "timestamptz": ["2024-01-01 00:00+00", "2024-01-01 00:00+01", "-infinity", "0001-01-01 BC"],
    "interval": ["1 month", "30 days", "720:00:00", "-1 year 2 days"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "f0000000-0000-0000-0000-000000000000"],
    "bytea": ["", "\\x00", "\\x0000", "\\x5c"],
    "json": ["1", " 1", '{"a": 1,  "a":2}', '{"a": 1, "a":2}', "null"],
    "jsonb": ["1", "1.0", "[1, null]", "null", '"null"'],
    "text": ["", " ", "a", "a ", "1:a", "\\N", "é", "e\u0301", "?t"],
    "varchar(5)": ["", "a", "a "],
    "bpchar": ["", "a", "b"],
    "bpchar(3)": ["", "a", "b"],
    "name": ["", "a", "a,"],
    '"char"': ["", "a", ","],
    "money": ["1234.56", "-1"],
    "xml": ["a<b/>", "a<b></b>"],
    "inet": ["10.0.0.1", "10.0.0.1/8"],
    "bit(3)": ["101", "111"],
    "point": ["1,2", "2,1", "-0,0"],
    "int4range": ["empty", "[1,3)", "[1,)"],
    "tsvector": ["'a' 'b'", "'a,b'"],
    "regclass": ["pg_class", "pg_type"],
    "int[]": ["{}", "{1}", "{{1}}", "{NULL}", "[2:2]={1}"],
    "text[]": ["{}", '{""}', "{NULL}", '{"NULL"}', '{"a,b"}', "{a,b}"],
    "public.mood": ["sad", "ok", "a,b"],
    "public.whole": ["1", "2"],
    "public.feeling": ["sad", "a,b"],
    "public.pair": ["(,)", '(,"")', '(1,"a,b")', "(1,a)"],
    "public.pair[]": ['{"(1,a)"}', '{"(1,)"}'],
}


@pytest.fixture
def bench(postgresql: dict[str, Any], tmp_path: Path) -> Iterator[Bench]:
    made = Bench(postgresql, tmp_path)
    yield made
    clean(made)


def sums_of(bench: Bench, form: str = FIELDS) -> dict[str, Any]:
    with bench.server().connect("shop") as session:
        tables = [one._replace(form=form) for one in list_tables(session)]
        return {name: found for (_schema, name), found in table_sums(session, tables).items()}


def one_row_each(bench: Bench, columns: str, rows: list[tuple[Any, ...]]) -> list[Any]:
    """The sums of tables with these columns, of which each has one of the rows, which are literals."""
    bench.make("shop", TYPES)
    for number, row in enumerate(rows):
        values = ", ".join(map(literal, row))
        bench.execute(
            "shop", f"CREATE TABLE public.t{number} ({columns}); INSERT INTO public.t{number} VALUES ({values})"
        )
    return list(sums_of(bench).values())


def literal(value: Any) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


@pytest.mark.parametrize("kind", VALUES)
def test_each_value_of_a_type_counts(bench: Bench, kind: str) -> None:
    """Alone, and beside others that do not change."""
    rows = [("1", value, "x") for value in [None, *VALUES[kind]]]
    assert len(set(one_row_each(bench, f"a int, v {kind}, z text", rows))) == len(rows)
    bench.execute("shop", *[f"ALTER TABLE public.t{number} DROP a, DROP z" for number in range(len(rows))])
    assert len(set(sums_of(bench).values())) == len(rows)


ALIKE: dict[str, list[tuple[Any, ...]]] = {
    "a text, b text": [("a,b", "c"), ("a", "b,c"), ("", ""), (None, ""), ("", None), (None, None), ("1", "1,1")],
    "a bool, b bool": [(None, "t"), ("t", None), ("t", "t"), (None, None), ("f", None)],
    "a int, b int": [("1", None), (None, "1"), ("1", "1"), ("11", None)],
    "a text, b int": [("1", "2"), ("1,2", None), (None, "2"), ("", "12"), ("?tf", "1")],
    "a text[], b text": [("{}", "{}"), (None, "{}"), ("{}", None), ('{"a,b"}', "c"), ("{a,b}", "c")],
    "a point, b point": [("1,2", None), (None, "1,2"), ("1,2", "1,2")],
    "a json, b text, c bytea": [('"1"', "x", "x"), ('"1"', "xx", ""), (None, '"1"', "x"), ("[1, 2]", None, "x")],
}


@pytest.mark.parametrize("columns", ALIKE)
def test_a_value_counts_where_it_is(bench: Bench, columns: str) -> None:
    rows = ALIKE[columns]
    assert len(set(one_row_each(bench, columns, rows))) == len(rows)


def test_values_that_change_places_with_those_of_other_rows_count(bench: Bench) -> None:
    bench.make("shop", "CREATE TABLE public.a (i int, v text); INSERT INTO public.a VALUES (1, 'x'), (2, 'y')")
    before = sums_of(bench)
    bench.execute("shop", "UPDATE public.a SET v = CASE v WHEN 'x' THEN 'y' ELSE 'x' END")
    assert sums_of(bench) != before


WIDE = [(40, "int"), (41, "text"), (80, "text"), (1600, "int"), (250, "float4[]")]


@pytest.mark.parametrize(("number", "kind"), WIDE)
def test_all_columns_of_a_wide_table_count(bench: Bench, number: int, kind: str) -> None:
    listed = ", ".join(f"c{one} {kind}" for one in range(number))
    bench.make("shop", f"CREATE TABLE public.a ({listed}); INSERT INTO public.a DEFAULT VALUES")
    seen = [sums_of(bench)]
    for column in {0, 39, number // 2, number - 1}:
        value = {"int": "1", "text": "''"}.get(kind, "'{1}'")
        bench.execute("shop", f"UPDATE public.a SET c{column} = {value}")
        assert sums_of(bench) not in seen
        seen.append(sums_of(bench))


def odd_values(bench: Bench) -> None:
    """Values whose bytes on the disk are not those that their text becomes again."""
    nan = struct.pack(">Q", 0xFFF8_0000_0000_1234)
    row = struct.pack(">hi", 1, 8) + nan
    with bench.server().connect("shop") as session:
        session.execute("CREATE TABLE public.odd (f float8, a int[])")
        with session.cursor().copy("COPY public.odd (f) FROM STDIN (FORMAT binary)") as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) + row + struct.pack(">h", -1))
        session.execute("UPDATE public.odd SET a = '{1,NULL}'; UPDATE public.odd SET a[2] = 2")  # keeps its bitmap


def fill(bench: Bench, kinds: dict[str, list[str]]) -> None:
    columns = ", ".join(f"gone{number} int, c{number} {kind}" for number, kind in enumerate(kinds))
    bench.make("shop", f"{TYPES} CREATE TABLE public.every ({columns})")
    for place in range(max(map(len, kinds.values()))):
        values = [values[place] if place < len(values) else None for values in kinds.values()]
        listed = ", ".join(f"NULL, {literal(value)}" for value in values)
        bench.execute("shop", f"INSERT INTO public.every VALUES ({listed})")
    bench.execute("shop", *[f"ALTER TABLE public.every DROP gone{number}" for number in range(len(kinds))])


def test_values_of_all_types_are_the_same_after_a_restore(bench: Bench) -> None:
    fill(bench, VALUES)
    odd_values(bench)
    bench.execute("shop", "CREATE TABLE public.empty (); INSERT INTO public.empty DEFAULT VALUES")
    copy = bench.backup("shop")
    assert bench.restore(copy, database="beside").changed  # which compares the sums
    assert not bench.prepare(copy, dry=True).changed
    bench.execute("shop", "DELETE FROM public.every")
    assert bench.restore(copy, "every", database="shop").changed


def test_inherited_columns_that_a_restore_puts_in_another_order(bench: Bench) -> None:
    script = "CREATE TABLE public.a (i int); CREATE TABLE public.b (z text) INHERITS (public.a);"
    bench.make("shop", f"{script} ALTER TABLE public.a ADD c text; INSERT INTO public.b VALUES (1, 'z', 'c')")
    assert bench.restore(bench.backup("shop"), database="beside").changed
    assert bench.query("beside", "SELECT c FROM public.b") == "c"


def test_the_digests_of_older_backups(bench: Bench) -> None:
    """Of rows as records."""
    fill(bench, VALUES)
    copy = bench.backup("shop")
    details = copy.details["databases"]["shop"]
    assert details.pop("row_text") == FIELDS
    older = sums_of(bench, RECORD)
    assert older != sums_of(bench)
    details["sums"] = [["public", name, *found] for name, found in older.items()]
    assert bench.restore(copy, database="beside").changed
    assert not bench.prepare(copy, dry=True).changed
    bench.execute("shop", "DELETE FROM public.every")
    assert bench.restore(copy, "every", database="shop").changed


def test_the_text_of_a_record_is_that_of_older_versions(bench: Bench) -> None:
    bench.make("shop", "CREATE TABLE public.a (t int, gone int, b text); INSERT INTO public.a VALUES (1, 2, 'a,\"b')")
    bench.execute("shop", "ALTER TABLE public.a DROP gone")
    text = 'textin(record_out(t.*)) COLLATE "C"'
    was = f"SELECT count(*) || ' ' || sum(hashtextextended({text}, 1)) || ' ' || sum(hashtextextended({text}, 2))"
    assert " ".join(map(str, sums_of(bench, RECORD)["a"])) == bench.query("shop", f"{was} FROM public.a t")


def test_texts_that_are_equal_to_the_server_in_several_collations(bench: Bench) -> None:
    script = """CREATE COLLATION public.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE public.a (v text COLLATE public.blind, w text COLLATE "C", x text COLLATE "POSIX", y char(2));
    INSERT INTO public.a VALUES ('a', 'b', 'c', 'd')"""
    bench.make("shop", script)
    before = sums_of(bench)
    bench.execute("shop", "UPDATE public.a SET v = 'A'")
    assert sums_of(bench) != before
