# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance windows: when a check raises no alarm."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest
from ..._core.units import parse_time
from ..._probes.base import Option
from ..._probes.options import parse

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = {
    "start": Option("any", "", required=True),
    "end": Option("any", "", required=True),
    "days": Option("list", "", choices=_DAYS),
    "timezone": Option("text", ""),
}
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])|24:00")
_DAY = 24 * 60
_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-5][0-9])")
_WITH_OFFSET = re.compile(r".*[0-9]{2}:?[0-9]{2}\s*(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)")


class Window(NamedTuple):
    """A time of maintenance: once (`start` and `end`), or each day from a minute of the day to another, in `zone`."""

    start: Optional[datetime]
    end: Optional[datetime]
    minutes: tuple[int, int]
    days: tuple[int, ...]
    zone: tzinfo = timezone.utc

    def holds(self, now: datetime) -> bool:
        """Is it now? A window that passes midnight belongs to the day on which it starts."""
        if self.start is not None and self.end is not None:
            return self.start <= now < self.end
        local = now.astimezone(self.zone)
        first, last = self.minutes
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if first < last:
            return first <= minute < last and day in self.days
        return (minute >= first and day in self.days) or (
            minute < last and (local - timedelta(days=1)).weekday() in self.days
        )


def read_windows(given: Optional[Sequence[Mapping[str, Any]]], problems: list[str]) -> tuple[Window, ...]:
    """The windows that a user wrote. What is wrong is added to `problems`."""
    windows = []
    for number, one in enumerate(given or ()):
        where = f"maintenance[{number}]."
        problems.extend(f"{where}{name} is not an option" for name in one if name not in _WINDOW)
        before = len(problems)
        values = parse(_WINDOW, one, problems, where)
        if len(problems) > before:
            continue
        try:
            windows.append(_window(values))
        except InvalidRequest as exc:
            problems.append(where + str(exc))
    return tuple(windows)


def _window(values: Mapping[str, Any]) -> Window:
    zone = _zone(values["timezone"]) if values["timezone"] else timezone.utc
    days = tuple(_DAYS.index(day) for day in values["days"] or _DAYS)
    first, last = _clock(values["start"]), _clock(values["end"])
    if first is not None and last is not None:
        if first in (last, _DAY):
            raise InvalidRequest("start and end are no span of a day: for all of it write 00:00 and 24:00")
        return Window(None, None, (first, last), days, zone)
    try:
        start, end = (_moment(str(values[name]), zone) for name in ("start", "end"))
    except InvalidRequest:
        raise InvalidRequest(
            "start and end are two times of day in quotes, such as '22:30', or two moments (ISO 8601); they are "
            f"{values['start']!r} and {values['end']!r}"
        ) from None
    if start >= end or values["days"]:
        raise InvalidRequest("start is before end, and days go with times of day")
    return Window(start, end, (0, 0), days)


def _clock(value: Any) -> Optional[int]:
    """The minute of the day."""
    if isinstance(value, int) and not isinstance(value, bool):
        # YAML takes 22:30 without quotes for a number with the base 60: the minute of the day.
        return value if 60 <= value <= _DAY else None
    match = _CLOCK.fullmatch(str(value).strip())
    if match is None:
        return None
    return int(match[1]) * 60 + int(match[2]) if match[1] else _DAY


def _moment(text: str, zone: tzinfo) -> datetime:
    moment = parse_time(text)
    return moment if _WITH_OFFSET.fullmatch(text.strip()) else moment.replace(tzinfo=zone)


def _zone(name: str) -> tzinfo:
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        sign = -1 if offset[1] == "-" else 1
        hours, minutes = int(offset[2]), int(offset[3])
        if hours < 24:
            return timezone(sign * timedelta(hours=hours, minutes=minutes))
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidRequest(
            f"timezone {name!r} is not known here: write for example Europe/Berlin (its data are in the package tzdata)"
            " or +02:00"
        ) from None
