# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular expressions of users on lines that they were not made for."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import apart
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, InvalidRequest, SourceError
from ansible_collections.day2.ops.plugins.module_utils._logs import reading, searching
from tests.unit.module_utils._verbs.test_health_limits import children
from tests.unit.module_utils._verbs.test_log_report import report

EVIL, ENDLESS = "^(?P<operation>(a+)+)$", "a" * 40 + "!"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "LIMIT", 0.05)
    monkeypatch.setattr(searching, "_LOOK", 0.02)


def places(found: dict[str, Any]) -> list[tuple[int, str]]:
    return [(one["line"], one["reason"]) for one in found["unparsable"]["first"]]


@pytest.mark.parametrize("size", [30, 1 << 20])
def test_a_line_that_takes_too_long_is_left_out_alone(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_BLOCK", size)
    path = tmp_path / "app.log"
    path.write_text(f"aaa\n\nb\n{ENDLESS}\na\n{ENDLESS}\naa\n")
    before = children()
    found = report(path, format="regex", pattern=EVIL)
    assert children() == before
    assert (found["total"], found["unparsable"]["count"], found["unparsable"]["too_slow"]) == (3, 3, 2)
    not_found, slow = "it does not match the pattern", searching.TOO_SLOW
    assert places(found) == [(3, not_found), (4, slow), (6, slow)]
    assert "takes longer than 1 s in 2 lines, counted as unparsable" in found["warnings"][0]


def test_after_some_such_lines_the_search_ends_and_says_what_was_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MOST_SLOW", 2)
    one, other = tmp_path / "1.log", tmp_path / "2.log"
    one.write_text(f"a\n{ENDLESS}\naa\n{ENDLESS}\na\n")
    other.write_text("a\n")
    with pytest.raises(SourceError) as caught:
        report(one, other, format="regex", pattern=EVIL)
    details = caught.value.details
    assert (details["total"], details["unparsable"]["too_slow"]) == (2, 2)
    assert [problem["path"] for problem in details["problems"]] == [str(one), str(other)]
    assert f"{one} was not read to its end: the search with a regular expression takes longer" in str(caught.value)
    assert "Write it without nested repetitions" in str(caught.value)
    assert f"{other} was not read, for the same reason." in str(caught.value)


def test_the_first_lines_of_records_may_take_too_long_as_well(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text(f"a\n  1\n{ENDLESS}\n  2\n  3\na\n  4\n")
    found = report(path, format="regex", pattern="(?s)(?P<operation>^.+)", multiline="^(a+)+$")
    assert (found["total"], found["continuation_lines"], found["unparsable"]["count"]) == (3, 3, 1)
    assert places(found) == [(3, searching.TOO_SLOW)]


def test_a_line_that_is_too_long_to_be_read_keeps_the_numbers_of_lines_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_BLOCK", 64)
    monkeypatch.setattr(reading, "_LONGEST_LINE", 100)
    path = tmp_path / "app.log"
    path.write_text(f"a\n{'b' * 500}\n{ENDLESS}\na\n")
    found = report(path, format="regex", pattern="(?P<operation>.+)", multiline="^(a+)+$")
    assert places(found) == [(2, "it is longer than 4 MiB"), (3, searching.TOO_SLOW)]


def test_a_pattern_without_repetitions_needs_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "Nursery", None)
    path = tmp_path / "app.log"
    path.write_text("GET\nPUT\nx\n")
    assert report(path, format="regex", pattern="(?P<operation>GET|PUT)")["total"] == 2


def test_a_search_that_is_killed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "app.log"
    path.write_text("aaa\n")

    def ask(self: apart.Worker, question: Any, left: Any) -> None:
        os.kill(self.pid, signal.SIGKILL)

    monkeypatch.setattr(apart.Worker, "ask", ask)
    with pytest.raises(Day2Error, match="searches the logs was killed. Check whether the host ran out of memory"):
        report(path, format="regex", pattern=EVIL)


@pytest.mark.parametrize("pattern", ["(?P<operation>", "(" * 5000 + ")" * 5000, "(?P<time>x){99999999999}"])
def test_what_is_no_expression_is_refused(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("a\n")
    for options in ({"pattern": pattern}, {"pattern": "(?P<time>a)", "multiline": pattern}):
        with pytest.raises(InvalidRequest, match="is not a valid regular expression"):
            report(tmp_path / "app.log", format="regex", **options)
