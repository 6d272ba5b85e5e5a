# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records by columns: the same digests and records as one by one."""

from __future__ import annotations

import pickle
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.record_batches import (
    Batch,
    batch,
    batch_of_rows,
    count_of,
    digest_sum,
    layouts,
    regrouped,
)
from ansible_collections.day2.ops.plugins.module_utils._core.records import record_digest

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.sampled_from([Decimal("1.50"), Decimal("1e500"), date(2025, 1, 2), datetime(2025, 1, 2, tzinfo=timezone.utc)]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["$a", "b%s"]), st.text(), max_size=2),
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(["id", "%s", "$x", "ä", '"']), VALUES), max_size=8)


@given(RECORDS)
def test_digests_are_those_of_the_records(records: list[dict[str, Any]]) -> None:
    found = layouts(records)
    assert digest_sum(found) == sum(map(record_digest, records))
    assert count_of(found) == len(records)
    assert [repr(one) for one in batch(records)] == [repr(one) for one in records]
    sent = pickle.loads(pickle.dumps(batch(records), pickle.HIGHEST_PROTOCOL))
    assert [repr(one) for one in sent] == [repr(one) for one in records]


@given(st.lists(RECORDS, max_size=5), st.integers(1, 5), st.integers(0, 9))
def test_regrouped_they_are_the_same_in_the_same_order(parts: Any, size: int, skip: int) -> None:
    whole = [repr(record) for part in parts for record in part][skip:]
    groups = [[repr(record) for record in group] for group in regrouped(map(batch, parts), size, skip)]
    assert groups == [whole[start : start + size] for start in range(0, len(whole), size)]


def test_a_row_without_nulls_is_a_batch() -> None:
    rows = batch_of_rows(("a", "b"), [(1, "x"), (2, "y")])
    assert isinstance(rows, Batch)
    assert (len(rows), rows[1], list(rows[:1])) == (2, {"a": 2, "b": "y"}, [{"a": 1, "b": "x"}])
    rows = [(1, None), (None, "y"), (None, None)]
    assert [*batch_of_rows(("a", "b"), rows)] == [{"a": 1, "b": None}, {"a": None, "b": "y"}, {"a": None, "b": None}]
    assert [*batch_of_rows(("a", "b"), rows, frozenset("b"))] == [{"a": 1}, {"a": None, "b": "y"}, {"a": None}]
    marks = [frozenset("b"), frozenset("ab"), None]
    assert [*batch_of_rows(("a", "b"), rows, frozenset(), marks)] == [{"a": 1}, {"b": "y"}, {"a": None, "b": None}]
    assert not [*batch_of_rows(("a",), [])]


def test_what_has_no_digest_is_told() -> None:
    nested: list[Any] = []
    for dummy in range(100_000):
        nested = [nested]
    with pytest.raises(SourceError, match="nested too deeply"):
        digest_sum(layouts([{"id": 1, "deep": nested}]))
    with pytest.raises(SourceError, match="type set"):
        digest_sum(layouts([{"id": {1}}]))
