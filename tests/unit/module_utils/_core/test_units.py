# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.units import (
    format_duration,
    format_size,
    format_time,
    parse_duration,
    parse_size,
    parse_time,
)

HOUR, DAY = 3600, 86400
UTC = timezone.utc


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (0, 0),
        (512, 512),
        ("512", 512),
        ("512B", 512),
        ("1K", 1024),
        ("1k", 1024),
        ("1kB", 1024),
        ("1KiB", 1024),
        ("100M", 100 * 2**20),
        (" 1.5 GiB ", 3 * 2**29),
        ("0.3K", 307),
        ("2TB", 2**41),
        ("7E", 7 * 2**60),
        (2**63 - 1, 2**63 - 1),
        ("0009", 9),
    ],
)
def test_sizes(value, size):
    assert parse_size(value) == size


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "-1",
        -1,
        "+1",
        "M",
        "1X",
        "1 0",
        "1.",
        ".5M",
        "1e3",
        "nan",
        "inf",
        "1iB",
        "1Mib2",
        "\u0661M",
        True,
        None,
        1e300,
        "8E",
        2**63,
        "9" * 5000 + "K",
    ],
)
def test_what_is_no_size(value):
    with pytest.raises(InvalidRequest) as caught:
        parse_size(value)
    assert str(value)[:20] in str(caught.value)
    assert "100M" in caught.value.hint


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (2**20 - 1, "1.0 MiB"),
        (376 * 2**20, "376.0 MiB"),
        (2**40, "1.0 TiB"),
        (2**63, "8.0 EiB"),
        (2**74, "16384.0 EiB"),
    ],
)
def test_sizes_to_read(size, text):
    assert format_size(size) == text


@given(st.integers(0, 2**62))
def test_a_size_to_read_is_near(size):
    assert parse_size(format_size(size)) == pytest.approx(size, rel=0.06)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (90, 90),
        (1.5, 1.5),
        ("90", 90),
        ("1.5", 1.5),
        ("500ms", 0.5),
        ("1s", 1),
        ("1h", HOUR),
        ("1h30m", 1.5 * HOUR),
        (" 1 h 30 m ", 1.5 * HOUR),
        ("2d", 2 * DAY),
        ("1w", 7 * DAY),
        ("1mo", 30 * DAY),
        ("1mo1m", 30 * DAY + 60),
        ("1m1ms", 60.001),
        ("1y", 365 * DAY),
        ("1y2mo3w4d5h6m7s8ms", (365 + 60 + 21 + 4) * DAY + 5 * HOUR + 6 * 60 + 7.008),
        ("1000y", 1000 * 365 * DAY),
    ],
)
def test_durations(value, seconds):
    assert parse_duration(value) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "h",
        "-1",
        -1,
        "-1h",
        "1H",
        "1M",
        "30m1h",
        "1m1m",
        "1h 30",
        "30 1h",
        "1hx",
        "1e3",
        "nan",
        "inf",
        True,
        None,
        float("nan"),
        float("inf"),
        "\u0661h",
        "1001y",
        "9" * 500 + "s",
    ],
)
def test_what_is_no_duration(value):
    with pytest.raises(InvalidRequest) as caught:
        parse_duration(value)
    assert str(value)[:20] in str(caught.value)
    assert "1h30m" in caught.value.hint


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.00034, "0.3ms"),
        (0.0000001, "0.001ms"),
        (0.00096, "1ms"),
        (0.25, "250ms"),
        (0.9999, "1s"),
        (1, "1s"),
        (1.24, "1.2s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (10.2, "10s"),
        (45.4, "45s"),
        (59.6, "1m"),
        (200, "3m20s"),
        (3599.6, "1h"),
        (2 * HOUR, "2h"),
        (23.6 * HOUR, "23h36m"),
        (26 * HOUR, "1d2h"),
        (30 * DAY, "30d"),
    ],
)
def test_durations_to_read(seconds, text):
    assert format_duration(seconds) == text


@given(st.floats(0.001, 1000 * 365 * DAY))
def test_a_duration_to_read_is_near(seconds):
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=0.06, abs=0.0006)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_what_is_no_duration_to_read(seconds):
    with pytest.raises(InvalidRequest, match="for example"):
        format_duration(seconds)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2025-06-30T10:00:00Z", datetime(2025, 6, 30, 10)),
        ("2025-06-30T10:00:00", datetime(2025, 6, 30, 10)),
        ("2025-06-30t10:00:00z", datetime(2025, 6, 30, 10)),
        ("2025-06-30 12:00+02:00", datetime(2025, 6, 30, 10)),
        ("2025-06-30T05:30:00-0430", datetime(2025, 6, 30, 10)),
        ("2025-06-30T12+02", None),
        ("2025-06-30T12:00+02", datetime(2025, 6, 30, 10)),
        ("20250630T100000Z", datetime(2025, 6, 30, 10)),
        ("2025-06-30", datetime(2025, 6, 30)),
        ("20250630", datetime(2025, 6, 30)),
        ("2025-06-30T10:00:00.5Z", datetime(2025, 6, 30, 10, 0, 0, 500000)),
        ("2025-06-30T10:00:00,123456789Z", datetime(2025, 6, 30, 10, 0, 0, 123456)),
        ("2024-02-29", datetime(2024, 2, 29)),
        ("2025-02-29", None),
        ("2025-06-30T24:00:00Z", None),
        ("2025-06-30T10:60:00Z", None),
        ("2025-06-30T10:00:00+24:00", None),
        ("2025-06-30T10:00:00+02:60", None),
        ("2025-06-30T10:00:00+00:59", datetime(2025, 6, 30, 9, 1)),
        ("2025-06-30T10:00:00-23:00", datetime(2025, 7, 1, 9)),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("2025-0630", None),
        ("2025-06-30Z", None),
        ("2025-6-30", None),
        ("30.06.2025", None),
        ("latest", None),
        ("", None),
        ("\u0662025-06-30", None),
    ],
)
def test_times(text, when):
    if when is not None:
        assert parse_time(text) == when.replace(tzinfo=UTC)
        assert parse_time(text).utcoffset() == timedelta()
        return
    with pytest.raises(InvalidRequest) as caught:
        parse_time(text)
    assert repr(text) in str(caught.value)
    assert "2025-06-30T10:00:00Z" in caught.value.hint


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30))]), min_value=datetime(2, 1, 1)
    )
)
def test_a_time_survives(when):
    assert parse_time(format_time(when)) == when


def test_times_to_read():
    assert format_time(datetime(2025, 6, 30, 12, tzinfo=timezone(timedelta(hours=2)))) == "2025-06-30T10:00:00Z"
    assert format_time(datetime(2025, 6, 30, 10)) == "2025-06-30T10:00:00Z"
    assert format_time(datetime(2025, 6, 30, 10, 0, 0, 1)) == "2025-06-30T10:00:00.000001Z"
