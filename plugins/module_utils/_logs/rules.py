# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a log is due, and which of its rotated files are kept. Everything is derived from the files: there is no
state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from .._core.errors import TargetError
from .._core.periods import PERIODS
from .._core.units import format_duration, format_size

# Files may be this much in the future before the clock is assumed to be wrong.
_TOLERANCE = 60.0


class Rules(NamedTuple):
    """When to rotate: if any of the first three applies, but nothing smaller than `min_size`, and nothing that was
    rotated less than `min_age` seconds ago. `force` overrides all of them, except that an empty log requires
    `if_empty`.
    """

    size: Optional[int] = None
    rotate_after: Optional[float] = None
    frequency: Optional[str] = None
    min_size: int = 0
    if_empty: bool = False
    min_age: float = 0.0
    force: bool = False


class Due(NamedTuple):
    """Whether the log is due, and the reason."""

    due: bool
    reason: str


def due(rules: Rules, size: int, rotated: Optional[float], now: float) -> Due:
    """Whether the log is due.

    Raises TargetError when the last rotation is in the future, so that its age is unknown.

    :param rotated: when the log was last rotated (seconds since 1970); None if never, which makes it due by every rule
        about time.
    """
    if size == 0 and not rules.if_empty:
        return Due(False, "it is empty")
    if rules.force:
        return Due(True, "force is set")
    if rules.min_age and rotated is not None:
        check_clock(rotated, now)
        if now - rotated < rules.min_age:
            return Due(False, f"its last rotation was less than min_age ({format_duration(rules.min_age)}) ago")
    if size < rules.min_size:
        return Due(False, f"it is smaller than min_size ({format_size(rules.min_size)})")
    if rules.size is not None and size and size >= rules.size:
        return Due(True, f"it has reached {format_size(rules.size)}")
    if rules.rotate_after is None and rules.frequency is None:
        return Due(False, f"it is smaller than {format_size(rules.size or 0)}")
    if rotated is None:
        return Due(True, "it was never rotated")
    check_clock(rotated, now)
    age = max(0.0, now - rotated)
    if rules.rotate_after is not None and age >= rules.rotate_after:
        return Due(True, f"its last rotation was {format_duration(int(age))} ago")
    if rules.frequency is not None:
        period = PERIODS[rules.frequency]
        if period(_utc(rotated)) < period(_utc(now)):
            return Due(True, f"it is rotated {rules.frequency}")
    return Due(False, f"its last rotation was {format_duration(int(age))} ago")


def check_clock(rotated: float, now: float) -> None:
    """Raise TargetError when the last rotation is in the future."""
    if rotated > now + _TOLERANCE:
        raise TargetError(
            f"Its last rotation is {format_duration(rotated - now)} in the future: the clock has been set back, "
            "or was wrong then.",
            "Correct the clock, or move the rotated file of that time elsewhere.",
        )


class Keep(NamedTuple):
    """Which rotated files are kept: those that match any of these; all of them if neither is set."""

    last: Optional[int] = None
    within: Optional[float] = None

    @property
    def limits(self) -> bool:
        """Whether any file is ever removed."""
        return self.last is not None or self.within is not None

    def removes(self, index: int, age: float) -> bool:
        """Whether the rotated file at this index (0 is the newest) and of this age in seconds is removed."""
        if not self.limits:
            return False
        return not ((self.last is not None and index < self.last) or (self.within is not None and age < self.within))


def over_total(sizes: Sequence[tuple[float, int, Any]], others: int, limit: int) -> list[Any]:
    """The files to remove, oldest first, until the total is within the limit.

    :param sizes: (when, bytes, the value to return) of every rotated file.
    :param others: bytes of files that can't be removed.
    """
    total = others + sum(size for _when, size, _what in sizes)
    gone = []
    for _when, size, what in sorted(sizes, key=lambda one: one[0]):
        if total <= limit:
            break
        total -= size
        gone.append(what)
    return gone


def _utc(when: float) -> datetime:
    return datetime.fromtimestamp(when, timezone.utc)
