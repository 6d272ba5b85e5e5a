# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes, durations and times as people write them: parsing and formatting."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Union

from .errors import InvalidRequest

_LARGEST_SIZE = 2**63 - 1
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([KMGTPE])i?)?B?", re.IGNORECASE)
_POWERS = "KMGTPE"

# In descending order, as in "1h30m"; "ms", "mo" and "min" before "m" for the expression below.
_DURATIONS = {"y": 365 * 86400, "mo": 30 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_DURATIONS["min"] = _DURATIONS["m"]
_LONGEST_DURATION = 1000 * 365 * 86400
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|mo|min|[ywdhms])\s*")
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")

_TIME = re.compile(
    r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?\s*(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)


def parse_size(value: Union[str, int]) -> int:
    """Bytes, from "100M", "1.5 GiB", "512" or a number.

    K, KB and KiB all mean 1024 bytes, as in Ansible's own filters; M, G, T, P and E are its powers. Case does not
    matter; a fraction of a byte is dropped.

    Raises InvalidRequest when the value is not a size, is negative, or is 8 EiB or more.
    """
    match = _SIZE.fullmatch(str(value).strip())
    if match is None:
        raise InvalidRequest(f"{value!r} is not a size.", "Write a number of bytes, or for example 100M or 1.5G.")
    power = _POWERS.index(match[2].upper()) + 1 if match[2] else 0
    size = int(Decimal(match[1]) * 1024**power)
    if size > _LARGEST_SIZE:
        raise InvalidRequest(f"The size {value!r} is too large.", "Write for example 100M or 1.5G.")
    return size


def format_size(size: int) -> str:
    """A size for people: "512 B", "1.5 MiB"."""
    amount, prefix = float(size), ""
    for larger in _POWERS:
        if amount < 1023.95:
            break
        amount, prefix = amount / 1024, larger
    return f"{amount:.1f} {prefix}iB" if prefix else f"{size} B"


def parse_duration(value: Union[str, float]) -> float:
    """Seconds, from "1h", "1h30m", "500ms", "2d", "90" or a number.

    The units are ms, s, m or min, h, d, w, mo (30 days) and y (365 days), largest first.

    Raises InvalidRequest when the value is not a duration, is negative, or is more than 1000y.
    """
    text = str(value).strip()
    seconds, at, smallest = 0.0, 0, math.inf
    if _SECONDS.fullmatch(text):
        seconds, at = float(text), len(text)
    while at < len(text):
        match = _DURATION.match(text, at)
        if match is None or _DURATIONS[match[2]] >= smallest:
            break
        smallest = _DURATIONS[match[2]]
        seconds += float(match[1]) * smallest
        at = match.end()
    if not text or at < len(text):
        raise InvalidRequest(
            f"{value!r} is not a duration.", "Write a number of seconds, or for example 500ms, 90s, 1h30m or 30d."
        )
    if seconds > _LONGEST_DURATION:
        raise InvalidRequest(f"The duration {value!r} is longer than 1000y.", "Write for example 1h30m or 30d.")
    return seconds


def format_duration(seconds: float) -> str:
    """A duration for people, in at most two units: "250ms", "1.2s", "45s", "3m20s", "2h", "3d4h".

    Raises InvalidRequest when it is negative or not finite.
    """
    if not 0 <= seconds < math.inf:
        raise InvalidRequest(f"{seconds!r} is not a duration.", "Give a number of seconds, for example 1.5.")
    if round(seconds, 3) < 1:
        if not 0 < seconds < 0.00095:
            return f"{round(seconds * 1000)}ms" if seconds else "0s"
        return f"{max(seconds * 1000, 0.001):.1g}ms"
    if seconds < 9.95:
        return (f"{seconds:.1f}").replace(".0", "") + "s"
    for large, small in (("d", "h"), ("h", "m"), ("m", "s")):
        if round(seconds) >= _DURATIONS[large]:
            per_large = round(_DURATIONS[large] / _DURATIONS[small])
            whole, rest = divmod(round(seconds / _DURATIONS[small]), per_large)
            return f"{whole}{large}" + (f"{rest}{small}" if rest else "")
    return f"{round(seconds)}s"


def parse_time(text: str) -> datetime:
    """An aware UTC time from ISO 8601: "2025-06-30T10:00:00Z", "2025-06-30 12:00+02:00", "20250630T100000Z",
    "2025-06-30". Without an offset it is UTC; a date alone means midnight.

    Raises InvalidRequest when the text is not such a time.
    """
    match = _TIME.fullmatch(str(text).strip())
    if match is not None:
        year, _dash, month, day, hour, minute, second, fraction, offset = match.groups()
        try:
            when = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
            when += timedelta(microseconds=int((fraction or "").ljust(6, "0")[:6]))
            return (when - _offset(offset or "Z")).replace(tzinfo=timezone.utc)
        except (ValueError, OverflowError):  # no such day, minute …: reported below
            pass
    raise InvalidRequest(f"{text!r} is not a time.", "Write it as ISO 8601, for example 2025-06-30T10:00:00Z.")


def _offset(text: str) -> timedelta:
    if text in ("Z", "z"):
        return timedelta()
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    return (-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes)


def format_time(when: datetime) -> str:
    """ISO 8601 in UTC: "2025-06-30T10:00:00Z", with microseconds when there are any. A naive time is UTC."""
    if when.utcoffset() is not None:
        when = when.astimezone(timezone.utc)
    return when.replace(tzinfo=None).isoformat() + "Z"


def plural(count: int, singular: str, several: str = "") -> str:
    """ "1 record", "2 records"."""
    return f"{count} {singular if count == 1 else several or singular + 's'}"
