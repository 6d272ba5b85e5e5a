# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as logs write them, in seconds since the epoch."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Callable, Optional
from zoneinfo import ZoneInfo

from .._core.errors import InvalidRequest

# Strict enough that all matches sort as text within one separator and offset.
ISO_MOMENT = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])%s"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
)
_OFFSET = r" ?(?:[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?(?: UTC)?)"
_ISO = re.compile(f"{ISO_MOMENT % '([Tt ])'}([.,][0-9]+)?({_OFFSET})?".encode())

_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?"
_DIGITS = _CLOCK.replace(":(?P", "(?P")
_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ZONE = f"(?P<offset>{_OFFSET})?"
_WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_FORMS = tuple(
    re.compile(one)
    for one in (
        # Apache and nginx: 15/Jun/2025:15:06:40 +0200
        f"(?P<day>[0-9]{{2}})/{_MONTH}/(?P<year>[0-9]{{4}}):{_CLOCK}{_ZONE}",
        # syslog (RFC 3164): Jun  5 15:06:40
        f"{_MONTH} +(?P<day>[0-9]{{1,2}}) {_CLOCK}",
        # error log of nginx, Go: 2025/06/15 15:06:40
        f"(?P<year>[0-9]{{4}})/(?P<month>[0-9]{{2}})/(?P<day>[0-9]{{2}}) {_CLOCK}{_ZONE}",
        # 20250615T150640Z, 20250615150640
        f"(?P<year>(?:19|20)[0-9]{{2}})(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}})[Tt ]?{_DIGITS}{_ZONE}",
        # HTTP, mail: Sun, 15 Jun 2025 15:06:40 GMT
        f"(?:{_WEEKDAY}, )?(?P<day>[0-9]{{1,2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK}{_ZONE}",
        # error log of Apache, asctime: Sun Jun 15 15:06:40.123456 2025
        f"{_WEEKDAY} {_MONTH} +(?P<day>[0-9]{{1,2}}) {_CLOCK} (?P<year>[0-9]{{4}})",
    )
)
_REMEMBERED = 4096  # texts: access logs write whole seconds, each in many lines
_AHEAD = 86400.0  # tolerated difference of another clock
_LEAP = 8  # maximum years between two leap years
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def iso_shape(text: bytes) -> Optional[tuple[bytes, bytes, bytes]]:
    """Separator, sign of the fraction, and offset of an ISO 8601 time; None if it is something else."""
    match = _ISO.fullmatch(text)
    return (match[1], (match[2] or b"")[:1], match[3] or b"") if match else None


def zone(name: str) -> tzinfo:
    """A time zone by name (Europe/Berlin) or offset (+02:00). Raises InvalidRequest when it is unknown."""
    text = name.strip()
    try:
        return timezone(_ahead(text)) if re.fullmatch(_OFFSET, text) else ZoneInfo(text)
    except (ValueError, OSError, KeyError) as exc:
        raise InvalidRequest(
            f"The time zone {name!r} is unknown on this host.",
            "Set for example Europe/Berlin (which requires the package tzdata), or an offset such as +02:00.",
        ) from exc


class Clock:
    """Reads times of one format.

    Raises InvalidRequest when the format has no day.

    :param form: "auto" (ISO 8601 and other forms that are common in logs, otherwise seconds, milliseconds, microseconds
        or nanoseconds since the epoch, by magnitude), or a format of strptime.
    :param naive: the zone of times without an offset.
    """

    def __init__(self, form: str = "auto", naive: tzinfo = timezone.utc) -> None:
        self.auto = form == "auto"
        self._form = form
        self._naive = naive
        self._reference = time.time()
        self._known: dict[bytes, Optional[float]] = {}
        self._minutes: dict[tuple[bytes, str], float] = {}  # when they began, of ISO 8601
        self._forms = list(_FORMS)
        directives = set(re.findall("%(.)", form))
        self._has_year = bool(directives & set("YyGcx"))
        if not self.auto and not directives & set("djcx"):
            raise InvalidRequest(f"The time format {form!r} has no day.", "Add the date, for example %Y-%m-%d.")

    def look_from(self, reference: float) -> None:
        """Set when the last line may have been written: a time without a year is the latest one before that.

        :param reference: in seconds since the epoch.
        """
        self._reference = reference
        self._known.clear()

    def seconds(self, text: Optional[bytes]) -> Optional[float]:
        """Seconds since the epoch; None if it is not a time."""
        if text is None:
            return None
        if text in self._known:
            return self._known[text]
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[text] = found = self._read(text)
        return found

    def _read(self, text: bytes) -> Optional[float]:
        try:
            if not self.auto:
                return self._by_format(text.decode("utf-8").strip())
            match = _ISO.fullmatch(text)
            return self._iso(match) if match else self._by_form(text.decode("ascii").strip())
        except (ValueError, OverflowError):  # for example, a day that does not exist
            return None

    def _iso(self, match: re.Match[bytes]) -> float:
        text, offset = match[0], (match[3] or b"").decode("ascii")
        minute = (text[:16], offset)
        if minute not in self._minutes:
            if len(self._minutes) >= _REMEMBERED:
                self._minutes.clear()
            date, clock = (int(text[:4]), int(text[5:7]), int(text[8:10])), (int(text[11:13]), int(text[14:16]))
            self._minutes[minute] = self._since_epoch(datetime(*date, *clock), offset)
        return self._minutes[minute] + int(text[17:19]) + (float(b"0." + match[2][1:]) if match[2] else 0.0)

    def _by_form(self, text: str) -> Optional[float]:
        for form in self._forms:
            match = form.fullmatch(text)
            if match is None:
                continue
            if form is not self._forms[0]:  # a log has one form
                self._forms.remove(form)
                self._forms.insert(0, form)
            return self._of_parts(match.groupdict())
        return _epoch(text)

    def _of_parts(self, parts: Mapping[str, Optional[str]]) -> Optional[float]:
        year, fraction = parts.get("year"), float("0." + (parts.get("fraction") or "0"))
        if year:
            return self._since_epoch(_moment(parts, int(year)), parts.get("offset") or "") + fraction
        found = self._latest(lambda one: _moment(parts, one))
        return None if found is None else found + fraction

    def _by_format(self, text: str) -> Optional[float]:
        if self._has_year:
            return self._since_epoch(datetime.strptime(text, self._form), "")
        return self._latest(lambda year: datetime.strptime(f"{year} {text}", f"%Y {self._form}"))

    def _latest(self, in_year: Callable[[int], datetime]) -> Optional[float]:
        """The time in the last year in which it is not after the reference."""
        limit = self._reference + _AHEAD
        newest = datetime.fromtimestamp(limit, timezone.utc).year
        for year in range(newest, newest - _LEAP - 1, -1):
            try:
                found = self._since_epoch(in_year(year), "")
            except ValueError:  # February 29
                continue
            if found <= limit:
                return found
        return None

    def _since_epoch(self, moment: datetime, offset: str) -> float:
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone(_ahead(offset)) if offset else self._naive)
        return (moment - _EPOCH).total_seconds()


def _moment(parts: Mapping[str, Optional[str]], year: int) -> datetime:
    month = parts["month"] or ""
    number = _MONTHS.index(month) + 1 if month in _MONTHS else int(month)
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    return datetime(year, number, int(parts["day"] or 0), hour, minute, second)


def _ahead(offset: str) -> timedelta:
    """The offset of a zone from UTC. Raises ValueError when it is not valid."""
    text = offset.replace("UTC", "").strip()
    if text in ("", "Z", "z", "GMT"):
        return timedelta()
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    return (-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes)


def _epoch(text: str) -> Optional[float]:
    number = float(text)
    if not math.isfinite(number) or number < 0:
        return None
    for limit, scale in ((1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6), (1e20, 1e-9)):
        if number < limit:
            return number * scale
    return None
