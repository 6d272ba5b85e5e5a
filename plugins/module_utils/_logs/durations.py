# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations that logs write as words."""

from __future__ import annotations

import re
from typing import Optional

from .._core.errors import InvalidRequest
from .._core.units import parse_duration

# Go writes both the micro sign and the Greek letter.
_SMALL = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(us|µs|μs|ns)")
_SCALES = {"us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
# TimeSpan of .NET, timedelta of Python: 1.02:03:04.5, 2:03:04.5
_CLOCK = re.compile(r"(?:([0-9]+)\.)?([0-9]+):([0-5][0-9]):([0-5][0-9](?:\.[0-9]+)?)")
# ISO 8601, as java.time.Duration writes it: PT1H2M3.5S
_ISO = re.compile(r"PT(?=.)(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:\.[0-9]+)?)S)?")


def written_duration(text: str) -> Optional[float]:
    """Seconds of "12ms", "1m2.5s", "340µs", "PT0.5S", "00:00:00.25"; None if it is not a duration."""
    text = text.strip()
    small = _SMALL.fullmatch(text)
    if small:
        return float(small[1]) * _SCALES[small[2]]
    long = _CLOCK.fullmatch(text) or _ISO.fullmatch(text)
    if long:
        numbers = [float(one or 0) for one in long.groups()]
        days, hours, minutes, seconds = numbers if len(numbers) == 4 else [0.0, *numbers]
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    try:
        return parse_duration(text)
    except InvalidRequest:
        return None
