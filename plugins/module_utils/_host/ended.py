# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""day2 record-failure: records runs whose program could not, as it never started or was killed.

The unit that systemd starts on failure (day2-failed@NAME) calls it with what it knows in the environment.
day2 forget-removed is called by the role, once it has removed jobs, and day2 metrics, once it has written jobs.
"""

from __future__ import annotations

import os
import time

from . import journal, metrics
from .job import WrongJob, exists, load, names, path_of, reachable
from .notify import ended
from .output import complain, say

# Exit statuses of systemd itself; systemd.exec(5).
_REASONS = {
    "200": "the working directory cannot be entered",
    "203": "the program cannot be executed. Run the role schedule again",
    "226": "a directory that the job needs does not exist or cannot be mounted",
    "243": "a credential is missing. Put it in /etc/day2/secrets",
}


def record_failure(name: str) -> int:
    """Record the end of the unit of a job, unless its program has done so, and notify of it.

    Raises WrongJob for a name of no job, or if its file is not valid.
    """
    path_of(name)
    invocation = os.environ.get("MONITOR_INVOCATION_ID", "")
    recorded = journal.failure_of(name, invocation) if invocation else None
    if recorded:
        return ended(reachable(name), recorded) if exists(name) else 0
    entry = journal.unseen_end(name, _verb(name), time.time(), _message(name), invocation)
    say(f"<3>{name}: {entry['msg']}" if "JOURNAL_STREAM" in os.environ else f"{name}: {entry['msg']}")
    code = 0
    try:
        journal.record(entry, names())
    except (OSError, WrongJob) as exc:
        complain(f"{name}: The run could not be recorded: {exc}.")
        code = 1
    problem = metrics.write()
    if problem:
        complain(f"{name}: {problem}")
    return max(code, ended(reachable(name), entry)) if exists(name) else code


def forget_removed() -> int:
    """Forget the state of jobs that the role has removed. Raises WrongJob if those that remain cannot be determined."""
    try:
        journal.forget_others(names())
    except OSError as exc:
        complain(f"The state of removed jobs could not be removed: {exc}.")
        return 1
    return 0


def write_metrics() -> int:
    """Write the metrics, which also have jobs that have never run. Raises Day2Error if jobs cannot write them later."""
    metrics.check()
    problem = metrics.write()
    if problem:
        complain(problem)
    return int(bool(problem))


def _message(name: str) -> str:
    result = os.environ.get("MONITOR_SERVICE_RESULT", "unknown")
    status = os.environ.get("MONITOR_EXIT_STATUS", "")
    reason = _REASONS.get(status, "")
    ended = f"{result} {status}".strip() + (f": {reason}" if reason else "")
    return f"The run ended without a record ({ended}). See journalctl -u day2-{name}.service."


def _verb(name: str) -> str:
    try:
        return load(name).verb
    except WrongJob:
        return "?"
