# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics of one check over a window: availability, percentiles and trend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from .._core.outcome import OK, SKIPPED, STATUSES, WARNING
from .._core.percentiles import percentile
from .database import Kept


def summarise(kept: Sequence[Kept], start: float, end: float) -> dict[str, Any]:
    """The statistics from `start` to `end`, of outcomes in chronological order.

    The trend is the difference between the later and the earlier half; None if either is empty.
    """
    inside = [one for one in kept if start <= one.checked_at <= end]
    middle = (start + end) / 2
    earlier = [one for one in inside if one.checked_at < middle]
    later = [one for one in inside if one.checked_at >= middle]
    result: dict[str, Any] = {"checks": len(inside)}
    for status in STATUSES:
        result[status] = sum(1 for one in inside if one.status == status)
    result["quiet"] = sum(1 for one in inside if one.quiet)
    result["availability"] = availability(inside)
    for name, numbers in (("duration", _durations(inside)), ("value", _values(inside))):
        result[f"{name}_p50"], result[f"{name}_p95"] = percentile(numbers, 50), percentile(numbers, 95)
    result["trend"] = {
        "availability": _difference(availability(earlier), availability(later)),
        "duration_p50": _difference(percentile(_durations(earlier), 50), percentile(_durations(later), 50)),
        "value_p50": _difference(percentile(_values(earlier), 50), percentile(_values(later), 50)),
    }
    return result


def availability(kept: Sequence[Kept]) -> Optional[float]:
    """The percentage of outcomes that were ok or a warning. Skipped and quiet outcomes do not count; unknown ones
    do."""
    counted = [one.status in (OK, WARNING) for one in kept if one.status != SKIPPED and not one.quiet]
    return round(100 * sum(counted) / len(counted), 3) if counted else None


def _durations(kept: Sequence[Kept]) -> list[float]:
    return sorted(one.duration_s for one in kept if one.status != SKIPPED)


def _values(kept: Sequence[Kept]) -> list[float]:
    return sorted(one.value for one in kept if one.value is not None)


def _difference(earlier: Optional[float], later: Optional[float]) -> Optional[float]:
    return None if earlier is None or later is None else float(f"{later - earlier:.6g}")
