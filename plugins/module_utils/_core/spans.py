# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spans of the calendar, "1y6mo" or "30d": how far back from a date. Not durations: a month has 28 to 31 days."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import NamedTuple, Optional

from .errors import InvalidRequest

_UNITS = ("y", "mo", "w", "d", "h", "min", "s")  # in descending order, as they are written
_SECONDS = {"w": 7 * 86400, "d": 86400, "h": 3600, "min": 60, "s": 1}
_PART = re.compile(r"\s*([0-9]{1,9})\s*(min|mo|[ymwdhs])\s*")
_EARLIEST = datetime.min.replace(tzinfo=timezone.utc)


class Span(NamedTuple):
    """A number of calendar months and seconds."""

    months: int
    seconds: int
    text: str

    def before(self, moment: datetime) -> datetime:
        """The time that lies this span before another.

        A day that the month lacks is continued in the next month, as in restic: a month before 31 March is 3 March.
        """
        years, month = divmod(moment.year * 12 + moment.month - 1 - self.months, 12)
        if years < 1:
            return _EARLIEST
        try:
            first = moment.replace(year=years, month=month + 1, day=1)
            return first + timedelta(days=moment.day - 1, seconds=-self.seconds)
        except OverflowError:
            return _EARLIEST

    def __str__(self) -> str:
        return self.text


def parse_span(value: object) -> Span:
    """A span from "30d", "1y6mo" or "36h"; the units are y, mo, w, d, h, min and s, largest first.

    `m` means months, as in restic, if days, weeks or hours follow: "1y5m7d".

    Raises InvalidRequest when the text is not a span, or `m` could be months or minutes.
    """
    text = str(value).strip()
    months = seconds = at = 0
    parts: list[tuple[int, str]] = []
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            raise _no_span(value)
        parts.append((int(match[1]), match[2]))
        at = match.end()
    units = [_meant(parts, place, text) for place in range(len(parts))]
    if not parts or units != sorted(set(units), key=_UNITS.index):
        raise _no_span(value)
    for (number, _written), unit in zip(parts, units):
        if unit in _SECONDS:
            seconds += number * _SECONDS[unit]
        else:
            months += number * (12 if unit == "y" else 1)
    return Span(months, seconds, "".join(f"{number}{unit}" for (number, _written), unit in zip(parts, units)))


def _meant(parts: list[tuple[int, str]], place: int, text: str) -> str:
    unit = parts[place][1]
    if unit != "m":
        return unit
    following: Optional[str] = parts[place + 1][1] if place + 1 < len(parts) else None
    if following not in ("w", "d", "h"):
        number = parts[place][0]
        raise InvalidRequest(f"In {text!r}, m could mean months or minutes.", f"Write {number}mo or {number}min.")
    return "mo"


def _no_span(value: object) -> InvalidRequest:
    return InvalidRequest(
        f"{value!r} is not a span of time.", "Write for example 36h, 30d, 6mo or 1y6mo, with the largest unit first."
    )
