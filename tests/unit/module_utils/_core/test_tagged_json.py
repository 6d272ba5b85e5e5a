# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.records import canonical
from ansible_collections.day2.ops.plugins.module_utils._core.tagged_json import decode, encode

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(st.characters(), max_size=5)
    | st.binary(max_size=5)
    | st.dates()
    | st.datetimes()
    | st.datetimes(timezones=st.just(timezone.utc))
)
NAMES = st.sampled_from(["$bytes", "$$bytes", "$time", "$number", "$ref", "$$", "a"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2))


@given(VALUES)
def test_every_value_of_the_model_comes_back(value: Any) -> None:
    text = encode(value)
    json.loads(text)
    assert canonical(decode(text)) == canonical(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"$ref": 1}', {"$ref": 1}),
        ('{"$time": "soon"}', {"$time": "soon"}),
        ('{"$time": "2025-06-30"}', date(2025, 6, 30)),
        ('{"$time": "2025-06-30T10:00:00Z"}', datetime(2025, 6, 30, 10, tzinfo=timezone.utc)),
        ('{"$number": "Infinity"}', Decimal("Infinity")),
        ('{"$$bytes": ""}', {"$bytes": ""}),
        ('{"$time": "soonZ"}', {"$time": "soonZ"}),
        ('{"$time": "2025-13-01"}', {"$time": "2025-13-01"}),
        ('{"$time": "2025-06-30T10:00:00.123456789Z"}', {"$time": "2025-06-30T10:00:00.123456789Z"}),
        ('{"$time": "2025-06-30T10:00:00.123456789"}', {"$time": "2025-06-30T10:00:00.123456789"}),
        ('{"$time": "2025-06-30T10:00:00+02:00"}', {"$time": "2025-06-30T10:00:00+02:00"}),
        ('{"$bytes": "A==="}', {"$bytes": "A==="}),
    ],
)
def test_only_tags_are_tags(text: str, value: Any) -> None:
    assert decode(text) == value


@pytest.mark.parametrize("text", ["1.0", "1.50", "1e+400", "0.1234567890123456789"])
def test_a_number_keeps_its_digits(text: str) -> None:
    assert encode({"n": Decimal(text)}) == f'{{"n": {text}}}'


@pytest.mark.parametrize("text", ["9007199254740.993", "84301854.62015914"])
def test_a_number_that_a_float_would_round_is_kept(text: str) -> None:
    assert decode(text) == Decimal(text)
