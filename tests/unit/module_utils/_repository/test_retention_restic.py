# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy keeps what `restic forget --dry-run` 0.14 keeps of snapshots with these times (UTC) and tags.

The policies are those of restic's own test, and a few more. What differs by design: the newest backup is kept whatever
the policy, and one that keeps nothing is refused; an `m` that ends a span is refused, where restic takes it for months;
spans are written largest unit first; hours and days are those of UTC, not of the host. -1 is "all", which restic calls
"unlimited" from 0.16 on (compared here with a count that is large enough).
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._repository.retention import Keep, decide

BACKUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("2024-03-31 23:08:40", ()),
    ("2024-03-31 20:34:40", ("foo", "bar")),
    ("2024-03-31 19:50:40", ()),
    ("2024-03-31 19:10:40", ()),
    ("2024-03-31 18:11:40", ()),
    ("2024-03-31 16:42:40", ()),
    ("2024-03-31 12:50:40", ("bar",)),
    ("2024-03-31 08:28:40", ()),
    ("2024-03-31 01:01:40", ("foo",)),
    ("2024-03-30 22:10:40", ()),
    ("2024-03-30 20:10:40", ()),
    ("2024-03-30 12:29:40", ()),
    ("2024-03-30 10:33:40", ()),
    ("2024-03-30 07:20:40", ()),
    ("2024-03-30 02:41:40", ()),
    ("2024-03-26 03:50:40", ("foo", "bar")),
    ("2024-03-24 08:20:40", ()),
    ("2024-03-22 15:31:40", ()),
    ("2024-03-20 04:41:40", ()),
    ("2024-03-15 21:33:40", ()),
    ("2024-03-14 20:03:40", ()),
    ("2024-03-11 08:50:40", ()),
    ("2024-03-04 21:27:40", ("foo",)),
    ("2024-03-03 20:45:40", ()),
    ("2024-03-03 12:00:00", ("bar",)),
    ("2024-03-02 23:08:41", ()),
    ("2024-03-02 23:08:40", ()),
    ("2024-02-29 12:00:00", ()),
    ("2024-02-23 18:36:40", ()),
    ("2024-02-23 08:39:40", ("foo", "bar")),
    ("2024-02-22 03:09:40", ()),
    ("2024-02-21 21:02:40", ()),
    ("2024-02-18 01:44:40", ()),
    ("2024-01-01 12:00:00", ("bar",)),
    ("2023-12-31 12:00:00", ()),
    ("2023-10-03 03:39:40", ()),
    ("2023-07-30 19:37:40", ("foo",)),
    ("2023-03-22 04:01:40", ()),
    ("2023-01-15 19:49:40", ()),
    ("2022-09-09 23:55:40", ()),
    ("2022-08-05 08:33:40", ()),
    ("2022-07-20 21:00:40", ()),
    ("2022-07-03 21:06:40", ("bar",)),
    ("2022-06-15 03:39:40", ("foo", "bar")),
    ("2022-05-08 16:07:40", ()),
    ("2022-04-17 16:44:40", ()),
    ("2021-10-17 23:52:40", ()),
)
CASES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"last": 10}, "0-9"),
    ({"last": 99}, "0-46"),
    ({"last": 15}, "0-14"),
    ({"last": -1}, "0-46"),
    ({"last": -1, "hourly": -1}, "0-46"),
    ({"hourly": -1}, "0-2,4-25,27-46"),
    ({"daily": -1, "tags": ["bar"]}, "0-1,6,9,15-25,27-46"),
    ({"daily": 3, "weekly": 2, "monthly": -1, "yearly": -1}, "0,9,15-16,27,33-41,43-46"),
    (
        {"hourly": 5, "monthly": -1, "within_daily": "36h", "within_weekly": "1d"},
        "0-2,4-5,9,27,33-41,43-46",
    ),
    ({"hourly": 20}, "0-2,4-20"),
    ({"daily": 3}, "0,9,15"),
    ({"daily": 10}, "0,9,15-22"),
    ({"daily": 30}, "0,9,15-23,25,27-28,30-45"),
    ({"last": 5, "daily": 5}, "0-4,9,15-17"),
    ({"last": 2, "daily": 10}, "0-1,9,15-22"),
    ({"weekly": 2}, "0,16"),
    ({"weekly": 4}, "0,16,19,22"),
    ({"daily": 3, "weekly": 4}, "0,9,15-16,19,22"),
    ({"monthly": 6}, "0,27,33-36"),
    ({"daily": 2, "weekly": 2, "monthly": 6}, "0,9,16,27,33-36"),
    ({"yearly": 10}, "0,34,39,46"),
    ({"daily": 7, "weekly": 2, "monthly": 3, "yearly": 10}, "0,9,15-19,27,33-34,39,46"),
    ({"tags": ["foo"]}, "1,8,15,22,29,36,43"),
    ({"tags": ["foo,bar"]}, "1,15,29,43"),
    ({"tags": ["foo", "bar"]}, "1,6,8,15,22,24,29,33,36,42-43"),
    ({"within": "1d"}, "0-8"),
    ({"within": "2d"}, "0-14"),
    ({"within": "7d"}, "0-15"),
    ({"within": "1mo"}, "0-25"),
    ({"within": "1m14d"}, "0-32"),
    ({"within": "1y1m1d"}, "0-37"),
    ({"within": "13d23h"}, "0-18"),
    ({"within": "2m2h"}, "0-32"),
    ({"within": "1y2m3d3h"}, "0-37"),
    ({"within_hourly": "1y2m3d3h"}, "0-2,4-25,27-37"),
    ({"within_daily": "1y2m3d3h"}, "0,9,15-23,25,27-28,30-37"),
    ({"within_weekly": "1y2m3d3h"}, "0,16,19,22-23,28,32-37"),
    ({"within_monthly": "1y2m3d3h"}, "0,27,33-37"),
    ({"within_yearly": "1y2m3d3h"}, "0,34"),
    (
        {
            "within": "1h",
            "within_hourly": "1d",
            "within_daily": "7d",
            "within_weekly": "1mo",
            "within_monthly": "1y",
            "within_yearly": "9999y",
        },
        "0-2,4-9,15-16,19,22-23,27,33-36,39,46",
    ),
)


def numbers(ranges: str) -> set[int]:
    found: set[int] = set()
    for one in ranges.split(","):
        first, _dash, last = one.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


@pytest.mark.parametrize("policy", [{}, {"within": "1m"}, {"within": "1y1d1m"}, {"within_weekly": "1m"}])
def test_what_restic_would_take_otherwise_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        Keep.from_options(policy)


@pytest.mark.parametrize(("policy", "kept"), CASES, ids=[str(policy) for policy, _kept in CASES])
def test_the_same_backups_are_kept(policy: dict[str, Any], kept: str) -> None:
    decisions = decide(
        [(when, datetime.fromisoformat(when).replace(tzinfo=timezone.utc)) for when, _tags in BACKUPS],
        Keep.from_options(policy),
        tags=dict(BACKUPS),
    )
    found = {number for number, one in enumerate(decisions) if one.reasons}
    assert found == numbers(kept) | {0}
