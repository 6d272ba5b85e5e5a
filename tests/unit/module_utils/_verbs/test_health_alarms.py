# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is an alarm, and what health_check writes."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.outcome import Outcome
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._history.database import append
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import check as health_check
from ansible_collections.day2.ops.plugins.module_utils._verbs.health.specification import read_checks
from tests.unit.module_utils._verbs.checks import Result, command, run


@pytest.mark.parametrize(
    ("fail_on", "script", "failed"),
    [
        ("critical", "exit 0", False),
        ("critical", "exit 1", False),
        ("critical", "exit 2", True),
        ("critical", "exit 3", True),
        ("warning", "exit 1", True),
        ("never", "exit 2", False),
    ],
)
def test_fail_on(fail_on: str, script: str, failed: bool) -> None:
    result = run([command("c", script)], fail_on=fail_on)
    assert result["failed"] is failed
    assert result["changed"] is False


def test_score_and_summary() -> None:
    result = run(
        [
            command("ok", "exit 0", weight=5),
            command("warning", "exit 1", weight=2),
            command("critical", "exit 2", weight=3),
            command("skipped", "exit 0", weight=100, depends_on=["critical"]),
        ],
        fail_on="never",
    )
    assert result["summary"] == {
        "status": "critical", "score": 60.0, "total": 4, "quiet": 0,
        "ok": 1, "warning": 1, "critical": 1, "skipped": 1, "unknown": 0,
    }  # fmt: skip
    assert result["msg"].startswith("1 of 4 checks ok, score 60 (1 critical, 1 warning, 1 skipped, 1 ok); critical is ")


def test_a_score_without_weights() -> None:
    result = run([command("c", "exit 2", weight=0), command("d", "true", weight=0)], fail_on="never")
    assert result["summary"]["score"] == 50


def around(now: datetime, before: int, after: int) -> dict[str, str]:
    return {
        "start": (now - timedelta(minutes=before)).strftime("%H:%M"),
        "end": (now + timedelta(minutes=after)).strftime("%H:%M"),
    }


def test_maintenance_holds_back_the_alarm_and_not_the_status() -> None:
    now = datetime.now(timezone.utc)
    later, earlier = (now + timedelta(hours=1)).isoformat(), (now - timedelta(hours=1)).isoformat()
    quiet: list[dict[str, Any]] = [
        {"quiet_until": later},
        {"maintenance": [{"start": earlier, "end": later}]},
        {"maintenance": [around(now, 1410, 29)]},  # almost the whole day: it passes midnight unless it is half past
    ]
    loud: list[dict[str, Any]] = [
        {},
        {"quiet_until": earlier},
        {"maintenance": [{"start": "2020-01-01", "end": earlier}]},
        {"maintenance": [around(now, 120, -60)]},
    ]
    for number, options in enumerate(quiet):
        result = run([command("c", "exit 2", **options)])
        assert (number, result["failed"], result["alarms"], result["checks"][0]["quiet"]) == (number, False, [], True)
        assert result["summary"]["status"] == "critical"
    for number, options in enumerate(loud):
        assert (number, run([command("c", "exit 2", **options)])["alarms"]) == (number, ["c"])
    assert run([command("c", "exit 2")], quiet_until=later)["failed"] is False
    assert run([command("c", "exit 2")], maintenance=[{"start": earlier, "end": later}])["failed"] is False


@pytest.mark.parametrize(
    ("now", "quiet"),
    [
        ("2025-06-28T21:59:59", False),  # a Saturday
        ("2025-06-28T22:00:00", True),
        ("2025-06-29T01:59:00", True),
        ("2025-06-29T02:00:00", False),
        ("2025-06-29T22:30:00", False),
        ("2025-06-28T01:00:00", False),
    ],
)
def test_a_window_that_passes_midnight_belongs_to_the_day_on_which_it_starts(now: str, quiet: bool) -> None:
    window = {"start": "22:00", "end": "02:00", "days": ["sat"]}
    check = {"name": "d", "type": "disk", "path": "/", "maintenance": [window]}
    (parsed,) = read_checks([check], {"timeout": 5, "retries": 0, "interval": 1})
    assert parsed.maintenance[0].holds(datetime.fromisoformat(now + "+00:00")) is quiet


@pytest.mark.parametrize(
    ("window", "now", "quiet"),
    [
        ({"start": "00:00", "end": "24:00", "days": ["sat"]}, "2025-06-28T23:59:59+00:00", True),
        ({"start": "00:00", "end": "24:00", "days": ["sat"]}, "2025-06-29T00:00:00+00:00", False),
        ({"start": 1320, "end": 1440}, "2025-06-28T22:00:00+00:00", True),  # 22:00 and 24:00 without quotes
        ({"start": 1320, "end": "23:00"}, "2025-06-28T21:59:00+00:00", False),
        ({"start": "22:00", "end": "23:00", "timezone": "Europe/Berlin"}, "2025-06-28T20:30:00+00:00", True),
        ({"start": "22:00", "end": "23:00", "timezone": "Europe/Berlin"}, "2025-01-28T20:30:00+00:00", False),
        ({"start": "22:00", "end": "23:00", "timezone": "Europe/Berlin"}, "2025-01-28T21:30:00+00:00", True),
        ({"start": "22:00", "end": "02:00", "days": ["sat"], "timezone": "+02:00"}, "2025-06-28T23:59:00+00:00", True),
        ({"start": "22:00", "end": "02:00", "days": ["sat"], "timezone": "-05:00"}, "2025-06-29T03:30:00+00:00", True),
        (
            {"start": "2025-06-28 22:00", "end": "2025-06-28 23:00", "timezone": "Europe/Berlin"},
            "2025-06-28T20:30:00+00:00",
            True,
        ),
        (
            {"start": "2025-06-28T22:00Z", "end": "2025-06-28T23:00Z", "timezone": "Europe/Berlin"},
            "2025-06-28T22:30:00+00:00",
            True,
        ),
    ],
)
def test_windows(window: dict[str, Any], now: str, quiet: bool) -> None:
    check = {"name": "d", "type": "disk", "path": "/", "maintenance": [window]}
    (parsed,) = read_checks([check], {"timeout": 5, "retries": 0, "interval": 1})
    assert parsed.maintenance[0].holds(datetime.fromisoformat(now)) is quiet


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ({"start": "22:00"}, r"maintenance\[0\]\.end is required"),
        ({"end": "22:00"}, r"maintenance\[0\]\.start is required"),
        ({"start": 2200, "end": "23:00"}, "two times of day in quotes, such as '22:30'"),
        ({"start": "22:00", "end": "22:00"}, "for a whole day set 00:00 and 24:00"),
        ({"start": "24:00", "end": "02:00"}, "for a whole day set 00:00 and 24:00"),
        ({"start": "22:00", "end": "23:00", "timezone": "Mars/Base"}, "timezone 'Mars/Base' is unknown on this host"),
        ({"start": "22:00", "end": "23:00", "timezone": "../../etc/passwd"}, "is unknown on this host"),
        ({"start": "2025-01-02", "end": "2025-01-01"}, "start must be before end"),
    ],
)
def test_windows_that_make_no_sense(window: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        run([command("c", "true", maintenance=[window])])


def test_the_invocation_does_not_hold_the_checks() -> None:
    shown = health_check.echo({"checks": [{"url": "http://bob:S3cr3t@x/"}], "timeout": "1s"})
    assert shown == {"checks": "1 check", "timeout": "1s"}


# What is written


def test_cooldown_holds_back_an_alarm_that_was_raised_a_moment_ago(tmp_path: Path) -> None:
    history = {"path": str(tmp_path / "history.db"), "keep": {"within": "8d"}}

    def alarms(script: str, cooldown: str = "1h") -> list[str]:
        result = run([command("c", script)], history=history, cooldown=cooldown)
        assert result["checks"][0]["status"] != "ok"
        assert result["failed"] == ("exit 2" in script and bool(result["alarms"]))
        found: list[str] = result["alarms"]
        return found

    assert alarms("exit 1") == ["c"]
    assert alarms("exit 1") == []
    assert alarms("exit 2") == ["c"]  # it has become worse
    assert alarms("exit 2") == []
    assert alarms("exit 1") == []
    time.sleep(0.3)
    assert alarms("exit 1", "200ms") == ["c"]


@pytest.fixture
def past(tmp_path: Path) -> Any:
    """`past(status, …)`: the result of runs with these statuses, one after another, the last of them."""
    codes = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}

    def call(*statuses: str, **params: Any) -> Result:
        params.setdefault("history", {"path": str(tmp_path / "history.db"), "keep": {"within": "8d"}})
        for status in statuses:
            result = run([command("c", f"exit {codes[status]}")], **params)
        return result

    return call


@pytest.mark.parametrize(
    ("statuses", "alarms"),
    [
        (["warning", "unknown"], ["c"]),  # worse
        (["unknown", "warning"], []),
        (["critical", "unknown"], []),
        (["critical", "ok", "critical"], ["c"]),  # another outage
        (["critical", "ok", "critical", "critical"], []),
        (["critical", "warning", "critical"], []),
    ],
)
def test_cooldown_holds_back_neither_what_is_worse_nor_another_outage(
    past: Any, statuses: list[str], alarms: list[str]
) -> None:
    assert past(*statuses, cooldown="1h")["alarms"] == alarms


def test_a_clock_that_was_ahead_silences_nothing(past: Any, tmp_path: Path) -> None:
    ahead = time.time() + 86400
    append(str(tmp_path / "history.db"), [Outcome("c", "command", "critical", "", ahead, 0.1)], 1e6, ahead)
    first = past("critical", cooldown="1h")
    assert first["alarms"] == ["c"]
    assert "1 outcome is dated later than now" in first["warnings"][0]
    second = past("critical", cooldown="1h")
    assert (second["alarms"], "warnings" in second) == ([], False)
    assert past("critical", cooldown="0s")["alarms"] == ["c"]


def test_so_many_bad_runs_in_a_row_raise_an_alarm(past: Any) -> None:
    assert past("critical", "warning", failures=3)["alarms"] == []
    last = past("critical", failures=3)
    assert (last["alarms"], last["failed"]) == (["c"], True)
    assert past("critical", failures=3)["alarms"] == ["c"]
    assert past("ok", "critical", "critical", failures=3)["checks"][0]["quiet"] is True
    with pytest.raises(InvalidRequest, match="failures requires a history"):
        run([command("c", "true", failures=2)])


def test_recovered_is_who_is_ok_after_an_alarm(past: Any) -> None:
    assert past("critical")["recovered"] == []
    assert past("warning")["recovered"] == []
    back = past("ok")
    assert back["recovered"] == ["c"]
    assert back["msg"].endswith("; recovered: c")
    assert past("ok")["recovered"] == []
    assert past("critical", "ok", failures=2)["recovered"] == []  # no alarm was raised


def test_cooldown_needs_a_history() -> None:
    with pytest.raises(InvalidRequest, match="cooldown requires a history"):
        run([command("c", "true")], cooldown="5m")
    with pytest.raises(InvalidRequest, match="cooldown requires a history"):
        run([command("c", "true", cooldown="5m")])


def test_reports_and_history_are_written_unless_in_check_mode(tmp_path: Path) -> None:
    values = {name: one.get("default") for name, one in health_check.ARGUMENTS["argument_spec"].items()}
    values.update(
        checks=[command("c", "exit 1"), command("d", "true")],
        report=[{"format": "json", "path": str(tmp_path / "r.json")}],
        history={"path": str(tmp_path / "history.db"), "keep": {"within": "8d"}},
    )
    dry = health_check.run(values, True, Progress())
    assert dry["changed"] is True
    assert list(tmp_path.iterdir()) == []
    first = health_check.run(values, False, Progress())
    assert (first["changed"], first["reports"][0]["changed"]) == (True, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.db", "r.json"]
    assert health_check.run(values, True, Progress())["changed"] is False
    assert health_check.run(values, False, Progress())["changed"] is False


def test_a_report_that_can_t_be_written_fails_before_anything_runs(tmp_path: Path) -> None:
    report = [{"format": "prometheus", "path": str(tmp_path / "r.txt")}]
    with pytest.raises(InvalidRequest, match=r"end in \.prom"):
        run([command("c", f"touch {tmp_path}/mark")], report=report)
    assert not (tmp_path / "mark").exists()
