# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""log_report: what logs tell of performance and errors, in one pass and bounded memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Callable, NamedTuple, Optional, Protocol

from .._core.errors import InvalidRequest
from .._core.percentiles import Histogram
from .._core.progress import Progress
from .._core.units import format_duration, format_time, parse_duration, parse_time
from .._logs.fields import ROLES, UNITS, Fields
from .._logs.reading import LogFile, blocks, find, opened
from .._logs.tally import Operation, Rules, Tally
from .._logs.times import Clock

FORMATS = ("json", "combined", "regex")
_SHOWN = 5  # lines that can't be read, by their positions
_SHOWN_BYTES = 200

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "paths": {"type": "list", "elements": "path", "required": True},
        "format": {"type": "str", "choices": list(FORMATS), "default": "json"},
        "pattern": {"type": "str"},
        "since": {"type": "str"},
        "until": {"type": "str"},
        "fields": {"type": "dict", "default": {}, "options": {role: {"type": "str"} for role in ROLES}},
        "time_format": {"type": "str"},
        "duration_unit": {"type": "str", "choices": list(UNITS)},
        "error_levels": {
            "type": "list",
            "elements": "str",
            "default": ["error", "critical", "fatal", "alert", "emergency", "panic"],
        },
        "error_status": {"type": "int", "default": 500},
        "slowest": {"type": "int", "default": 10},
        "show_unparsable": {"type": "bool", "default": False},
    },
    "required_if": [("format", "regex", ["pattern"])],
}


class Request(NamedTuple):
    """What is asked. `since` and `until` are in seconds since the epoch."""

    paths: Sequence[str]
    format: str
    pattern: Optional[str]
    rules: Rules
    fields: Fields
    time_format: str
    slowest: int
    show_unparsable: bool
    now: float


class _Lines(Protocol):
    def block(self, data: bytes) -> int: ...


def moment(text: str, now: float) -> float:
    """Seconds since the epoch, of a time or of a duration before now. Raises InvalidRequest."""
    try:
        return now - parse_duration(text)
    except InvalidRequest:
        pass
    try:
        return parse_time(text).timestamp()
    except InvalidRequest:
        raise InvalidRequest(
            f"{text!r} is neither a time nor a duration.",
            "Write for example 24h for the last day, or 2025-06-30T10:00:00Z.",
        ) from None


def request_from(params: Mapping[str, Any]) -> Request:
    """Check the module's arguments. Raises InvalidRequest."""
    now = time.time()
    since, until = (None if params[name] is None else moment(params[name], now) for name in ("since", "until"))
    if since is not None and since >= (now if until is None else until):
        raise InvalidRequest("The window ends before it begins.", "Set since to an earlier time than until.")
    chosen = {role: name for role, name in (params["fields"] or {}).items() if name}
    if params["format"] != "json" and chosen:
        raise InvalidRequest("fields is for format: json.", "In a pattern the groups' names say what is what.")
    if params["format"] != "regex" and params["pattern"]:
        raise InvalidRequest("pattern is for format: regex.", "Set format: regex.")
    if params["slowest"] < 0:
        raise InvalidRequest("slowest is %d." % params["slowest"], "Set it to 0 or more.")
    return Request(
        paths=params["paths"],
        format=params["format"],
        pattern=params["pattern"],
        rules=Rules(since, until, frozenset(level.lower() for level in params["error_levels"]), params["error_status"]),
        fields=Fields(chosen, params["duration_unit"]),
        time_format=params["time_format"] or "auto",
        slowest=params["slowest"],
        show_unparsable=params["show_unparsable"],
        now=now,
    )


class Unparsable:
    """Counts lines that can't be read, and finds where the first of them stand."""

    def __init__(self, show: bool) -> None:
        self.count = 0
        self.first: list[dict[str, Any]] = []
        self._show = show
        self._lines: Counter[bytes] = Counter()

    def add(self, line: bytes) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < _SHOWN:
            self._lines[line] += 1

    def locate(self, path: str, data: bytes, first: int) -> None:
        """Find the lines that this block has added; its first line has the number `first`."""
        if not self._lines:
            return
        for number, line in enumerate(data.split(b"\n"), first - 1):
            if self._lines[line] and len(self.first) < _SHOWN:
                self._lines[line] -= 1
                shown = {"text": line[:_SHOWN_BYTES].decode("utf-8", "replace")} if self._show else {}
                self.first.append({"path": path, "line": number, **shown})
        self._lines.clear()


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """Read the logs; nothing is ever changed."""
    began = time.monotonic()
    request = request_from(params)
    tally = Tally(request.rules, _clock(request))
    bad = Unparsable(request.show_unparsable)
    lines = _reader(request, tally, bad.add)
    with opened(find(request.paths), request.rules.since) as (files, old):
        progress.start("Reading %d log files" % len(files), sum(one.size for one in files), "bytes")
        for file in files:
            _read(file, lines, bad, progress)
    result = _result(request, tally, bad)
    result["files"] = [{"path": one.path, "bytes": one.size} for one in files]
    result["older_files"] = old
    result["duration_s"] = round(time.monotonic() - began, 3)
    return result


def _clock(request: Request) -> Clock:
    if request.format == "combined" and request.time_format == "auto":
        from .._logs.pattern_lines import COMBINED_TIME

        return Clock(COMBINED_TIME)
    return Clock(request.time_format)


def _reader(request: Request, tally: Tally, bad: Callable[[bytes], None]) -> _Lines:
    if request.format == "json":
        from .._logs.json_lines import JsonLines

        return JsonLines(request.fields, tally, bad)
    from .._logs.pattern_lines import COMBINED, PatternLines, compile_pattern

    pattern = request.pattern if request.format == "regex" and request.pattern else COMBINED
    return PatternLines(compile_pattern(pattern), request.fields, tally, bad)


def _read(file: LogFile, lines: _Lines, bad: Unparsable, progress: Progress) -> None:
    number = 1
    for block in blocks(file, progress):
        count = 1
        if block.whole:
            count = lines.block(block.data)
        else:
            bad.add(block.data.strip(b"\n"))
        bad.locate(file.path, block.data, number)
        number += count


def _result(request: Request, tally: Tally, bad: Unparsable) -> dict[str, Any]:
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
        "bad_durations": tally.bad_durations,
        "unparsable": {"count": bad.count, "first": bad.first},
    }
    result["msg"] = _message(result, named)
    result["warnings"] = _warnings(request, result)
    return result


def _warnings(request: Request, result: Mapping[str, Any]) -> list[str]:
    """A wrong name would otherwise look like a quiet log."""
    if request.format != "json":
        return []
    notes = []
    if result["total"] and not result["latency"]["count"]:
        notes.append(
            "No line has a duration. Looked for {}; name the field in fields.".format(_names(request, "duration"))
        )
    if result["without_time"] and not result["total"] and not result["outside_window"]:
        notes.append("No line has a time. Looked for {}; name the field in fields.".format(_names(request, "time")))
    return notes


def _names(request: Request, role: str) -> str:
    return ", ".join(request.fields.names[role])


def _rate(request: Request, tally: Tally) -> Optional[float]:
    """Lines a second over the window, or between the first and the last line where it is open."""
    since, until = request.rules.since, request.rules.until
    if not tally.total or tally.last < tally.first:
        return None
    start = tally.first if since is None else since
    end = until if until is not None else request.now if since is not None else tally.last
    return float("%.6g" % (tally.total / (end - start))) if end > start else None


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
        **{name: None if one is None else float("%.6g" % one) for name, one in numbers.items()},
    }


def _operation(one: Operation) -> dict[str, Any]:
    return {
        "name": one.name,
        "total": one.count,
        "errors": one.errors,
        "error_rate": _percent(one.errors, one.count),
        **_latency(one.durations),
    }


def _message(result: Mapping[str, Any], slowest: Sequence[Operation]) -> str:
    text = "%d lines, %d errors (%g %%)" % (result["total"], result["errors"], result["error_rate"])
    latency = result["latency"]
    if latency["count"]:
        text += ", p50 {}, p95 {}, p99 {}".format(
            *(format_duration(latency[name]) for name in ("p50_s", "p95_s", "p99_s"))
        )
    if slowest:
        text += f", slowest {slowest[0].name} (p95 {format_duration(slowest[0].durations.percentile(95) or 0.0)})"
    if result["unparsable"]["count"]:
        text += ", %d lines can't be read" % result["unparsable"]["count"]
    return text
