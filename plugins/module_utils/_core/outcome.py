# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of a health check: made by probes, judged by the verb, written by reports, stored in the history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Optional

OK = "ok"
WARNING = "warning"
CRITICAL = "critical"
UNKNOWN = "unknown"  # could not be determined
SKIPPED = "skipped"  # a dependency failed
# From harmless to worst; a summary is as bad as its worst member. A state that can't be seen may be critical.
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
    """The outcome of one check.

    `message` is for people and says what to do if that is known; it never contains a secret. `value` is the number that
    the thresholds `warn` and `crit` are compared with, or None; `metrics` are further numbers. `checked_at` is in
    seconds since the epoch, UTC; `duration_s` is the duration of the probe. `quiet`: a maintenance window or a cooldown
    suppresses the alarm; the status is reported regardless.
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

    Skipped checks do not count, as their dependencies do. If all weights are 0, all checks count alike.
    """
    counted = [(one.weight, _POINTS[one.status]) for one in outcomes if one.status != SKIPPED]
    if not any(weight for weight, _points in counted):
        counted = [(1.0, points) for _weight, points in counted]
    weights = sum(weight for weight, _points in counted)
    return round(100 * sum(weight * points for weight, points in counted) / weights, 1) if weights else 100.0
