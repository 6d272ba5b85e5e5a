# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Periods of the calendar: which hour, day, ISO week, month or year a time belongs to, in the time zone that it has."""

from __future__ import annotations

from datetime import datetime
from typing import Callable

Period = Callable[[datetime], tuple[int, ...]]
# Times of one period have equal tuples, those of a later one have a larger tuple.
PERIODS: dict[str, Period] = {
    "hourly": lambda when: (when.year, when.month, when.day, when.hour),
    "daily": lambda when: (when.year, when.month, when.day),
    "weekly": lambda when: tuple(when.isocalendar())[:2],
    "monthly": lambda when: (when.year, when.month),
    "yearly": lambda when: (when.year,),
}
