# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups a policy keeps, and why. The terms have the same meaning as in restic."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from .._core.errors import InvalidRequest
from .._core.periods import PERIODS, Period
from .._core.spans import Span, parse_span

ALL = -1
TAG = re.compile(r"[^\s,\x00-\x20\x7f]{1,128}")


class Keep(NamedTuple):
    """A retention policy: a backup is kept if any rule matches.

    `last` keeps that many of the newest backups. `hourly` to `yearly` keep the newest backup of each hour, day, ISO
    week, month or year (UTC), for that many periods that have backups. -1 means all. `within` keeps backups that are
    younger than a span, counted back from the newest backup, and `within_hourly` to `within_yearly` the newest of each
    period in that span. `tags` keeps backups that have all tags of one of its entries.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: Optional[Span] = None
    within_hourly: Optional[Span] = None
    within_daily: Optional[Span] = None
    within_weekly: Optional[Span] = None
    within_monthly: Optional[Span] = None
    within_yearly: Optional[Span] = None
    tags: tuple[frozenset[str], ...] = ()

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Keep:
        """A policy from the suboptions of `keep`; None means not set.

        Raises InvalidRequest when an option is unknown, a count or span is invalid, or nothing would be kept.
        """
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        for name, value in given.items():
            if name not in cls._fields:
                raise InvalidRequest(f"keep: {name} is unknown.", f"Choose from {', '.join(cls._fields)}.")
            if name == "tags":
                given[name] = tuple(frozenset(check_tags(one.split(","))) for one in value)
            elif name.startswith("within"):
                given[name] = _span(name, value)
            elif isinstance(value, bool) or not isinstance(value, int) or value < ALL:
                raise InvalidRequest(
                    f"keep: {name} is {value!r}.", "Set it to a count, for example 7, or to -1 for all."
                )
        if not any(given.values()):
            raise InvalidRequest("keep: this policy keeps nothing.", f"Set at least one of {', '.join(cls._fields)}.")
        return cls(**given)


def _span(name: str, value: Any) -> Optional[Span]:
    try:
        span = parse_span(value)
    except InvalidRequest as exc:
        raise InvalidRequest(f"keep: {name}: {exc.message}", exc.hint) from exc
    return span if span.months or span.seconds else None


class Decision(NamedTuple):
    """The reasons for which a backup is kept ("newest", "last", "daily", "oldest yearly", "within 30d", "daily within
    1y"). Without a reason it can be removed.
    """

    id: str
    reasons: tuple[str, ...]


def check_tags(tags: Sequence[str]) -> list[str]:
    """Sorted tags without duplicates. Raises InvalidRequest when a tag could not be given in an option again."""
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise InvalidRequest(
                f"{tag!r} is not a valid tag.", "Use up to 128 printable characters without spaces and commas."
            )
    return sorted(set(tags))


def decide(
    created: Sequence[tuple[str, datetime]],
    keep: Keep,
    now: Optional[datetime] = None,
    tags: Optional[Mapping[str, Collection[str]]] = None,
) -> list[Decision]:
    """Apply a policy to the good backups of a set.

    The newest is always kept. While a rule has periods left, the oldest backup is kept too ("oldest yearly"), so that
    the history is as long as possible. A backup that is dated in the future does not move the time from which `within`
    counts. Returns a decision for each backup, newest first.

    :param created: id and (aware) time of each backup, in any order.
    :param now: the current time, if not that of the clock.
    :param tags: of backups that have any.
    """
    newest_first = sorted(
        ((when.astimezone(timezone.utc), backup) for backup, when in created), key=lambda pair: pair, reverse=True
    )
    reasons: dict[str, list[str]] = {backup: [] for _when, backup in newest_first}
    for _when, backup in newest_first[:1]:
        reasons[backup].append("newest")
    for _when, backup in newest_first[: None if keep.last == ALL else keep.last]:
        reasons[backup].append("last")
    for wanted in keep.tags:
        for _when, backup in newest_first:
            if wanted <= set((tags or {}).get(backup, ())):
                reasons[backup].append(f"tag {','.join(sorted(wanted))}")
    for name, period in PERIODS.items():
        _keep_periods(newest_first, (name, period), getattr(keep, name), reasons)
    present = now or datetime.now(timezone.utc)
    latest = next((when for when, _backup in newest_first if when < present), None)
    if keep.within:
        for _when, backup in _younger(newest_first, latest, keep.within):
            reasons[backup].append(f"within {keep.within}")
    for name, period in PERIODS.items():
        span = getattr(keep, f"within_{name}")
        if span:
            younger = _younger(newest_first, latest, span)
            complete = len(younger) == len(newest_first)
            _keep_periods(younger, (f"{name} within {span}", period), ALL, reasons, complete)
    return [Decision(backup, tuple(reasons[backup])) for _when, backup in newest_first]


def _younger(
    newest_first: Sequence[tuple[datetime, str]], latest: Optional[datetime], span: Span
) -> Sequence[tuple[datetime, str]]:
    """The times within a span before the latest; all of them if no date can be trusted."""
    if latest is None:
        return newest_first
    since = span.before(latest)
    return [(when, backup) for when, backup in newest_first if when > since]


def _keep_periods(
    newest_first: Sequence[tuple[datetime, str]],
    rule: tuple[str, Period],
    count: int,
    reasons: dict[str, list[str]],
    complete: bool = True,
) -> None:
    """Keep the newest of each period, and the oldest of all if these are all (`complete`)."""
    name, period = rule
    previous: Optional[tuple[int, ...]] = None
    for position, (when, backup) in enumerate(newest_first, start=1):
        if count == 0:
            return
        current = period(when)
        if current != previous:
            reasons[backup].append(name)
        elif complete and position == len(newest_first):
            reasons[backup].append("oldest " + name)
        else:
            continue
        previous = current
        if count != ALL:
            count -= 1
