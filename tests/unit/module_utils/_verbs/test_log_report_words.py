# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says in words: when it warns, what it hints at, and its rates."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.module_utils._verbs.test_log_report import DAY, lines, report

PATTERN = r"^(?P<time>\S+) (?P<level>\w+) (?P<duration>\w+)$"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def written(path: Path, *entries: dict[str, Any], broken: int = 0) -> Path:
    text = "".join(json.dumps(one) + "\n" for one in entries)
    path.write_text(text + "no JSON\n" * broken)
    return path


GOOD: dict[str, Any] = {"ts": DAY, "level": "info", "elapsed_ms": 1}
NO_TIME: dict[str, Any] = {"level": "info", "elapsed_ms": 1}
NO_LEVEL: dict[str, Any] = {"ts": DAY, "elapsed_ms": 1}


@pytest.mark.parametrize(
    ("entries", "broken", "warning"),
    [
        ([GOOD, GOOD], 2, ""),  # not more than half of them
        ([GOOD, GOOD], 3, "3 of 5 lines can't be parsed as json. Set format, pattern or multiline."),
        ([GOOD, NO_TIME], 0, ""),
        ([GOOD, NO_TIME, NO_TIME], 0, "2 of 3 lines have no valid time. Looked for "),
        ([NO_TIME], 0, "1 of 1 line has no valid time. Looked for "),
        ([GOOD, NO_LEVEL], 0, ""),
        ([GOOD, NO_LEVEL, NO_LEVEL], 0, "2 of 3 lines have no known level, status or error code, and are not counted"),
        ([NO_LEVEL], 0, "1 of 1 line has no known level"),
        ([], 0, ""),
    ],
)
def test_what_most_lines_lack_is_a_warning(path: Path, entries: list[Any], broken: int, warning: str) -> None:
    warnings = report(written(path, *entries, broken=broken))["warnings"]
    assert [one[: len(warning)] for one in warnings] == ([warning] if warning else [])


def test_of_lines_outside_the_window_nothing_is_missed(path: Path) -> None:
    written(path, *[GOOD] * 4, *[NO_TIME] * 3)
    assert report(path, until="2020-01-01")["warnings"] == []  # three of seven
    written(path, *[GOOD] * 3, *[NO_TIME] * 4)
    (told,) = report(path, until="2020-01-01")["warnings"]
    assert told.startswith("4 of 7 lines have no valid time and are ignored. ")
    assert report(path, until="2020-01-01")["msg"] == "0 lines, 0 errors (0 %), 4 lines without a valid time"
    assert report(path)["msg"].startswith("7 lines, 0 errors (0 %), p50 1ms, p95 1ms, p99 1ms")


@pytest.mark.parametrize(
    ("params", "hints"),
    [
        ({"format": "combined"}, []),
        (
            {"format": "regex", "pattern": r"^(?P<operation>.*)$"},
            ["The pattern has no group time.", "The pattern has no group level."],
        ),
        ({"format": "regex", "pattern": PATTERN}, ["Set time_format.", "Set error_levels."]),
    ],
)
def test_what_to_set_depends_on_the_format(path: Path, params: dict[str, Any], hints: list[str]) -> None:
    path.write_text("x y z\n" * 3)
    warnings = report(path, **params)["warnings"]
    if not hints:
        assert warnings == ["3 of 3 lines can't be parsed as combined. Set format, pattern or multiline."]
    else:
        assert [one[one.rindex(". ") + 2 :] for one in warnings] == hints


def test_lines_per_second(path: Path) -> None:
    path.write_bytes(lines(11))
    assert report(path)["rate_per_s"] == 1.1  # from the first to the last
    assert report(path, since="2025-06-15T15:06:41Z", until="2025-06-15T15:06:45Z")["rate_per_s"] == 1
    assert report(path, until="2025-06-15T15:06:42Z")["rate_per_s"] == 1  # two lines, from the first on
    assert report(path, until="2020-01-01")["rate_per_s"] is None
    path.write_bytes(lines(1))
    assert report(path)["rate_per_s"] is None
    written(path, NO_TIME)
    found = report(path)
    assert (found["rate_per_s"], found["first"], found["last"]) == (None, None, None)
    now = time.time()
    written(path, dict(GOOD, ts=now - 5), dict(GOOD, ts=now - 1))
    since = report(path, since="10s")["rate_per_s"]  # up to now, not to the last
    assert since == pytest.approx(0.2, rel=0.2)


def test_the_slowest_operations_and_how_many_there_are(path: Path) -> None:
    durations = {"b": 20, "a": 20, "c": 30, "d": 10}
    written(
        path,
        *(dict(GOOD, op=name, elapsed_ms=value) for name, value in durations.items()),
        {"ts": DAY, "level": "error", "op": "e"},
        dict(GOOD, elapsed_ms=999),
    )
    found = report(path, slowest=3)
    assert [one["name"] for one in found["operations"]] == ["c", "a", "b"]
    assert found["operations_total"] == 5
    assert found["latency"]["count"] == 5
    assert (found["errors"], found["error_rate"]) == (1, 16.667)
    none = report(path, slowest=0)
    assert (none["operations"], none["operations_total"]) == ([], 5)
    assert "slowest c (p95 30ms)" in none["msg"]


def test_codes_come_by_number_and_name(path: Path) -> None:
    codes = ["E2", "E1", "E3", "E3"]
    written(path, *(dict(GOOD, error_code=code) for code in codes))
    assert report(path)["errors_by_code"] == [
        {"name": "E3", "count": 2},
        {"name": "E1", "count": 1},
        {"name": "E2", "count": 1},
    ]
