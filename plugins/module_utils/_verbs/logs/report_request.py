# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of log_report."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import timezone, tzinfo
from typing import Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest
from ..._core.units import parse_duration, parse_time
from ..._logs.fields import ROLES, UNITS, Fields
from ..._logs.levels import common_name
from ..._logs.searching import Expression
from ..._logs.tally import Rules
from ..._logs.times import zone
from ..._stores.records.registry import argument_spec as store_options

FORMATS = ("json", "combined", "regex")
TOTALS = ("total", "errors")  # counts that each report has
_OF_LOGS = ("pattern", "multiline", "show_unparsable")
_HAS_OFFSET = re.compile(r"[0-9][Tt ].*([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)\s*$")

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "paths": {"type": "list", "elements": "path"},
        "source": {"type": "dict", "options": store_options()},
        "collection": {"type": "str"},
        "where": {"type": "list", "elements": "dict", "default": []},
        "counts": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "by": {"type": "list", "elements": "str", "default": []},
                "where": {"type": "list", "elements": "dict", "default": []},
                "since": {"type": "str"},
            },
        },
        "fail_when": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "count": {"type": "str", "required": True},
                "at_least": {"type": "int", "required": True},
                "per_group": {"type": "bool", "default": False},
            },
        },
        "newest": {"type": "int", "default": 0},
        "show": {"type": "list", "elements": "str", "default": []},
        "export": {"type": "path"},
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
    "mutually_exclusive": [("paths", "source")],
    "required_one_of": [("paths", "source")],
}


class CountRequest(NamedTuple):
    """Groups of records with the same values of the fields `by`, counted. `since` is in seconds since the epoch."""

    name: str
    by: Sequence[str]
    where: Sequence[Any]
    since: Optional[float]


class Threshold(NamedTuple):
    """The count that fails the task, as a whole or for one of its groups."""

    name: str
    at_least: int
    per_group: bool


class RecordsRequest(NamedTuple):
    """What needs whole records: of a store, or of lines that are JSON. `show` are the fields of the `newest`."""

    where: Sequence[Any]
    counts: Sequence[CountRequest]
    newest: int
    show: Sequence[str]
    export: Optional[str]

    @property
    def wanted(self) -> bool:
        return bool(self.where or self.counts or self.newest or self.export)


class LogReportRequest(NamedTuple):
    """The arguments. `since` and `until` are in seconds since the epoch."""

    paths: Sequence[str]
    source: Optional[Mapping[str, Any]]
    collection: str
    records: RecordsRequest
    fail_when: Sequence[Threshold]
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
    for name in ("slowest", "newest"):
        if params[name] < 0:
            raise InvalidRequest(f"{name} is {params[name]}.", "Set it to 0 or more.")
    records = _records(params, now, naive)
    _check_records(params, records)
    return LogReportRequest(
        paths=params["paths"] or [],
        source=params["source"],
        collection=params["collection"] or "",
        records=records,
        fail_when=_thresholds(params, records),
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


def _records(params: Mapping[str, Any], now: float, naive: tzinfo) -> RecordsRequest:
    counts: dict[str, CountRequest] = {}
    for one in params["counts"]:
        name = one["name"]
        if name in counts or name in TOTALS:
            raise InvalidRequest(f"counts: the name {name} is taken.", "Set a different name for each count.")
        since = None if one["since"] is None else moment(one["since"], now, naive)
        counts[name] = CountRequest(name, one["by"], one["where"], since)
    return RecordsRequest(params["where"], list(counts.values()), params["newest"], params["show"], params["export"])


def _check_records(params: Mapping[str, Any], records: RecordsRequest) -> None:
    """Raise InvalidRequest when options do not fit together."""
    if bool(params["source"]) != bool(params["collection"]):
        raise InvalidRequest("source and collection require each other.", "Set both, or paths.")
    if bool(records.newest) != bool(records.show):
        raise InvalidRequest("newest and show require each other.", "Name the fields to return in show.")
    if params["source"] and params["format"] != "json":
        raise InvalidRequest("format is for logs.", "Omit it, as a store has its own format.")
    for name in _OF_LOGS if params["source"] else ():
        if params[name]:
            raise InvalidRequest(f"{name} is for logs.", f"Omit {name}, or set paths instead of source.")
    if params["format"] != "json" and records.wanted:
        raise InvalidRequest("where, counts, newest and export require source, or format=json.")


def _thresholds(params: Mapping[str, Any], records: RecordsRequest) -> list[Threshold]:
    by_name = {one.name: one for one in records.counts}
    found = []
    for one in params["fail_when"]:
        limit = Threshold(one["count"], one["at_least"], one["per_group"])
        if limit.name not in by_name and limit.name not in TOTALS:
            raise InvalidRequest(
                f"fail_when: there is no count {limit.name}.", f"The counts are {', '.join([*by_name, *TOTALS])}."
            )
        if limit.at_least < 1:
            raise InvalidRequest(f"fail_when: at_least is {limit.at_least}.", "Set it to 1 or more.")
        if limit.per_group and (limit.name in TOTALS or not by_name[limit.name].by):
            raise InvalidRequest(f"fail_when: {limit.name} has no groups.", "Omit per_group, or set by.")
        found.append(limit)
    return found


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
