# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance windows, in which a check raises no alarm."""

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
    """A maintenance window: once (`start` and `end`), or daily from one minute of the day to another, in `zone` (None:
    that of the host)."""

    start: Optional[datetime]
    end: Optional[datetime]
    minutes: tuple[int, int]
    days: tuple[int, ...]
    zone: Optional[tzinfo] = timezone.utc

    def holds(self, now: datetime) -> bool:
        """Whether a time is in the window. A window across midnight belongs to the day on which it starts."""
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

    def left(self, now: datetime) -> float:
        """The seconds until it closes; 0 outside."""
        if not self.holds(now):
            return 0.0
        if self.end is not None:
            return (self.end - now).total_seconds()
        local = now.astimezone(self.zone)
        first, last = self.minutes
        later = first > last and local.hour * 60 + local.minute >= first  # it closes tomorrow
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight + timedelta(days=int(later), minutes=last) - now).total_seconds()


def read_windows(given: Optional[Sequence[Mapping[str, Any]]], problems: list[str]) -> tuple[Window, ...]:
    """The windows as given by the user. Errors are added to `problems`."""
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
            raise InvalidRequest("start and end must differ; for a whole day set 00:00 and 24:00")
        return Window(None, None, (first, last), days, zone)
    try:
        start, end = (_moment(str(values[name]), zone) for name in ("start", "end"))
    except InvalidRequest:
        raise InvalidRequest(
            "start and end must be two times of day in quotes, such as '22:30', or two times in ISO 8601; they "
            f"are {values['start']!r} and {values['end']!r}"
        ) from None
    if start >= end or values["days"]:
        raise InvalidRequest("start must be before end, and days can only be combined with times of day")
    return Window(start, end, (0, 0), days)


def _clock(value: Any) -> Optional[int]:
    """The minute of the day."""
    if isinstance(value, int) and not isinstance(value, bool):
        # YAML reads 22:30 without quotes as a number in base 60: the minute of the day.
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
            f"timezone {name!r} is unknown on this host: set for example Europe/Berlin (which requires the "
            "package tzdata) or +02:00"
        ) from None
