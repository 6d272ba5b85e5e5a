# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of jobs for node_exporter, and the alert rules for them."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.services.promtool import promtool

from .conftest import Host

RULES = Path(__file__).resolve().parents[4] / "roles/schedule/files/alert_rules.yml"


@pytest.fixture
def file(host: Host) -> Path:
    """The file that the settings of the host name."""
    directory = host.root / "collector"
    directory.mkdir()
    return settings(host, str(directory / "day2.prom"))


def settings(host: Host, path: str) -> Path:
    written = host.root / "etc" / "settings.json"
    written.write_text(json.dumps({"schema": 1, "metrics": path}))
    written.chmod(0o600)
    return Path(path)


def series(file: Path, job: str) -> dict[str, float]:
    found = re.findall(rf'^day2_job_(\w+){{name="{job}",verb="(?:\w*)"}} (\S+)$', file.read_text(), re.MULTILINE)
    return {name: float(value) for name, value in found}


def state(host: Host, **jobs: dict[str, Any]) -> None:
    """The last runs of jobs, as the summary has them."""
    host.state.mkdir(parents=True)
    (host.state / "summary.json").write_text(json.dumps({"schema": 1, "jobs": jobs}))


def test_metrics_are_written_after_each_run(host: Host, file: Path) -> None:
    host.job("bad", "retention", {"ruls": []})
    host.old_files(expected_every=93600)
    began, before = time.time(), os.umask(0o077)
    try:
        assert host.run("run", "bad")[0] == 78
        assert host.run("run", "old")[0] == 0
    finally:
        os.umask(before)
    (host.root / "etc" / "jobs" / "bad.json").write_text("{")  # it has metrics as long as it exists
    assert host.run("metrics") == (0, "")
    assert series(file, "bad").keys() == {
        *("last_run_ok", "failures", "warnings", "last_run_timestamp_seconds", "last_run_duration_seconds"),
    }
    assert (series(file, "bad")["last_run_ok"], series(file, "bad")["failures"]) == (0, 1)
    found = series(file, "old")
    assert (found["last_run_ok"], found["failures"], found["expected_every_seconds"]) == (1, 0, 93600)
    assert began - 1 <= found["last_success_timestamp_seconds"] <= time.time() + 1
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in file.parent.iterdir()] == ["day2.prom"]
    promtool("check", "metrics", stdin=file.read_bytes())


def test_runs_that_the_program_did_not_see(host: Host, file: Path) -> None:
    host.old_files()
    host.environment.update(MONITOR_SERVICE_RESULT="exit-code", MONITOR_EXIT_STATUS="243", MONITOR_INVOCATION_ID="1")
    assert host.run("record-failure", "old")[0] == 0
    assert series(file, "old")["last_run_ok"] == 0


def test_metrics_that_cannot_be_written_fail_no_job(host: Host) -> None:
    file = settings(host, host.path("missing/day2.prom"))
    path = host.old_files()
    code, said = host.run("run", "old")
    assert (code, path.exists()) == (0, False)
    assert "warning: The metrics could not be written: Can't write " in said
    assert host.summary()["old"]["status"] == "ok"
    assert host.run("metrics")[0] == 1
    file.parent.mkdir()
    assert host.run("metrics") == (0, "")
    assert series(file, "old")["last_run_ok"] == 1


@pytest.mark.root
def test_a_directory_that_jobs_cannot_write_to(host: Host, file: Path) -> None:
    os.chown(file.parent, 12345, 12345)
    code, said = host.run("metrics")
    assert code == 1
    assert "belongs to another user (uid 12345), so jobs in a sandbox cannot write to it" in said
    file.parent.chmod(0o1777)
    assert host.run("metrics") == (0, "")


@pytest.mark.once
def test_the_rules_are_those_of_day2_status(host: Host, file: Path, tmp_path: Path) -> None:
    now = int(time.time())
    for name in ("good", "late", "never", "failed"):
        host.job(name, "retention", {"rules": []}, expected_every=7200)
    run = {"verb": "retention", "status": "ok", "seconds": 1, "failures": 0, "msg": ""}
    state(
        host,
        good={**run, "began": now - 3600, "last_ok": now - 3600},
        late={**run, "began": now - 7300, "last_ok": now - 7300},
        failed={**run, "status": "failed", "began": now - 60, "last_ok": now - 3600, "failures": 2},
    )
    said = host.run("status")[1]
    bad = {line.split(":")[0][4:].strip() for line in said.splitlines() if line.startswith("bad")}
    assert host.run("metrics") == (0, "")
    # The clock of promtool begins at 0, and the rules are asked after two days.
    written = re.sub(
        r"^(\w+_timestamp_\w+\S+) (\d+)$",
        lambda one: f"{one[1]} {int(one[2]) - now + 2 * 86400}",
        file.read_text(),
        flags=re.MULTILINE,
    )
    lines = [line.rpartition(" ") for line in written.splitlines() if not line.startswith("#")]
    expected = {"Day2JobFailed": {"failed"}, "Day2JobLate": {"late"}, "Day2JobNeverSucceeded": {"never"}}
    assert set().union(*expected.values()) == bad
    asked = [
        {
            "expr": f'count by (name) (ALERTS{{alertname="{rule}",alertstate="firing"}})',
            "eval_time": "2d",
            "exp_samples": [{"labels": f'{{name="{one}"}}', "value": 1} for one in jobs],
        }
        for rule, jobs in expected.items()
    ]
    assert set(re.findall(r"- alert: (\w+)", RULES.read_text())) == set(expected)
    test = {
        "interval": "1h",
        "input_series": [{"series": name, "values": f"{value}x48"} for name, _space, value in lines],
        "promql_expr_test": asked,
    }
    path = tmp_path / "test.yml"  # JSON is YAML
    path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1h", "tests": [test]}))
    promtool("check", "rules", RULES)
    promtool("test", "rules", path)
