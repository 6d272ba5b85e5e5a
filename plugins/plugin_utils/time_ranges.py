# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of time by name."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.units import format_time

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_HINT = "Ranges: today, yesterday, week, last_week, month, last_month, and last_24h with any number of m, h, d or w."


def time_range(name: str, now: datetime, zone: str) -> dict[str, str]:
    """The start of a range (`since`) and its end (`until`), which is no longer part of it, in ISO 8601 in UTC.

    :param name: today, yesterday, week (from Monday), last_week, month, last_month, or as last_24h.
    :param now: an aware time.
    :param zone: in which days begin: a name of the IANA database.
    :raises InvalidRequest: there is no such range or time zone, or it begins before the year 1.
    """
    moving = re.fullmatch("last_([0-9]{1,9})([mhdw])", name)
    try:
        if moving:
            since, until = now - timedelta(**{_UNITS[moving[2]]: int(moving[1])}), now
        else:
            since, until = _calendar_range(name, now, _zone(zone))
    except OverflowError:
        raise InvalidRequest(f"The range {name!r} begins before the year 1.", _HINT) from None
    return {"since": format_time(since.replace(microsecond=0)), "until": format_time(until.replace(microsecond=0))}


def _calendar_range(name: str, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    first = today.replace(day=1)
    days = {
        "today": (today, today + timedelta(days=1)),
        "yesterday": (today - timedelta(days=1), today),
        "week": (monday, monday + timedelta(weeks=1)),
        "last_week": (monday - timedelta(weeks=1), monday),
        "month": (first, (first + timedelta(days=31)).replace(day=1)),
        "last_month": ((first - timedelta(days=1)).replace(day=1), first),
    }
    if name not in days:
        raise InvalidRequest(f"{name!r} is not a range of time.", _HINT)
    since, until = days[name]
    return _midnight(since, zone), _midnight(until, zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    """By the clock on the wall: a day can have 23 or 25 hours."""
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequest(
            f"{name!r} is not a time zone that is known on this host.",
            "Write a name such as Europe/Berlin, and install the package tzdata if it is missing.",
        ) from None
