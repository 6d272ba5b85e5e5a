# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts groups of records with the same values, in bounded memory."""

from __future__ import annotations

import bisect
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.conditions import Where, column_of, member_of
from ..._core.plain_json import encode, plain
from ..._core.records import canonical
from ..._core.units import plural
from ..._logs.tally import MOST_NAMES, OTHER
from .report_request import CountRequest, Threshold

_LONGEST = 200  # characters of a value in a result
_REMEMBERED = 10 * MOST_NAMES  # kinds of records

Records = Sequence[Mapping[str, Any]]


class _Judged(NamedTuple):
    """The group of a kind of records in each count that selects it. `bad_times`: values that are no times."""

    groups: Sequence[tuple[int, str]]
    bad_times: int


class Counts:
    """The counts of a report.

    :param wheres: the conditions of each.
    """

    def __init__(self, wanted: Sequence[CountRequest], wheres: Sequence[Where]) -> None:
        self._wanted = wanted
        self._wheres = wheres
        self.bad_times = 0
        self._totals = [0] * len(wanted)
        self._groups: list[Counter[str]] = [Counter() for _one in wanted]
        self._bounds = sorted({one.since for one in wanted if one.since is not None})
        self._fields = sorted({field for one in wanted for field in one.by}.union(*(one.fields for one in wheres)))
        self._judged: dict[Any, _Judged] = {}

    def add(self, records: Records, seconds: Sequence[Optional[float]]) -> None:
        """Count records.

        :param seconds: their times.
        """
        if not self._wanted:
            return
        # Most records have the values of another one in these fields. Each kind is judged once.
        columns: list[Sequence[Any]] = [column_of(records, name) for name in self._fields]
        ranks = [-1 if one is None else bisect.bisect_right(self._bounds, one) for one in seconds]
        kinds = [tuple(map(type, column)) for column in columns]  # as 1, 1.0 and True are equal
        try:
            keys = list(zip(ranks, *columns, *kinds))
            found = Counter(keys)
        except TypeError:
            keys = list(zip(ranks, *([_hashable(one) for one in column] for column in columns), *kinds))
            found = Counter(keys)
        unknown = [key for key in found if key not in self._judged]
        if unknown:
            if len(self._judged) > _REMEMBERED:
                self._judged.clear()
                unknown = list(found)
            samples = dict(zip(keys, records))
            for key in unknown:
                self._judged[key] = self._judge(samples[key], key[0])
        for key, count in found.items():
            judged = self._judged[key]
            self.bad_times += judged.bad_times * count
            for number, group in judged.groups:
                self._count(number, group, count)

    def _judge(self, record: Mapping[str, Any], rank: int) -> _Judged:
        groups, bad = [], 0
        for number, (wanted, where) in enumerate(zip(self._wanted, self._wheres)):
            if wanted.since is not None and rank <= self._bounds.index(wanted.since):
                continue
            before = where.without_time
            if where.holds(record):
                groups.append((number, encode([_shown(member_of(record, name)) for name in wanted.by])))
            bad += where.without_time - before
        return _Judged(groups, bad)

    def _count(self, number: int, group: str, count: int) -> None:
        self._totals[number] += count
        if self._wanted[number].by:
            groups = self._groups[number]
            groups[OTHER if len(groups) >= MOST_NAMES and group not in groups else group] += count

    def results(self) -> Iterator[dict[str, Any]]:
        """Each count, with its groups, the most frequent first."""
        for wanted, total, groups in zip(self._wanted, self._totals, self._groups):
            ordered = sorted(groups.items(), key=lambda one: (one[0] == OTHER, -one[1], one[0]))
            yield {
                "name": wanted.name,
                "by": list(wanted.by),
                "count": total,
                "groups": [{"group": _named(wanted.by, group), "count": count} for group, count in ordered],
            }


def _named(by: Sequence[str], group: str) -> dict[str, Any]:
    return dict.fromkeys(by, OTHER) if group == OTHER else dict(zip(by, json.loads(group)))


def _hashable(value: Any) -> Any:
    return canonical(value) if isinstance(value, (dict, list)) else value


def _shown(value: Any) -> Any:
    """The value as results have it: not longer than a line."""
    value = plain(value)
    if isinstance(value, (dict, list)):
        value = encode(value)
    return value[:_LONGEST] if isinstance(value, str) else value


def exceeded(limits: Sequence[Threshold], result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The thresholds that the counts of a result reach."""
    counts = {one["name"]: one for one in result["counts"]}
    found = []
    for limit in limits:
        known = {"count": limit.name, "at_least": limit.at_least}
        if limit.per_group:
            found += [
                {**known, "found": one["count"], "group": one["group"]}
                for one in counts[limit.name]["groups"]
                if one["count"] >= limit.at_least and OTHER not in one["group"].values()
            ]
        else:
            number = counts[limit.name]["count"] if limit.name in counts else result[limit.name]
            if number >= limit.at_least:
                found.append({**known, "found": number, "group": {}})
    return found


def unseen(limits: Sequence[Threshold], result: Mapping[str, Any]) -> list[str]:
    """Sentences on groups that may reach a threshold, and were not counted separately."""
    names = {one.name for one in limits if one.per_group}
    return [
        f"{one['name']} has more than {plural(MOST_NAMES, 'group')}: the others are not compared with fail_when."
        for one in result["counts"]
        if one["name"] in names and any(OTHER in group["group"].values() for group in one["groups"])
    ]


def words_of(one: Mapping[str, Any]) -> str:
    """A threshold that was reached, in words."""
    group = ", ".join(f"{name}={value}" for name, value in one["group"].items())
    whose = f" ({group})" if group else ""
    return f"{one['count']}{whose} is {one['found']}, and fails the task from {one['at_least']} on"
