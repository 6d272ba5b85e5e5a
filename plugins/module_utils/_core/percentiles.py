# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Percentiles: exact ones of a list, and close ones of a stream in bounded memory.

A percentile is a nearest rank: the smallest value that at least that share of all values does not exceed. It is always
one of the values, never between two.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Optional

# Buckets grow by 2 %, and a percentile is the (geometric) middle of one: at most 1 % from the exact nearest rank.
_GROWTH = 1.02
_SMALLEST = 1e-9  # smaller values count as zero
_PER_LOG = 1 / math.log(_GROWTH)
LARGEST = 1e9
_BUCKETS = int(math.log(LARGEST / _SMALLEST) * _PER_LOG) + 2  # one more than there are, as logarithms are rounded


def rank(count: int, percent: float) -> int:
    """The nearest rank, from 1."""
    return max(1, math.ceil(count * percent / 100))


def percentile(ordered: Sequence[float], percent: float) -> Optional[float]:
    """The exact percentile of values in ascending order; None if there are no values."""
    return ordered[rank(len(ordered), percent) - 1] if ordered else None


class Histogram:
    """Counts of values in buckets of equal ratio (17 KB): percentiles within 1 %; count, mean and maximum are exact.

    Values are from 0 to LARGEST; below 1e-9 they all count as the smallest of them.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.maximum = 0.0
        self._minimum = math.inf
        self._zeros = 0
        self._buckets = array("Q", bytes(8 * _BUCKETS))

    def add(self, values: Sequence[float]) -> None:
        """Count values. Takes a hundred nanoseconds per value, if there are many."""
        if not values:
            return
        smallest, largest = min(values), max(values)
        self.count += len(values)
        self.total += sum(values)
        self.maximum = max(self.maximum, largest)
        self._minimum = min(self._minimum, smallest)
        if smallest < _SMALLEST:
            positive = [value for value in values if value >= _SMALLEST]
            self._zeros += len(values) - len(positive)
            values = positive
        # Everything per value is done by functions written in C. No bucket is negative, as int() truncates.
        scaled = map((1 / _SMALLEST).__mul__, values)
        found = Counter(map(int, map(_PER_LOG.__mul__, map(math.log, scaled))))
        buckets = self._buckets
        for bucket, count in found.items():
            buckets[bucket] += count

    def merge(self, other: Histogram) -> None:
        """Add the counts of another histogram."""
        self.count += other.count
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)
        self._minimum = min(self._minimum, other._minimum)
        self._zeros += other._zeros
        self._buckets = array("Q", map(int.__add__, self._buckets, other._buckets))

    @property
    def mean(self) -> Optional[float]:
        """The mean, or None if nothing was counted."""
        return self.total / self.count if self.count else None

    def percentile(self, percent: float) -> Optional[float]:
        """Within 1 % of the exact percentile; None if nothing was counted."""
        if not self.count:
            return None
        wanted = rank(self.count, percent) - self._zeros
        if wanted <= 0:
            return self._minimum
        for bucket, count in enumerate(self._buckets):
            wanted -= count
            if wanted <= 0:
                middle: float = _SMALLEST * _GROWTH ** (bucket + 0.5)
                return min(max(middle, self._minimum), self.maximum)
        return self.maximum
