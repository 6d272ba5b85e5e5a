# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""jobs: runs several verbs one after another in one process, each with its own result."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from .._core.errors import Cancelled, Day2Error, InvalidRequest, TaskEnded, explained
from .._core.progress import Progress
from .._core.units import plural
from .registry import VERBS, find_verb

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "jobs": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "name": {"type": "str", "required": True},
                "verb": {"type": "str", "required": True, "choices": sorted(VERBS)},
                # Options differ by verb and are read by the reader, which finds the secrets among them.
                "arguments": {"type": "dict", "default": {}},
            },
        },
    },
    # The log of AnsibleModule would contain the secrets in arguments.
    "no_log": True,
}

# Checks the arguments of a verb by its ARGUMENTS; raises InvalidRequest.
Reader = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]

_NAMED = 10  # failures that are named in the message


def echo(params: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as shown in the result: without those of the jobs, which may contain secrets."""
    jobs = params.get("jobs") or []
    return {"jobs": [{key: one.get(key) for key in ("name", "verb")} for one in jobs if isinstance(one, Mapping)]}


def run(params: Mapping[str, Any], check: bool, progress: Progress, read: Reader) -> dict[str, Any]:
    """All jobs in their order. A failure does not affect the others; a request to stop ends the jobs that remain."""
    began = time.monotonic()
    jobs: Sequence[Mapping[str, Any]] = params["jobs"]
    _check_names([one["name"] for one in jobs])
    entries: list[dict[str, Any]] = []
    diffs: list[Any] = []
    warnings: list[str] = []
    stopped: Optional[Cancelled] = None
    for number, job in enumerate(jobs, 1):
        progress.prefix = f"{job['name']} ({number} of {len(jobs)}): "
        if stopped:
            entries.append(_failed(job, f"Not run. {stopped}"))
            continue
        try:
            result = find_verb(job["verb"]).run(_arguments(job, read), check, progress)
        except Cancelled as exc:
            stopped, result = exc, _failure(exc)
        except Day2Error as exc:
            result = _failure(exc)
        except Exception as exc:
            result = {"failed": True, "msg": f"This is a bug: {exc!r}.", "exception": traceback.format_exc()}
        diffs += _diffs(job["name"], result.pop("diff", None))
        warnings += [f"{job['name']}: {one}" for one in result.pop("warnings", ())]
        entries.append(_entry(job, result))
    return {
        "changed": any(one["changed"] for one in entries),
        "failed": any(one["failed"] for one in entries),
        "msg": _message(entries),
        "results": entries,
        "diff": diffs,
        "warnings": warnings,
        "duration_s": round(time.monotonic() - began, 3),
    }


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequest(f"Two jobs have the name {twice[0]}.", "Set a unique name for each of them.")


def _arguments(job: Mapping[str, Any], read: Reader) -> Mapping[str, Any]:
    return read(find_verb(job["verb"]).ARGUMENTS, job["arguments"])


def _failure(exc: TaskEnded) -> dict[str, Any]:
    return {**exc.details, "failed": True, "msg": explained(exc)}


def _failed(job: Mapping[str, Any], message: str) -> dict[str, Any]:
    return _entry(job, {"failed": True, "msg": message})


def _entry(job: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    changed, failed = bool(result.get("changed")), bool(result.get("failed"))
    return {
        "name": job["name"],
        "verb": job["verb"],
        "changed": changed,
        "failed": failed,
        "msg": result.get("msg", ""),
        "result": {**result, "changed": changed, "failed": failed},
    }


def _diffs(name: str, diff: Any) -> list[dict[str, Any]]:
    """The diffs of one job; each names the job."""
    several = diff if isinstance(diff, list) else [diff] if diff else []
    return [
        {**one, **{key: _joined(name, one.get(key)) for key in ("before_header", "after_header")}} for one in several
    ]


def _joined(name: str, header: Any) -> str:
    return f"{name}: {header}" if header else name


def _message(entries: Sequence[Mapping[str, Any]]) -> str:
    failed = [one for one in entries if one["failed"]]
    changed = sum(1 for one in entries if one["changed"])
    if not failed:
        return f"{plural(len(entries), 'job')} ok, {changed} changed."
    named = [f"{one['name']}: {one['msg']}" for one in failed[:_NAMED]]
    if len(failed) > _NAMED:
        named.append(f"and {len(failed) - _NAMED} more")
    return f"{len(failed)} of {plural(len(entries), 'job')} failed: {'; '.join(named)}"
