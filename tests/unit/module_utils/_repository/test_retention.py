# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.spans import Span, parse_span
from ansible_collections.day2.ops.plugins.module_utils._repository.retention import Decision, Keep, decide

UTC = timezone.utc
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86400


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def reasons(times, **keep):
    """Times are ids too."""
    decisions = decide([(text, at(text)) for text in times], Keep(**keep), NOW)
    assert decisions[0].reasons[0] == "newest"
    return {backup: [reason for reason in why if reason != "newest"] for backup, why in decisions}


def test_nothing_to_decide():
    assert decide([], Keep(last=1)) == []


def test_last_and_the_order():
    found = decide([("a", at("2025-01-01")), ("c", at("2025-01-03")), ("b", at("2025-01-02"))], Keep(last=2), NOW)
    assert found == [Decision("c", ("newest", "last")), Decision("b", ("last",)), Decision("a", ())]


def test_the_newest_is_kept_by_any_policy():
    found = decide([("a", at("2025-01-01")), ("b", at("2025-01-02"))], Keep(), NOW)
    assert found == [Decision("b", ("newest",)), Decision("a", ())]


def test_equal_times_are_ordered_by_id():
    when = at("2025-01-01")
    assert [found.id for found in decide([("a", when), ("c", when), ("b", when)], Keep(last=1), NOW)] == ["c", "b", "a"]


def test_a_period_keeps_its_newest_and_counts_only_periods_with_backups():
    times = ["2025-03-10T23:00", "2025-03-10T01:00", "2025-03-07T12:00", "2025-01-01T12:00", "2024-06-01T12:00"]
    assert reasons(times, daily=3) == {
        "2025-03-10T23:00": ["daily"],
        "2025-03-10T01:00": [],
        "2025-03-07T12:00": ["daily"],
        "2025-01-01T12:00": ["daily"],
        "2024-06-01T12:00": [],
    }


def test_the_oldest_is_kept_while_counts_are_left():
    times = ["2025-03-10T23:00", "2025-03-10T12:00", "2025-02-01T01:00", "2025-01-20T12:00", "2025-01-10T12:00"]
    assert reasons(times, yearly=2, monthly=3) == {
        "2025-03-10T23:00": ["monthly", "yearly"],
        "2025-03-10T12:00": [],
        "2025-02-01T01:00": ["monthly"],
        "2025-01-20T12:00": ["monthly"],
        "2025-01-10T12:00": ["oldest yearly"],
    }


def test_all_of_a_period():
    times = ["2025-03-10T12:30", "2025-03-10T12:00", "2025-03-10T11:59", "2025-03-10T11:30"]
    assert reasons(times, hourly=-1) == {
        "2025-03-10T12:30": ["hourly"],
        "2025-03-10T12:00": [],
        "2025-03-10T11:59": ["hourly"],
        "2025-03-10T11:30": ["oldest hourly"],
    }
    assert all(why == ["last"] for why in reasons(times, last=-1).values())


def test_weeks_are_iso_weeks():
    # Monday 30 December 2024 begins week 1 of 2025, which ends on Sunday 5 January
    times = ["2025-01-06T00:00", "2025-01-05T23:59", "2024-12-30T00:00", "2024-12-29T23:59", "2024-12-01T00:00"]
    assert reasons(times, weekly=3) == {
        "2025-01-06T00:00": ["weekly"],
        "2025-01-05T23:59": ["weekly"],
        "2024-12-30T00:00": [],
        "2024-12-29T23:59": ["weekly"],
        "2024-12-01T00:00": [],
    }


def test_periods_are_of_utc():
    east = timezone(timedelta(hours=5))
    found = decide(
        [
            ("b", datetime(2025, 1, 2, 4, 0, tzinfo=east)),  # 23:00 of the 1st
            ("a", datetime(2025, 1, 1, 23, 0, tzinfo=east)),
            ("0", at("2024-12-01")),
        ],
        Keep(daily=2),
        NOW,
    )
    assert [(backup, bool(why)) for backup, why in found] == [("b", True), ("a", False), ("0", True)]


def test_within_counts_back_from_the_newest_backup():
    times = ["2020-01-31T12:00", "2020-01-02T12:00", "2020-01-01T12:00:01", "2020-01-01T12:00", "2019-12-31T12:00"]
    assert reasons(times, within=parse_span("30d")) == {
        "2020-01-31T12:00": ["within 30d"],
        "2020-01-02T12:00": ["within 30d"],
        "2020-01-01T12:00:01": ["within 30d"],
        "2020-01-01T12:00": [],  # as long ago as that is not within
        "2019-12-31T12:00": [],
    }


def test_a_backup_from_the_future_does_not_move_within():
    times = ["2030-01-01T00:00", "2025-06-02T00:00", "2025-06-01T00:00", "2025-01-01T00:00"]
    assert reasons(times, within=parse_span("2d")) == {
        "2030-01-01T00:00": ["within 2d"],
        "2025-06-02T00:00": ["within 2d"],
        "2025-06-01T00:00": ["within 2d"],
        "2025-01-01T00:00": [],
    }
    assert reasons(["2031-01-01T00:00", "2030-01-01T00:00"], within=parse_span("1s")) == {  # unknown: keep
        "2031-01-01T00:00": ["within 1s"],
        "2030-01-01T00:00": ["within 1s"],
    }


# The reasons are those of `restic forget --dry-run --json` 0.14 for snapshots of these times, and that of the oldest, a
# rule that restic got later.
SNAPSHOTS = [
    "2024-01-01T23:08:40",
    "2024-01-01T20:51:13",
    "2024-01-01T20:40:02",
    "2024-01-01T19:40:53",
    "2023-12-31T09:02:07",
    "2023-12-31T02:36:31",
    "2023-12-30T23:59:59",
    "2023-12-24T08:00:00",
    "2023-12-17T08:00:00",
    "2023-11-30T08:00:00",
    "2023-06-01T08:00:00",
    "2022-07-01T08:00:00",
    "2022-02-20T11:57:34",
]


def test_many_rules_at_once():
    found = reasons(SNAPSHOTS, last=2, hourly=3, daily=4, weekly=3, monthly=3, yearly=5, within=parse_span("5h"))
    assert {when: why for when, why in found.items() if why} == {
        "2024-01-01T23:08:40": ["last", "hourly", "daily", "weekly", "monthly", "yearly", "within 5h"],
        "2024-01-01T20:51:13": ["last", "hourly", "within 5h"],
        "2024-01-01T20:40:02": ["within 5h"],
        "2024-01-01T19:40:53": ["hourly", "within 5h"],
        "2023-12-31T09:02:07": ["daily", "weekly", "monthly", "yearly"],
        "2023-12-30T23:59:59": ["daily"],
        "2023-12-24T08:00:00": ["daily", "weekly"],
        "2023-11-30T08:00:00": ["monthly"],
        "2022-07-01T08:00:00": ["yearly"],
        "2022-02-20T11:57:34": ["oldest yearly"],
    }


@pytest.mark.parametrize(
    ("options", "keep"),
    [
        ({"last": 3}, Keep(last=3)),
        ({"last": None, "daily": -1, "yearly": 0, "within": None}, Keep(daily=-1)),
        ({"within": "30d"}, Keep(within=parse_span("30d"))),
        ({"within": "90s", "hourly": 1, "weekly": 2}, Keep(0, 1, 0, 2, within=Span(0, 90, "90s"))),
        ({"within_daily": "1y", "within_hourly": "0d"}, Keep(within_daily=Span(12, 0, "1y"))),
        ({"tags": ["b,a", "c"]}, Keep(tags=(frozenset({"a", "b"}), frozenset({"c"})))),
    ],
)
def test_policies_from_options(options, keep):
    assert Keep.from_options(options) == keep


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({}, "nothing"),
        ({"last": 0, "daily": None}, "nothing"),
        ({"within": "0d"}, "nothing"),
        ({"within": 30}, "30 is not a span"),
        ({"within": "1m"}, "keep: within: In '1m', m could mean months"),
        ({"tags": ["a b"]}, "'a b' is not a valid tag"),
        ({"tags": ["a,"]}, "'' is not a valid tag"),
        ({"last": -2}, "-2"),
        ({"last": True}, "True"),
        ({"daily": "7"}, "'7'"),
        ({"daily": 1.5}, "1.5"),
        ({"within": "soon"}, "soon"),
        ({"fortnightly": 3}, "fortnightly"),
    ],
)
def test_bad_policies(options, word):
    with pytest.raises(InvalidRequest) as caught:
        Keep.from_options(options)
    assert word in str(caught.value)


COUNTS = st.integers(-1, 6)
SPANS = st.none() | st.builds(lambda seconds: Span(0, seconds, f"{seconds}s"), st.integers(1, 800 * DAY))
NO_TAGS = st.just(())
KEEPS = st.builds(Keep, *[COUNTS] * 6, *[SPANS] * 6, NO_TAGS)
# Close together as well as years apart, and some at the very same second.
AGES = st.lists(st.integers(0, 40) | st.integers(0, 4 * DAY) | st.integers(0, 1500 * DAY), max_size=25)


def backups(ages):
    return [(f"b{number:03d}", NOW - timedelta(seconds=age + 1)) for number, age in enumerate(ages)]


def reference(created, keep):
    """The policy in other words: which ids stay."""
    ordered = sorted(created, key=lambda backup: (backup[1], backup[0]))
    stay = {ordered[-1][0]} if ordered else set()
    formats = {"hourly": "%Y %m %d %H", "daily": "%Y %m %d", "weekly": "%G %V", "monthly": "%Y %m", "yearly": "%Y"}
    for word, form in formats.items():
        newest_of = {when.strftime(form): backup for backup, when in ordered}
        chosen = [newest_of[period] for period in sorted(newest_of, reverse=True)]
        count = getattr(keep, word)
        if count == -1 or count > len(chosen):
            chosen += [ordered[0][0]] if ordered else []
            count = len(chosen)
        stay.update(chosen[:count])
        span = getattr(keep, f"within_{word}")
        if span:
            young = [
                (when, backup) for backup, when in ordered if ordered[-1][1] - when < timedelta(seconds=span.seconds)
            ]
            stay.update({when.strftime(form): backup for when, backup in young}.values())
            stay.update(backup for backup, _when in ordered[: len(young) == len(ordered)])
    stay.update(backup for backup, _when in (ordered[::-1][: keep.last] if keep.last >= 0 else ordered))
    if keep.within:
        stay.update(
            backup for backup, when in ordered if ordered[-1][1] - when < timedelta(seconds=keep.within.seconds)
        )
    return stay


def kept(created, keep):
    return {backup for backup, why in decide(created, keep, NOW) if why}


@settings(max_examples=150, deadline=None)
@given(AGES, KEEPS)
def test_agrees_with_the_reference(ages, keep):
    assert kept(backups(ages), keep) == reference(backups(ages), keep)


@settings(deadline=None)
@given(AGES, KEEPS)
def test_every_backup_is_decided_newest_first(ages, keep):
    created = dict(backups(ages))
    found = decide(list(created.items()), keep, NOW)
    assert sorted(decision.id for decision in found) == sorted(created)
    assert [created[decision.id] for decision in found] == sorted(created.values(), reverse=True)
    assert all("newest" not in decision.reasons for decision in found[1:])
    assert all("newest" in decision.reasons for decision in found[:1])


@settings(deadline=None)
@given(AGES, KEEPS, st.sampled_from(Keep._fields[:6]), st.integers(1, 5))
def test_a_higher_count_keeps_no_less(ages, keep, word, more):
    count = getattr(keep, word)
    higher = keep._replace(**{word: -1 if count == -1 else count + more})
    assert kept(backups(ages), keep) <= kept(backups(ages), higher) <= kept(backups(ages), keep._replace(**{word: -1}))


@settings(deadline=None)
@given(AGES, KEEPS, st.randoms(use_true_random=False))
def test_the_order_of_the_list_does_not_matter(ages, keep, random):
    shuffled = backups(ages)
    random.shuffle(shuffled)
    assert decide(shuffled, keep, NOW) == decide(backups(ages), keep, NOW)


@settings(deadline=None)
@given(AGES, KEEPS)
def test_applying_a_policy_again_removes_nothing_more(ages, keep):
    created = backups(ages)
    stay = kept(created, keep)
    assert kept([backup for backup in created if backup[0] in stay], keep) == stay
