# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which type a column gets: by its values, by what was asked for, and what happens to those that do not fit."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Optional
from uuid import UUID

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, TargetError
from ansible_collections.day2.ops.plugins.module_utils._stores.records.times import TimeOptions
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate.asked_types import Wanted
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate.columns import (
    Odd,
    Seen,
    class_of,
    inferred,
    mixed,
    wanted_type,
)
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate.odd import shown
from tests.unit.module_utils._verbs.migrations import Store, Stores, four_steps, run, sql


@pytest.mark.parametrize(
    ("declared", "seen", "kind"),
    [
        ("DATETIME", {"iso-naive": 5}, "timestamp"),
        ("datetime", {"iso-zone": 5}, "timestamptz"),
        ("DATE", {"iso-date": 5}, "date"),
        ("TIMESTAMP", {"iso-date": 5}, "date"),
        ("DATETIME", {}, None),
        ("DATETIME", {"iso-naive": 5, "iso-date": 1}, None),
        ("DATETIME", {"iso-naive": 5, "text": 1}, None),
        ("DATETIME", {"integer": 5}, None),
        ("TEXT", {"iso-naive": 5}, None),
        ("BOOLEAN", {"boolean": 5}, None),
        ("BOOLEAN", {"boolean as text": 5}, "boolean"),
        ("BOOL", {"boolean as text": 5, "boolean": 1}, "boolean"),
        ("BOOLEAN", {"boolean": 5, "integer": 1}, "integer"),
        ("BOOLEAN", {"boolean": 5, "text": 1}, None),
    ],
)
def test_declared_times_and_booleans_are_what_their_values_say(
    declared: str, seen: dict[str, int], kind: Optional[str]
) -> None:
    found = inferred(declared, seen)
    assert (found.kind if found is not None else None) == kind


@pytest.mark.parametrize(
    ("values", "odd", "expected"),
    [
        ([10, 20, "lots"], "reject", ("integer", 1)),
        ([10, "some", "lots"], "reject", ("text", 1)),
        ([1, 1.5, "lots"], "reject", ("real", 1)),
        ([2**70, 1, b"x"], "reject", ("decimal", 1)),
        (["2024-01-01", "x", 1], "reject", ("text", 1)),
        ([10, "lots"], "wider", ("json", 0)),
        ([10, "lots"], "fail", None),
        (["a", b"x"], "fail", None),
    ],
)
def test_values_of_several_kinds(values: list[Any], odd: str, expected: Any) -> None:
    seen = Seen()
    for key, value in enumerate(values):
        seen.add(class_of(value), value, (key,))
    if expected is None:
        with pytest.raises(Odd, match=r"t.c has .* \(odd=reject keeps"):
            mixed("t.c", seen, odd, shown)
    else:
        found = mixed("t.c", seen, odd, shown)
        assert (found.kind, found.rejected) == expected
        assert found.note.startswith("t.c ")


@pytest.mark.parametrize(
    ("given", "existing", "kind"),
    [
        (Wanted("timestamptz", "ms"), "", "timestamptz"),
        (Wanted("uuid"), "", "text"),
        (Wanted("uuid"), "text", "text"),
        (Wanted("uuid"), "integer", None),
        (None, "boolean", "boolean"),
        (Wanted("timestamptz", "ms"), "timestamp", "timestamp"),
        (None, "text", None),
        (None, "", None),
    ],
)
def test_an_existing_column_has_the_last_word(given: Optional[Wanted], existing: str, kind: Optional[str]) -> None:
    found = wanted_type("t.c", given, existing, TimeOptions())
    assert (found.kind if found is not None else None) == kind


@pytest.fixture
def source(stores: Stores) -> Store:
    store = stores("sqlite")
    sql(
        store,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, made DATETIME DEFAULT CURRENT_TIMESTAMP, day DATE, seen INTEGER,"
        " ok BOOLEAN DEFAULT 'f', u TEXT, doc TEXT, price TEXT, took INTEGER, at TEXT)",
    )
    for number in (1, 2):
        values = f"'2024-03-31 02:30:0{number}', '2024-02-29', {1711846800000 + number}, '{'tf'[number % 2]}'"
        more = f"'0123456789ABCDEF0123456789ABCDEF', '{{\"a\": 1}}', '1.50', {number * 86_400_500}, '2024-07-01 12:00'"
        sql(store, f"INSERT INTO t VALUES ({number}, {values}, {more})")
    return store


TYPES = {
    "t.seen": "timestamptz from ms",
    "t.u": "uuid",
    "t.doc": "jsonb",
    "t.price": "numeric",
    "t.took": "interval from ms",
    "t.at": "timestamptz",
}


def test_types_are_what_was_asked_for_and_what_the_values_say(source: Store, stores: Stores) -> None:
    target = stores("postgresql")
    four_steps(source, target, types=TYPES, timezone="Europe/Berlin")
    (row,) = sql(target, "SELECT made, day::text, seen, ok, u, doc, price, took, at FROM t WHERE id = 2")
    assert row == (
        datetime(2024, 3, 31, 2, 30, 2),
        "2024-02-29",
        datetime(2024, 3, 31, 1, 0, 0, 2000, tzinfo=timezone.utc),
        True,
        UUID("01234567-89ab-cdef-0123-456789abcdef"),
        {"a": 1},
        Decimal("1.50"),
        timedelta(days=2, seconds=1),
        datetime(2024, 7, 1, 10, 0, tzinfo=timezone.utc),
    )
    types = dict(
        sql(target, "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema")
    )
    assert types["made"] == "timestamp without time zone"
    assert types["ok"] == "boolean"
    sql(target, "SET TimeZone = 'Asia/Tokyo'; INSERT INTO t (id) VALUES (9)")
    ((ok, made),) = sql(
        target, "SELECT ok, abs(extract(epoch FROM made - now() AT TIME ZONE 'UTC')) < 600 FROM t WHERE id = 9"
    )
    assert (ok, made) == (False, True)


def test_without_a_zone_nothing_is_guessed(source: Store, stores: Stores) -> None:
    with pytest.raises(TargetError, match=r"t.at has no time zone \(set timezone\) in 2 records"):
        run(True, source=source, target=stores("postgresql"), types=TYPES)


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({"t.nothing": "uuid"}, "t.nothing is not migrated"),
        ({"t.u": "uid"}, "uid is not a known type"),
        ({"t.seen": "boolean from ms"}, "numbers of ms can't be converted to boolean"),
        ({"t.seen": "timestamptz from hours"}, "is not valid"),
        ({"seen": "timestamptz"}, "is not valid"),
        ({"t.price": "numeric(10,11)"}, r"numeric has no size \(10, 11\)"),
        ({"t.price": "varchar(0)"}, r"varchar has no size \(0\)"),
        ({"t.price": "varchar(10,2)"}, "varchar has no size"),
        ({"t.seen": "timestamptz(7) from ms"}, "timestamptz has no size"),
        ({"t.u": "uuid(3)"}, "uuid has no size"),
        ({"t.u": "numeric(x)"}, "is not valid"),
        ({"t.u": "uuid from hex"}, "text in hex can't be converted to uuid"),
    ],
)
def test_a_mistake_in_types_is_told(source: Store, stores: Stores, types: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        run(True, source=source, target=stores("postgresql"), types=types)


def test_types_are_for_tables(source: Store, stores: Stores) -> None:
    with pytest.raises(InvalidRequest, match="types requires tables"):
        run(True, source=source, target=stores("json"), types={"t.u": "uuid"})


def test_an_odd_value_stops_sql_is_rejected_or_makes_the_column_json(stores: Stores, tmp_path: Path) -> None:
    source = stores("sqlite")
    sql(source, "CREATE TABLE o (id INTEGER PRIMARY KEY, qty INTEGER, rate REAL)")
    sql(source, "INSERT INTO o VALUES (1, 10, 1.5), (2, 'lots', 2.5), (3, 30, 'infinity')")
    told = []
    for check in (True, False):
        with pytest.raises(TargetError) as caught:
            run(check, source=source, target=stores("postgresql"))
        told.append(caught.value.details["problems"])
    assert told[0] == told[1]
    assert told[0] == [
        'o.qty has 2 integer (10, key [1]), 1 text ("lots", key [2]) (odd=reject keeps integer and rejects 1)',
        'o.rate has 2 real (1.5, key [1]), 1 text ("infinity", key [3]) (odd=reject keeps real and rejects 1)',
    ]
    target = stores("postgresql")
    path = tmp_path / "rejects"
    done = four_steps(source, target, odd="reject", rejects=str(path), max_rejects=2)
    assert sql(target, "SELECT id, qty, rate FROM o") == [(1, 10, 1.5)]
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == [[2], [3]]
    assert "o.qty becomes integer, with 1 record rejected" in done["warnings"][0]
    target = stores("postgresql")
    done = four_steps(source, target, odd="wider")
    assert sql(target, "SELECT qty FROM o ORDER BY id") == [(10,), ("lots",), (30,)]
    assert done["warnings"][0].startswith(
        "o.qty has values of different types and becomes JSON: 2 integer (10, key [1])"
    )


@pytest.mark.parametrize("exists", [False, True])
def test_a_column_whose_type_is_given_gets_no_wider(stores: Stores, exists: bool) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, "CREATE TABLE o (id INTEGER PRIMARY KEY, at TEXT)")
    sql(source, "INSERT INTO o VALUES (1, '2024-01-01 10:00:00'), (2, '')")
    if exists:
        sql(target, "CREATE TABLE o (id bigint PRIMARY KEY, at timestamp)")
    types = {} if exists else {"types": {"o.at": "timestamp"}}
    for check in (True, False):
        with pytest.raises(TargetError, match="o.at is not a time in 1 record") as caught:
            run(check, source=source, target=target, odd="wider", **types)
        assert "reject such records, or correct them or the types." in caught.value.hint


def test_a_column_that_does_not_get_its_declared_type_is_told(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    columns = "at TIMESTAMP, day DATETIME, flag BOOLEAN, word BOOL, us DATE, s DATETIME"
    sql(source, f"CREATE TABLE o (id INTEGER PRIMARY KEY, {columns})")
    sql(source, "INSERT INTO o VALUES (1, '2024-01-01 00:00:00', '2024-01-01', 1, 't', '1/2/2024', 1711846800)")
    sql(source, "INSERT INTO o VALUES (2, '', '2024-01-02', 2, 'no', '1/3/2024', 1711846900)")
    done = four_steps(source, target)
    assert [one.partition(": ")[0] for one in done["warnings"]] == [
        "o.s is declared as DATETIME and becomes a column of numbers",
        "o.at is declared as TIMESTAMP and becomes text",
        "o.flag is declared as BOOLEAN and becomes integer",
        "o.word is declared as BOOL and becomes text",
        "o.us is declared as DATE and becomes text",
    ]
    assert "2 integer (1711846800, key [1]). If they are times" in done["warnings"][0]
    assert "set its type in types: o.s: timestamptz from s" in done["warnings"][0]
    assert '1 text ("", key [2])' in done["warnings"][1]
    assert [row[0] for row in sql(target, "SELECT flag FROM o ORDER BY id")] == [1, 2]
    sql(source, "UPDATE o SET flag = 3 WHERE id = 1")
    assert run(source=source, target=target, on_existing="merge", safety_backup=False)["changed"]
    assert [row[0] for row in sql(target, "SELECT flag FROM o ORDER BY id")] == [3, 2]


def test_an_odd_value_of_a_document_makes_the_column_json_with_a_warning(stores: Stores) -> None:
    source, target = stores("json"), stores("postgresql")
    Path(source["path"]).write_text(json.dumps({"o": {"1": {"qty": 10}, "2": {"qty": "lots"}, "3": {"qty": {"n": 1}}}}))
    done = four_steps(source, target)
    assert done["warnings"] == []  # a mapping is JSON anyway
    Path(source["path"]).write_text(json.dumps({"p": {"1": {"qty": 10}, "2": {"qty": "lots"}}}))
    done = four_steps(source, target)
    assert done["warnings"][0].startswith("p.qty has values of different types and becomes JSON")
    with pytest.raises(TargetError, match="p.qty has 1 integer"):
        run(True, source=source, target=stores("sqlite"), odd="fail")


def test_times_of_documents_are_what_types_says(stores: Stores) -> None:
    source, target = stores("json"), stores("sqlite")
    Path(source["path"]).write_text(json.dumps({"o": {"1": {"at": 1711846800, "on": "2024-01-01"}}}))
    four_steps(source, target, types={"o.at": "timestamptz from s"})
    assert sql(target, 'SELECT at, typeof("on") FROM o') == [("2024-03-31T01:00:00Z", "text")]


SIZED = {
    "s.price": "numeric(6, 2)",
    "s.name": "VARCHAR(4)",
    "s.code": "char(2)",
    "s.at": "timestamptz(3) from us",
    "s.day": "timestamp(0)",
    "s.n": "smallint",
    "s.m": "int",
    "s.r": "real",
    "s.clock": "time(0)",
    "s.took": "interval",
    "s.raw": "bytea from hex",
    "s.text": "bytea from base64",
}
ROW = {
    "price": "1234.5",
    "name": "'ab'",
    "code": "'xy'",
    "at": "1711846800123000",
    "day": "'2024-02-29 12:00:00'",
    "n": "-32768",
    "m": "2147483647",
    "r": "0.1",
    "clock": "'12:30:00'",
    "took": "'1 month 2 days'",
    "raw": "'00ff'",
    "text": "'AP8='",
}


def sized(stores: Stores, *rows: dict[str, str]) -> Store:
    source = stores("sqlite")
    sql(source, "CREATE TABLE s (id INTEGER PRIMARY KEY, {})".format(", ".join(ROW)))
    for number, row in enumerate(rows):
        values = ", ".join({**ROW, **row}.values())
        sql(source, f"INSERT INTO s VALUES ({number}, {values})")
    return source


def test_types_have_sizes(stores: Stores) -> None:
    source, target = sized(stores, {}, {}), stores("postgresql")
    four_steps(source, target, types=SIZED)
    kinds = sql(
        target,
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 's'::regclass AND attnum > 0 ORDER BY attnum",
    )
    assert [kind for _name, kind in kinds] == [
        *("bigint", "numeric(6,2)", "character varying(4)", "character(2)", "timestamp(3) with time zone"),
        *("timestamp(0) without time zone", "smallint", "integer", "real", "time(0) without time zone", "interval"),
        *("bytea", "bytea"),
    ]
    (row,) = sql(target, "SELECT price, at::text, r::text, took::text, raw, text FROM s WHERE id = 1")
    assert row == (Decimal("1234.50"), "2024-03-31 01:00:00.123+00", "0.1", "1 mon 2 days", b"\0\xff", b"\0\xff")
    # into the tables that are there, and into others that are the same
    assert not run(source=source, target=target, types=SIZED)["changed"]
    four_steps(target, stores("postgresql"))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("price", "1234.567", "has more than 2 digits after the decimal point"),
        ("price", "12345", "has more than 4 digits before the decimal point"),
        ("name", "'abcde'", "is longer than 4 characters"),
        ("code", "'abc'", "is longer than 2 characters"),
        ("at", "1711846800123456", "has more than 3 fractional digits of a second"),
        ("day", "'2024-02-29 12:00:00.5'", "has more than 0 fractional digits of a second"),
        ("n", "32768", "is out of range for smallint"),
        ("m", "2147483648", "is out of range for integer"),
        ("r", "0.1234567890123", "has more digits than real can store"),
        ("clock", "'25:00'", "is not a time of day"),
        ("took", "'soon'", "is not an interval"),
        ("raw", "'0g'", "is not hex"),
        ("text", "'A'", "is not base64"),
    ],
)
def test_values_that_do_not_fit_their_size_are_odd(
    stores: Stores, tmp_path: Path, name: str, value: str, words: str
) -> None:
    source = sized(stores, {}, {name: value}, {})
    for check in (True, False):
        with pytest.raises(TargetError, match=rf"s.{name} {words} in 1 record \(.*, key \[1\]\)"):
            run(check, source=source, target=stores("postgresql"), types=SIZED)
    target = stores("postgresql")
    four_steps(source, target, types=SIZED, odd="reject", rejects=str(tmp_path / "rejects"), max_rejects=1)
    assert sql(target, "SELECT id FROM s ORDER BY id") == [(0,), (2,)]
    (line,) = (tmp_path / "rejects").read_text().splitlines()
    assert json.loads(line)["key"] == [1]


def test_columns_that_exist_keep_to_their_sizes(stores: Stores, tmp_path: Path) -> None:
    source, target = stores("json"), stores("postgresql")
    rows = {
        "1": {"id": "1", "v": "abcd", "n": 1.25, "r": "x"},
        "2": {"id": "2", "v": "abcde", "n": 1.25, "r": "x"},
        "3": {"id": "3", "v": "abc", "n": 1.255, "r": "x"},
        "4": {"id": "4", "v": "abc", "n": 1.5, "r": None},
        "5": {"id": "5", "v": "abc", "n": 1.5},
    }
    Path(source["path"]).write_text(json.dumps({"t": rows}))
    table = "CREATE TABLE t (id TEXT PRIMARY KEY, v VARCHAR(4), n NUMERIC(4, 2), r TEXT NOT NULL)"
    sql(target, table)
    for check in (True, False):
        with pytest.raises(TargetError, match="can't store 4 records of t"):
            run(check, source=source, target=target)
    assert sql(target, "SELECT count(*) FROM t") == [(0,)]
    done = run(source=source, target=target, rejects=str(tmp_path / "rejects"), max_rejects=4)
    assert [one["key"] for one in done["migration"]["collections"][0]["rejects"]] == [f'["{n}"]' for n in (2, 3, 4, 5)]
    assert sql(target, "SELECT id FROM t") == [("1",)]


BAD_UTF8, NUL = "CAST(x'62ff' AS TEXT)", "'a' || char(0) || 'b'"


@pytest.mark.parametrize(("value", "words"), [(BAD_UTF8, "text that is not Unicode"), (NUL, "text with a NUL")])
def test_text_that_postgresql_does_not_take_is_odd(stores: Stores, tmp_path: Path, value: str, words: str) -> None:
    source = stores("sqlite")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, w VARCHAR(9), n)")
    sql(source, f"INSERT INTO t VALUES (1, 'a', 'é', 'x'), (2, {value}, NULL, 'y'), (3, NULL, {value}, 'z')")
    told = []
    for check in (True, False):
        with pytest.raises(TargetError) as caught:
            run(check, source=source, target=stores("postgresql"))
        told.append(caught.value.details["problems"])
    assert told[0] == told[1]
    assert [one.partition(" (odd=")[0].split("(")[0] for one in told[0]] == ["t.v has 1 text ", "t.w has 1 text "]
    assert all(f"1 {words} (" in one for one in told[0])
    target = stores("postgresql")
    done = four_steps(source, target, odd="reject", rejects=str(tmp_path / "rejects"), max_rejects=2)
    assert sql(target, "SELECT id FROM t") == [(1,)]
    assert "t.v: 1 record rejected: 1 text" in done["warnings"][0]
    target = stores("postgresql")
    done = four_steps(source, target, odd="wider")
    assert "t.v has text that the target can't store, and becomes bytes" in done["warnings"][0]
    (row,) = sql(source, "SELECT CAST(v AS BLOB) FROM t WHERE id = 2")
    assert sql(target, "SELECT v, convert_from(w, 'UTF8') FROM t WHERE id < 3 ORDER BY id") == [
        (b"a", "é"),
        (*row, None),
    ]
    # a column that others refer to, or that is looked for, stays text
    sql(source, "CREATE INDEX i ON t (w)")
    with pytest.raises(TargetError, match="can't store 1 record of t"):
        run(True, source=source, target=stores("postgresql"), odd="wider")


def test_documents_with_such_text_are_rejects(stores: Stores, tmp_path: Path) -> None:
    source, target = stores("json"), stores("postgresql")
    Path(source["path"]).write_text('{"t": {"1": {"id": "1", "v": "a"}, "2": {"id": "2", "v": "\\ud800"}}}')
    for check in (True, False):
        with pytest.raises(TargetError, match="can't store 1 record of t"):
            run(check, source=source, target=target)
    with pytest.raises(TargetError, match=r't.v has 1 text \("a", key \["1"\]\), 1 text that is not Unicode'):
        run(True, source=source, target=target, odd="fail")
    four_steps(source, target, rejects=str(tmp_path / "rejects"), max_rejects=1)


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([1, 0, "t", "maybe"], [(1, True), (2, False), (3, True)]),
        ([1, 2, "t"], [(1, 1), (2, 2)]),
        ([1, "a", "b"], [(2, "a"), (3, "b")]),
    ],
)
def test_booleans_of_sqlite_are_rejected_no_more_than_the_next_run_would(
    stores: Stores, tmp_path: Path, values: list[Any], kept: list[Any]
) -> None:
    """Its booleans are numbers, and text may stand for them: the column that is made takes the same the second time."""
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, b BOOLEAN)")
    for number, value in enumerate(values, 1):
        sql(source, f"INSERT INTO t VALUES ({number}, {value!r})")
    rejected = len(values) - len(kept)
    four_steps(source, target, odd="reject", rejects=str(tmp_path / "rejects"), max_rejects=rejected)
    assert sql(target, "SELECT id, b FROM t ORDER BY id") == kept
    with pytest.raises(TargetError, match=f"rejects {rejected}"):
        run(True, source=source, target=stores("postgresql"), odd="fail")
