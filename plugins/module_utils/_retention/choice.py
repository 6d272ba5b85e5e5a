# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tier each entry of a rule belongs to now. Pure: facts in, decisions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from .._core.units import format_duration, format_size
from .entries import Entry
from .rules import COLD, HOT, REMOVE, Rule, Tier


class Disk:
    """How full a file system is, and what the decisions so far will free of it. Sizes in bytes."""

    def __init__(self, used: int, size: int) -> None:
        self.used = used
        self.size = size

    @property
    def percent(self) -> float:
        return 100 * self.used / self.size if self.size else 0.0


class Decision(NamedTuple):
    """What becomes of an entry, and why, for people. Without a tier it is hot."""

    entry: Entry
    tier: Optional[Tier]
    why: str

    @property
    def name(self) -> str:
        return self.tier.tier if self.tier else HOT


def decide(rule: Rule, entries: Sequence[Entry], now: float, disks: Mapping[int, Disk]) -> list[Decision]:
    """Decide for each entry, oldest first; `disks` (by device number) are told what will be freed.

    What a compression will free is not known before it is done and counts as nothing.
    """
    oldest_first = sorted(entries, key=lambda one: (one.mtime, one.path))
    newest = {one.path for one in oldest_first[-rule.keep_last :]} if rule.keep_last else set()
    total = sum(one.blocks for one in entries)
    decisions = []
    for entry in oldest_first:
        if entry.path in newest:
            decisions.append(Decision(entry, None, "one of the newest %d" % rule.keep_last))
            continue
        disk = disks[entry.device]
        decision = _decide(rule, entry, now, disk, total)
        if decision.name in (COLD, REMOVE):
            disk.used -= entry.blocks
            total -= entry.blocks
        decisions.append(decision)
    return decisions


def _decide(rule: Rule, entry: Entry, now: float, disk: Disk, total: int) -> Decision:
    for tier in reversed(rule.tiers):
        reasons = _reasons(tier, entry, now, disk, total)
        if reasons is not None:
            return Decision(entry, None if tier.tier == HOT else tier, ", ".join(reasons) or "no condition")
    return Decision(entry, None, "no tier's conditions hold")


def _reasons(tier: Tier, entry: Entry, now: float, disk: Disk, total: int) -> Optional[list[str]]:
    """Why the tier's conditions hold; None when one does not."""
    reasons = []
    if tier.older_than is not None:
        age = now - entry.mtime
        if age <= tier.older_than:
            return None
        reasons.append(f"{format_duration(age)} old, over {format_duration(tier.older_than)}")
    if tier.larger_than is not None:
        if entry.bytes <= tier.larger_than:
            return None
        reasons.append(f"{format_size(entry.bytes)}, over {format_size(tier.larger_than)}")
    if tier.when_disk_above is not None:
        if disk.percent <= tier.when_disk_above:
            return None
        reasons.append("the disk is %.1f%% full, over %g%%" % (disk.percent, tier.when_disk_above))
    if tier.when_total_above is not None:
        if total <= tier.when_total_above:
            return None
        reasons.append(f"{format_size(total)} in all, over {format_size(tier.when_total_above)}")
    return reasons
