# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the report of a fleet says times, lengths of time and names."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

DAY = 86400.0
_UNREADABLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # Unicode categories that cannot be seen, or that reorder text


# Reports ask for the days of the same 90 again and again.
@functools.lru_cache(maxsize=1024)
def seconds(at: str) -> float:
    """Seconds since 1970 of a time such as 2026-11-28T03:00:00Z."""
    return datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()


@functools.lru_cache(maxsize=1024)
def iso(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(length: float) -> str:
    """A length of time in seconds as a person says it, in at most two units: "3 h 12 min"."""
    whole = max(0, int(length))
    if whole >= 2 * DAY:
        days, hours = divmod(whole // 3600, 24)
        return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"
    if whole >= 3600:
        hours, minutes = divmod(whole // 60, 60)
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    if whole >= 60:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    return f"{whole} s"


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def trend(samples: Sequence[float]) -> float:
    """Growth from one sample to the next: the median, so that one clean-up does not hide it. 0 for fewer than two."""
    steps = sorted(later - earlier for earlier, later in zip(samples, samples[1:]))
    return steps[len(steps) // 2] if steps else 0.0


def visible(value: Any) -> Any:
    """The value, with characters written out that cannot be seen or that reorder text: no name looks like another."""
    if isinstance(value, str):
        if value.isascii() and value.isprintable():
            return value
        return "".join(_written(char) for char in value)
    if isinstance(value, list):
        return [visible(one) for one in value]
    if isinstance(value, dict):
        return {visible(key): visible(one) for key, one in value.items()}
    return value


def _written(char: str) -> str:
    if unicodedata.category(char) not in _UNREADABLE:
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
