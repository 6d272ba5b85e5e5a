# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report: {format: prometheus}. A file for the textfile collector of node_exporter, in the text exposition format
0.0.4.

Each series has the label `report`, the file name without ".prom": the collector rejects a directory in which two files
contain the same series.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from .._core.outcome import CRITICAL, OK, SKIPPED, UNKNOWN, WARNING, score
from .base import Report, plain

# Nagios's numbers, which are well known and used in dashboards; 4 is its "dependent".
CODES = {OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3, SKIPPED: 4}
_NAMES = {str(code): status for status, code in CODES.items()}


class Family(NamedTuple):
    """One metric."""

    name: str
    help: str


STATUS = Family("day2_health_check_status", "0 ok, 1 warning, 2 critical, 3 unknown, 4 skipped.")
QUIET = Family("day2_health_check_quiet", "1 while a maintenance window or a cooldown suppresses the alarm.")
CHECKED = Family("day2_health_check_timestamp_seconds", "When the check ran, in seconds since the epoch.")
DURATION = Family("day2_health_check_duration_seconds", "How long the check took.")
VALUE = Family("day2_health_check_value", "The number that the check measured, in the unit of its label.")
WARN = Family("day2_health_check_warning_threshold", "The warning threshold.")
CRIT = Family("day2_health_check_critical_threshold", "The critical threshold.")
METRIC = Family("day2_health_check_metric", "A further number that the check measured, in the unit of its label.")
OVERALL = Family("day2_health_status", "The worst status of the report's checks, as day2_health_check_status.")
SCORE = Family("day2_health_score", "The health of all checks by weight, 0 to 100.")
LOUD = Family("day2_health_loud_score", "The health of the checks that are not quiet, 0 to 100.")
MADE = Family("day2_health_report_timestamp_seconds", "When the report was made, in seconds since the epoch.")
RUN = Family("day2_health_report_duration_seconds", "How long all checks took.")
FAMILIES = (STATUS, QUIET, CHECKED, DURATION, VALUE, WARN, CRIT, METRIC, OVERALL, SCORE, LOUD, MADE, RUN)

_SERIES = re.compile(r'^day2_health_check_status\{check="((?:[^"\\]|\\.)*)",[^\n]*\} (\d)$', re.MULTILINE)
_ESCAPED = re.compile(r"\\(.)")


class Prometheus:
    """All series are gauges."""

    def render(self, report: Report, name: str) -> bytes:
        series: dict[Family, dict[str, float]] = {family: {} for family in FAMILIES}
        for one in report.outcomes:
            labels = {"check": one.name, "type": one.type, "report": name}
            key, unit = _labels(labels), _labels({**labels, "unit": one.unit})
            series[STATUS][key] = CODES[one.status]
            series[QUIET][key] = int(one.quiet)
            series[CHECKED][key] = one.checked_at
            series[DURATION][key] = one.duration_s
            for family, value in ((VALUE, one.value), (WARN, one.warn), (CRIT, one.crit)):
                if value is not None:
                    series[family][unit] = value
            for metric in one.metrics:
                series[METRIC][_labels({**labels, "metric": metric.name, "unit": metric.unit})] = metric.value
        key = _labels({"report": name})
        series[OVERALL][key] = CODES[report.status]
        series[SCORE][key] = report.score
        series[LOUD][key] = score(one for one in report.outcomes if not one.quiet)
        series[MADE][key] = report.made_at
        series[RUN][key] = report.duration_s
        return _exposition(series)

    def answers(self, text: str) -> Optional[list[tuple[str, str]]]:
        if OVERALL.name not in text:
            return None
        return [(_unescape(name), _NAMES.get(code, "")) for name, code in _SERIES.findall(text)]


def exposition(families: Mapping[tuple[str, str], Sequence[tuple[Mapping[str, str], float]]]) -> bytes:
    """Gauges in the text format, by (name, help): labels and value of each series."""
    return _exposition(
        {
            Family(name, words): {_labels(labels): value for labels, value in series}
            for (name, words), series in families.items()
        }
    )


def _exposition(series: Mapping[Family, Mapping[str, float]]) -> bytes:
    lines = []
    for family, values in series.items():
        if values:
            lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} gauge"]
            lines += [f"{family.name}{{{labels}}} {_number(value)}" for labels, value in values.items()]
    return "".join(line + "\n" for line in lines).encode("utf-8")


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(text: str) -> str:
    return plain(text).replace("\\", "\\\\").replace('"', '\\"')


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _number(value: float) -> str:
    """A number as Prometheus reads it: with all digits, or NaN and infinities."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
