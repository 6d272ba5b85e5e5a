# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timezone
from typing import Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from ansible_collections.day2.ops.plugins.module_utils._logs.names import Naming
from ansible_collections.day2.ops.plugins.module_utils._logs.rules import Keep, Rules, due, over_total


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("frequency", "last", "now", "expected"),
    [
        ("hourly", "2025-06-30T10:00:00", "2025-06-30T10:59:59", False),
        ("hourly", "2025-06-30T10:59:59", "2025-06-30T11:00:00", True),
        ("daily", "2025-06-30T00:00:00", "2025-06-30T23:59:59", False),
        ("daily", "2025-06-30T23:59:59", "2025-07-01T00:00:00", True),
        ("weekly", "2025-06-29T23:00:00", "2025-06-30T01:00:00", True),  # from Sunday to Monday
        ("weekly", "2024-12-30T00:00:00", "2025-01-05T23:59:59", False),  # one ISO week in two years
        ("monthly", "2025-06-30T23:00:00", "2025-07-01T00:00:00", True),
        ("yearly", "2025-01-01T00:00:00", "2025-12-31T23:59:59", False),
        ("yearly", "2024-12-31T23:59:59", "2025-01-01T00:00:00", True),
    ],
)
def test_frequencies(frequency: str, last: str, now: str, expected: bool) -> None:
    assert due(Rules(frequency=frequency), 1, at(last), at(now)).due is expected


@pytest.mark.parametrize(
    ("rules", "size", "rotated", "expected"),
    [
        (Rules(size=100), 99, None, False),
        (Rules(size=100), 100, None, True),
        (Rules(size=0), 0, None, False),
        (Rules(size=100, frequency="daily"), 5, None, True),
        (Rules(size=100, frequency="daily"), 5, 0.0, False),
        (Rules(size=100, frequency="daily"), 100, 0.0, True),
        (Rules(size=100, min_size=200), 150, None, False),
        (Rules(rotate_after=60), 1, -59.0, False),
        (Rules(rotate_after=60), 1, -60.0, True),
        (Rules(rotate_after=60), 0, -60.0, False),
        (Rules(rotate_after=60, if_empty=True), 0, -60.0, True),
        (Rules(rotate_after=60), 1, 59.0, False),  # a clock that is a little off
    ],
)
def test_rules_together(rules: Rules, size: int, rotated: Optional[float], expected: bool) -> None:
    now = at("2025-06-30T12:00:00")
    assert due(rules, size, None if rotated is None else now + rotated, now).due is expected


def test_a_rotation_in_the_future() -> None:
    with pytest.raises(TargetError, match=r"1h in the future: the clock has been set back"):
        due(Rules(frequency="daily"), 1, 3600.0, 0.0)
    assert due(Rules(size=1, frequency="daily"), 1, 3600.0, 0.0).due


def test_keep_is_what_any_rule_wants() -> None:
    assert not Keep().removes(1000, 1e9)
    assert [Keep(last=2).removes(index, 0) for index in range(4)] == [False, False, True, True]
    assert [Keep(within=10).removes(9, age) for age in (9, 10)] == [False, True]
    assert not Keep(last=1, within=10).removes(5, 9)
    assert not Keep(last=10, within=10).removes(5, 99)
    assert Keep(last=1, within=10).removes(5, 99)


def test_the_oldest_go_until_all_fit() -> None:
    sizes = [(3.0, 10, "c"), (1.0, 10, "a"), (2.0, 10, "b")]
    assert over_total(sizes, 5, 35) == []
    assert over_total(sizes, 5, 34) == ["a"]
    assert over_total(sizes, 5, 0) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("app.log", None),
        ("app.log.1", ("app.log", 1, None)),
        ("app.log.12.zst", ("app.log", 12, None)),
        ("app.log.2.gz", ("app.log", 2, None)),
        ("app.log.0", None),
        ("app.log.01", None),
        ("app.log.gz", None),
        ("app.log-20250630-120000.xz", ("app.log", None, at("2025-06-30T12:00:00"))),
        ("app.log-20250631-120000", None),
        ("a\nb.1", ("a\nb", 1, None)),
    ],
)
def test_names(name: str, expected: Optional[tuple[str, Optional[int], Optional[float]]]) -> None:
    parsed = Naming(False).parse(name)
    assert (None if parsed is None else (parsed.base, parsed.number, parsed.when)) == expected


@pytest.mark.parametrize("date_format", ["-%Y%m%d", "-%Y-%m-%d_%H", ".%d.%m.%Y", ".%Y%m%d", "-%s"])
def test_what_is_written_is_recognised(date_format: str) -> None:
    naming = Naming(True, date_format)
    now = at("2025-06-30T12:00:00")
    parsed = naming.parse(naming.new_name("app.log", now) + ".zst")
    assert parsed is not None
    assert parsed.base == "app.log"
    assert parsed.when is not None
    assert now - 86400 < parsed.when <= now
