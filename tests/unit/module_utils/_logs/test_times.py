# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._logs.durations import written_duration
from ansible_collections.day2.ops.plugins.module_utils._logs.levels import common_name
from ansible_collections.day2.ops.plugins.module_utils._logs.times import Clock, zone

DAY = 1_750_000_000  # 2025-06-15T15:06:40Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2025-06-15T15:06:40Z", DAY),
        ("2025-06-15 15:06:40,250", DAY + 0.25),
        ("2025-06-15T17:06:40.5+02:00", DAY + 0.5),
        ("2025-06-15T12:36:40-0230", DAY),
        ("2025-06-15T17:06:40+02", DAY),
        ("2025-06-15t15:06:40.25z", DAY + 0.25),
        ("2025-06-15 15:06:40.250 UTC", DAY + 0.25),
        ("2025-06-15 15:06:40 GMT", DAY),
        ("2025-06-15 17:06:40 +0200", DAY),
        ("2025-06-15 15:06:40.5 +0000 UTC", DAY + 0.5),
        ("20250615T150640Z", DAY),
        ("20250615T170640.25+0200", DAY + 0.25),
        ("20250615150640", DAY),
        ("15/Jun/2025:17:06:40 +0200", DAY),
        ("2025/06/15 15:06:40", DAY),
        ("2025/06/15 15:06:40.250", DAY + 0.25),
        ("Sun, 15 Jun 2025 15:06:40 GMT", DAY),
        ("Sun Jun 15 15:06:40.250000 2025", DAY + 0.25),
        ("Jun 15 15:06:40", DAY),
        ("1750000000", DAY),
        ("1750000000.5", DAY + 0.5),
        ("1750000000250", DAY + 0.25),
        ("1750000000250000", DAY + 0.25),
        ("1750000000250000000", DAY + 0.25),
        ("2025-13-15T15:06:40Z", None),
        ("2025-02-30T15:06:40Z", None),
        ("20251315T150640Z", None),
        ("30/Feb/2025:17:06:40 +0200", None),
        ("2025-06-15T15:06:40+99", None),
        ("2025-06-15", None),
        ("Jun 15", None),
        ("NaN", None),
        ("-1", None),
        ("1e30", None),
        ("", None),
        ("\u0661" * 10, None),
    ],
)
def test_times(text: str, seconds: float) -> None:
    clock = Clock()
    clock.look_from(DAY + 3600)
    assert clock.seconds(text.encode()) == (None if seconds is None else pytest.approx(seconds, abs=1e-6))


def moment(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize("form", ["auto", "%b %d %H:%M:%S"])
@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        ("2025-06-30 00:00:00", "Jun 15 15:06:40", "2025-06-15 15:06:40"),
        ("2026-01-02 00:00:00", "Dec 31 23:59:59", "2025-12-31 23:59:59"),
        ("2025-12-31 23:59:59", "Jan  1 00:00:10", "2026-01-01 00:00:10"),
        ("2025-12-30 00:00:00", "Jan  1 00:00:10", "2025-01-01 00:00:10"),
        ("2026-03-01 00:00:00", "Feb 29 12:00:00", "2024-02-29 12:00:00"),
        ("2024-03-01 00:00:00", "Feb 29 12:00:00", "2024-02-29 12:00:00"),
    ],
)
def test_a_year_that_is_not_written(form: str, written: str, text: str, expected: str) -> None:
    """It is the last one in which the time is not after the last line of the file."""
    clock = Clock(form)
    clock.seconds(text.encode())
    clock.look_from(moment(written))
    assert clock.seconds(text.encode()) == moment(expected)
    clock.look_from(moment("1999-12-31 00:00:00"))
    assert (clock.seconds(b"Jun 15 15:06:40") or 0) < moment("2000-01-01 00:00:00")


def test_a_zone_for_times_without_one() -> None:
    clock = Clock("auto", zone("Europe/Berlin"))
    assert clock.seconds(b"2025-06-15 17:06:40") == DAY
    assert clock.seconds(b"2025/06/15 17:06:40") == DAY
    assert clock.seconds(b"2025-06-15T15:06:40Z") == DAY
    assert clock.seconds(b"2025-01-15 01:00:00") == moment("2025-01-15 00:00:00")
    assert Clock("%Y-%m-%d %H:%M:%S", zone("+02:00")).seconds(b"2025-06-15 17:06:40") == DAY
    assert Clock("%Y-%m-%d %H:%M:%S %z", zone("+02:00")).seconds(b"2025-06-15 15:06:40 +0000") == DAY


@pytest.mark.parametrize("name", ["Europe/Bielefeld", "", "../../etc/passwd", "+99:00", "CET/CEST"])
def test_zones_that_are_none(name: str) -> None:
    with pytest.raises(InvalidRequest, match="time zone"):
        zone(name)


def test_a_format_without_a_day() -> None:
    with pytest.raises(InvalidRequest, match="no day"):
        Clock("%H:%M:%S")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1m2.5s", 62.5),
        ("340µs", 340e-6),
        ("340μs", 340e-6),
        ("12.5us", 12.5e-6),
        ("850ns", 850e-9),
        ("PT0.015S", 0.015),
        ("PT1H2M3S", 3723),
        ("00:00:01.25", 1.25),
        ("1.02:03:04", 93784),
        ("PT", None),
        ("fast", None),
        ("1:2", None),
        ("-5ms", None),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert written_duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("levels", "name"),
    [
        (("error", "ERR", "Error", "SEVERE", "fail", "E", "3", "50", "55", "ERROR+2"), "error"),
        (("crit", "CRITICAL", "2"), "critical"),
        (("fatal", "60", "70", "F"), "fatal"),
        (("emerg", "0"), "emergency"),
        (("dpanic", "PANIC"), "panic"),
        (("warn", "WARNING", "4", "40", "49"), "warning"),
        (("info", "6", "30", "LOG", "I"), "info"),
        (("10",), "trace"),
        (("", "8", "9", "1000", "50.5", "-1", "shiny"), ""),
    ],
)
def test_levels(levels: tuple[str, ...], name: str) -> None:
    assert [common_name(one) for one in levels] == [name] * len(levels)
