# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Intervals as text, in the notations of PostgreSQL, ISO 8601 and SQL; and as PostgreSQL writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from .model import Refused

_MONTHS = {"months": 1, "years": 12, "decades": 120, "centuries": 1200, "millennia": 12_000}
_DAYS = {"days": 1, "weeks": 7}
_SECOND = 10**6
_TIMES = {
    "hours": 3600 * _SECOND,
    "minutes": 60 * _SECOND,
    "seconds": _SECOND,
    "milliseconds": 1000,
    "microseconds": 1,
}
_WORDS = {
    word: unit
    for unit, words in {
        "millennia": "mil millennium millenniums millennia",
        "centuries": "c cent century centuries",
        "decades": "dec decs decade decades",
        "years": "y yr yrs year years",
        "months": "mon mons month months",
        "weeks": "w week weeks",
        "days": "d day days",
        "hours": "h hr hrs hour hours",
        "minutes": "m min mins minute minutes",
        "seconds": "s sec secs second seconds",
        "milliseconds": "ms msec msecs millisecond milliseconds",
        "microseconds": "us usec usecs microsecond microseconds",
    }.items()
    for word in words.split()
}
_PART = re.compile(r"([-+]?\d+(?:\.\d+)?)\s*([a-z]+)\s*|([-+]?)(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?\s*", re.I)
_ISO = re.compile(r"P((?:-?\d+(?:\.\d+)?[YMWD])*)(?:T((?:-?\d+(?:\.\d+)?[HMS])+))?")
_ISO_PART = re.compile(r"(-?\d+(?:\.\d+)?)([A-Z])")
_YEARS = re.compile(r"([-+]?)(\d+)-(\d+)(?:\s+(.*))?")
_DATES = {"Y": "years", "M": "months", "W": "weeks", "D": "days"}
_CLOCK = {"H": "hours", "M": "minutes", "S": "seconds"}


class Interval(NamedTuple):
    """An interval of time. The length of months and days is not fixed."""

    months: int
    days: int
    microseconds: int

    def __str__(self) -> str:
        """The interval as PostgreSQL writes it."""
        years, months = divmod(abs(self.months), 12)
        sign = -1 if self.months < 0 else 1
        words: list[str] = []
        negative = False
        for value, unit in ((sign * years, "year"), (sign * months, "mon"), (self.days, "day")):
            if value:
                words.append(f"{('+' if negative and value > 0 else '')}{value} {unit}{('' if value == 1 else 's')}")
                negative = value < 0
        if self.microseconds or not words:
            words.append(_clock(self.microseconds, negative))
        return " ".join(words)

    def total(self) -> int:
        """Microseconds, with 365 days per year and 30 per month."""
        years, months = divmod(abs(self.months), 12)
        days = (years * 365 + months * 30) * (-1 if self.months < 0 else 1) + self.days
        return days * 86_400 * _SECOND + self.microseconds


def _clock(microseconds: int, after_negative: bool) -> str:
    seconds, fraction = divmod(abs(microseconds), _SECOND)
    sign = "-" if microseconds < 0 else "+" if after_negative else ""
    text = f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return text + (f".{fraction:06d}").rstrip("0") if fraction else text


def parsed(text: str) -> Interval:
    """The interval that a text describes.

    :raises Refused: it does not describe one, or one that is finer than a microsecond.
    """
    words = text.strip()
    negative = words.lower().endswith(" ago")
    words = words[:-4] if negative else words
    parts = list(_parts(words))
    if not parts:
        raise Refused("is not an interval")
    months = sum(value * _MONTHS[unit] for value, unit in parts if unit in _MONTHS)
    days = sum(value * _DAYS[unit] for value, unit in parts if unit in _DAYS)
    rest = days - int(days)
    exact = sum((value * _TIMES[unit] for value, unit in parts if unit in _TIMES), rest * 86_400 * _SECOND)
    if months != int(months) or exact != int(exact):
        raise Refused("is not a whole number of months or microseconds")
    sign = -1 if negative else 1
    return Interval(sign * int(months), sign * int(days), sign * int(exact))


def _parts(text: str) -> Iterator[tuple[Decimal, str]]:
    """Numbers and their units."""
    iso = _ISO.fullmatch(text)
    if iso is not None:
        for units, listed in ((_DATES, iso[1]), (_CLOCK, iso[2] or "")):
            yield from ((Decimal(number), units[letter]) for number, letter in _ISO_PART.findall(listed))
        return
    years = _YEARS.fullmatch(text)
    if years is not None:
        yield Decimal(years[1] + years[2]), "years"
        yield Decimal(years[1] + years[3]), "months"
        rest = re.fullmatch(r"([-+]?\d+)(?:\s+(.*))?", years[4] or "0")
        text = years[4] or "" if rest is None else rest[2] or ""
        if rest is not None:
            yield Decimal(rest[1]), "days"
    text = text.lstrip("@ ")
    place = 0
    while place < len(text):
        match = _PART.match(text, place)
        if match is None or (match[2] and match[2].lower() not in _WORDS):
            raise Refused("is not an interval")
        place = match.end()
        if match[2]:
            yield Decimal(match[1]), _WORDS[match[2].lower()]
        else:
            for number, unit in ((match[4], "hours"), (match[5], "minutes"), (match[6] or "0", "seconds")):
                yield Decimal(match[3] + number), unit
