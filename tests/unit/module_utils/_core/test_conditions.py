# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.conditions import Where, instant
from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.record_batches import Batch

NOW = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
MOMENT = datetime(2026, 8, 30, tzinfo=timezone.utc)


def holds(condition: Any, record: dict[str, Any]) -> bool:
    return Where([condition], NOW).holds(record)


@pytest.mark.parametrize(
    ("operator", "wanted", "yes", "no"),
    [
        ("is", "a", ["a"], ["A", "", 1, None, ["a"]]),
        ("is", 1, [1, 1.0, Decimal("1.00")], ["1", True, 2, None]),
        ("is", 0.1, [0.1, Decimal("0.1")], [0.2, Decimal("0.1000000000000000055511151231257827")]),
        ("is", True, [True], [False, 1, "true", None]),
        ("is", None, [None], [0, "", False]),
        (
            "is",
            "2026-08-30",
            ["2026-08-30", date(2026, 8, 30), MOMENT],
            ["2026-08-30T00:00:00Z", MOMENT + timedelta(1)],
        ),
        ("is_not", "a", ["A", 1, None], ["a"]),
        ("in", ["a", 2, None], ["a", 2, None], ["b", True]),
        ("not_in", ["a", 2], ["b", None, "2"], ["a", 2]),
        ("less", 5, [4, 4.9, Decimal("4.99")], [5, "4", False, None, float("nan"), Decimal("NaN"), [1]]),
        ("at_most", 5, [5, 4], [6, "5"]),
        ("more", "b", ["c", "ba"], ["b", "a", 7, None]),
        ("at_least", "2026-08-30", ["2026-08-30", MOMENT, date(2026, 8, 31)], ["2026-08-29", date(2026, 8, 29), 5]),
        ("like", "req-*", ["req-1", "req-", "req-a\nb"], ["xreq-1", "REQ-1", 5, None]),
        ("like", "[a]?", ["[a]x"], ["ax", "[a]", "[a]xx"]),
        ("exists", True, [0, "", False], [None]),
        ("exists", False, [None], [0, ""]),
        (
            "older_than",
            "90d",
            ["2026-08-29T23:59:59Z", date(2026, 8, 30)],
            ["2026-08-30T12:00:00Z", "2026-11-28", None],
        ),
        ("newer_than", "1d", [NOW, "2026-11-28T00:00:00"], ["2026-11-27 12:00:00", date(2026, 11, 27)]),
        ("older_than", "2026-08-30", ["2026-08-29T23:30:00Z"], ["2026-08-29T23:30:00-01:00", "2026-08-30 00:00:00"]),
    ],
)
def test_operators(operator: str, wanted: Any, yes: list[Any], no: list[Any]) -> None:
    condition = {"field": "f", operator: wanted}
    assert [value for value in yes if not holds(condition, {"f": value})] == []
    assert [value for value in no if holds(condition, {"f": value})] == []


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "f", "exists": False},
        {"field": "f", "is": None},
        {"field": "f", "is_not": 1},
        {"field": "f", "not_in": [1]},
        {"not": {"field": "f", "is": 1}},
    ],
)
def test_what_holds_for_a_missing_field(condition: Any) -> None:
    assert holds(condition, {})
    assert holds(condition, {"f": None})
    assert not holds({"not": condition}, {})


def test_groups() -> None:
    old, failed = {"field": "age", "more": 90}, {"field": "status", "is": "FAILED"}
    either = {"any": [old, {"all": [failed, {"not": old}]}]}
    assert holds(either, {"age": 91, "status": "OK"})
    assert holds(either, {"age": 1, "status": "FAILED"})
    assert not holds(either, {"age": 1, "status": "OK"})
    assert Where([], NOW).holds({})
    assert not Where([old, failed], NOW).holds({"age": 91})


def test_members_of_a_field() -> None:
    condition = {"field": "a.b", "is": 1}
    assert holds(condition, {"a": {"b": 1}})
    assert holds(condition, {"a.b": 1, "a": {"b": 2}})
    assert not holds(condition, {"a": {"c": 1}})
    assert not holds(condition, {"a": "b"})


def test_numbers_are_booleans_where_told() -> None:
    where = Where([{"field": "success", "is": False}, {"field": "id", "is": 0}], NOW)
    assert where.booleans == {"success"}
    assert not where.holds({"success": 0, "id": 0})
    where.read_as_booleans(["success"])
    assert where.holds({"success": 0, "id": 0})
    assert not where.holds({"success": 1, "id": 0})
    assert not where.holds({"success": 2, "id": 0})


@pytest.mark.parametrize(
    "value",
    [
        MOMENT,
        MOMENT.replace(tzinfo=None),
        date(2026, 8, 30),
        "2026-08-30 00:00:00",
        "2026-08-29T23:00:00-01:00",
        "2026-08-30T00:00:00.000000",
        "2026-08-30T01:00:00+010000" if sys.version_info >= (3, 11) else "2026-08-30T01:00:00+0100",
        "20260830T000000Z",
        1788048000,
        "1788048000",
        1788048000000,
        1788048000000000,
        1788048000.0,
        Decimal("1788048000"),
    ],
)
def test_what_one_instant_is_written_as(value: Any) -> None:
    assert instant(value) == MOMENT


@pytest.mark.parametrize("unit", [1, 1000, 1_000_000])
def test_numbers_of_seconds_milliseconds_and_microseconds(unit: int) -> None:
    first, last = instant(10**8 * unit), instant(10**11 * unit - 1)
    assert first is not None
    assert last is not None
    assert (first.year, last.year) == (1973, 5138)


@pytest.mark.parametrize(
    "value",
    ["", "30/08/2026", "soon", 5, -1, 10**8 - 1, 10**17, True, float("nan"), Decimal("NaN"), 10**30, "9" * 40, []],
)
def test_what_is_no_time(value: Any) -> None:
    where = Where([{"field": "at", "older_than": "1d"}], NOW)
    assert instant(value) is None
    assert not where.holds({"at": value})
    assert where.without_time == 1


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"field": "a", "is": 1}, "where is not a list"),
        (["a"], r"where\[0\] is not a condition"),
        ([{"field": "a"}], "needs field and exactly one operator, and has field"),
        ([{"field": "a", "is": 1, "less": 2}], "exactly one operator"),
        ([{"is": 1}], "needs field"),
        ([{"field": "a", "equals": 1}], "exactly one operator, and has equals, field"),
        ([{"any": []}], r"where\[0\].any is not a list"),
        ([{"all": [{"field": "a", "in": "abc"}]}], r"where\[0\].all\[0\]: in: the value must be a list"),
        ([{"not": [{"field": "a", "is": 1}]}], r"where\[0\].not is not a condition"),
        ([{"field": "a", "less": True}], "less: the value must be a number, a string or a time"),
        ([{"field": "a", "less": float("nan")}], "NaN"),
        ([{"field": "a", "like": 5}], "like: the value must be a string"),
        ([{"field": "a", "exists": "yes"}], "exists: the value must be true or false"),
        ([{"field": "a", "older_than": "90 moons"}], "older_than: '90 moons' is not a duration"),
        ([{"field": "a", "older_than": "99999999d"}], "longer than 1000y"),
        ([{"field": "a", "older_than": True}], "the value must be a duration"),
    ],
)
def test_what_is_no_condition(conditions: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Where(conditions, NOW)


def test_deep_groups_are_refused() -> None:
    condition: Any = {"field": "a", "is": 1}
    for _level in range(1000):
        condition = {"not": condition}
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        Where([condition], NOW)


def test_unknown_fields() -> None:
    where = Where([{"field": "staus", "is": 1}], NOW)
    with pytest.raises(InvalidRequest, match="where: no record of requests has a field staus") as caught:
        where.check_fields({"status", "id"}, "requests")
    assert "id, status" in caught.value.hint
    Where([{"field": "a.b", "is": 1}], NOW).check_fields({"a"}, "requests")


def test_what_is_no_time_is_not_selected_by_the_opposite_either() -> None:
    where = Where([{"not": {"field": "a", "newer_than": "1d"}}], NOW)
    assert [where.holds({"a": value}) for value in (None, "2020-01-01", NOW, "soon", 10**400)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert where.without_time == 2


@pytest.mark.parametrize("year", [2025, "2025", 1999])
def test_a_number_that_may_be_a_year_is_refused(year: Any) -> None:
    with pytest.raises(InvalidRequest, match="may be a year or seconds: write"):
        Where([{"field": "at", "older_than": year}], NOW)
    Where([{"field": "at", "older_than": f"{year}s"}, {"field": "at", "older_than": 3600}], NOW)


def test_many_records_are_judged_as_each_of_them() -> None:
    values = ["2020-01-01T00:00:00", "no time", None, 1, 1.0, True, 0, "", "a.b", [1], {"b": 1}]
    conditions: list[list[Any]] = [
        [],
        [{"field": "a", "older_than": "90d"}],
        [{"not": {"field": "a", "older_than": "90d"}}],
        [{"field": "a", "is": True}, {"field": "b", "exists": True}],
        [{"any": [{"field": "a", "is": 1}, {"field": "b", "newer_than": "90d"}]}],
        [{"field": "a.b", "is": 1}],
        [{"field": "c", "exists": False}],
    ]
    for some in (values[:3], values[:3] + values[6:9], values):
        records = Batch(("a", "b"), [some * 5, (some[1:] + some[:1]) * 5])
        for condition in conditions:
            many, one = Where(condition, NOW), Where(condition, NOW)
            for where in (many, one):
                where.read_as_booleans({"a"})
            assert many.mask(records) == [one.holds(record) for record in records]
            assert many.without_time == one.without_time
