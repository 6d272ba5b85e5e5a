# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.spans import Span, parse_span

DAY = 86400


@pytest.mark.parametrize(
    ("text", "months", "seconds"),
    [
        ("30d", 0, 30 * DAY),
        (" 1y 6mo ", 18, 0),
        ("2w3d4h5min6s", 0, 17 * DAY + 4 * 3600 + 306),
        ("1mo", 1, 0),
        ("1min", 0, 60),
        ("1y5m7d", 17, 7 * DAY),
        ("2m2h", 2, 7200),
        ("0d", 0, 0),
        ("9999y", 9999 * 12, 0),
    ],
)
def test_spans(text: str, months: int, seconds: int) -> None:
    span = parse_span(text)
    assert (span.months, span.seconds) == (months, seconds)
    assert parse_span(str(span)) == span


@pytest.mark.parametrize("text", ["1m", "1y1d1m", "1h30m", "1y5m", "5m30s", "1d5m"])
def test_m_is_refused_where_it_could_mean_two_things(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"months or minutes. Write (\d+)mo or \1min"):
        parse_span(text)


@pytest.mark.parametrize(
    "value", ["", "soon", "30", 30, 1.5, "1.5mo", "-1d", "1d 1d", "1h1d", "1mo1y", "1m1mo1d", True, "1e3d"]
)
def test_no_spans(value: object) -> None:
    with pytest.raises(InvalidRequest):
        parse_span(value)


@pytest.mark.parametrize(
    ("text", "moment", "before"),
    [
        ("1mo", "2024-03-31T12:00", "2024-03-02T12:00"),  # as restic counts: 31 February 2024 is 2 March
        ("1mo", "2023-03-31T12:00", "2023-03-03T12:00"),
        ("1mo", "2024-01-15T00:00", "2023-12-15T00:00"),
        ("1y", "2024-02-29T01:02", "2023-03-01T01:02"),
        ("1y2mo3d4h", "2024-03-31T12:00", "2023-01-28T08:00"),
        ("9999y", "2024-03-31T12:00", "0001-01-01T00:00"),
        ("999999999d", "2024-03-31T12:00", "0001-01-01T00:00"),
    ],
)
def test_before(text: str, moment: str, before: str) -> None:
    found = parse_span(text).before(datetime.fromisoformat(moment).replace(tzinfo=timezone.utc))
    assert found == datetime.fromisoformat(before).replace(tzinfo=timezone.utc)


def test_nothing_is_before_the_earliest_time() -> None:
    earliest = datetime.min.replace(tzinfo=timezone.utc)
    assert Span(0, 1, "1s").before(earliest) == earliest
