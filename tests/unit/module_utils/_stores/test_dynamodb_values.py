# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records through real servers and back: the same, or refused with a reason."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.records import canonical
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.tables_store import DynamodbTables
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.values import (
    LARGEST_ITEM,
    DynamoSet,
    KeyField,
    Unstorable,
    decode,
    decode_page,
    encode,
    item_size,
    key_values,
)
from tests.services.dynamodb import options

KEY = (KeyField("id", "S"),)


def there_and_back(record: dict[str, Any]) -> dict[str, Any]:
    return decode(json.loads(encode(record)))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.floats(min_value=-1e125, max_value=1e125).filter(lambda one: one == 0 or abs(one) > 1e-129),
    st.floats(allow_nan=True, allow_infinity=True).filter(lambda one: not math.isfinite(one)),
    st.builds(
        lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(-(10**18), 10**18), st.integers(-90, 90)
    ),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), NUMBERS, TEXT, st.binary(max_size=20), st.dates(), st.datetimes(),
    st.datetimes(timezones=st.just(timezone.utc)),
)  # fmt: skip
NAMES = st.one_of(TEXT.filter(bool), st.sampled_from(["$time", "$number", "$$time", "$bytes", "$set", "a.b", "select"]))
VALUES = st.recursive(
    SCALARS, lambda one: st.one_of(st.lists(one, max_size=4), st.dictionaries(NAMES, one, max_size=3)), max_leaves=10
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=5)


@settings(deadline=None)
@given(RECORDS)
def test_comes_back_as_it_was(record: dict[str, Any]) -> None:
    record["id"] = "x"
    assert canonical(there_and_back(record)) == canonical(record)


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries({"a": VALUES}, optional={"b": SCALARS}), max_size=5))
def test_a_page_has_the_records_of_its_items(records: list[dict[str, Any]]) -> None:
    items = [json.loads(encode(record)) for record in records]
    items[1::2] = [dict(reversed(item.items())) for item in items[1::2]]
    found = decode_page(items)
    assert len(found) == len(items)
    assert list(map(canonical, found)) == list(map(canonical, map(decode, items)))


@pytest.fixture(scope="module", params=["dynoxide_url", "dynamodb_local_url"])
def store(request: pytest.FixtureRequest) -> Iterator[DynamodbTables]:
    one = DynamodbTables(options(request.getfixturevalue(request.param), f"values_{uuid.uuid4().hex[:8]}_"))
    one.create_collection("things", KEY)
    yield one
    one.drop("things")


def read_one(store: DynamodbTables) -> dict[str, Any]:
    (record,) = [record for page in store.read("things") for record in page]
    return record


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=RECORDS)
def test_comes_back_from_a_server_as_it_was(store: DynamodbTables, record: dict[str, Any]) -> None:
    record["id"] = "x"
    rejects = store.write("things", [record])
    assert rejects == []
    assert canonical(read_one(store)) == canonical(record)


EDGES: list[Any] = [
    10**38 - 1,
    Decimal("1E-130"),
    Decimal("-1E-130"),
    Decimal("9." + "9" * 37 + "E+125"),
    10**125,
    Decimal("0.10"),
    -0.0,
    2**64,
    Decimal("1." + "0" * 60),
    float("nan"),
    float("-inf"),
    "",
    b"",
    b"\x00\xff",
    "\x00\u2028\U0001f600",
    [],
    {},
    [[], [None, {}]],
    date(2025, 6, 30),
    datetime(2025, 6, 30, 10),
    datetime(2025, 6, 30, 10, 0, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    {"$time": "2025-06-30"},
    {"$number": "NaN"},
    {"$$number": "NaN"},
    {"$time": 1},
    {"$time": "yesterday"},
]


@pytest.mark.parametrize("value", EDGES, ids=repr)
def test_edges_survive_a_server(store: DynamodbTables, value: Any) -> None:
    record = {"id": "x", "value": value}
    assert store.write("things", [record]) == []
    assert canonical(read_one(store)) == canonical(record)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (10**38 + 1, "39 digits"),
        (Decimal("0." + "1" * 39), "39 digits"),
        (Decimal("9E-131"), "outside"),
        (10**126, "outside"),
        (1e-200, "outside"),
        ("\ud800", "not valid Unicode"),
        ({"a": ["\ud800"]}, "not valid Unicode"),
        ({"": 1}, "empty name"),
        ({1: 1}, "name of a field is of type int"),
        (object(), "of type object"),
        ("x" * LARGEST_ITEM, "limit of DynamoDB is 409600"),
    ],
    ids=lambda one: repr(one)[:20],
)
def test_what_does_not_fit_is_refused_with_a_reason(value: Any, reason: str) -> None:
    with pytest.raises(Unstorable, match=reason):
        encode({"id": "x", "value": value})


def test_deep_nesting_is_refused() -> None:
    value: Any = []
    for dummy in range(5000):
        value = [value]
    with pytest.raises(Unstorable, match="nested too deeply"):
        encode({"id": "x", "value": value})


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("S", None, "missing or null"),
        ("S", "", "is empty"),
        ("B", b"", "is empty"),
        ("S", 1, "is a number, but that of the table is text"),
        ("N", "1", "is text, but that of the table is a number"),
        ("N", True, "of type bool"),
        ("N", float("nan"), "can't be NaN"),
        ("S", "x" * 2049, "2049 bytes"),
        ("S", "\ud800", "not valid Unicode"),
        ("S", ["x"], "of type list"),
    ],
)
def test_keys_that_do_not_fit(kind: str, value: Any, reason: str) -> None:
    with pytest.raises(Unstorable, match=reason):
        key_values({"id": value}, (KeyField("id", kind),))


def test_equal_numbers_are_one_key() -> None:
    key = (KeyField("id", "N"),)
    assert len({key_values({"id": one}, key) for one in (1, 1.0, Decimal("1.00"))}) == 1


def test_the_server_has_the_last_word(store: DynamodbTables) -> None:
    deep: Any = "x"
    for dummy in range(40):
        deep = [deep]
    records = [{"id": f"x{number:02d}", "value": number} for number in range(30)]
    records[7]["value"] = deep
    try:
        (reject,) = store.write("things", records)
        assert reject.key == ("x07",)
        assert "DynamoDB rejects it" in reject.reason
        assert store.digest("things").count >= 29
    finally:
        store.delete("things", [(f"x{number:02d}",) for number in range(30)])


def test_sets_stay_sets_and_are_lists_elsewhere(store: DynamodbTables) -> None:
    record = {
        "id": "x",
        "texts": DynamoSet("SS", ["a", "b"]),
        "numbers": DynamoSet("NS", [1, Decimal("2.5")]),
        "bytes": DynamoSet("BS", [b"a", b"b"]),
    }
    assert store.write("things", [record]) == []
    found = read_one(store)
    assert found == {"id": "x", "texts": ["a", "b"], "numbers": [1, Decimal("2.5")], "bytes": [b"a", b"b"]}
    assert {name: one.kind for name, one in found.items() if name != "id"} == {
        "texts": "SS",
        "numbers": "NS",
        "bytes": "BS",
    }


def test_a_type_of_the_future_is_not_guessed() -> None:
    with pytest.raises(SourceError, match="unknown type V"):
        decode({"id": {"V": "1"}})
    with pytest.raises(SourceError, match="unknown type V"):
        decode_page([{"id": {"V": "1"}}, {"id": {"V": "2"}}])


@pytest.mark.parametrize("spare", [0, 1])
def test_the_limit_of_an_item_is_the_servers(store: DynamodbTables, spare: int) -> None:
    record = {"id": "x", "value": "ü" * 100, "rest": ""}
    record["rest"] = "y" * (LARGEST_ITEM - item_size(json.loads(encode(record))) + spare)
    rejects = store.write("things", [record])
    assert len(rejects) == spare
    if rejects:
        assert "409601 bytes" in rejects[0].reason
