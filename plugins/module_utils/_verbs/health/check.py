# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_check: runs checks, compares their results with thresholds, and writes reports."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import import_module
from typing import Any, NamedTuple

from ..._core.errors import InvalidRequest
from ..._core.outcome import CRITICAL, OK, STATUSES, UNKNOWN, WARNING, Metric, Outcome, score
from ..._core.progress import Progress
from ..._core.units import format_time, parse_duration, plural
from ..._history.arguments import HISTORY, KEEP_WITHIN
from ..._notify.channel import NOTIFY
from ..._reports.base import Report
from ..._reports.registry import REPORT, check_reports, write
from .pool import Pool
from .quiet import ALARMING, quieted
from .specification import Check, read_checks

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        # Options differ by type and are read in specification.py, which names the check with an error.
        "checks": {"type": "list", "elements": "raw", "required": True},
        "timeout": {"type": "str", "default": "10s"},
        "retries": {"type": "int", "default": 0},
        "interval": {"type": "str", "default": "1s"},
        "concurrency": {"type": "int", "default": 256},
        "quiet_until": {"type": "str"},
        "maintenance": {"type": "list", "elements": "dict", "default": []},
        "cooldown": {"type": "str"},
        "failures": {"type": "int", "default": 1},
        "fail_on": {"type": "str", "choices": ["critical", "warning", "never"], "default": "critical"},
        **REPORT,
        **HISTORY,
        **NOTIFY,
    },
    # The log of AnsibleModule would contain URLs with passwords, and headers.
    "no_log": True,
}

# A state that could not be determined is not known to be healthy.
_FAILING = {"critical": (CRITICAL, UNKNOWN), "warning": (CRITICAL, UNKNOWN, WARNING), "never": ()}
_NAMED = 10  # alarms that are named in the message
_MOST_THREADS = 4096


class HealthCheckRequest(NamedTuple):
    """The arguments."""

    checks: Sequence[Check]
    concurrency: int
    fail_on: str
    report: Sequence[Mapping[str, Any]]
    history: str  # its file; "" without
    keep_within: float
    channels: Sequence[Any]  # those of notify.py
    notify_as: str


def echo(params: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as shown in the result: without checks and channels, which may contain passwords in URLs and
    headers, and be many.
    """
    echoed = dict(params, checks=plural(len(params.get("checks") or []), "check"))
    return dict(echoed, notify=[one.get("name") for one in params["notify"]]) if params.get("notify") else echoed


def request_from(params: Mapping[str, Any]) -> HealthCheckRequest:
    """Check the arguments of the module. Raises InvalidRequest, with all errors in the checks, when they are not
    valid."""
    if not 1 <= params["concurrency"] <= _MOST_THREADS:
        raise InvalidRequest(
            f"concurrency is {params['concurrency']}.", f"Set it to a number from 1 to {_MOST_THREADS}."
        )
    checks = read_checks(params["checks"], params)
    history = params["history"] or {}
    for name, needed in (
        ("cooldown", any(one.cooldown for one in checks)),
        ("failures", any(one.failures > 1 for one in checks)),
    ):
        if needed and not history:
            raise InvalidRequest(f"{name} requires a history.", "Set history, which contains the earlier runs.")
    request = HealthCheckRequest(
        checks=checks,
        concurrency=params["concurrency"],
        fail_on=params["fail_on"],
        report=params["report"],
        history=history.get("path", ""),
        keep_within=parse_duration((history.get("keep") or {}).get("within") or KEEP_WITHIN),
        channels=_notify().read_channels(params["notify"]) if params["notify"] else (),
        notify_as=params["notify_as"],
    )
    check_reports(request.report)
    if request.history:
        from ..._history.database import check_history

        check_history(request.history)
    return request


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """Run all checks. Probes only read, so check mode differs only in what is written."""
    began, now = time.monotonic(), time.time()
    request = request_from(params)
    outcomes = Pool(request.checks, request.concurrency, progress).run()
    outcomes, recovered = quieted(outcomes, request.checks, request.history, now)
    alarms = [one for one in outcomes if one.status in ALARMING and not one.quiet]
    summary = summarise(outcomes)
    result: dict[str, Any] = {
        "changed": False,
        "failed": any(one.status in _FAILING[request.fail_on] for one in alarms),
        "msg": message(outcomes, summary, alarms, recovered),
        "checks": [as_result(one) for one in outcomes],
        "alarms": [one.name for one in alarms],
        "recovered": recovered,
        "summary": summary,
        "duration_s": round(time.monotonic() - began, 3),
    }
    with progress.critical():
        result["reports"] = write(request.report, _report(outcomes, result, now), check)
        result["changed"] = any(one["changed"] for one in result["reports"])
        if request.history and not check:
            from ..._history.database import ahead_warning, append

            ahead = append(request.history, outcomes, request.keep_within, time.time())
            if ahead:
                result["warnings"] = [ahead_warning(request.history, ahead)]
    if request.channels and not check:
        failing = _FAILING[request.fail_on] or _FAILING["critical"]
        notified, warnings = _notify().notify(
            request.channels, request.notify_as, outcomes, failing=failing, result=result, now=now
        )
        result["notified"] = notified
        result["warnings"] = [*result.get("warnings", []), *warnings]
    return result


def _notify() -> Any:
    """What sends messages. By name, as ansible-core would send it to hosts that need it not."""
    return import_module(".notify", __package__)


def _report(outcomes: Sequence[Outcome], result: Mapping[str, Any], now: float) -> Report:
    shown = {name: result[name] for name in ("msg", "checks", "alarms", "recovered", "summary")}
    return Report(outcomes, shown, now, result["duration_s"], socket.gethostname())


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Counts by status, the worst status, and the score."""
    counts = {status: sum(1 for one in outcomes if one.status == status) for status in STATUSES}
    return {
        "status": max((one.status for one in outcomes), key=STATUSES.index, default=OK),
        "score": score(outcomes),
        "total": len(outcomes),
        "quiet": sum(1 for one in outcomes if one.quiet),
        **counts,
    }


def message(
    outcomes: Sequence[Outcome], summary: Mapping[str, Any], alarms: Sequence[Outcome], recovered: Sequence[str] = ()
) -> str:
    """The result in words, the worst check first."""
    counted = ", ".join(f"{summary[status]} {status}" for status in reversed(STATUSES) if summary[status])
    text = f"{summary[OK]} of {plural(len(outcomes), 'check')} ok, score {summary['score']:g}"
    if summary[OK] != len(outcomes):
        text += f" ({counted})"
    worst = sorted(alarms, key=lambda one: -STATUSES.index(one.status))
    listed = [f"{one.name} is {one.status}: {one.message}" for one in worst[:_NAMED]]
    if len(worst) > _NAMED:
        listed.append(f"and {len(worst) - _NAMED} more")
    if recovered:
        more = len(recovered) - _NAMED
        listed.append("recovered: " + ", ".join(recovered[:_NAMED]) + (f" and {more} more" if more > 0 else ""))
    return "; ".join([text, *listed])


def as_result(outcome: Outcome) -> dict[str, Any]:
    """An outcome as shown in the result."""
    return {
        "name": outcome.name,
        "type": outcome.type,
        "status": outcome.status,
        "message": outcome.message,
        "value": outcome.value,
        "unit": outcome.unit,
        "warn": outcome.warn,
        "crit": outcome.crit,
        "quiet": outcome.quiet,
        "weight": outcome.weight,
        "checked_at": format_time(datetime.fromtimestamp(round(outcome.checked_at), timezone.utc)),
        "duration_s": round(outcome.duration_s, 6),
        "metrics": [_metric(one) for one in outcome.metrics],
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return metric._asdict()
