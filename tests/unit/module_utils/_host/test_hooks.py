# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that run before and after a job."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._host import run as runs
from ansible_collections.day2.ops.plugins.module_utils._host import show
from ansible_collections.day2.ops.plugins.module_utils._host.hooks import HOOKS, checked_hooks, run_hook
from ansible_collections.day2.ops.plugins.module_utils._host.places import JOBS_VARIABLE

from .conftest import Host


@pytest.fixture
def here(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host whose jobs run in this process."""
    for name in (JOBS_VARIABLE, host_state.VARIABLE):
        monkeypatch.setenv(name, host.environment[name])
    return host


def hooks(host: Host, **failing: str) -> dict[str, list[str]]:
    script = f'echo "{{0}} $DAY2_JOB $DAY2_STATUS" | sed "s/ *$//" >>{host.path("log")}; {{1}}'
    return {name: ["sh", "-c", script.format(name, failing.get(name, "true"))] for name in HOOKS}


def log(host: Host) -> list[str]:
    path = Path(host.path("log"))
    return path.read_text().splitlines() if path.exists() else []


def test_a_job_that_succeeds(here: Host) -> None:
    path = here.old_files(hooks=hooks(here))
    assert runs.run("old", False) == 0
    assert not path.exists()
    assert log(here) == ["before old", "after old"]


def test_check_mode_runs_no_hook(here: Host) -> None:
    here.old_files(hooks=hooks(here))
    assert runs.run("old", True) == 0
    assert log(here) == []


def test_a_job_that_fails(here: Host) -> None:
    here.command("dump", "exit 3", hooks=hooks(here))
    assert runs.run("dump", False) == 1
    assert log(here) == ["before dump", "on_failure dump failed"]


def test_a_hook_before_that_fails(here: Host) -> None:
    path = here.old_files(hooks=hooks(here, before="echo no >&2; exit 4", on_failure="exit 5"))
    assert runs.run("old", False) == 1
    assert path.exists()
    assert log(here) == ["before old", "on_failure old failed"]
    (entry,) = here.runs()
    assert entry["msg"] == "The hook before (sh) ended with exit status 4: no."
    assert entry["warnings"] == ["The hook on_failure (sh) ended with exit status 5."]


def test_a_hook_after_that_fails(here: Host) -> None:
    path = here.old_files(hooks=hooks(here, after="exit 4"))
    assert runs.run("old", False) == 1
    assert not path.exists()
    assert log(here) == ["before old", "after old", "on_failure old failed"]
    assert here.runs()[0]["status"] == "failed"


def test_a_service_that_a_hook_leaves_is_not_waited_for() -> None:
    run_hook({"before": ["sh", "-c", "sleep 300 & echo $!"]}, "before", {})


def test_a_job_that_a_hook_runs_is_no_run_of_the_unit(host: Host) -> None:
    """Nobody else would tell that it has failed."""
    host.command("other", "exit 3", notify=[{"name": "a", "type": "command", "argv": ["touch", host.path("told")]}])
    host.old_files(hooks={"after": host.argv("run", "other")})
    host.environment.update(INVOCATION_ID="7", MONITOR_INVOCATION_ID="7")
    assert host.run("run", "old")[0] == 1
    assert Path(host.path("told")).exists()
    assert [(one["job"], one["invocation"]) for one in host.runs()] == [("other", ""), ("old", "7")]


@pytest.mark.parametrize("given", [[], {"befor": ["x"]}, {"before": "x"}, {"before": []}, {"before": [1]}])
def test_wrong_hooks(given: Any) -> None:
    with pytest.raises(InvalidRequest):
        checked_hooks(given)


def test_a_program_that_does_not_exist(here: Host) -> None:
    here.old_files(hooks={"before": ["/does/not/exist"]})
    assert runs.run("old", False) == 1
    assert here.runs()[0]["msg"].startswith("The hook before can't be run: /does/not/exist: ")


def test_what_is_missing_is_found_before(here: Host, capsys: pytest.CaptureFixture[str]) -> None:
    here.secret("u", "https://example.com/x")
    webhook = {"name": "a", "type": "webhook", "url": "u", "ca": "/does/not/exist.pem"}
    here.old_files("a", hooks={"before": ["sh"], "after": ["/does/not/exist"]})
    here.old_files("b", notify=[{"name": "a", "type": "command", "argv": ["page-nobody"]}])
    here.old_files("c", notify=[webhook])
    here.old_files("d", hooks={"before": ["sh"]})
    assert show.check_jobs([]) == 78
    assert capsys.readouterr().err.splitlines() == [
        "a: The program /does/not/exist does not exist or is not executable.",
        "b: The program page-nobody does not exist or is not executable.",
        "c: ca: /does/not/exist.pem does not exist, or is not a file.",
    ]


def test_sigterm_when_the_work_has_ended(here: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run was ok, and the signal may not keep it from being recorded."""
    here.old_files()
    work = runs._Run.work

    def ended_and_stopped(self: Any, progress: Any) -> None:
        work(self, progress)
        os.kill(os.getpid(), signal.SIGTERM)
        raise Cancelled("The handler must have been called.")

    monkeypatch.setattr(runs._Run, "work", ended_and_stopped)
    assert runs.run("old", False) == 0
    assert [one["status"] for one in here.runs()] == ["ok"]


def test_another_sigterm_while_a_failure_is_handled(here: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    here.command("dump", "exit 3")
    failed = runs._Run.failed

    def failed_and_stopped(self: Any, *words: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        failed(self, *words)

    monkeypatch.setattr(runs._Run, "failed", failed_and_stopped)
    assert runs.run("dump", False) == 1
    assert [one["status"] for one in here.runs()] == ["failed"]


def test_hooks_can_be_ended(here: Host) -> None:
    """SIGTERM, which the program ignores by then, ends a hook as usual."""
    script = f"grep '^SigIgn:' /proc/self/status >{here.path('log')}"
    here.command("dump", "exit 3", hooks={"on_failure": ["sh", "-c", script]})
    assert runs.run("dump", False) == 1
    assert not int(log(here)[0].split()[1], 16) >> (signal.SIGTERM - 1) & 1


def test_a_hook_that_hangs_does_not_keep_a_stopped_run_from_being_recorded(
    here: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_HOOK_AFTER_STOP", 0.2)
    here.command("dump", "kill $PPID; sleep 60", hooks={"on_failure": ["sleep", "60"]})
    assert runs.run("dump", False) == 1
    assert here.runs()[0]["msg"] == "Stopped: it received SIGTERM."
    assert here.runs()[0]["warnings"] == ["The hook on_failure (sleep) was killed, as it ran for 200ms."]


def test_sigterm_ends_a_hook_that_hangs(here: Host) -> None:
    here.command("dump", "exit 3", hooks={"on_failure": ["sh", "-c", "kill $PPID; exec sleep 60"]})
    assert runs.run("dump", False) == 1
    assert here.runs()[0]["status"] == "failed"
    assert here.runs()[0]["warnings"] == ["The hook on_failure was stopped: the run received SIGTERM."]
