# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs whose program could not record them."""

from __future__ import annotations

from .conftest import Host


def end(host: Host, status: str, invocation: str = "1234") -> None:
    host.environment.update(
        MONITOR_SERVICE_RESULT="exit-code", MONITOR_EXIT_STATUS=status, MONITOR_INVOCATION_ID=invocation
    )
    assert host.run("record-failure", "old")[0] == 0


def test_a_program_that_never_started(host: Host) -> None:
    host.old_files()
    end(host, "243")
    code, said = host.run("status")
    assert code == 1
    assert "exit-code 243: a credential is missing" in said
    assert host.runs()[0]["verb"] == "retention"


def test_what_the_program_has_recorded_is_not_recorded_again(host: Host) -> None:
    host.job("old", "retention", {"ruls": []})
    host.environment["INVOCATION_ID"] = "5678"
    assert host.run("run", "old")[0] == 78
    end(host, "78", "5678")
    assert [one["status"] for one in host.runs()] == ["wrong"]


def test_only_names_of_jobs(host: Host) -> None:
    assert host.run("record-failure", "../x")[0] == 78


def test_state_that_cannot_be_written(host: Host) -> None:
    host.old_files()
    host.state.parent.mkdir()
    host.state.write_text("not a directory")
    code, said = host.run("record-failure", "old")
    assert code == 1
    assert "old: The run could not be recorded" in said
    assert "Traceback" not in said


def test_a_removed_job_is_not_reported(host: Host) -> None:
    assert host.run("forget-removed") == (0, "")
    host.job("old", "retention", {"ruls": []})
    host.old_files("kept")
    host.run("run", "old")
    host.run("run", "kept")
    (host.root / "etc" / "jobs" / "old.json").unlink()
    assert host.run("forget-removed") == (0, "")
    assert sorted(host.summary()) == ["kept"]


def test_a_failure_after_another_run_of_the_same_unit(host: Host) -> None:
    host.old_files()
    host.environment["INVOCATION_ID"] = "1234"
    assert host.run("run", "old")[0] == 0
    end(host, "KILL")  # of the second run
    assert [one["status"] for one in host.runs()] == ["ok", "failed"]
