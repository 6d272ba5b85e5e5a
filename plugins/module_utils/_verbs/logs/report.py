# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""log_report: performance and errors from logs, in one pass and bounded memory."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest, SourceError
from ..._core.patterns import HINT
from ..._core.percentiles import Histogram
from ..._core.progress import Progress
from ..._core.units import format_duration, format_time, parse_duration, parse_time, plural
from ..._logs.fields import ROLES, UNITS, WRAPPER_TIME, Fields
from ..._logs.levels import common_name
from ..._logs.positions import Lines, Position, Unparsable
from ..._logs.reading import LogFile, blocks, find, opened
from ..._logs.searching import LIMIT, Expression, Searching, TooSlow
from ..._logs.tally import Operation, Rules, Tally
from ..._logs.times import Clock, zone
from ..._logs.unwrap import Unwrapper

if TYPE_CHECKING:
    from ..._logs.multiline import Records

FORMATS = ("json", "combined", "regex")
_BYTE_ORDER_MARK = b"\n\xef\xbb\xbf"  # at the beginning of a line; concatenated files have several
_HAS_OFFSET = re.compile(r"[0-9][Tt ].*([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)\s*$")

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "paths": {"type": "list", "elements": "path", "required": True},
        "format": {"type": "str", "choices": list(FORMATS), "default": "json"},
        "pattern": {"type": "str"},
        "since": {"type": "str"},
        "until": {"type": "str"},
        "fields": {"type": "dict", "default": {}, "options": {role: {"type": "str"} for role in ROLES}},
        "time_format": {"type": "str"},
        "timezone": {"type": "str", "default": "UTC"},
        "multiline": {"type": "str"},
        "unwrap": {"type": "bool", "default": True},
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


class LogReportRequest(NamedTuple):
    """The arguments. `since` and `until` are in seconds since the epoch."""

    paths: Sequence[str]
    format: str
    pattern: Optional[Expression]
    rules: Rules
    fields: Fields
    time_format: str
    timezone: tzinfo
    multiline: Optional[Expression]
    unwrap: bool
    slowest: int
    show_unparsable: bool
    now: float


def moment(text: str, now: float, naive: tzinfo = timezone.utc) -> float:
    """Seconds since the epoch, from a time (in the zone `naive` if it has no offset) or a duration before now.

    Raises InvalidRequest when it is neither.
    """
    try:
        return now - parse_duration(text)
    except InvalidRequest:
        pass
    try:
        found = parse_time(text)
        return (found if _HAS_OFFSET.search(text) else found.replace(tzinfo=naive)).timestamp()
    except InvalidRequest:
        raise InvalidRequest(
            f"{text!r} is neither a time nor a duration.",
            "Set for example 24h for the last day, or 2025-06-30T10:00:00Z.",
        ) from None


def request_from(params: Mapping[str, Any]) -> LogReportRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid."""
    now = time.time()
    naive = timezone.utc if params["timezone"] == "UTC" else zone(params["timezone"])
    since, until = (None if params[name] is None else moment(params[name], now, naive) for name in ("since", "until"))
    if since is not None and since >= (now if until is None else until):
        raise InvalidRequest("The window ends before it begins.", "Set since to an earlier time than until.")
    chosen = {role: name for role, name in (params["fields"] or {}).items() if name}
    if params["format"] != "json" and chosen:
        raise InvalidRequest("fields requires format=json.", "With a pattern, use named groups instead.")
    if params["format"] != "regex" and params["pattern"]:
        raise InvalidRequest("pattern requires format=regex.", "Set format=regex.")
    if params["slowest"] < 0:
        raise InvalidRequest(f"slowest is {params['slowest']}.", "Set it to 0 or more.")
    return LogReportRequest(
        paths=params["paths"],
        format=params["format"],
        pattern=_whole_line(params["pattern"] or "") if params["format"] == "regex" else None,
        rules=Rules(since, until, _levels(params["error_levels"]), params["error_status"]),
        fields=Fields(chosen, params["duration_unit"]),
        time_format=params["time_format"] or "auto",
        timezone=naive,
        multiline=_first_line(params["multiline"]) if params["multiline"] else None,
        unwrap=params["unwrap"],
        slowest=params["slowest"],
        show_unparsable=params["show_unparsable"],
        now=now,
    )


# Most tasks need neither, and a module is compiled anew for each.


def _whole_line(pattern: str) -> Expression:
    from ..._logs.pattern_lines import expression

    return expression(pattern)


def _first_line(pattern: str) -> Expression:
    from ..._logs.multiline import expression

    return expression(pattern)


def _levels(names: Sequence[str]) -> frozenset[str]:
    """The levels and their common names, in lower case."""
    return frozenset(name.lower() for name in names) | frozenset(filter(None, map(common_name, names)))


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """Read the logs; nothing is changed.

    Raises InvalidRequest when an argument is not valid, and SourceError when a log can't be read, with the report on
    all others in its details.
    """
    began = time.monotonic()
    request = request_from(params)
    tally = Tally(request.rules, Clock(request.time_format, request.timezone))
    bad = Unparsable(request.show_unparsable)
    with Searching([one for one in (request.multiline, request.pattern) if one]) as searching:
        report = Report(request, tally, bad, searching)
        found = find(request.paths)
        with opened(found.files, request.rules.since) as (files, old, problems):
            problems += [
                {"path": one, "problem": f"{one} can't be searched: Permission denied."} for one in found.hidden
            ]
            report.read(files, problems, progress)
    result = _result(request, tally, bad, searching.slow)
    result["continuation_lines"] = report.joined
    result["files"] = [{"path": one.path, "bytes": one.size} for one in files]
    result["older_files"] = old
    result["problems"] = problems
    result["duration_s"] = round(time.monotonic() - began, 3)
    if problems:
        details = {name: value for name, value in result.items() if name not in ("msg", "warnings")}
        raise SourceError(" ".join(one["problem"] for one in problems), f"Of the rest: {result['msg']}.", details)
    return result


class Report:
    """Reads files into a tally. `joined` counts the lines that were appended to the one before."""

    def __init__(self, request: LogReportRequest, tally: Tally, bad: Unparsable, searching: Searching) -> None:
        self.joined = 0
        self._request = request
        self._tally = tally
        self._bad = bad
        self._searching = searching
        self._lines = self._reader()

    def read(self, files: Sequence[LogFile], problems: list[dict[str, str]], progress: Progress) -> None:
        """Read the files. Errors are added to `problems`."""
        progress.start(f"Reading {plural(len(files), 'log file')}", sum(one.size for one in files), "bytes")
        for number, file in enumerate(files):
            self._tally.clock.look_from(min(file.mtime, self._request.now))
            try:
                self._read(file, progress)
            except SourceError as exc:
                problems.append({"path": file.path, "problem": str(exc)})
            except TooSlow:
                problem = f"{file.path} was not read to its end: {_too_slow(self._searching.slow)}. {HINT}"
                problems.append({"path": file.path, "problem": problem})
                problems += [
                    {"path": one.path, "problem": f"{one.path} was not read for the same reason."}
                    for one in files[number + 1 :]
                ]
                return

    def _reader(self) -> Lines:
        fields, tally = self._request.fields, self._tally
        if self._request.format == "json":
            from ..._logs.json_lines import JsonLines

            return JsonLines(fields, tally, functools.partial(self._bad.add, reason="it is not a JSON object"))
        if self._request.format == "combined":
            from ..._logs.combined_lines import CombinedLines

            return CombinedLines(fields, tally, functools.partial(self._bad.add, reason="it is not in this format"))
        from ..._logs.pattern_lines import PatternLines

        return PatternLines(self._searching, -1, fields, tally, self._bad.add)

    def _records(self, position: Position, for_json: bool) -> Records:
        from ..._logs.multiline import Records

        return Records(self._searching, 0, for_json, position.bad)

    def _read(self, file: LogFile, progress: Progress) -> None:
        position = Position(file.path, self._lines, self._bad)
        for_json = self._request.format == "json"
        unwrapper = Unwrapper(for_json) if self._request.unwrap else None
        records = self._records(position, for_json) if self._request.multiline else None
        try:
            for block in blocks(file, progress):
                if not block.whole:
                    position.take(records.flush() if records else b"")
                    position.skip(block.data)
                    if records:
                        records.skip()
                    continue
                data = block.data.replace(b"\0", b"")  # zeros: the rest of a hole
                if _BYTE_ORDER_MARK[-1:] in data:  # found several times as fast
                    data = data.replace(_BYTE_ORDER_MARK, b"\n")
                if unwrapper:
                    data = unwrapper.block(data)
                position.take(records.block(data) if records else data)
            rest = unwrapper.flush() if unwrapper else b""
            position.take(records.block(rest) + records.flush() if records else rest)
        finally:
            self.joined += records.joined if records else 0


def _result(request: LogReportRequest, tally: Tally, bad: Unparsable, slow: int) -> dict[str, Any]:
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
    result["msg"] = _message(result, named, _has_window(request))
    result["warnings"] = _warnings(request, result)
    return result


def _warnings(request: LogReportRequest, result: Mapping[str, Any]) -> list[str]:
    """Warnings about options because of which a report may look like that of a quiet log."""
    window = _has_window(request)
    total, timeless = result["total"], result["without_time"]
    read = total + result["outside_window"] + (timeless if window else 0)
    notes = []
    if result["unparsable"]["too_slow"]:
        slow = _too_slow(result["unparsable"]["too_slow"])
        notes.append(f"{slow.capitalize()}, counted as unparsable. {HINT}")
    bad = result["unparsable"]["count"]
    if 2 * bad > read + bad:
        notes.append(
            f"{bad} of {plural(read + bad, 'line')} can't be parsed as {request.format}. "
            "Set format, pattern or multiline."
        )
    if 2 * timeless > read:
        left_out = " and are ignored" if window else ""
        notes.append(
            f"{timeless} of {plural(read, 'line')} {_have(read)} no valid time{left_out}. {_hint(request, 'time')}"
        )
    if 2 * result["without_level"] > total:
        notes.append(
            f"{result['without_level']} of {plural(total, 'line')} {_have(total)} no known level, status or "
            f"error code, and are not counted as errors. {_hint(request, 'level')}"
        )
    if request.format == "json" and total and not result["latency"]["count"]:
        notes.append(f"No line has a duration. {_hint(request, 'duration')}")
    return notes


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _too_slow(lines: int) -> str:
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


def _message(result: Mapping[str, Any], slowest: Sequence[Operation], windowed: bool) -> str:
    text = f"{plural(result['total'], 'line')}, {plural(result['errors'], 'error')} ({result['error_rate']:g} %)"
    latency = result["latency"]
    if latency["count"]:
        text += ", p50 {}, p95 {}, p99 {}".format(
            *(format_duration(latency[name]) for name in ("p50_s", "p95_s", "p99_s"))
        )
    if slowest:
        text += f", slowest {slowest[0].name} (p95 {format_duration(slowest[0].durations.percentile(95) or 0.0)})"
    if result["without_time"] and windowed:
        text += f", {plural(result['without_time'], 'line')} without a valid time"
    if result["unparsable"]["count"]:
        text += f", {plural(result['unparsable']['count'], 'line')} can't be parsed"
    return text
