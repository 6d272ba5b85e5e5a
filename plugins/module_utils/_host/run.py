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
from collections.abc import Mapping
from typing import Any, Optional

from .._core.errors import Cancelled, Day2Error, InvalidRequest, TaskEnded
from .._core.progress import Progress
from .._core.shown import shown
from .._core.specs import masked, secrets_in
from .._core.units import parse_duration
from .._verbs.registry import find_verb
from . import journal, metrics
from .conditions import LONGEST, is_open, unmet
from .hooks import AFTER, BEFORE, ON_FAILURE, run_hook
from .job import Job, WrongJob, checked, credential, exists, load, names, reachable, with_secrets
from .locks import CONDITIONS, RUNNING, WAITING, Busy, JobLock, Slot
from .notify import ended, started
from .on_change import ROUNDS, Quiet, by_path, known, look, pause, remember
from .output import complain, say

# As in sysexits.h: systemd shows 2 to 7 with other meanings.
STATUSES = {
    journal.OK: 0,
    journal.FAILED: 1,
    journal.STOPPED: 1,
    journal.BUG: 70,
    journal.BUSY: 75,
    journal.SKIPPED: 75,
    journal.WRONG: 78,
}
_MESSAGE = 2000  # characters that hooks get
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_HOOK_AFTER_STOP = 15.0  # seconds
_PAUSE = 30.0  # seconds between two looks at the conditions
# Of a result, what a line of the journal keeps beside the message.
_FACTS = ("reason", "removed", "summary", "alarms", "drill")


class Skipped(Day2Error):
    """The conditions of the job are not met."""


class NothingNew(Skipped):
    """The data is as it was when it was backed up. That is not recorded, as it may happen each minute."""


class _Run:
    """A run of a job, and what is recorded of it."""

    def __init__(self, name: str, check: bool, anyway: bool = False, settle: bool = False) -> None:
        self.name, self.check, self.anyway, self.settle = name, check, anyway, settle
        self.began, self._clock = time.time(), time.monotonic()
        self.status, self.verb = journal.BUG, "?"
        self.waited = 0.0
        self.job: Optional[Job] = None
        self.lock, self.slot = JobLock(name), Slot()
        self.changed_meanwhile = False  # the data, since the run began
        self._seen: Optional[str] = None  # the data, when the run began
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
        if self.check:
            self.result = find_verb(job.verb).run(values, True, progress)
        else:
            self._prepare(job)
            with progress.limited(job.timeout or None):
                self._run(job, values, progress)
            if job.on_change and not self.result.get("failed"):
                self._look_again(job)
        self.status = journal.FAILED if self.result.get("failed") else journal.OK

    def _run(self, job: Job, values: dict[str, Any], progress: Progress) -> None:
        run_hook(job.hooks, BEFORE, self._variables())
        self._seen = look(job) if job.on_change else None
        self.result = find_verb(job.verb).run(values, False, progress)
        if not self.result.get("failed"):
            run_hook(job.hooks, AFTER, self._variables())

    def _look_again(self, job: Job) -> None:
        """Remember which state of the data is in a backup."""
        self.changed_meanwhile = self._seen is None or look(job) != self._seen
        try:
            remember(self.name, self._seen)
        except OSError as exc:
            self.warnings.append(f"The state of the data could not be recorded, so it is read again: {exc}.")

    def _variables(self) -> dict[str, str]:
        """What hooks have in their environment."""
        message = str(masked(shown(str(self.result.get("msg", ""))), self.secrets))[:_MESSAGE]
        return {"DAY2_JOB": self.name, "DAY2_VERB": self.verb, "DAY2_MSG": message.replace("\0", " ")}

    def clean_up(self) -> None:
        """After a failure."""
        if self.job and not self.check and self.status not in (journal.OK, *journal.NOTHING_DONE):
            # What has stopped the run kills it 30 seconds later, and it must be recorded by then.
            limit = _HOOK_AFTER_STOP if self.status == journal.STOPPED else None
            try:
                signal.signal(signal.SIGTERM, _stop_hook)
                run_hook(self.job.hooks, ON_FAILURE, {**self._variables(), "DAY2_STATUS": self.status}, limit)
            except (Day2Error, Cancelled) as exc:
                self.warnings.append(str(exc))
            finally:
                signal.signal(signal.SIGTERM, _ignore)

    def _prepare(self, job: Job) -> None:
        """Wait until the job may run."""
        try:
            self.lock.take(job.wait)
            self._record_killed()
        except OSError as exc:
            # A retention job may be what frees the disk. The locks of the data are the verb's.
            self.warnings.append(f"Runs without a lock of the job: {exc}.")
        if self.settle and job.on_change:
            self._wait_until_quiet(job)
        if not self.anyway:
            self._wait_for_conditions(job)
        try:
            self.lock.note(WAITING)
            self.slot.take()
            self.lock.note(RUNNING)
        except OSError as exc:
            self.warnings.append(f"Does not wait for other jobs to end: {exc}.")
        self.waited = time.monotonic() - self._clock
        if not by_systemd():
            self._ping_start(job)

    def _wait_until_quiet(self, job: Job) -> None:
        """Raises NothingNew if another file than those of the data has changed."""
        # A path unit starts this unit at each write, however often the job fails. Its timer knows the pause.
        failed = pause(job) if by_path() else 0.0
        self.lock.note(f"{CONDITIONS}{'the last run has failed' if failed else 'the data is being written'}")
        quiet = Quiet(job, failed)
        try:
            while quiet.wait():
                pass
        except Cancelled as exc:
            raise Skipped(f"{exc} It was waiting until the data is no longer written.") from exc
        if by_path() and look(job) == known(self.name):
            raise NothingNew("The data has not changed since the last backup.")
        self.began, self._clock = time.time(), time.monotonic()

    def _wait_for_conditions(self, job: Job) -> None:
        """Under systemd, wait until the conditions are met or the window has ended. cron tries again by itself.

        Raises Skipped.
        """
        reason = unmet(job.conditions)
        if not reason:
            return
        if not by_systemd():
            raise Skipped(reason)
        self.record({**self.entry(), "status": journal.SKIPPED, "msg": f"Waits: {reason}"})
        # A window may be days away: the unit would be killed before, and its timer starts it again.
        opened, end = False, time.monotonic() + LONGEST * (2 if job.conditions.windows else 1)
        while reason:
            self.lock.note(f"{CONDITIONS}{reason.rstrip('.')}")
            now_open = is_open(job.conditions)
            if (opened and not now_open) or time.monotonic() > end:
                raise Skipped(f"Its window has ended. {reason}" if opened and not now_open else reason)
            opened = now_open
            try:
                time.sleep(_PAUSE)
            except Cancelled as exc:
                raise Skipped(f"{exc} It was waiting: {reason}") from exc
            reason = unmet(job.conditions)
        self.began, self._clock = time.time(), time.monotonic()

    def record(self, entry: dict[str, Any]) -> None:
        """Write a line of the journal."""
        try:
            journal.record(entry, names())
        except (OSError, WrongJob) as exc:
            entry["warnings"].append(f"The run could not be recorded: {exc}.")
        problem = metrics.write()
        if problem:
            entry["warnings"].append(problem)

    def _record_killed(self) -> None:
        """Record the run before this one if it was killed, unless systemd has had it recorded (day2-failed@NAME), which
        it has not if the host has stopped. Of a run that was waiting, nothing was done."""
        invocation = str(self.lock.killed.get("invocation", ""))
        waited = str(self.lock.killed.get("activity", "")).startswith(CONDITIONS)
        if not self.lock.killed_at or waited or (invocation and journal.failure_of(self.name, invocation)):
            return
        message = "The run ended without a record. It was killed, or the host has stopped."
        entry = journal.unseen_end(self.name, self.verb, self.lock.killed_at, message, invocation)
        try:
            journal.record(entry, names())
        except (OSError, WrongJob) as exc:
            self.warnings.append(f"The previous run was killed, and this could not be recorded: {exc}.")

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


def run(name: str, check: bool, anyway: bool = False) -> int:
    """Run a job; the exit status. `anyway`: whatever its conditions are."""
    return _carry_out(_Run(name, check, anyway))


def run_settled(name: str) -> int:
    """Run a job once its data is quiet, and again if the data has changed meanwhile; the exit status."""
    for _round in range(ROUNDS):
        for number in _SIGNALS:  # the run before has left its own handlers
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        one = _Run(name, check=False, settle=True)
        code = _carry_out(one)
        one.lock.release()
        one.slot.release()
        if code or not one.changed_meanwhile:
            return code
    return 0


def _carry_out(one: _Run) -> int:
    progress, check = Progress(), one.check
    nothing_new = False
    try:
        try:
            one.work(progress)
        finally:
            # The signal that ends the work must not end its recording. (Hooks get the default again.)
            for number in _SIGNALS:
                signal.signal(number, _ignore)
    except Busy as exc:
        one.failed(journal.BUSY, str(exc), exc)
    except Skipped as exc:
        nothing_new = isinstance(exc, NothingNew)
        one.failed(journal.SKIPPED, str(exc), exc)
    except (Cancelled, KeyboardInterrupt) as exc:
        if one.status != journal.OK:  # else it had ended
            one.failed(journal.STOPPED, str(exc) or "Stopped: it received SIGINT.", exc)
    except InvalidRequest as exc:
        one.failed(journal.WRONG, str(exc), exc)
    except Day2Error as exc:
        one.failed(journal.FAILED, str(exc), exc)
    except Exception as exc:
        one.failed(journal.BUG, f"This is a bug: {exc!r}.", exc)
        sys.stderr.write(str(masked(traceback.format_exc(), one.secrets)))
    progress.close()
    one.clean_up()
    entry = one.entry()
    if not check and not nothing_new and not _skipped_before(entry):
        one.record(entry)
    one.lock.ended()
    _say(entry)
    if (one.job or exists(one.name)) and not check and not by_systemd():
        try:
            ended(one.job or reachable(one.name), entry)
        except Day2Error as exc:
            complain(f"{one.name}: {exc}")
    return STATUSES[one.status]


def _ignore(_number: int, _frame: object) -> None:
    """A handler, unlike SIG_IGN, is not inherited by programs."""


def _stop_hook(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, _ignore)
    raise Cancelled("The hook on_failure was stopped: the run received SIGTERM.")


def _skipped_before(entry: Mapping[str, Any]) -> bool:
    """cron tries again each quarter of an hour. Only the first of several skipped runs is recorded."""
    if entry["status"] != journal.SKIPPED or by_systemd():
        return False
    before = [one for one in journal.runs() if one["job"] == entry["job"]]
    return bool(before) and before[-1]["status"] == journal.SKIPPED


def by_systemd() -> bool:
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
    """The result for people. Under systemd, each line begins with its priority; else, failures are errors, which cron
    sends by mail."""
    under_systemd = "JOURNAL_STREAM" in os.environ
    fine = entry["status"] in (journal.OK, *journal.NOTHING_DONE)
    lines = [(4, f"warning: {one}") for one in entry["warnings"]]
    lines.append((6 if fine else 3, f"{entry['status']}: {entry['msg']}"))
    for priority, text in lines:
        flat = " ".join(text.split())
        if under_systemd:
            say(f"<{priority}>{entry['job']}: {flat}")
        else:
            (say if fine else complain)(f"{entry['job']}: {flat}")
