# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.plain_json import encode, plain, tagged


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "NaN"),
        (Decimal("Infinity"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (b"\0\xff", "AP8="),
        (bytearray(b"\0\xff"), "AP8="),
        (datetime(2025, 6, 30, 12), "2025-06-30T12:00:00"),
        (datetime(2025, 6, 30, 12, tzinfo=timezone(timedelta(hours=2))), "2025-06-30T10:00:00Z"),
        (date(2025, 6, 30), "2025-06-30"),
    ],
)
def test_what_json_lacks_becomes_text_wherever_it_is(value: Any, expected: str) -> None:
    assert plain(value) == expected
    assert plain({"a": [1, {"b": value}]}) == {"a": [1, {"b": expected}]}
    assert plain((value, None)) == [expected, None]


def test_a_value_without_any_of_it_is_returned_itself() -> None:
    for value in ({"a": [1, {"b": None}], "c": {}}, [], [[True, 1.5, "x"]], {"n": Decimal("1.50")}):
        assert plain(value) is value


def test_only_what_looks_like_a_tag_is_escaped() -> None:
    for value in ({"$time": "soon", "b": 1}, {"a": [1, {"b": None}]}):
        assert tagged(value) == value
    assert tagged([{"$time": "soon"}, b"\xff"]) == [{"$$time": "soon"}, {"$bytes": "/w=="}]


def deep(levels: int) -> Any:
    value: Any = []
    for dummy in range(levels):
        value = [value]
    return value


def test_a_value_is_written_as_json_or_refused() -> None:
    assert json.loads(encode({"a": [Decimal("1.50"), 10**30, "\u00e9", True]})) == {"a": [1.5, 10**30, "\u00e9", True]}
    assert encode(["\ud800"]) == '["\\\\ud800"]'.replace("\\\\", "\\")
    with pytest.raises(SourceError, match="nested too deeply"):
        encode(deep(200_000))


def test_numbers_that_no_float_can_hold_are_finite() -> None:
    large = Decimal("1e400")
    assert plain({"a": large}) == {"a": large}
    assert encode({"a": large, "b": -large, "c": 10**400}) == f'{{"a": 1e+400, "b": -1e+400, "c": 1{"0" * 400}}}'
