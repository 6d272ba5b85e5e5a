# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How collections will be in the target: a table of what was found, what is there, and what comes of it."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from ansible_collections.day2.ops.plugins.module_utils._stores.records.kinds import Kinds
from ansible_collections.day2.ops.plugins.module_utils._stores.records.model import Field, ForeignKey, Info, Note
from ansible_collections.day2.ops.plugins.module_utils._stores.records.null_or_gap import Holes, holes
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate.columns import Decision
from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate.target_schema import (
    Found,
    Options,
    mixes_up,
    target_schema,
)

OPTIONS = Options("sqlite", "postgresql", False, True, False, False, lambda info: info)
DOCUMENTS = OPTIONS._replace(source="json")
ID = Field("id", "integer", True, native="INTEGER")


def table(name: str, *fields: Field, key: tuple[str, ...] = ("id",), **more: Any) -> Info:
    return Info(name, key, (ID, *fields), native="sqlite")._replace(**more)


def found(info: Info, decisions: Optional[dict[str, Decision]] = None, **columns: list[Any]) -> Found:
    kinds = Kinds()
    rows = [list(values) for values in columns.values()]
    kinds.see([(tuple(columns), rows)] if rows else [])
    return Found(info, kinds, holes(info, kinds), decisions or {})


def one(given: Found, options: Options, there: Optional[Info] = None) -> Info:
    existing = {} if there is None else {there.name: there}
    return target_schema([given], existing, {given.info.name} - existing.keys(), options).infos[given.info.name]


@pytest.mark.parametrize(
    ("declared", "values", "kind"),
    [
        (Field("v", "integer"), [1, None], "integer"),
        (Field("v", "integer"), [1, 1.5], "real"),
        (Field("v", "integer"), [1, "lots"], "json"),
        (Field("v", "text"), ["a"], "text"),
        (Field("v", "text"), [None], "text"),  # nothing seen: as it was declared
        (Field("v", "numeric", native="DECIMAL(9)"), [None], "decimal"),
        (Field("v", "numeric", native="DATETIME"), [None], "text"),
        (Field("v", "boolean"), [True, None], "boolean"),
    ],
)
def test_a_column_is_of_the_kind_that_its_values_have(declared: Field, values: list[Any], kind: str) -> None:
    final = one(found(table("t", declared), id=list(range(len(values))), v=values), OPTIONS)
    assert {field.name: field.kind for field in final.fields} == {"id": "integer", "v": kind}


def test_into_a_database_of_the_same_type_a_column_is_as_it_was_declared() -> None:
    given = found(table("t", Field("v", "integer", native="INT")), id=[1], v=["lots"])
    assert one(given, OPTIONS._replace(target="sqlite")).fields == given.info.fields


def test_a_decision_is_for_new_tables() -> None:
    declared = table("t", Field("v", "text", size=(5,)))
    given = found(declared, {"v": Decision("timestamptz", declared="timestamptz")}, id=[1], v=["2024-01-01"])
    assert one(given, OPTIONS).fields[1]._replace(native="") == Field("v", "timestamptz", declared="timestamptz")
    there = table("t", Field("v", "text"))
    assert one(given, OPTIONS, there).fields[1].kind == "text"


def test_documents_without_gaps_need_no_note() -> None:
    final = one(found(Info("t", ("id",)), id=[1, 2], v=[1, None]), DOCUMENTS)
    assert (final.note, [field.required for field in final.fields]) == (Note(), [True, False])


def test_gaps_and_nulls_of_documents_are_told_apart_by_the_note() -> None:
    kinds = Kinds()
    kinds.see([(("id", "both", "gap"), [[1, 2], [None, 1], [1, 1]]), (("id",), [[3]])])
    info = Info("t", ("id",))
    final = one(Found(info, kinds, holes(info, kinds)), DOCUMENTS)
    assert (final.note.absent, final.note.marker) == (("gap",), "_missing")


def test_documents_are_kept_whole_if_that_is_asked_for() -> None:
    final = one(found(Info("t", ("id",)), id=[1], v=["a"]), DOCUMENTS._replace(document=True))
    assert final.document
    assert [field.name for field in final.fields] == ["id", "document"]
    plain = one(found(Info("t", ("id",)), id=[1], v=["a"]), DOCUMENTS._replace(target="json", columns=False))
    assert not plain.document


@pytest.mark.parametrize(
    ("there", "gaps", "mixed_up"),
    [
        (None, {"v"}, False),
        (table("t", Field("v", "text")), {"v"}, True),
        (table("t", Field("v", "text")), set(), False),
        (table("t", Field("v", "text"), note=Note(absent=("v",))), {"v"}, False),
        (table("t", Field("v", "text"), document=True), {"v"}, False),
    ],
)
def test_where_null_and_missing_are_the_same(there: Optional[Info], gaps: set[str], mixed_up: bool) -> None:
    assert mixes_up(there, Holes(frozenset(), frozenset(gaps)), DOCUMENTS) is mixed_up


@pytest.mark.parametrize(
    ("to", "kept"),
    [
        (ForeignKey(("v",), "other", ("id",)), True),
        (ForeignKey(("v",), "there", ("id",)), True),
        (ForeignKey(("v",), "other", ("code",)), False),  # which is not unique
        (ForeignKey(("v",), "other", ()), False),  # whose key SQLite did not find
        (ForeignKey(("v",), "gone", ("id",)), False),
    ],
)
def test_foreign_keys_stay_where_they_refer_to_a_key(to: ForeignKey, kept: bool) -> None:
    child = found(table("t", Field("v", "integer"), foreign_keys=(to,)), id=[1], v=[1])
    other = found(table("other", Field("code", "integer")), id=[1], code=[1])
    if not to.to_fields:
        other = other._replace(info=other.info._replace(key=()))
    schema = target_schema([child, other], {"there": table("there")}, {"t", "other"}, OPTIONS)
    assert bool(schema.infos["t"].foreign_keys) is kept


def test_columns_that_refer_to_each_other_are_of_one_kind() -> None:
    child = found(table("t", Field("v", "integer"), foreign_keys=(ForeignKey(("v",), "p", ("id",)),)), id=[1], v=[1])
    parent = found(Info("p", ("id",), (Field("id", "text", True, native="ANY"),), native="sqlite"), id=["a"])
    schema = target_schema([child, parent], {}, {"t", "p"}, OPTIONS)
    assert schema.infos["t"].fields[1].kind == schema.infos["p"].fields[0].kind == "json"


def test_a_table_that_is_there_keeps_its_columns_and_must_have_those_of_the_source() -> None:
    given = found(table("t", Field("v", "text")), id=[1], v=["a"])
    there = table("t", Field("more", "text"), Field("v", "decimal"))
    assert [(field.name, field.kind) for field in one(given, OPTIONS, there).fields] == [
        ("id", "integer"),
        ("v", "decimal"),
    ]
    with pytest.raises(TargetError, match="it has no column v"):
        one(given, OPTIONS, table("t"))


def test_names_in_lower_case() -> None:
    given = found(table("T", Field("V", "text")), id=[1], V=["a"])
    final = one(given, OPTIONS._replace(lower=True))
    assert (final.name, final.stored.name, [field.name for field in final.stored.fields]) == ("T", "t", ["id", "v"])
