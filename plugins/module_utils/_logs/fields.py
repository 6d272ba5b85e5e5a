# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields that are read from a line of a log, and their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

# Of the envelope that a log driver or collector adds to the line of an application.
WRAPPER_TIME = "@wrapper.time"

Column = Optional[Sequence[Optional[bytes]]]

# Names that loggers use, the most specific first. If a line has several, the first that is not null counts; of
# statuses, the first that is an HTTP status, as "status" is "ok" in many logs.
COMMON: dict[str, tuple[str, ...]] = {
    "time": (
        *("timestamp", "@timestamp", "time", "ts", "datetime", "asctime", "__REALTIME_TIMESTAMP"),
        WRAPPER_TIME,
    ),
    "operation": ("operation", "op", "action", "event", "route", "endpoint", "path"),
    "duration": (
        *("duration_s", "duration_ms", "duration_us", "duration_ns", "duration", "processing_time_seconds"),
        *("response_time_ms", "response_time", "elapsed_ms", "elapsed", "latency_ms", "latency", "request_time"),
    ),
    "status": ("status", "status_code", "http_status", "statusCode", "http.status_code", "res.statusCode"),
    "level": (
        *("level", "levelname", "severity", "log.level", "log_level", "loglevel", "lvl", "error_severity"),
        *("severity_text", "@l", "PRIORITY"),
    ),
    "code": ("error_code", "error.code", "err_code"),
}
ROLES = tuple(COMMON)
HTTP_STATUS = re.compile("[1-9][0-9]{2}")
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


class Columns(NamedTuple):
    """The values of many lines, one list per field. None stands for a field that none of them has, and for a missing
    value.

    A value is the text of a string, or of a number or boolean as written. `iso`: all times are ISO 8601 of one shape,
    with the same offset, so that they sort as text. `unit`: seconds in one unit of `duration`.
    """

    lines: int
    time: Column = None
    operation: Column = None
    duration: Column = None
    status: Column = None
    level: Column = None
    code: Column = None
    iso: bool = False
    unit: float = 1.0


class Fields:
    """The names that are looked up for each role.

    :param chosen: a name for a role, instead of the common ones. "a.b" is the member b of a, or a member called a.b.
    :param unit: of durations; the default is the unit in which the name of the field ends, otherwise seconds.
    """

    def __init__(self, chosen: Mapping[str, Optional[str]], unit: Optional[str] = None) -> None:
        self.names: dict[str, tuple[str, ...]] = {}
        for role, common in COMMON.items():
            name = chosen.get(role)
            self.names[role] = (name,) if name else common
        if chosen.get("time"):
            self.names["time"] += (WRAPPER_TIME,)
        self._unit = unit

    def takes(self, role: str, kind: str, text: str) -> bool:
        """Whether a value is used for the role; otherwise, the next of its names is looked up.

        :param kind: "string", "number", "true" or "false".
        """
        if role != "status" or len(self.names[role]) == 1:
            return True
        return kind in ("string", "number") and bool(HTTP_STATUS.fullmatch(text))

    def unit(self, name: str) -> float:
        """Seconds in one unit of the field."""
        if self._unit:
            return UNITS[self._unit]
        ending = name.rpartition("_")[2].rpartition(".")[2]
        return UNITS.get(ending, 1.0)

    def pick(self, line: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
        """The name and value of each role in a parsed line."""
        found = {}
        for role, names in self.names.items():
            for name in names:
                value = lookup(line, name)
                if value is not None and not isinstance(value, (dict, list)) and self.takes(role, *_written(value)):
                    found[role] = (name, value)
                    break
        return found


def _written(value: Any) -> tuple[str, str]:
    """Kind and text of a value."""
    if isinstance(value, bool):
        return ("true" if value else "false"), ""
    return "string", str(value)  # numbers are used as written


def lookup(line: Mapping[str, Any], name: str) -> Any:
    """The value under a name, or under a path of names joined by dots; None if there is none."""
    if name in line:
        return line[name]
    value: Any = line
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return value
