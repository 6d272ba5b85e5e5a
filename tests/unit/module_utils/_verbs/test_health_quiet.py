# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Suppressed alarms to the second: the clock is an argument here, and the history is a real one."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.outcome import Outcome
from ansible_collections.day2.ops.plugins.module_utils._history.database import append
from ansible_collections.day2.ops.plugins.module_utils._verbs.health.quiet import quieted
from ansible_collections.day2.ops.plugins.module_utils._verbs.health.specification import read_checks

NOW = 1_750_000_000.0
DEFAULTS = {"timeout": 5, "retries": 0, "interval": 1, "failures": 1, "cooldown": 0}


def judged(path: Path, earlier: list[tuple[float, str, bool]], status: str, **options: Any) -> tuple[bool, list[str]]:
    """Whether an outcome now is quiet, and who has recovered, after outcomes of so many seconds ago."""
    history = path / "history.db"
    history.unlink(missing_ok=True)
    for ago, was, quiet in earlier:
        when = NOW - ago
        append(str(history), [Outcome("c", "command", was, "", when, 0.1, quiet=quiet)], 1e9, when)
    check = {"name": "c", "type": "command", "argv": ["true"], **options}
    checks = read_checks([check], DEFAULTS)
    (outcome,), recovered = quieted([Outcome("c", "command", status, "", NOW, 0.1)], checks, str(history), NOW)
    return outcome.quiet, recovered


@pytest.mark.parametrize(
    ("earlier", "cooldown", "quiet"),
    [
        ([(60, "critical", False)], 60, True),  # to its last second
        ([(60.5, "critical", False)], 60, False),
        ([(0, "critical", False)], 60, True),
        ([(30, "critical", True)], 60, False),  # no alarm was raised
        ([(60, "critical", False), (30, "critical", True)], 60, True),
        ([(60, "critical", False), (30, "warning", False)], 60, True),  # the worst of them counts
        ([(30, "critical", False), (10, "warning", False)], 60, True),
        ([(30, "warning", False), (10, "warning", True)], 60, False),
        ([(70, "critical", False), (30, "warning", False)], 60, False),
        ([(30, "critical", False), (10, "ok", False)], 60, False),  # another outage
        ([(30, "critical", False)], 0, False),
        ([(0, "critical", False)], 0, False),
    ],
)
def test_cooldown(tmp_path: Path, earlier: list[tuple[float, str, bool]], cooldown: float, quiet: bool) -> None:
    assert judged(tmp_path, earlier, "critical", cooldown=cooldown)[0] is quiet


@pytest.mark.parametrize(("runs", "quiet"), [(0, True), (1, True), (2, False), (3, False)])
@pytest.mark.parametrize("cooldown", [0, 15])
def test_failures_count_runs_however_old_they_are(tmp_path: Path, runs: int, quiet: bool, cooldown: float) -> None:
    earlier = [(100.0 - number, "critical", True) for number in range(runs)]
    assert judged(tmp_path, earlier, "critical", failures=3, cooldown=cooldown)[0] is quiet


def test_failures_and_cooldown(tmp_path: Path) -> None:
    earlier: list[tuple[float, str, bool]] = [(30, "warning", True), (20, "warning", False), (10, "critical", True)]
    assert judged(tmp_path, earlier, "warning", failures=2, cooldown=20) == (True, [])
    assert judged(tmp_path, earlier, "critical", failures=2, cooldown=20) == (False, [])
    assert judged(tmp_path, earlier, "warning", failures=2, cooldown=19) == (False, [])
    assert judged(tmp_path, earlier, "critical", failures=5, cooldown=19) == (True, [])


@pytest.mark.parametrize(
    ("earlier", "recovered"),
    [
        ([], []),
        ([(10, "critical", False)], ["c"]),
        ([(10, "critical", True)], []),
        ([(20, "critical", False), (10, "critical", True)], ["c"]),
        ([(20, "critical", False), (10, "ok", False)], []),
    ],
)
def test_recovered(tmp_path: Path, earlier: list[tuple[float, str, bool]], recovered: list[str]) -> None:
    assert judged(tmp_path, earlier, "ok") == (False, recovered)


@pytest.mark.parametrize(("ahead", "quiet"), [(1, True), (0, False), (-1, False)])
def test_quiet_until_ends_at_its_second(tmp_path: Path, ahead: float, quiet: bool) -> None:
    until = datetime.fromtimestamp(NOW + ahead, timezone.utc).isoformat()
    assert judged(tmp_path, [], "critical", quiet_until=until)[0] is quiet


@pytest.mark.parametrize("status", ["ok", "skipped"])
def test_what_is_no_alarm_is_not_quiet(tmp_path: Path, status: str) -> None:
    until = datetime.fromtimestamp(NOW + 60, timezone.utc).isoformat()
    assert judged(tmp_path, [], status, quiet_until=until, failures=3) == (False, [])


def test_an_empty_history_is_none(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    checks = read_checks([{"name": "c", "type": "command", "argv": ["true"]}], DEFAULTS)
    outcome = Outcome("c", "command", "critical", "", NOW, 0.1)
    for path in (tmp_path / "empty", tmp_path / "missing"):
        assert quieted([outcome], checks, str(path), NOW) == ([outcome], [])
    assert not (tmp_path / "missing").exists()
