# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report: {format: nagios}. One line per check, as a monitoring plugin prints it.

WARNING - disk: 7% free | 'disk'=7%;10:;5: 'disk duration'=0.002s

Skipped checks are DEPENDENT, as in utils.sh of monitoring-plugins.
"""

from __future__ import annotations

import math
import re
from typing import Optional

from .._core.outcome import CRITICAL, OK, SKIPPED, STATUSES, UNKNOWN, WARNING, Metric, Outcome
from .base import Report, plain

_WORDS = {OK: "OK", WARNING: "WARNING", CRITICAL: "CRITICAL", UNKNOWN: "UNKNOWN", SKIPPED: "DEPENDENT"}
_STATUSES = {word: status for status, word in _WORDS.items()}
_UNITS = {"s": "s", "percent": "%", "bytes": "B"}
_LINE = re.compile(r"(OK|WARNING|CRITICAL|UNKNOWN|DEPENDENT) - (.*?): .*")


class Nagios:
    """The worst check comes first."""

    def render(self, report: Report, name: str) -> bytes:
        worst_first = sorted(report.outcomes, key=lambda one: -STATUSES.index(one.status))
        return "".join(_line(one) + "\n" for one in worst_first).encode("utf-8")

    def answers(self, text: str) -> Optional[list[tuple[str, str]]]:
        found = [_LINE.fullmatch(line) for line in text.splitlines()]
        return [(match[2], _STATUSES[match[1]]) for match in found if match] if all(found) else None


def _line(outcome: Outcome) -> str:
    quiet = " (quiet)" if outcome.quiet and outcome.status != OK else ""
    text = f"{_WORDS[outcome.status]} - {outcome.name}: {outcome.message or outcome.status}{quiet}"
    numbers = [Metric(f"{outcome.name} duration", outcome.duration_s, "s")]
    if outcome.value is not None:
        numbers.append(Metric(outcome.name, outcome.value, outcome.unit, outcome.warn, outcome.crit))
    numbers.extend(one._replace(name=f"{outcome.name} {one.name}") for one in outcome.metrics)
    taken: set[str] = set()
    data = [_data(_label(one.name, taken), one.value, one.unit, one.warn, one.crit) for one in numbers]
    data.append(data.pop(0))  # the duration is named before all others, so that its label is stable, and printed last
    # The first "|" begins the performance data.
    return f"{plain(text.replace('|', '/'))} | {' '.join(one for one in data if one)}"


def _label(text: str, taken: set[str]) -> str:
    """The label, with a number if it is taken: labels of a line are unique."""
    plain_text = plain(text.replace("=", "_").replace("|", "/"))
    label, number = plain_text, 1
    while label in taken:
        number += 1
        label = f"{plain_text} {number}"
    taken.add(label)
    return label


def _data(label: str, value: float, unit: str, warn: Optional[float], crit: Optional[float]) -> str:
    if not math.isfinite(value):
        return ""
    # "10:" alarms below 10. With only one threshold, the direction is unknown: then it is omitted.
    below = "" if warn is None or crit is None or warn <= crit else ":"
    limits = ";".join(_number(one) + below for one in (warn, crit) if one is not None and math.isfinite(one))
    quoted = label.replace("'", "''")
    known = warn is not None and crit is not None
    return f"'{quoted}'={_number(value)}{_UNITS.get(unit, '')}" + (f";{limits}" if known and limits else "")


def _number(value: float) -> str:
    """A number without exponent, which the format does not support."""
    return (f"{value:.6f}").rstrip("0").rstrip(".")
