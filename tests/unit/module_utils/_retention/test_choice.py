# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds for whatever rules and entries: the newest stay, a second decision agrees, conditions are those asked for."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._retention.choice import Disk, decide
from ansible_collections.day2.ops.plugins.module_utils._retention.entries import Entry
from ansible_collections.day2.ops.plugins.module_utils._retention.rules import Rule, Tier, check_order

NOW = 1_000_000_000.0
INFO = os.stat_result((0o100644, 1, 1, 1, 0, 0, 0, 0, 0, 0))


def entry(number: int, age: float, size: int) -> Entry:
    return Entry("r", f"/d/{number}", str(number), INFO, (), size, size, NOW - age)


entries = st.lists(st.tuples(st.floats(-1000, 10_000), st.integers(0, 10_000)), max_size=30).map(
    lambda facts: [entry(number, age, size) for number, (age, size) in enumerate(facts)]
)
tiers = st.builds(
    Tier,
    tier=st.sampled_from(["hot", "warm", "cold", "remove"]),
    older_than=st.none() | st.floats(0, 10_000),
    larger_than=st.none() | st.integers(0, 10_000),
    when_disk_above=st.none() | st.floats(0, 100),
    when_total_above=st.none() | st.integers(0, 100_000),
)


def in_order(given_tiers: list[Tier]) -> tuple[Tier, ...]:
    """From young to old."""
    ages = sorted(one.older_than or 0.0 for one in given_tiers)
    return tuple(
        one._replace(older_than=None if one.older_than is None and not age else age)
        for one, age in zip(given_tiers, ages)
    )


def accepted(given_tiers: tuple[Tier, ...]) -> bool:
    try:
        check_order(given_tiers)
    except InvalidRequest:
        return False
    return True


rules = st.builds(
    Rule,
    name=st.just("r"),
    paths=st.just(("/d/*",)),
    directories=st.just(False),
    exclude=st.just(()),
    missing_ok=st.just(False),
    keep_last=st.integers(0, 10),
    tiers=st.lists(tiers, min_size=1, max_size=4).map(in_order).filter(accepted),
)


def disks(percent: int) -> dict[int, Disk]:
    return {INFO.st_dev: Disk(percent * 1000, 100_000)}


@given(rules, entries, st.integers(0, 100))
def test_every_entry_is_decided_once_and_the_newest_stay(rule: Rule, given_entries: Any, percent: int) -> None:
    decisions = decide(rule, given_entries, NOW, disks(percent))
    assert sorted(one.entry.path for one in decisions) == sorted(one.path for one in given_entries)
    newest = sorted(given_entries, key=lambda one: (one.mtime, one.path))[::-1][: rule.keep_last]
    touched = {one.entry.path for one in decisions if one.tier is not None}
    assert not touched & {one.path for one in newest}


@given(rules, entries, st.integers(0, 100))
def test_conditions_hold_for_what_is_touched(rule: Rule, given_entries: Any, percent: int) -> None:
    for one in decide(rule, given_entries, NOW, disks(percent)):
        if one.tier is None:
            continue
        assert one.tier in rule.tiers
        assert one.tier.older_than is None or NOW - one.entry.mtime > one.tier.older_than
        assert one.tier.larger_than is None or one.entry.bytes > one.tier.larger_than


@given(entries, st.integers(0, 100), st.integers(0, 100))
def test_a_disk_is_emptied_no_further_than_asked(given_entries: Any, percent: int, limit: int) -> None:
    rule = Rule("r", ("/d/*",), False, (), False, 0, (Tier("remove", when_disk_above=float(limit)),))
    disk = disks(percent)
    gone = [one.entry for one in decide(rule, given_entries, NOW, disk) if one.tier is not None]
    used = percent * 1000 - sum(one.blocks for one in gone)
    assert used <= limit * 1000 or len(gone) == len(given_entries)
    # the last one that goes was still needed
    assert not gone or used + gone[-1].blocks > limit * 1000
    oldest_first = sorted(given_entries, key=lambda one: (one.mtime, one.path))
    assert gone == oldest_first[: len(gone)]


@given(rules, entries, st.integers(0, 100))
def test_what_stays_would_stay_again(rule: Rule, given_entries: Any, percent: int) -> None:
    before = disks(percent)
    stays = [one.entry for one in decide(rule, given_entries, NOW, before) if one.name not in ("cold", "remove")]
    again = decide(rule, stays, NOW, before)
    assert not [one for one in again if one.name in ("cold", "remove")]


def test_a_mild_tier_for_a_full_disk_after_a_harsh_one_is_refused() -> None:
    for mild in ("hot", "warm", "cold"):
        assert not accepted((Tier("remove"), Tier(mild, when_total_above=0)))
    assert accepted((Tier("warm"), Tier("remove", when_disk_above=80.0)))
