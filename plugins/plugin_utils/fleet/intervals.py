# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a scheduled job runs, and how its runs of 90 days are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from ...module_utils._core.errors import InvalidRequest
from ...module_utils._core.units import parse_duration
from .words import DAY, iso, seconds

_NAMED = {"minutely": 60.0, "hourly": 3600.0, "daily": DAY, "weekly": 7 * DAY, "monthly": 31 * DAY}
_STEPS = re.compile(r"(?:\*-\*-\* )?\*:(?:\d+)/(\d+)(?::00)?")  # *:0/15
_HOURLY = re.compile(r"(?:\*-\*-\* )?\*:\d\d(?::\d\d)?")  # *:30
_HOUR_STEPS = re.compile(r"(?:\*-\*-\* )?(?:\d+)/(\d+):\d\d(?::\d\d)?")  # 0/4:00
_LAST = re.compile(r"\d{4}-\d\d-\d\d")
_LETTER = re.compile(r"([ouf-])(\d{0,3})")
_LETTERS = re.compile(r"([ouf-]\d{0,3})+")
_DAILY = re.compile(r"(?:\*-\*-\* )?\d\d:\d\d(?::\d\d)?")  # 02:30


def interval_of(schedule: Mapping[str, Any]) -> Optional[float]:
    """The seconds between two runs of a job of the role `schedule`; None if its calendar is an unusual one."""
    if schedule.get("every"):
        try:
            return parse_duration(schedule["every"]) or None
        except InvalidRequest:  # the role schedule refuses it
            return None
    calendar = schedule.get("on_calendar")
    if isinstance(calendar, list):
        calendar = calendar[0] if len(calendar) == 1 else None
    if not isinstance(calendar, str):
        return None
    text = calendar.strip()
    if text in _NAMED:
        return _NAMED[text]
    for pattern, unit in ((_STEPS, 60.0), (_HOUR_STEPS, 3600.0)):
        found = pattern.fullmatch(text)
        if found and int(found[1]):
            return int(found[1]) * unit
    if _HOURLY.fullmatch(text):
        return 3600.0
    return DAY if _DAILY.fullmatch(text) else None


def days_of(text: str, now: float) -> dict[str, str]:
    """The worst run of each day, from what job_info returns: a day, then letters up to that day, each with a number of
    days ("2026-11-29 o3fu20"). Days without a run and days in the future are left out. {}: the text is something else.
    """
    last, _space, letters = text.partition(" ")
    if not _LAST.fullmatch(last) or not _LETTERS.fullmatch(letters):
        return {}
    line = "".join(letter * int(number or 1) for letter, number in _LETTER.findall(letters))[-90:]
    end = seconds(f"{last}T00:00:00Z")
    days = {iso(end - age * DAY)[:10]: letter for age, letter in enumerate(reversed(line)) if letter != "-"}
    return {day: letter for day, letter in days.items() if seconds(f"{day}T00:00:00Z") <= now}
