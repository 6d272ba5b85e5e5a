# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.percentiles import LARGEST, Histogram, percentile, rank

VALUES = st.lists(st.floats(0, 1e8) | st.integers(0, 5).map(float) | st.just(1e-12), min_size=1, max_size=200)
PERCENTS = (0, 1, 50, 90, 95, 99, 99.9, 100)


def exact(values: list[float], percent: float) -> float:
    """The definition: the smallest value that at least that share does not exceed."""
    return next(one for one in sorted(values) if sum(other <= one for other in values) * 100 >= percent * len(values))


@settings(deadline=None)
@given(VALUES, st.sampled_from(PERCENTS))
def test_a_percentile_is_the_nearest_rank(values: list[float], percent: float) -> None:
    assert percentile(sorted(values), percent) == exact(values, percent)


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4), st.sampled_from(PERCENTS))
def test_a_histogram_is_within_one_percent(parts: list[list[float]], percent: float) -> None:
    merged = Histogram()
    for part in parts:
        one = Histogram()
        one.add(part)
        merged.merge(one)
    values = [value for part in parts for value in part]
    found = merged.percentile(percent)
    assert found is not None
    assert math.isclose(found, exact(values, percent), rel_tol=0.01, abs_tol=1e-9)
    assert merged.count == len(values)
    assert merged.maximum == max(values)
    assert merged.mean is not None
    assert math.isclose(merged.mean, math.fsum(values) / len(values), rel_tol=1e-9)


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 50) is None
    empty = Histogram()
    empty.add([])
    assert (empty.count, empty.mean, empty.percentile(50)) == (0, None, None)


def test_the_ends_of_the_range() -> None:
    histogram = Histogram()
    histogram.add([0.0, LARGEST, LARGEST])
    assert histogram.percentile(33) == 0.0
    assert histogram.percentile(50) == pytest.approx(LARGEST, rel=0.01)
    assert histogram.maximum == LARGEST


@pytest.mark.parametrize(
    ("count", "percent", "place"), [(1, 0, 1), (1, 100, 1), (100, 95, 95), (10, 95, 10), (3, 50, 2)]
)
def test_rank(count: int, percent: float, place: int) -> None:
    assert rank(count, percent) == place
