# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a migration counts and says, and which sizes types can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate.asked_types import Wanted
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate.named_types import check_named, column_of
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate.profiles import parse_reference
from tests.unit.module_utils._verbs.migrations import four_steps, run, sql

TABLES = [
    "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)",
    "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    "CREATE TABLE u (id INTEGER PRIMARY KEY)",
    "INSERT INTO u VALUES (1)",
    "CREATE TABLE empty (id INTEGER PRIMARY KEY)",
]
CHANGES = ["UPDATE t SET v = 'x' WHERE id = 1", "DELETE FROM t WHERE id = 2", "INSERT INTO t VALUES (4, 'd'), (5, 'e')"]
COUNTS = ("name", "total", "done", "added", "changed", "removed", "left", "rejected")


@pytest.fixture
def sides(tmp_path: Path) -> dict[str, Any]:
    source = {"type": "sqlite", "path": str(tmp_path / "source.db")}
    for statement in TABLES:
        sql(source, statement)
    return {"source": source, "target": {"type": "json", "path": str(tmp_path / "target.json")}}


def rows(done: dict[str, Any]) -> list[list[Any]]:
    return [[row[name] for name in COUNTS] for row in done["migration"]["collections"]]


def test_what_is_migrated_into_nothing(sides: dict[str, Any]) -> None:
    way = f"4 records from {sides['source']['path']} to {sides['target']['path']}"
    planned = run(True, **sides)
    assert planned["msg"] == f"Would migrate {way}."
    assert (planned["migration"]["written"], planned["report"], planned["validation"]) == (0, [], [])
    assert rows(planned) == [
        ["empty", 0, 0, 0, 0, 0, 0, 0],
        ["t", 3, 0, 3, 0, 0, 0, 0],
        ["u", 1, 0, 1, 0, 0, 0, 0],
    ]
    done = run(**sides)
    assert done["msg"] == f"Migrated {way}, verified."
    assert [row[:4] for row in rows(done)] == [["empty", 0, 0, 0], ["t", 3, 3, 3], ["u", 1, 1, 1]]
    assert (done["migration"]["written"], done["migration"]["total"], done["migration"]["errors"]) == (4, 4, 0)
    assert done["migration"]["records_per_second"] > 4  # far below a second
    assert done["report"][:4] == [
        "Migrating empty: 0/0 (100%)",
        "Migrating t: 3/3 (100%)",
        "Migrating u: 1/1 (100%)",
        "Total records: 4",
    ]
    assert done["report"][-4:] == [
        "Errors: 0",
        "[x] empty: 0 records, equal digests.",
        "[x] t: 3 records, equal digests.",
        "[x] u: 1 record, equal digests.",
    ]
    assert done["diff"]["before"] == ""
    assert done["diff"]["after"].splitlines() == [
        "empty: 0 records (0 added, 0 changed, 0 removed, 0 left)",
        "t: 3 records (3 added, 0 changed, 0 removed, 0 left)",
        "u: 1 record (1 added, 0 changed, 0 removed, 0 left)",
    ]
    again = run(**sides)
    assert again["msg"] == f"Nothing to migrate: {sides['target']['path']} has all 4 records."
    assert rows(again)[1] == ["t", 3, 3, 0, 0, 0, 3, 0]
    assert again["diff"]["before"] == again["diff"]["after"] == "empty: 0 records\nt: 3 records\nu: 1 record\n"


@pytest.mark.parametrize(
    ("mode", "row", "after"),
    [
        ("replace", ["t", 4, 4, 2, 1, 1, 1, 0], "t: 4 records (2 added, 1 changed, 1 removed, 1 left)"),
        ("merge", ["t", 4, 4, 2, 1, 0, 2, 0], "t: 5 records (2 added, 1 changed, 0 removed, 2 left)"),
    ],
)
@pytest.mark.parametrize("kind", ["json", "sqlite"])
def test_what_differs(sides: dict[str, Any], tmp_path: Path, kind: str, mode: str, row: list[Any], after: str) -> None:
    sides["target"] = {"type": kind, "path": str(tmp_path / f"target.{kind}")}
    run(**sides)
    for statement in CHANGES:
        sql(sides["source"], statement)
    more = {"on_existing": mode, "repository": str(tmp_path / "backups")}
    done = four_steps(**sides, **more)
    assert rows(done)[1:] == [row, ["u", 1, 1, 0, 0, 0, 1, 0]]
    assert done["diff"]["before"].splitlines()[1:] == ["t: 3 records", "u: 1 record"]
    assert done["diff"]["after"].splitlines()[1:] == [after, "u: 1 record"]
    assert done["msg"].startswith("Migrated 3 records from ")


# Types


@pytest.mark.parametrize(
    ("kind", "size", "fits"),
    [
        ("numeric", (5, 5), True),
        ("numeric", (5, 6), False),
        ("numeric", (1000,), True),
        ("numeric", (1001,), False),
        ("numeric", (0,), False),
        ("varchar", (1,), True),
        ("varchar", (0,), False),
        ("varchar", (10_485_760,), True),
        ("varchar", (10_485_761,), False),
        ("varchar", (3, 2), False),
        ("timestamptz", (0,), True),
        ("timestamptz", (6,), True),
        ("timestamptz", (7,), False),
        ("time", (3, 3), False),
        ("text", (1,), False),
        ("integer", (1,), False),
    ],
)
def test_sizes(kind: str, size: tuple[int, ...], fits: bool) -> None:
    wanted = Wanted(kind, size=size)
    if fits:
        assert check_named("c", wanted).kind
    else:
        with pytest.raises(InvalidRequest, match=rf"types: c: {kind} has no size \({', '.join(map(str, size))}\)"):
            check_named("c", wanted)


@pytest.mark.parametrize(
    ("wanted", "declared", "size"),
    [
        (Wanted("char"), "char", (1,)),
        (Wanted("char", size=(3,)), "char(3)", (3,)),
        (Wanted("varchar"), "varchar", ()),
        (Wanted("numeric"), "", ()),
        (Wanted("numeric", size=(5,)), "numeric(5)", (5, 0)),
        (Wanted("numeric", size=(5, 2)), "numeric(5, 2)", (5, 2)),
        (Wanted("timestamptz", size=(3,)), "timestamptz(3)", ()),
        (Wanted("timestamptz"), "", ()),
    ],
)
def test_declarations(wanted: Wanted, declared: str, size: tuple[int, ...]) -> None:
    column, told, length = column_of("c", wanted)
    assert (column.name, told, length) == ("c", declared, size)
    if wanted.kind == "timestamptz":
        assert column.precision == (wanted.size[0] if wanted.size else 6)


@pytest.mark.parametrize(
    ("kind", "unit", "fits"),
    [
        ("timestamptz", "ms", True),
        ("timestamptz", "hex", False),
        ("bytea", "base64", True),
        ("bytea", "ms", False),
        ("text", "s", False),
    ],
)
def test_units(kind: str, unit: str, fits: bool) -> None:
    if fits:
        assert check_named("c", Wanted(kind, unit=unit)).kind
    else:
        what = "text in" if unit == "hex" else "numbers of"
        with pytest.raises(InvalidRequest, match=f"{what} {unit} can't be converted to {kind}"):
            check_named("c", Wanted(kind, unit=unit))


def test_references_have_two_fields_of_collections() -> None:
    assert str(parse_reference({"from": "a.b.c", "to": "d.e"})) == "a.b.c -> d.e"
    for wrong in ({"from": "a", "to": "d.e"}, {"from": "a.b", "to": "d."}, {"from": ".b", "to": "d.e"}):
        with pytest.raises(InvalidRequest, match="must be"):
            parse_reference(wrong)
