# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.plugin_utils.time_ranges import time_range

NOON = datetime(2025, 6, 30, 12, 0, 0, 999, tzinfo=timezone.utc)  # a Monday


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [
        ("today", "2025-06-30T00:00:00Z", "2025-07-01T00:00:00Z"),
        ("yesterday", "2025-06-29T00:00:00Z", "2025-06-30T00:00:00Z"),
        ("week", "2025-06-30T00:00:00Z", "2025-07-07T00:00:00Z"),
        ("last_week", "2025-06-23T00:00:00Z", "2025-06-30T00:00:00Z"),
        ("month", "2025-06-01T00:00:00Z", "2025-07-01T00:00:00Z"),
        ("last_month", "2025-05-01T00:00:00Z", "2025-06-01T00:00:00Z"),
        ("last_24h", "2025-06-29T12:00:00Z", "2025-06-30T12:00:00Z"),
        ("last_90m", "2025-06-30T10:30:00Z", "2025-06-30T12:00:00Z"),
        ("last_2w", "2025-06-16T12:00:00Z", "2025-06-30T12:00:00Z"),
    ],
)
def test_ranges(name: str, since: str, until: str) -> None:
    assert time_range(name, NOON, "UTC") == {"since": since, "until": until}


def test_a_day_begins_in_its_zone_and_may_have_23_hours() -> None:
    march = datetime(2025, 3, 30, 12, tzinfo=timezone.utc)
    assert time_range("today", march, "Europe/Berlin") == {
        "since": "2025-03-29T23:00:00Z",
        "until": "2025-03-30T22:00:00Z",
    }


@pytest.mark.parametrize("name", ["tomorrow", "last_h", "last_1y", "last_999999999w", "", "last_24h\n"])
def test_other_words_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="Ranges: today, yesterday"):
        time_range(name, NOON, "UTC")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a time zone"):
        time_range("today", NOON, zone)


@given(st.datetimes(datetime(1970, 2, 1), datetime(2100, 1, 1)), st.sampled_from(["UTC", "Asia/Kathmandu"]))
def test_neighbours_meet_and_hold_the_present(when: datetime, zone: str) -> None:
    now = when.replace(tzinfo=timezone.utc)
    for name, before in (("today", "yesterday"), ("week", "last_week"), ("month", "last_month")):
        present, past = time_range(name, now, zone), time_range(before, now, zone)
        assert past["until"] == present["since"]
        assert past["since"] < present["since"] <= now.strftime("%Y-%m-%dT%H:%M:%SZ") < present["until"]
