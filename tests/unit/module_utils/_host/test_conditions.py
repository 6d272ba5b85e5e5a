# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions under which jobs run."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._host import conditions, journal
from ansible_collections.day2.ops.plugins.module_utils._host import run as runs
from ansible_collections.day2.ops.plugins.module_utils._host.conditions import conditions_of, is_open, unmet
from ansible_collections.day2.ops.plugins.module_utils._host.places import JOBS_VARIABLE
from tests.services.waiting import PATIENCE, wait_for

from .conftest import Host

HOUR = 3600.0


@pytest.mark.parametrize(
    ("window", "opened", "closed"),
    [
        ({"start": "22:00", "end": "06:00"}, ["22:00", "23:59", "00:00", "05:59"], ["06:00", "12:00", "21:59"]),
        ([{"start": "00:00", "end": "01:00"}, {"start": 1380, "end": "24:00"}], ["00:00", "23:59"], ["01:00", "22:59"]),
        (None, ["00:00", "12:00"], []),
    ],
)
def test_windows(monkeypatch: pytest.MonkeyPatch, window: Any, opened: list[str], closed: list[str]) -> None:
    made = conditions_of(window, None, None)
    for times, expected in ((opened, True), (closed, False)):
        for clock in times:
            local = time.mktime(time.strptime(f"2026-03-04 {clock}", "%Y-%m-%d %H:%M"))
            monkeypatch.setattr(time, "time", lambda now=local: now)
            assert is_open(made) is expected, clock


def test_a_window_of_another_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = conditions_of({"start": "22:00", "end": "23:00", "timezone": "+02:00"}, None, None)
    monkeypatch.setattr(time, "time", lambda: 20.5 * HOUR)
    assert is_open(made)
    monkeypatch.setattr(time, "time", lambda: 22.5 * HOUR)
    assert "The current time is outside its window." in unmet(made)


@pytest.mark.parametrize("window", ["22:00-06:00", {"start": "22:00"}, {"start": "x", "end": "y"}, ["x"]])
def test_wrong_windows(window: Any) -> None:
    with pytest.raises(InvalidRequest, match="window"):
        conditions_of(window, None, None)


def test_other_wrong_conditions() -> None:
    for load in ("x", True, float("nan")):
        with pytest.raises(InvalidRequest, match="when_load_below is not a number"):
            conditions_of(None, load, None)
    with pytest.raises(InvalidRequest, match="on_ac_power is not"):
        conditions_of(None, None, "x")


def test_the_load_is_that_of_the_kernel() -> None:
    assert unmet(conditions_of(None, 1e9, None)) == ""
    assert "not below 0." in unmet(conditions_of(None, 0, None))
    # It changes every five seconds.
    assert any(abs(conditions._load() - os.getloadavg()[0]) < 0.01 for _attempt in range(3))


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ({}, True),
        ({"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery", "status": "Charging"}}, True),
        ({"AC": {"type": "Mains", "online": "0"}, "BAT0": {"type": "Battery", "status": "Discharging"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Full"}}, True),
        ({"mouse": {"type": "Battery", "status": "Discharging", "scope": "Device"}}, True),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}, "usb": {"type": "USB", "online": "1"}}, True),
    ],
)
def test_power(tmp_path: Path, supplies: dict[str, dict[str, str]], expected: bool) -> None:
    for name, files in supplies.items():
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(f"{text}\n")
    assert conditions._on_ac_power(str(tmp_path)) is expected
    assert conditions._on_ac_power(str(tmp_path / "missing"))


def test_a_skipped_run_is_recorded_once_and_due_again(host: Host) -> None:
    host.environment.pop("INVOCATION_ID", None)
    path = host.old_files(when_load_below=0)
    code, said = host.run("run", "old", "--due", "1d")
    assert (code, path.exists()) == (75, True)
    assert said.startswith("old: skipped: The load is ")
    assert host.run("run", "old", "--due", "1d")[0] == 75
    assert [one["status"] for one in host.runs()] == ["skipped"]
    assert host.summary() == {}
    host.old_files(when_load_below=1e9)
    assert host.run("run", "old", "--due", "1d")[1].startswith("old: ok: 1 entry removed")


def test_conditions_can_be_ignored(host: Host) -> None:
    path = host.old_files(when_load_below=0)
    assert host.run("run", "old", "--anyway")[0] == 0
    assert not path.exists()


@pytest.fixture
def waiting(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """As a unit of systemd runs it."""
    for name in (JOBS_VARIABLE, host_state.VARIABLE):
        monkeypatch.setenv(name, host.environment[name])
    monkeypatch.setenv("INVOCATION_ID", "1234")
    monkeypatch.setattr(runs, "_PAUSE", 0.01)
    return host


def answers(monkeypatch: pytest.MonkeyPatch, *reasons: str) -> None:
    left = list(reasons)
    monkeypatch.setattr(runs, "unmet", lambda _conditions: left.pop(0) if len(left) > 1 else left[0])


def test_a_unit_waits(waiting: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    path = waiting.old_files(when_load_below=1)
    answers(monkeypatch, "The load is 3.", "The load is 2.", "")
    assert runs.run("old", False) == 0
    assert not path.exists()
    assert waiting.runs()[0]["msg"] == "Waits: The load is 3."
    assert [one["status"] for one in waiting.runs()] == ["skipped", "ok"]
    assert waiting.summary()["old"]["status"] == "ok"


def test_a_unit_waits_until_its_window_has_ended(waiting: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    path = waiting.old_files(window={"start": "22:00", "end": "06:00"})
    answers(monkeypatch, "Not yet.")
    opened = [False, False, True, True, False]
    monkeypatch.setattr(runs, "is_open", lambda _conditions: opened.pop(0))
    assert runs.run("old", False) == 75
    assert (path.exists(), opened) == (True, [])
    assert waiting.runs()[-1]["msg"] == "Its window has ended. Not yet."


def test_a_unit_without_a_window_waits_for_a_day(waiting: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting.old_files(when_load_below=1)
    answers(monkeypatch, "The load is 3.")
    monkeypatch.setattr(runs, "LONGEST", -1)
    assert runs.run("old", False) == 75
    assert waiting.runs()[-1]["status"] == "skipped"


def test_a_window_that_is_days_away(waiting: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd would end the unit, which would be a failure of the job."""
    waiting.old_files(window={"start": "22:00", "end": "06:00", "days": ["sat"]})
    answers(monkeypatch, "The current time is outside its window.")
    monkeypatch.setattr(runs, "is_open", lambda _conditions: False)
    monkeypatch.setattr(runs, "LONGEST", -1)
    assert runs.run("old", False) == 75
    assert waiting.runs()[-1]["msg"] == "The current time is outside its window."


def test_a_killed_run_that_has_waited_is_a_failure(host: Host) -> None:
    host.old_files()
    host.state.mkdir(parents=True)
    entry = {**journal.unseen_end("old", "retention", time.time(), "Waits.", "7"), "status": journal.SKIPPED}
    (host.state / "journal.jsonl").write_text(f"{json.dumps(entry)}\n")
    host.environment.update(MONITOR_SERVICE_RESULT="signal", MONITOR_EXIT_STATUS="KILL", MONITOR_INVOCATION_ID="7")
    assert host.run("record-failure", "old")[0] == 0
    assert [one["status"] for one in host.runs()] == ["skipped", "failed"]


def test_sigterm_while_it_waits(host: Host) -> None:
    path = host.old_files(when_load_below=0)
    host.environment["INVOCATION_ID"] = "1234"
    running = host.start("run", "old")
    wait_for(lambda: "(waiting: The load is " in host.run("status")[1])
    code, busy = host.run("run", "old", "--anyway")
    assert (code, f"in progress (process {running.pid}, waiting: The load is " in busy) == (75, True)
    assert busy.endswith("To run the job now, end that run: systemctl stop day2-old\n")
    running.send_signal(signal.SIGTERM)
    said, _errors = running.communicate(timeout=PATIENCE)
    assert (running.returncode, path.exists()) == (75, True)
    assert "skipped: Stopped: it received SIGTERM. It was waiting: The load" in said
    assert [one["status"] for one in host.runs()] == ["skipped", "busy", "skipped"]


def test_conditions_are_explained(host: Host) -> None:
    window = {"start": "22:00", "end": "06:00", "timezone": "+02:00"}
    host.old_files(window=window, on_ac_power=True)
    code, said = host.run("explain", "old")
    assert code == 0, said
    assert json.loads(said)["conditions"] == {"windows": window, "load_below": None, "on_ac_power": True}
