# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a health check found: made by probes, judged by the verb, written by reports, kept by the history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Optional

OK = "ok"
WARNING = "warning"
CRITICAL = "critical"
UNKNOWN = "unknown"  # it could not be found out
SKIPPED = "skipped"  # what it depends on failed
# From harmless to worst; a summary is as bad as its worst member. What cannot be seen may be critical.
_POINTS = {OK: 1.0, WARNING: 0.5, UNKNOWN: 0.0, CRITICAL: 0.0}
STATUSES = (OK, SKIPPED, WARNING, UNKNOWN, CRITICAL)


class Metric(NamedTuple):
    """One measured number. `unit` is "s", "bytes", "percent", "count", "days", … ("" for a bare number)."""

    name: str
    value: float
    unit: str = ""
    warn: Optional[float] = None
    crit: Optional[float] = None


class Outcome(NamedTuple):
    """The answer of one check.

    `message` is for a person and says what to do where that is known; it never holds a secret. `value` is the one
    number that the thresholds `warn` and `crit` are held against, None where there is none; `metrics` are further
    numbers. `checked_at` is in seconds since the epoch, UTC; `duration_s` the time that the probe took. `quiet`: a
    maintenance window or a cooldown holds back the alarm, the status is told all the same.
    """

    name: str
    type: str
    status: str
    message: str
    checked_at: float
    duration_s: float
    value: Optional[float] = None
    unit: str = ""
    warn: Optional[float] = None
    crit: Optional[float] = None
    weight: float = 1.0
    quiet: bool = False
    metrics: tuple[Metric, ...] = ()


def score(outcomes: Iterable[Outcome]) -> float:
    """0 to 100: the mean of 100 for ok, 50 for warning, 0 for unknown and critical, by weight.

    What was skipped does not count: what it depends on does. Where all weights are 0, all count alike.
    """
    counted = [(one.weight, _POINTS[one.status]) for one in outcomes if one.status != SKIPPED]
    if not any(weight for weight, _points in counted):
        counted = [(1.0, points) for _weight, points in counted]
    weights = sum(weight for weight, _points in counted)
    return round(100 * sum(weight * points for weight, points in counted) / weights, 1) if weights else 100.0
