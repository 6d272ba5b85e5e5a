# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of log_report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional

from ..._core.patterns import HINT
from ..._core.percentiles import Histogram
from ..._core.units import format_duration, format_time, plural
from ..._logs.fields import WRAPPER_TIME
from ..._logs.positions import Unparsable
from ..._logs.searching import LIMIT
from ..._logs.tally import Operation, Tally
from .counts import exceeded, unseen, words_of
from .report_request import LogReportRequest
from .report_table import table_of

if TYPE_CHECKING:
    from .records import RecordTally


def result_of(request: LogReportRequest, tally: Tally, bad: Unparsable, slow: int) -> dict[str, Any]:
    operations = tally.operations()
    latency = Histogram()
    for one in operations:
        latency.merge(one.durations)
    named = [one for one in operations if one.name is not None and one.durations.count]
    named.sort(key=lambda one: (-(one.durations.percentile(95) or 0.0), one.name))
    result: dict[str, Any] = {
        "changed": False,
        "total": tally.total,
        "errors": tally.errors,
        "error_rate": _percent(tally.errors, tally.total),
        "rate_per_s": _rate(request, tally),
        "first": _time(tally.first),
        "last": _time(tally.last),
        "latency": _latency(latency),
        "operations": [_operation(one) for one in named[: request.slowest]],
        "operations_total": len([one for one in operations if one.name is not None]),
        "errors_by_code": [
            {"name": name, "count": count}
            for name, count in sorted(tally.errors_by_code.items(), key=lambda entry: (-entry[1], entry[0]))
        ],
        "outside_window": tally.outside,
        "without_time": tally.without_time,
        "without_level": tally.without_level,
        "bad_durations": tally.bad_durations,
        "unparsable": {"count": bad.count, "too_slow": slow, "first": bad.first},
    }
    result["msg"] = _message(request, result, named)
    result["warnings"] = _warnings(request, result)
    return result


def add_records(request: LogReportRequest, result: dict[str, Any], records: Optional[RecordTally]) -> dict[str, Any]:
    """Add what whole records have told, whether thresholds are reached, and the table."""
    result["counts"] = list(records.counts.results()) if records else []
    result["newest"] = records.newest() if records else []
    result["exported"] = 0
    if records is not None and records.bad_times():
        number = records.bad_times()
        result["warnings"].append(
            f"{plural(number, 'value')} {'is not a time and was' if number == 1 else 'are not times and were'} not "
            "selected by older_than or newer_than."
        )
    result["exceeded"] = exceeded(request.fail_when, result)
    result["warnings"] += unseen(request.fail_when, result)
    result["failed"] = bool(result["exceeded"])
    if result["exceeded"]:
        result["msg"] = f"{'; '.join(map(words_of, result['exceeded']))} ({result['msg']})"
    result["table"] = table_of(result)
    return result


def _warnings(request: LogReportRequest, result: Mapping[str, Any]) -> list[str]:
    """Warnings about options because of which a report may look like that of a quiet log."""
    window = _has_window(request)
    total, timeless = result["total"], result["without_time"]
    read = total + result["outside_window"] + (timeless if window else 0)
    notes = []
    noun = noun_of(request)
    if result["unparsable"]["too_slow"]:
        slow = too_slow(result["unparsable"]["too_slow"])
        notes.append(f"{slow.capitalize()}, counted as unparsable. {HINT}")
    bad = result["unparsable"]["count"]
    if 2 * bad > read + bad:
        notes.append(
            f"{bad} of {plural(read + bad, 'line')} can't be parsed as {request.format}. "
            "Set format, pattern or multiline."
        )
    # in a table, one that lacks its time is no stack trace, but may be what the report is about
    if 2 * timeless > read or (timeless and window and request.source):
        left_out = " and are ignored" if window else ""
        notes.append(
            f"{timeless} of {plural(read, noun)} {_have(read)} no valid time{left_out}. {_hint(request, 'time')}"
        )
    if 2 * result["without_level"] > total:
        notes.append(
            f"{result['without_level']} of {plural(total, noun)} {_have(total)} no known level, status or "
            f"error code, and are not counted as errors. {_hint(request, 'level')}"
        )
    if request.format == "json" and not request.source and total and not result["latency"]["count"]:
        notes.append(f"No line has a duration. {_hint(request, 'duration')}")
    return notes


def noun_of(request: LogReportRequest) -> str:
    """What the report counts."""
    return "record" if request.source else "line"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def too_slow(lines: int) -> str:
    return f"the search with a regular expression takes longer than {LIMIT} s in {plural(lines, 'line')}"


def _has_window(request: LogReportRequest) -> bool:
    return request.rules.since is not None or request.rules.until is not None


def _hint(request: LogReportRequest, role: str) -> str:
    further = {"time": ", or time_format", "level": ", or error_levels"}.get(role, "")
    if request.format == "json":
        names = ", ".join(name for name in request.fields.names[role] if name != WRAPPER_TIME)
        return f"Looked for {names}. Set fields.{role}{further}."
    if request.pattern is not None and role not in request.pattern.pattern.groupindex:
        return f"The pattern has no group {role}."
    return f"Set {further[5:] or 'format'}."


def _rate(request: LogReportRequest, tally: Tally) -> Optional[float]:
    """Lines per second over the window, or between the first and the last line if it is open."""
    since, until = request.rules.since, request.rules.until
    if not tally.total or tally.last < tally.first:
        return None
    start = tally.first if since is None else since
    end = until if until is not None else request.now if since is not None else tally.last
    return float(f"{tally.total / (end - start):.6g}") if end > start else None


def _time(seconds: float) -> Optional[str]:
    try:
        return format_time(datetime.fromtimestamp(seconds, timezone.utc))
    except (OverflowError, ValueError, OSError):  # infinite: there was none
        return None


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 3) if whole else 0.0


def _latency(durations: Histogram) -> dict[str, Any]:
    numbers = {
        "mean_s": durations.mean,
        "p50_s": durations.percentile(50),
        "p95_s": durations.percentile(95),
        "p99_s": durations.percentile(99),
        "max_s": durations.maximum if durations.count else None,
    }
    return {
        "count": durations.count,
        **{name: None if one is None else float(f"{one:.6g}") for name, one in numbers.items()},
    }


def _operation(one: Operation) -> dict[str, Any]:
    return {
        "name": one.name,
        "total": one.count,
        "errors": one.errors,
        "error_rate": _percent(one.errors, one.count),
        **_latency(one.durations),
    }


def _message(request: LogReportRequest, result: Mapping[str, Any], slowest: Sequence[Operation]) -> str:
    """The result in words."""
    noun, windowed = noun_of(request), _has_window(request)
    text = f"{plural(result['total'], noun)}, {plural(result['errors'], 'error')} ({result['error_rate']:g} %)"
    latency = result["latency"]
    if latency["count"]:
        text += ", p50 {}, p95 {}, p99 {}".format(
            *(format_duration(latency[name]) for name in ("p50_s", "p95_s", "p99_s"))
        )
    if slowest:
        text += f", slowest {slowest[0].name} (p95 {format_duration(slowest[0].durations.percentile(95) or 0.0)})"
    if result["without_time"] and windowed:
        text += f", {plural(result['without_time'], noun)} without a valid time"
    if result["unparsable"]["count"]:
        text += f", {plural(result['unparsable']['count'], 'line')} can't be parsed"
    return text
