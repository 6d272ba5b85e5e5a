# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""job_info: the state of the jobs of a host, from one small file.

A fleet reads it often, so the action plugin reads the file by a module of ansible-core, and judges it on the
controller.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Optional

from .._core.errors import Day2Error, InvalidRequest
from .._core.units import parse_duration
from .journal import known_time, late
from .states import read_states

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "expected": {"type": "dict", "default": {}},
        "path": {"type": "path", "default": "/var/lib/day2/state/jobs/summary.json"},
        "pushed": {"type": "path"},
    }
}
_LARGEST = 1 << 20  # bytes; a host that pushes more does not take the memory of the controller


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """The result. Raises Day2Error when the file exists but cannot be read."""
    if params["pushed"]:
        return judge_pushed(params["pushed"], params["expected"])
    return judge(_read(params["path"]), params["path"], params["expected"])


def judge_pushed(path: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The result for a copy of the file that the host has pushed. Nobody has asked the host, so a host that is silent
    must be late.

    Raises Day2Error if there is no copy, or as `judge` does.
    """
    content = _read(path)
    if content is None:
        raise Day2Error(f"The host has pushed no summary: {path} does not exist.", "See schedule_push_command.")
    result = judge(content, path, wanted)
    if wanted and not any(_seconds(name, value) for name, value in wanted.items()):
        problem = "no job has expected_every, so a host that stops reporting would go unnoticed"
        result["findings"].append({"job": None, "problem": problem})
        result.update(ok=False, msg=f"{result['msg']}; {problem}")
    return result


def judge(content: Optional[bytes], path: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The result. Raises Day2Error if the file is damaged, InvalidRequest for an expected time that is wrong.

    :param content: of the file at `path`; None: it does not exist.
    :param wanted: the expected jobs, and within which time each should succeed.
    """
    now = time.time()
    known = _jobs(content, path) if content is not None else {}
    jobs = [_job(name, one, now) for name, one in sorted(known.items())]
    expected = {name: _seconds(name, value) for name, value in wanted.items()}
    names = [*expected, *(name for name in sorted(known) if name not in expected)]
    problems = {name: _problem(known.get(name), expected.get(name, 0.0)) for name in names}
    findings = [{"job": name, "problem": problem} for name, problem in problems.items() if problem]
    listed = "; ".join(f"{one['job']}: {one['problem']}" for one in findings)
    return {
        "changed": False,
        "jobs": jobs,
        "findings": findings,
        "ok": not findings,
        "msg": f"{len(findings)} of {len(names)} jobs need attention: {listed}"
        if findings
        else f"{len(names)} jobs ok",
    }


def _read(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb") as handle:
            content = handle.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise Day2Error(f"{path} cannot be read: {exc.strerror}.", "Run as root (become: true).") from exc
    if len(content) > _LARGEST:
        raise Day2Error(f"{path} is larger than 1 MiB: it is not a summary of jobs.", "See schedule_push_command.")
    return content


def _jobs(content: bytes, path: str) -> dict[str, dict[str, Any]]:
    try:
        return read_states(content)
    except ValueError as exc:
        raise Day2Error(f"{path} is damaged.", "The next run of a job recreates it.") from exc


def _seconds(name: str, value: Any) -> float:
    try:
        return parse_duration(value or 0)
    except InvalidRequest as exc:
        raise InvalidRequest(f"expected.{name}: {exc.message}", exc.hint) from exc


def _job(name: str, one: Mapping[str, Any], now: float) -> dict[str, Any]:
    began, succeeded = (known_time(one.get(key)) for key in ("began", "last_ok"))
    return {
        "name": name,
        "verb": one.get("verb"),
        "status": one.get("status"),
        "failures": one.get("failures", 0),
        "warnings": one.get("warnings", 0),
        "msg": one.get("msg", ""),
        "last_run": _text(began),
        "last_success": _text(succeeded),
        "age_s": round(max(0.0, now - succeeded)) if succeeded else None,
        "days": one.get("days", ""),
    }


def _text(seconds: float) -> Any:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else None


def _problem(last: Optional[Mapping[str, Any]], every: float) -> str:
    """The reason why a job needs attention, or ""."""
    if last is None:
        return "has never run"
    if last.get("status") != "ok":
        return f"{last.get('status')}: {last.get('msg', '')}".rstrip(": ")
    return late(last, every)
