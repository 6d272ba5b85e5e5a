# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._core.specs import check as read
from ansible_collections.day2.ops.plugins.module_utils._verbs import jobs, registry, retention

MODULES = Path(registry.__file__).parents[2] / "modules"


def test_every_module_can_be_a_job() -> None:
    modules = {path.stem for path in MODULES.glob("*.py")}
    assert set(registry.VERBS) == modules - {"jobs", "job_info", "fleet_report", "state_write"}


def rule(tmp_path: Path, name: str) -> dict[str, Any]:
    where = str(tmp_path / name / "*")
    rules = [{"name": name, "paths": [where], "missing_ok": True, "tiers": [{"tier": "remove", "older_than": "1h"}]}]
    return {"name": name, "verb": "retention", "arguments": {"rules": rules}}


def old_files(tmp_path: Path, *names: str) -> None:
    for name in names:
        path = tmp_path / name / "old"
        path.parent.mkdir()
        path.write_text("x")
        os.utime(path, (1_000_000_000, 1_000_000_000))


def run(*given: Mapping[str, Any], check: bool = False) -> dict[str, Any]:
    result = jobs.run({"jobs": given}, check, Progress(), read)
    json.dumps(result)
    return result


def test_each_job_has_its_own_result(tmp_path: Path) -> None:
    old_files(tmp_path, "a", "b")
    given = [rule(tmp_path, "a"), rule(tmp_path, "b")]
    checked = run(*given, check=True)
    assert [one["changed"] for one in checked["results"]] == [True, True]
    assert (tmp_path / "a" / "old").exists()
    done = run(*given)
    assert (done["changed"], done["failed"], done["msg"]) == (True, False, "2 jobs ok, 2 changed.")
    assert not (tmp_path / "a" / "old").exists()
    assert done["results"][1]["msg"] == done["results"][1]["result"]["msg"]
    assert [one["before_header"] for one in done["diff"]] == ["a: now", "b: now"]
    assert checked["diff"] == done["diff"]
    assert all("diff" not in one["result"] for one in done["results"])
    assert run(*given)["changed"] is False


def test_a_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    old_files(tmp_path, "b")
    wrong = {"name": "wrong", "verb": "retention", "arguments": {"ruls": []}}
    missing = {"name": "missing", "verb": "backup_info", "arguments": {"repository": "/nonexistent/r", "name": "x"}}
    done = run(wrong, missing, rule(tmp_path, "b"))
    assert done["failed"]
    assert [one["failed"] for one in done["results"]] == [True, True, False]
    assert done["changed"]
    assert not (tmp_path / "b" / "old").exists()
    assert done["msg"].startswith("2 of 3 jobs failed: wrong: unknown option: ruls (options: ")


def test_a_bug_in_one_job_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(retention, "plan", fail)
    monkeypatch.setattr(retention, "request_from", fail)
    info = {"name": "info", "verb": "log_report", "arguments": {"paths": [str(tmp_path / "*.log")]}}
    done = run(rule(tmp_path, "a"), info)
    assert "This is a bug" in done["results"][0]["msg"]
    assert "ZeroDivisionError" in done["results"][0]["result"]["exception"]
    assert done["results"][1]["verb"] == "log_report"


def test_a_request_to_stop_ends_the_remaining_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_files(tmp_path, "a", "b")

    def stop(*_arguments: object) -> None:
        raise Cancelled("Stopped: it received SIGTERM.")

    monkeypatch.setattr(retention, "request_from", stop)
    done = run(rule(tmp_path, "a"), rule(tmp_path, "b"))
    assert [one["msg"] for one in done["results"]] == [
        "Stopped: it received SIGTERM.",
        "Not run. Stopped: it received SIGTERM.",
    ]
    assert (tmp_path / "b" / "old").exists()


def test_names_are_unique(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="Two jobs have the name a"):
        run(rule(tmp_path, "a"), rule(tmp_path, "a"))


def test_warnings_name_their_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "run", lambda *_: {"changed": False, "msg": "", "warnings": ["look at this"]})
    assert run(rule(tmp_path, "a"))["warnings"] == ["a: look at this"]


def test_arguments_are_not_echoed() -> None:
    job = {"name": "a", "verb": "backup", "arguments": {"s3": {"secret_access_key": "hunter2"}}}
    assert jobs.echo({"jobs": [job, "nonsense"]}) == {"jobs": [{"name": "a", "verb": "backup"}]}


def test_progress_names_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = []

    def start(_params: object, _check: bool, progress: Progress) -> dict[str, Any]:
        progress.start("Copying")
        labels.append(progress._label)
        return {}

    monkeypatch.setattr(retention, "run", start)
    run(rule(tmp_path, "a"), rule(tmp_path, "b"))
    assert labels == ["a (1 of 2): Copying", "b (2 of 2): Copying"]
