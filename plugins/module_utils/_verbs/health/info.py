# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_info: availability, duration and trend of checks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ..._core.errors import InvalidRequest, SourceError
from ..._core.files import look
from ..._core.outcome import OK, SKIPPED
from ..._core.progress import Progress
from ..._core.units import format_duration, format_time, parse_duration, plural
from ..._history.database import Check, History, ahead_warning
from ..._history.windows import summarise

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "path": {"type": "path", "required": True},
        "checks": {"type": "list", "elements": "str"},
        "windows": {"type": "list", "elements": "str", "default": ["1h", "24h", "7d"]},
    },
}


class HealthInfoRequest(NamedTuple):
    """The arguments. `windows`: the name and the seconds of each."""

    path: str
    checks: Sequence[str]
    windows: Sequence[tuple[str, float]]


def request_from(params: Mapping[str, Any]) -> HealthInfoRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid."""
    windows = [(text, parse_duration(text)) for text in params["windows"]]
    for text, seconds in windows:
        if not seconds:
            raise InvalidRequest(f"The window {text} has no length.", "Write for example 1h or 7d.")
    return HealthInfoRequest(params["path"], params["checks"] or [], windows)


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """Read the history; nothing is changed. Raises SourceError when it does not exist."""
    began = time.monotonic()
    request = request_from(params)
    now = time.time()
    if look(request.path, SourceError) is None:
        raise SourceError(
            f"The history {request.path} does not exist.",
            "health_check creates it on its first run with the option history. Compare the paths.",
        )
    checks, ahead = _read(request, now, progress)
    missing = sorted(set(request.checks) - {one["name"] for one in checks})
    if missing:
        raise InvalidRequest(
            f"The history {request.path} has no check {', '.join(missing)}.",
            "Omit checks to list all checks of the history.",
        )
    bad = [one["name"] for one in checks if one["status"] not in (OK, SKIPPED)]
    return {
        "changed": False,
        "checks": checks,
        "msg": _message(request, checks, bad),
        "duration_s": round(time.monotonic() - began, 3),
        "warnings": [ahead_warning(request.path, ahead)] if ahead else [],
    }


def _read(request: HealthInfoRequest, now: float, progress: Progress) -> tuple[list[dict[str, Any]], int]:
    """The checks, and the number of their outcomes that are dated later than now."""
    longest = max((seconds for _name, seconds in request.windows), default=0.0)
    with History(request.path, now) as history:
        known = [one for one in history.checks() if not request.checks or one.name in request.checks]
        progress.start(f"Reading {request.path}", len(known), "checks")
        found = []
        for one in known:
            kept = history.kept(one, now - longest)
            windows = [{"name": name, **summarise(kept, now - seconds, now)} for name, seconds in request.windows]
            found.append({**_check(one, now), "windows": windows})
            progress.advance(1)
        return found, history.ahead()


def _check(check: Check, now: float) -> dict[str, Any]:
    return {
        "name": check.name,
        "type": check.type,
        "unit": check.unit,
        "status": check.status,
        "message": check.message,
        "since": _time(check.since),
        "since_s": round(max(0.0, now - check.since), 3),
        "checked_at": _time(check.checked_at),
        "age_s": round(max(0.0, now - check.checked_at), 3),
    }


def _time(seconds: float) -> str:
    return format_time(datetime.fromtimestamp(round(seconds, 3), timezone.utc))


def _message(request: HealthInfoRequest, checks: Sequence[Mapping[str, Any]], bad: Sequence[str]) -> str:
    if not checks:
        return f"{request.path} has no checks yet"
    text = f"{len(checks) - len(bad)} of {plural(len(checks), 'check')} ok or skipped"
    worst = [one for one in checks if one["name"] in bad][:10]
    listed = [f"{one['name']} has been {one['status']} for {format_duration(one['since_s'])}" for one in worst]
    if len(bad) > len(worst):
        listed.append(f"and {len(bad) - len(worst)} more")
    return "; ".join([text, *listed])
