# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times from text and numbers, for columns that contain times: exact, or refused."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, DecimalException
from typing import Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest
from ..._core.records import exact
from .model import Refused

UNITS = {"s": 1, "ms": 10**3, "us": 10**6}  # in a second
NO_UNIT = "is a number without a unit (set it in types, as in 'timestamptz from ms')"
NO_ZONE = "has no time zone (set timezone)"
_EPOCH = datetime(1970, 1, 1)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,6})0*)?)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?"
)
_TOO_FINE = re.compile(r".*[.,]\d{6}\d*[1-9]\d*\D*")


class TimeOptions(NamedTuple):
    """How values represent other values.

    :param unit: of numbers that represent times ("s", "ms", "us"), or the notation of bytes as text ("hex", "base64");
        "" if they represent nothing else.
    :param zone: of times without an offset.
    """

    unit: str = ""
    zone: Optional[tzinfo] = None


def zone_named(name: str) -> tzinfo:
    """The time zone with this name.

    :raises InvalidRequest: there is none.
    """
    if name.upper() in ("UTC", "Z"):
        return timezone.utc
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidRequest(
            f"timezone: the time zone {name} is unknown on this host.",
            "Set it to a name such as Europe/Berlin (which requires the package tzdata), or to UTC.",
        ) from None


def moment_of(value: Any, aware: bool, times: TimeOptions) -> datetime:
    """A time, in UTC if `aware`, otherwise without a zone.

    :raises Refused: it is not a time, is finer than a microsecond, or lacks a required zone.
    """
    found = value if isinstance(value, datetime) else _from_number(value, times) or _from_iso(value)
    try:
        if found.tzinfo is not None:
            found = found.astimezone(timezone.utc)
            return found if aware else _without_zone(value, found)
        return _located(found, times.zone) if aware else found
    except OverflowError:
        raise Refused("is outside the years 1 to 9999 in UTC") from None


def _without_zone(value: Any, found: datetime) -> datetime:
    if isinstance(value, (int, float, Decimal)):
        return found.replace(tzinfo=None)
    raise Refused("has an offset, but the column has none")


def _from_number(value: Any, times: TimeOptions) -> Optional[datetime]:
    if not isinstance(value, (int, float, Decimal)) or isinstance(value, bool):
        return None
    try:
        return (_EPOCH + _length(value, times)).replace(tzinfo=timezone.utc)
    except OverflowError:
        raise Refused("is outside the years 1 to 9999") from None


def _length(value: Any, times: TimeOptions) -> timedelta:
    if not times.unit:
        raise Refused(NO_UNIT)
    try:
        microseconds = exact(value) * 10**6 / UNITS[times.unit]
        if not microseconds.is_finite():
            raise Refused("is not a time")
        return timedelta(microseconds=round(microseconds))
    except DecimalException:
        raise Refused("is not a time") from None


def _from_iso(value: Any) -> datetime:
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    match = _ISO.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        too_fine = isinstance(value, str) and _TOO_FINE.fullmatch(value)
        raise Refused("is finer than a microsecond" if too_fine else "is not a time")
    year, month, day, hour, minute, second = [int(part or 0) for part in match.groups()[:6]]
    try:
        found = datetime(year, month, day, hour, minute, second, int((match[7] or "0").ljust(6, "0")))
        return found if match[8] is None else found.replace(tzinfo=_offset(match[8]))
    except ValueError:
        raise Refused("is not a time") from None


def _offset(text: str) -> timezone:
    if text == "Z":
        return timezone.utc
    digits = text[1:].replace(":", "")
    length = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(length if text[0] == "+" else -length)


def _located(found: datetime, zone: Optional[tzinfo]) -> datetime:
    if zone is None:
        raise Refused(NO_ZONE)
    if zone is timezone.utc:
        return found.replace(tzinfo=timezone.utc)
    local = found.replace(tzinfo=zone)
    moment = local.astimezone(timezone.utc)
    if moment.astimezone(zone).replace(tzinfo=None) != found:
        raise Refused(f"is a time that {zone} skipped")
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise Refused(f"is a time that occurred twice in {zone}")
    return moment


def date_of(value: Any) -> date:
    """A date.

    :raises Refused: it is not a date, or has a time of day.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    found = value if isinstance(value, datetime) else _from_iso(value)
    if found.tzinfo is not None or found.time() != time():
        raise Refused("has a time of day, but the column has none")
    return found.date()


def clock_of(value: Any) -> time:
    """A time of day.

    :raises Refused: it is not one.
    """
    if isinstance(value, str):
        match = re.fullmatch(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})0*)?)?", value)
        if match:
            try:
                hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
                return time(hour, minute, second, int((match[4] or "0").ljust(6, "0")))
            except ValueError:
                pass
    raise Refused("is not a time of day")


def interval_of(value: Any, times: TimeOptions) -> timedelta:
    """An interval.

    :raises Refused: it is not a number, or has no unit.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        try:
            return _length(value, times)
        except OverflowError:
            raise Refused("is too long") from None
    raise Refused("is not a number")


def iso_class(text: str) -> str:
    """The class of ISO 8601 text: "iso-naive", "iso-zone", "iso-date"; "" for other text, or if it is finer than a
    microsecond.
    """
    match = _ISO.fullmatch(text) if text[:1].isdigit() else None
    if match is None:
        return ""
    try:
        _from_iso(text)
    except Refused:
        return ""
    if match[8] is not None:
        return "iso-zone"
    return "iso-naive" if match[4] is not None else "iso-date"


def interval_text(microseconds: int) -> str:
    """An interval as PostgreSQL writes it."""
    sign = "-" if microseconds < 0 else ""
    days, rest = divmod(abs(microseconds), 86_400 * 10**6)
    seconds, fraction = divmod(rest, 10**6)
    clock = f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if fraction:
        clock += (f".{fraction:06d}").rstrip("0")
    if not days:
        return clock
    words = f"{sign}{days} day{('' if days == 1 and (not sign) else 's')}"
    return f"{words} {clock}" if rest else words
