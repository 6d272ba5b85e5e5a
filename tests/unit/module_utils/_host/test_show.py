# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import inspect
import json
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._host import places
from ansible_collections.day2.ops.plugins.module_utils._host.show import problem_of
from ansible_collections.day2.ops.plugins.module_utils._verbs.registry import VERBS, find_verb

from .conftest import Host

DAY = 86400.0


@pytest.fixture(autouse=True)
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.JOBS_VARIABLE, str(tmp_path))
    path = tmp_path / "jobs" / "a.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"schema": 1, "verb": "backup", "arguments": {}, "expected_every": DAY}))
    path.chmod(0o600)


@pytest.mark.parametrize(
    ("last", "problem"),
    [
        (None, "has never run"),
        ({"status": "ok", "last_ok": time.time() - 3600}, ""),
        ({"status": "ok", "last_ok": time.time() - 3 * DAY}, "late: last success 3d ago, expected every 1d"),
        ({"status": "ok", "last_ok": time.time() + 3 * DAY}, "the time of its last success is unknown"),
        ({"status": "failed", "last_ok": time.time(), "msg": "No."}, "failed: No."),
    ],
)
def test_jobs_that_need_attention(last: Any, problem: str) -> None:
    assert problem_of("a", last) == problem


def test_a_missing_job_is_a_problem() -> None:
    assert "does not exist" in problem_of("b", {"status": "ok"})


def test_secrets_of_health_checks_are_not_shown(host: Host) -> None:
    host.secret("word", "hunter2")
    check = {"name": "a", "type": "http", "url": "http://127.0.0.1/", "username": "u"}
    host.job("health", "health_check", {"checks": [check]}, secrets={"checks.0.password": "word"})
    code, said = host.run("explain", "health")
    assert code == 0
    assert "hunter2" not in said
    assert json.loads(said)["arguments"]["checks"][0]["password"] == "********"


@pytest.mark.parametrize("verb", VERBS)
def test_the_arguments_of_each_verb_can_be_checked(verb: str) -> None:
    """`day2 check` calls what some verbs have for this."""
    check = getattr(find_verb(verb), "request_from", None)
    if check is not None:
        inspect.signature(check).bind({})


def test_drills_are_checked(host: Host, tmp_path: Path) -> None:
    host.job("drill", "restore_drill", {"name": "a", "repository": str(tmp_path / "backups")})
    assert host.run("check", "drill") == (0, "")
    host.job("drill", "restore_drill", {"name": "a/b", "repository": str(tmp_path / "backups")})
    assert host.run("check", "drill")[0] == 78
