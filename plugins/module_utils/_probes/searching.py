# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies regular expressions to external text: in another process if they may take forever (apart.py)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .._core.patterns import may_take_long
from .base import UNKNOWN, Deadline, ProbeFailed, TimeUp


def needs_workers(patterns: Sequence[re.Pattern[str]]) -> bool:
    """Whether `search` would use another process for one of these."""
    return any(map(may_take_long, patterns))


def search(pattern: re.Pattern[str], text: str, deadline: Deadline) -> bool:
    """Whether the pattern matches an external text. Raises ProbeFailed when that takes longer than the check may.

    The time of a pattern without repetitions is linear, and it is searched for in this process.
    """
    return search_all(pattern, [text], deadline)[0]


def search_all(pattern: re.Pattern[str], texts: Sequence[str], deadline: Deadline) -> list[bool]:
    """The same for several texts."""
    if deadline.apart is None or not may_take_long(pattern):
        return [pattern.search(text) is not None for text in texts]
    try:
        found: list[bool] = deadline.apart.search(pattern, texts, deadline)
    except TimeUp:
        problem = f"the search for {pattern.pattern} does not end in time: write it without nested repetitions"
        raise ProbeFailed(problem, UNKNOWN) from None
    return found
