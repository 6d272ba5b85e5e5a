# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""day2 run: one run of a job, recorded whatever its end."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sys
import time
import traceback
from typing import Any, Optional

from .._core.errors import Cancelled, Day2Error, InvalidRequest, TaskEnded
from .._core.progress import Progress
from .._core.shown import shown
from .._core.specs import masked, secrets_in
from .._core.units import parse_duration
from .._verbs.registry import find_verb
from . import journal
from .job import Job, WrongJob, checked, credential, load, names, with_secrets
from .locks import RUNNING, WAITING, Busy, JobLock, take_slot
from .notify import ended, started
from .output import complain, say

# As in sysexits.h: systemd shows 2 to 7 with other meanings.
STATUSES = {
    journal.OK: 0,
    journal.FAILED: 1,
    journal.STOPPED: 1,
    journal.BUG: 70,
    journal.BUSY: 75,
    journal.WRONG: 78,
}
# Of a result, what a line of the journal keeps beside the message.
_FACTS = ("reason", "removed", "summary", "alarms")


class _Run:
    """A run of a job, and what is recorded of it."""

    def __init__(self, name: str, check: bool) -> None:
        self.name, self.check = name, check
        self.began, self._clock = time.time(), time.monotonic()
        self.status, self.verb = journal.BUG, "?"
        self.waited = 0.0
        self.job: Optional[Job] = None
        self.lock = JobLock(name)
        self.result: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.secrets: set[str] = set()

    def work(self, progress: Progress) -> None:
        """The run itself. Raises Day2Error."""
        job = self.job = load(self.name)
        self.verb = job.verb
        self.secrets |= {credential(one)[0] for one in job.secrets.values()}
        arguments, _origins = with_secrets(job)
        values = checked(job, arguments)
        self.secrets |= secrets_in(find_verb(job.verb).ARGUMENTS["argument_spec"], values)
        if not self.check:
            self._wait(job)
            if not _by_systemd():
                self._ping_start(job)
        self.result = find_verb(job.verb).run(values, self.check, progress)
        self.status = journal.FAILED if self.result.get("failed") else journal.OK

    def _wait(self, job: Job) -> None:
        try:
            self.lock.take(job.wait)
            self._record_killed()
            self.lock.note(WAITING)
            take_slot()
            self.lock.note(RUNNING)
        except OSError as exc:
            # A retention job may be what frees the disk. The locks of the data are the verb's.
            self.warnings.append(f"Runs without a lock of the job: {exc}.")
        self.waited = time.monotonic() - self._clock

    def _record_killed(self) -> None:
        """Record the run before this one if it was killed. systemd has had its own recorded (day2-failed@NAME)."""
        if not self.lock.killed_at or _by_systemd():
            return
        message = "The run ended without a record. It was killed, or the host has stopped."
        try:
            journal.record(journal.unseen_end(self.name, self.verb, self.lock.killed_at, message), names())
        except (OSError, WrongJob) as exc:
            self.warnings.append(f"The run before this one was killed, which could not be recorded: {exc}.")

    def _ping_start(self, job: Job) -> None:
        try:
            started(job)
        except Day2Error as exc:
            self.warnings.append(f"The start was not reported: {exc}")

    def failed(self, status: str, message: str, exc: BaseException) -> None:
        self.status = status
        details = exc.details if isinstance(exc, TaskEnded) else {}
        self.result = {**details, "msg": message}

    def entry(self) -> dict[str, Any]:
        """A line of the journal."""
        duration = time.monotonic() - self._clock
        entry = {
            "job": self.name,
            "verb": self.verb,
            "began": round(self.began, 3),
            "ended": round(self.began + duration, 3),
            "waited_s": round(self.waited, 3),
            "status": self.status,
            "changed": bool(self.result.get("changed")),
            "msg": self.result.get("msg", ""),
            # Nobody sees these otherwise; of a restore, they say what was lost.
            "warnings": [*self.warnings, *self.result.get("warnings", ())],
            "facts": {name: self.result[name] for name in _FACTS if name in self.result},
            "invocation": os.environ.get("INVOCATION_ID", ""),
        }
        safe: dict[str, Any] = shown(entry)
        # Only what comes from the verb: a secret may be equal to the name of the job.
        return {**safe, **{key: masked(safe[key], self.secrets) for key in ("msg", "warnings", "facts")}}


def run(name: str, check: bool) -> int:
    """Run a job; the exit status."""
    one = _Run(name, check)
    progress = Progress()
    try:
        one.work(progress)
    except Busy as exc:
        one.failed(journal.BUSY, str(exc), exc)
    except (Cancelled, KeyboardInterrupt) as exc:
        one.failed(journal.STOPPED, str(exc) or "Stopped: it received SIGINT.", exc)
    except InvalidRequest as exc:
        one.failed(journal.WRONG, str(exc), exc)
    except Day2Error as exc:
        one.failed(journal.FAILED, str(exc), exc)
    except Exception as exc:
        one.failed(journal.BUG, f"This is a bug: {exc!r}.", exc)
        sys.stderr.write(str(masked(traceback.format_exc(), one.secrets)))
    # The signal that has ended the work must not end its recording.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    progress.close()
    entry = one.entry()
    if not check:
        try:
            journal.record(entry, names())
        except (OSError, WrongJob) as exc:
            entry["warnings"].append(f"The run could not be recorded: {exc}.")
    one.lock.ended()
    _say(entry)
    if one.job and not check and not _by_systemd():
        try:
            ended(one.job, entry)
        except Day2Error as exc:
            complain(f"{name}: {exc}")
    return STATUSES[one.status]


def _by_systemd() -> bool:
    """Whether a unit runs the job: others record what this program can't, and send pings and notifications."""
    return "INVOCATION_ID" in os.environ


def run_if_due(name: str, every: str, splay: str) -> int:
    """Run a job unless it has run since the current interval began. Raises InvalidRequest for a wrong duration."""
    last = journal.summary().get(name, {})
    now = time.time()
    began = interval_start(now, parse_duration(every), parse_duration(splay), f"{socket.gethostname()} {name}")
    return 0 if began <= journal.known_time(last.get("began")) else run(name, False)


def interval_start(now: float, every: float, splay: float, identity: str) -> float:
    """When the interval that contains `now` began. They are counted from the epoch (a day begins at midnight UTC), plus
    a delay that is always the same for a host and a job.

    Raises InvalidRequest for an interval that is shorter than a minute.
    """
    if every < 60:
        raise InvalidRequest("The interval of --due is shorter than a minute.", "Use a timer of systemd instead.")
    hashed = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big")
    delay = hashed % max(1, int(min(splay, every)))
    return now - (now - delay) % every


def _say(entry: dict[str, Any]) -> None:
    """The result for people. Under systemd, each line begins with its priority."""
    under_systemd = "JOURNAL_STREAM" in os.environ
    lines = [(4, f"warning: {one}") for one in entry["warnings"]]
    lines.append((6 if entry["status"] == journal.OK else 3, f"{entry['status']}: {entry['msg']}"))
    for priority, text in lines:
        flat = " ".join(text.split())
        say(f"<{priority}>{entry['job']}: {flat}" if under_systemd else f"{entry['job']}: {flat}")
