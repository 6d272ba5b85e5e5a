# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.periods import PERIODS
from ansible_collections.day2.ops.plugins.module_utils._repository.retention import Keep
from ansible_collections.day2.ops.plugins.module_utils._verbs.logs.rotate import ARGUMENTS


@pytest.mark.parametrize(
    ("name", "first", "last", "after"),
    [
        ("hourly", (2026, 3, 29, 1, 0), (2026, 3, 29, 1, 59), (2026, 3, 29, 2, 0)),
        ("daily", (2026, 2, 28), (2026, 2, 28, 23, 59), (2026, 3, 1)),
        # 2020 has 53 ISO weeks: the last begins in it, and ends in 2021
        ("weekly", (2020, 12, 28), (2021, 1, 3, 23, 59), (2021, 1, 4)),
        ("monthly", (2026, 12, 1), (2026, 12, 31, 23, 59), (2027, 1, 1)),
        ("yearly", (2026, 1, 1), (2026, 12, 31, 23, 59), (2027, 1, 1)),
    ],
)
def test_a_period_ends_where_the_next_begins(
    name: str, first: tuple[int, ...], last: tuple[int, ...], after: tuple[int, ...]
) -> None:
    period = PERIODS[name]
    began, ended, following = (period(datetime(*one, tzinfo=timezone.utc)) for one in (first, last, after))  # type: ignore[misc]
    assert began == ended < following


def test_policies_of_backups_and_logs_know_the_same_periods() -> None:
    assert [name for name in Keep._fields if name in PERIODS] == list(PERIODS)
    assert [name for name in Keep._fields if name.startswith("within_")] == [f"within_{name}" for name in PERIODS]
    assert ARGUMENTS["argument_spec"]["frequency"]["choices"] == list(PERIODS)
