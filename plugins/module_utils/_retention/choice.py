# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tier each entry of a rule belongs to now. Pure: facts in, decisions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from .._core.units import format_duration, format_size
from .entries import Entry
from .rules import COLD, DIRECTORY, HOT, REMOVE, Rule, Tier
from .space import Names, Total


class Disk:
    """Use of a file system, and the bytes on it that the decisions so far will free."""

    def __init__(self, used: int, size: int) -> None:
        self.used = used
        self.size = size
        self._names = Names()

    @property
    def percent(self) -> float:
        return 100 * self.used / self.size if self.size else 0.0

    def free(self, entry: Entry) -> None:
        """Count an entry as removed."""
        self.used -= entry.own + self._names.remove(one.info for one in entry.files())


class _Group:
    """The entries that share limits: the number of newest ones to keep, and their total size."""

    def __init__(self, where: str, oldest_first: Sequence[Entry], keep_last: int) -> None:
        self.where = where
        self.newest = {one.path for one in oldest_first[-keep_last:]} if keep_last else set()
        self._own = sum(one.own for one in oldest_first)
        self._files = Total(file.info for one in oldest_first for file in one.files())

    @property
    def total(self) -> int:
        """Bytes that they take on disk."""
        return self._own + self._files.bytes

    def free(self, entry: Entry) -> None:
        """Count an entry as removed."""
        self._own -= entry.own
        self._files.remove(one.info for one in entry.files())


class Decision(NamedTuple):
    """The tier of an entry, and the reason for people. Without a tier it is hot."""

    entry: Entry
    tier: Optional[Tier]
    why: str

    @property
    def name(self) -> str:
        return self.tier.tier if self.tier else HOT


def decide(rule: Rule, entries: Sequence[Entry], now: float, disks: Mapping[int, Disk]) -> list[Decision]:
    """The decision for each entry, oldest first. Updates `disks` (by device number) with the bytes that will be freed.

    The bytes that a compression will free are unknown beforehand and count as nothing.
    """
    oldest_first = sorted(entries, key=lambda one: (one.mtime, one.path))
    groups = _groups(rule, oldest_first)
    decisions = []
    for entry in oldest_first:
        group = groups[_group_of(rule, entry)]
        if entry.path in group.newest:
            decisions.append(Decision(entry, None, f"one of the newest {rule.keep_last}"))
            continue
        disk = disks[entry.device]
        decision = _decide(rule, entry, now, disk, group)
        if decision.name in (COLD, REMOVE):
            disk.free(entry)
            group.free(entry)
        decisions.append(decision)
    return decisions


def _groups(rule: Rule, oldest_first: Sequence[Entry]) -> dict[str, _Group]:
    members: dict[str, list[Entry]] = {}
    for entry in oldest_first:
        members.setdefault(_group_of(rule, entry), []).append(entry)
    return {where: _Group(where, some, rule.keep_last) for where, some in members.items()}


def _group_of(rule: Rule, entry: Entry) -> str:
    return entry.directory if rule.group_by == DIRECTORY else ""


def _decide(rule: Rule, entry: Entry, now: float, disk: Disk, group: _Group) -> Decision:
    for tier in reversed(rule.tiers):
        reasons = _reasons(tier, entry, now, disk, group)
        if reasons is not None:
            return Decision(entry, None if tier.tier == HOT else tier, ", ".join(reasons) or "no condition")
    return Decision(entry, None, "no tier matches")


def _reasons(tier: Tier, entry: Entry, now: float, disk: Disk, group: _Group) -> Optional[list[str]]:
    """Why the conditions of the tier hold; None if one does not."""
    reasons = []
    if tier.older_than is not None:
        age = now - entry.mtime
        if age <= tier.older_than:
            return None
        reasons.append(f"{format_duration(age)} old, over {format_duration(tier.older_than)}")
    if tier.larger_than is not None:
        if entry.blocks <= tier.larger_than:
            return None
        reasons.append(f"{format_size(entry.blocks)}, over {format_size(tier.larger_than)}")
    if tier.when_disk_above is not None:
        if disk.percent <= tier.when_disk_above:
            return None
        reasons.append(f"the disk is {disk.percent:.1f}% full, over {tier.when_disk_above:g}%")
    if tier.when_total_above is not None:
        if group.total <= tier.when_total_above:
            return None
        where = f"in {group.where}" if group.where else "in all"
        reasons.append(f"{format_size(group.total)} {where}, over {format_size(tier.when_total_above)}")
    return reasons
