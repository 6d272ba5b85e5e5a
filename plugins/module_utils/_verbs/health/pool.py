# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs checks in parallel: none before its dependencies, none longer than its timeout, whatever it does.

Each check runs in a thread. There are only as many threads as keep the processor busy, as more would only take turns,
and switching costs more than most checks do. For each thread that waits, another one is started, up to the limit, so
that hosts that never answer do not delay others. Threads that do not end by themselves are abandoned: they are daemons,
and whatever would block the whole process runs in another one (_probes/apart.py).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import resource
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

from ..._core.errors import Day2Error, SourceError
from ..._core.outcome import CRITICAL, OK, SKIPPED, UNKNOWN, WARNING, Metric, Outcome
from ..._core.progress import Progress
from ..._core.units import format_duration
from ..._probes.base import Deadline, Probe, ProbeFailed, TimeUp
from ..._probes.searching import needs_workers
from .specification import Check

if TYPE_CHECKING:
    from ..._probes.apart import Apart

_BUSY = 0.7  # of a processor
_WORKING = 16  # maximum number of threads that do not wait: if others have the processor, more would not get it either
_WAITING = 0.01  # seconds after which a thread counts as waiting
_TICK = 0.01
_RESERVED = 32  # descriptors for everything except checks: modules, the history, reports
_GRACE = 0.25  # seconds in which a probe should notice its timeout


class Job:
    """A check that is running."""

    def __init__(self, check: Check, apart: Optional[Apart] = None, number: Optional[int] = None) -> None:
        self.check = check
        self.apart = apart
        self.number = number  # of its task in `apart`, if it runs there as a whole
        self.deadline = self._begin()
        self.checked_at = time.time()
        self.tries = 1
        self.pausing = False
        self.over = False  # the outcome has been set

    def _begin(self) -> Deadline:
        deadline = Deadline(self.check.timeout)
        deadline.apart = self.apart
        return deadline

    def start_again(self) -> None:
        self.deadline = self._begin()
        self.checked_at = time.time()
        self.tries += 1
        self.pausing = False


class Pool:
    """Runs each check once."""

    def __init__(self, checks: Sequence[Check], concurrency: int, progress: Progress) -> None:
        self._checks = checks
        self._most = min(concurrency, _affordable([check.probe.descriptors for check in checks], concurrency))
        self._progress = progress
        self._changed = threading.Condition()
        self._ready: deque[Check] = deque()
        self._missing = {check.name: len(set(check.depends_on)) for check in checks}
        self._dependents: dict[str, list[Check]] = {}
        self._running: set[Job] = set()
        self._outcomes: dict[str, Outcome] = {}
        self._threads = 0
        self._working = 1  # threads that keep a processor busy
        self._used = (time.monotonic(), time.process_time())
        self._ended = threading.Event()
        self._apart: Optional[Apart] = None
        self._numbers: dict[str, int] = {}  # of checks that run there as a whole

    def run(self) -> list[Outcome]:
        """The outcomes, in the order of the checks."""
        self._progress.start("Checking", total=len(self._checks), unit="checks")
        for check in self._checks:
            for other in set(check.depends_on):
                self._dependents.setdefault(other, []).append(check)
        self._ready.extend(check for check in self._checks if not check.depends_on)
        self._apart, whole = _start_apart([check.probe for check in self._checks])
        self._numbers = {check.name: number for number, check in enumerate(self._checks) if number in whole}
        try:
            with self._changed:
                while len(self._outcomes) < len(self._checks):
                    self._grow()
                    self._changed.wait(_TICK)
                    self._end_overdue()
                    self._progress.update(len(self._outcomes))
        finally:
            self._ended.set()
            with self._changed:
                for job in self._running:
                    job.deadline.stop()
                self._changed.notify_all()
            if self._apart is not None:
                self._apart.close()
        return [self._outcomes[check.name] for check in self._checks]

    def _grow(self) -> None:
        waiting = sum(1 for job in self._running if job.pausing or job.deadline.elapsed() > _WAITING)
        more = self._working
        if self._threads and self._idle():
            self._working = min(_WORKING, 2 * self._working)
            # Faster if more of them wait: a hundred hosts that never answer must not be found a few at a time.
            more = max(self._working, waiting // 4)
        wanted = min(self._most, waiting + more, len(self._running) + len(self._ready))
        while self._threads < wanted:
            thread = threading.Thread(target=self._work, name="day2-check", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system allows no more; the existing threads do the work
                if not self._threads:
                    raise
                self._most = self._threads
                return
            self._threads += 1

    def _idle(self) -> bool:
        """Whether the processor has been idle since the last call."""
        now = (time.monotonic(), time.process_time())
        passed, used = (new - old for new, old in zip(now, self._used))
        self._used = now
        return used < _BUSY * passed

    def _end_overdue(self) -> None:
        for job in list(self._running):
            late = job.deadline.elapsed() - job.deadline.seconds
            if job.pausing or late < 0:
                continue
            job.deadline.stop()
            if late > _GRACE:
                # Its thread hangs in a system call, a resolver or a file system that does not answer.
                self._finish(job, _outcome(job, Judged(*_timed_out(job))))
                self._threads -= 1

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._ready:
                    if self._ended.is_set():
                        return
                    self._changed.wait()
                check = self._ready.popleft()
                job = Job(check, self._apart, self._numbers.get(check.name))
                self._running.add(job)
            outcome = self._look(job)
            with self._changed:
                if job.over:
                    return  # another thread has replaced this one
                self._finish(job, outcome)

    def _look(self, job: Job) -> Outcome:
        while True:
            outcome = look_once(job)
            if outcome.status == OK or job.tries > job.check.retries or job.over:
                return outcome
            job.pausing = True
            if self._ended.wait(job.check.interval):
                return outcome
            job.start_again()

    def _finish(self, job: Job, outcome: Outcome) -> None:
        """Record an outcome. The caller holds the lock."""
        job.over = True
        self._running.discard(job)
        done = [outcome]
        while done:
            one = done.pop()
            self._outcomes[one.name] = one
            for dependent in self._dependents.get(one.name, ()):
                self._missing[dependent.name] -= 1
                if not self._missing[dependent.name]:
                    skipped = self._skipped(dependent)
                    if skipped is not None:
                        done.append(skipped)
                    else:
                        self._ready.append(dependent)
                        self._changed.notify_all()
        # The supervisor polls now and then: waking it for each outcome would cost more than some checks.
        if len(self._outcomes) == len(self._checks):
            self._changed.notify_all()

    def _skipped(self, check: Check) -> Optional[Outcome]:
        """The outcome of a check whose dependency has failed, or None."""
        failed = [self._outcomes[name] for name in check.depends_on if self._outcomes[name].status not in (OK, WARNING)]
        if not failed:
            return None
        reasons = ", ".join(f"{one.name}, which is {one.status}" for one in failed)
        return Outcome(
            check.name, check.type, SKIPPED, f"it depends on {reasons}", time.time(), 0.0, weight=check.weight
        )


def _affordable(descriptors: Sequence[int], concurrency: int) -> int:
    """How many checks may run in parallel with the descriptors of this process, whose limit is raised if necessary.

    :param descriptors: number that each check requires.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd")) + _RESERVED
    largest = sorted(descriptors, reverse=True)[:concurrency]
    needed = used + sum(largest)
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return max(1, len(largest))
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    return max(1, sum(used + total <= soft for total in itertools.accumulate(largest)))


def _start_apart(probes: Sequence[Probe]) -> tuple[Optional[Apart], set[int]]:
    """Start processes for probes that can't be interrupted, and return the numbers of these probes."""
    # Most tasks do not need this, and a module is compiled anew for each task.
    hanging: set[int] = set()
    if any(probe.paths() for probe in probes):
        from ..._probes.mounts import Mounts

        mounts = Mounts()
        hanging = {number for number, probe in enumerate(probes) if any(map(mounts.may_hang, probe.paths()))}
    searching = [needs_workers(probe.patterns()) for probe in probes]
    whole = hanging | {number for number, probe in enumerate(probes) if probe.searches and searching[number]}
    if not whole and not any(searching):
        return None, whole
    from ..._probes.apart import Apart

    try:
        return Apart([functools.partial(judge, probe) for probe in probes], searching), whole
    except OSError:  # the system allows no more processes: then the checks run here
        return None, set()


def look_once(job: Job) -> Outcome:
    """One attempt. Any error affects only the outcome of this check."""
    try:
        if job.apart is not None and job.number is not None:
            judged: Judged = job.apart.run(job.number, job.deadline)
        else:
            judged = judge(job.check.probe, job.deadline)
    except TimeUp:
        judged = Judged(*_timed_out(job))
    except ProbeFailed as exc:
        judged = Judged(exc.status, str(exc))
    return _outcome(job, judged)


class Judged(NamedTuple):
    """The result of one attempt."""

    status: str
    message: str
    value: Optional[float] = None
    metrics: tuple[Metric, ...] = ()


def judge(probe: Probe, deadline: Deadline) -> Judged:
    """Run a probe once. Raises TimeUp when its timeout has passed."""
    try:
        finding = probe.run(deadline)
        return Judged(finding.status, finding.message, finding.value, tuple(finding.metrics))
    except TimeUp:
        raise
    except ProbeFailed as exc:
        return Judged(exc.status, str(exc))
    except SourceError as exc:
        return Judged(CRITICAL, str(exc))
    except Day2Error as exc:
        return Judged(UNKNOWN, str(exc))
    except OSError as exc:
        where = f" ({exc.filename})" if exc.filename else ""
        return Judged(UNKNOWN, f"{exc.strerror or str(exc) or type(exc).__name__}{where}")
    except Exception as exc:  # a bug in one probe must not affect the results of others
        return Judged(UNKNOWN, f"the probe failed: {type(exc).__name__}: {exc}")


def _timed_out(job: Job) -> tuple[str, str]:
    doing = " while " + job.deadline.doing if job.deadline.doing else ""
    return job.check.probe.ON_TIMEOUT, f"no answer within {format_duration(job.deadline.seconds)}{doing}"


def _outcome(job: Job, judged: Judged) -> Outcome:
    check = job.check
    message = judged.message
    if judged.status != OK and job.tries > 1:
        message += f" (after {job.tries} attempts)"
    main = check.probe.limits.get("")
    return Outcome(
        name=check.name,
        type=check.type,
        status=judged.status,
        message=_clean(message, check.secrets),
        checked_at=job.checked_at,
        duration_s=job.deadline.elapsed(),
        value=judged.value,
        unit=main.unit if main is not None else "",
        warn=main.warn if main is not None else None,
        crit=main.crit if main is not None else None,
        weight=check.weight,
        metrics=judged.metrics,
    )


def _clean(message: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        message = message.replace(secret, "********")
    # Text of a remote side must not look like another line, or move the cursor.
    if not message.isprintable():
        message = "".join(char if char.isprintable() else " " for char in message)
    return message[:2000]
