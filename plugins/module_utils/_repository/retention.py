# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups a policy keeps, and why. The words mean what they mean to restic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, NamedTuple, Optional

from .._core.errors import InvalidRequest
from .._core.units import format_duration, parse_duration

ALL = -1


class Keep(NamedTuple):
    """A policy: a backup is kept when any of these keeps it.

    `last` keeps so many of the newest. The others keep the newest backup of each hour, day, ISO week, month or year
    (UTC), for so many of those that have backups at all. -1 is "all of them". `within` keeps what is younger than
    so many seconds, counted back from the newest backup.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: Optional[float] = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Keep:
        """A policy from the suboptions of `keep`; None means not given.

        :raises InvalidRequest: an unknown word, not a count, not a duration, or nothing would be kept.
        """
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        for name, value in given.items():
            if name not in cls._fields:
                raise InvalidRequest("keep: %s is unknown." % name, "Choose from %s." % ", ".join(cls._fields))
            if name == "within":
                given[name] = parse_duration(value)
            elif isinstance(value, bool) or not isinstance(value, int) or value < ALL:
                raise InvalidRequest("keep: %s is %r." % (name, value), "It is a count, for example 7, or -1 for all.")
        if not any(given.values()):
            raise InvalidRequest("keep: this policy keeps nothing.", "Set at least one of %s." % ", ".join(cls._fields))
        return cls(**given)


class Decision(NamedTuple):
    """Why a backup is kept ("newest", "last", "daily", "oldest yearly", "within 30d"); no reason: it may go."""

    id: str
    reasons: tuple[str, ...]


_PERIODS: tuple[tuple[str, Callable[[datetime], tuple[int, ...]]], ...] = (
    ("hourly", lambda when: (when.year, when.month, when.day, when.hour)),
    ("daily", lambda when: (when.year, when.month, when.day)),
    ("weekly", lambda when: tuple(when.isocalendar())[:2]),
    ("monthly", lambda when: (when.year, when.month)),
    ("yearly", lambda when: (when.year,)),
)


def decide(created: Sequence[tuple[str, datetime]], keep: Keep, now: Optional[datetime] = None) -> list[Decision]:
    """Apply a policy to the good backups of a set.

    The newest is always kept. While a period has counts left, the oldest backup is kept too ("oldest yearly"), so
    that the history is as long as it can be. A backup that a wrong clock dated into the future does not move the
    moment from which `within` counts.

    :param created: id and (aware) time of each backup, in any order.
    :param now: the present, unless it is the real one.
    :returns: a decision for each, newest first.
    """
    newest_first = sorted(
        ((when.astimezone(timezone.utc), backup) for backup, when in created), key=lambda pair: pair, reverse=True
    )
    reasons: dict[str, list[str]] = {backup: [] for _when, backup in newest_first}
    for _when, backup in newest_first[:1]:
        reasons[backup].append("newest")
    for _when, backup in newest_first[: None if keep.last == ALL else keep.last]:
        reasons[backup].append("last")
    for name, period in _PERIODS:
        _keep_periods(newest_first, name, period, getattr(keep, name), reasons)
    if keep.within:
        present = now or datetime.now(timezone.utc)
        latest = next((when for when, _backup in newest_first if when < present), None)
        for when, backup in newest_first:
            if latest is None or latest - when < timedelta(seconds=keep.within):
                reasons[backup].append("within " + format_duration(keep.within))
    return [Decision(backup, tuple(reasons[backup])) for _when, backup in newest_first]


def _keep_periods(
    newest_first: Sequence[tuple[datetime, str]],
    name: str,
    period: Callable[[datetime], tuple[int, ...]],
    count: int,
    reasons: dict[str, list[str]],
) -> None:
    previous: Optional[tuple[int, ...]] = None
    for position, (when, backup) in enumerate(newest_first, start=1):
        if count == 0:
            return
        current = period(when)
        if current != previous:
            reasons[backup].append(name)
        elif position == len(newest_first):
            reasons[backup].append("oldest " + name)
        else:
            continue
        previous = current
        if count != ALL:
            count -= 1
