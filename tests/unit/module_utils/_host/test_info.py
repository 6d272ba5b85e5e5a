# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import time
import zlib
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._host import info, journal
from ansible_collections.day2.ops.plugins.module_utils._host.places import state

DAY = 86400


def run(path: str, **expected: Any) -> dict[str, Any]:
    result = info.run({"path": path, "expected": expected, "pushed": None})
    json.dumps(result)
    return result


def test_the_default_is_where_the_program_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_state, "directory", lambda: "/var/lib/day2/state")
    assert info.ARGUMENTS["argument_spec"]["path"]["default"] == state(journal.SUMMARY)


def test_what_the_program_records_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path))
    now = time.time()
    for job, status in (("a", "ok"), ("b", "ok"), ("b", "failed")):
        entry = {"job": job, "verb": "backup", "began": now - 5, "ended": now, "status": status, "msg": "No."}
        journal.record({**entry, "warnings": ["w"]}, ["a", "b"])
    result = run(state(journal.SUMMARY), a="1h", c="1d")
    assert [one["name"] for one in result["jobs"]] == ["a", "b"]
    assert result["jobs"][0]["age_s"] < 60
    assert result["jobs"][0]["warnings"] == 1
    assert result["jobs"][1]["last_success"] is not None
    assert result["findings"] == [{"job": "c", "problem": "has never run"}, {"job": "b", "problem": "failed: No."}]
    assert result["ok"] is False
    assert result["msg"] == "2 of 3 jobs need attention: c: has never run; b: failed: No."


@pytest.mark.parametrize(
    ("age", "every", "problem"),
    [
        (3600, "26h", ""),
        (3 * DAY, "26h", "late: last success 3d ago, expected every 1d2h"),
        (3 * DAY, "", ""),
        (-3 * DAY, "26h", "the time of its last success is unknown"),
        (None, "26h", "the time of its last success is unknown"),
    ],
)
def test_jobs_that_are_late(tmp_path: Path, age: Optional[float], every: str, problem: str) -> None:
    last_ok = None if age is None else time.time() - age
    path = tmp_path / "summary.json"
    path.write_text(json.dumps({"jobs": {"a": {"verb": "backup", "status": "ok", "began": 1, "last_ok": last_ok}}}))
    result = run(str(path), a=every)
    assert [one["problem"] for one in result["findings"]] == ([problem] if problem else [])


def test_a_host_without_jobs(tmp_path: Path) -> None:
    assert run(str(tmp_path / "nothing"))["ok"]
    assert not run(str(tmp_path / "nothing"), a=0)["ok"]


def test_errors(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("{")
    with pytest.raises(Day2Error, match="is damaged"):
        run(str(path))
    for jobs in (["a"], [["a", {}]], {"a": []}, {"a": {"status": "ok", "failures": "2"}}, {"a": {"msg": None}}):
        path.write_text(json.dumps({"jobs": jobs}))
        with pytest.raises(Day2Error, match="is damaged"):
            run(str(path))
    large = base64.b64encode(zlib.compress(b" " * 2**21 + b"{}")).decode()
    for text in ("no", None, base64.b64encode(b"{}").decode(), large):
        path.write_text(json.dumps({"compressed": text}))
        with pytest.raises(Day2Error, match="is damaged"):
            run(str(path))
    with pytest.raises(InvalidRequest, match=r"expected\.a: 'soon' is not a duration"):
        run(str(tmp_path / "nothing"), a="soon")
    with pytest.raises(Day2Error, match="cannot be read"):
        run(str(tmp_path))


def test_a_summary_that_the_host_has_pushed(tmp_path: Path) -> None:
    path = tmp_path / "web1.json"
    with pytest.raises(Day2Error, match="has pushed no summary: .*web1.json does not exist"):
        info.judge_pushed(str(path), {"a": "1h"})
    last = {"verb": "backup", "status": "ok", "began": time.time() - 7200, "last_ok": time.time() - 7200}
    path.write_text(json.dumps({"schema": 1, "jobs": {"a": last}}))
    assert info.judge_pushed(str(path), {"a": "1d"})["findings"] == []
    late = info.run({"path": "/nonexistent", "pushed": str(path), "expected": {"a": "1h"}})
    assert [one["job"] for one in late["findings"]] == ["a"]
    # A host that is silent for ever would be ok for ever.
    blind = info.judge_pushed(str(path), {"a": "", "b": 0})
    assert (blind["ok"], [one["job"] for one in blind["findings"]]) == (False, ["b", None])
    json.dumps(blind)
    # What a host pushes is its own; it is told, and does not end the playbook.
    for content, said in (("{" + " " * 2**20, "larger than 1 MiB"), ("[" * 500_000, "is damaged")):
        path.write_text(content)
        with pytest.raises(Day2Error, match=said):
            info.judge_pushed(str(path), {"a": "1d"})
