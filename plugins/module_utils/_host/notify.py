# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pings and notifications of jobs. Nothing here delays a job for longer than LIMIT, or fails one.

Under systemd, units of their own call it: a job in a sandbox may have no network, and failures such as a missing
credential never reach the program. Without systemd, the run itself calls it.

A channel gets one message for each state of a job: that it failed, is late, or has succeeded again. It gets another one
about a failure once `cooldown` is over and the job has failed again. What could not be sent is tried again by
`day2 notify`, which a timer calls.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional, Union

from .._core.errors import Day2Error, InvalidRequest
from .._core.units import parse_duration
from .._notify.due import LIMIT, recorded, sent, wanted
from .._notify.message import FAILURE, SILENCE, TEST, Message
from .._notify.sending import ping_sender, sender
from .._notify.together import Outcome, send_all
from .._notify.web import FAIL, NOTE, START, SUCCESS
from . import journal
from .job import Job, credential, load, names, path_of, reachable
from .output import complain, say
from .places import state

_WARNINGS = 2000  # characters
_PINGED = "/ping"  # in the record of a job, where the name of no channel is: the run that was pinged last


def started(job: Job) -> int:
    """Ping that a run begins; the exit status."""
    return _deliver(_ping_of(job, START, ""))


def ended(job: Job, entry: Optional[Mapping[str, Any]] = None) -> int:
    """Ping and notify after a run; the exit status.

    :param entry: the run, which may not be in the journal. Without it: that of the unit that has ended.
    """
    if entry:
        return _report(job, entry)
    code, entry = 0, _run_of_unit(job)
    while entry:
        code = max(code, _report(job, entry))
        entry = _next_success(job, entry)
    return code


def _report(job: Job, entry: Mapping[str, Any]) -> int:
    if entry["status"] in journal.NOTHING_DONE:
        return 0
    text = "\n".join([*entry.get("warnings", ()), f"{entry['status']}: {entry['msg']}"])
    what = SUCCESS if entry["status"] == journal.OK else FAIL
    with _record_of(job.name) as record:
        pings = [] if record.get(_PINGED) == _identity(entry) else _ping_of(job, what, text)
        pinged = functools.partial(record.__setitem__, _PINGED, _identity(entry))
        due = [*(one._replace(sent=pinged) for one in pings), *_due(job, _last_state(job.name, entry), entry, record)]
        return _deliver(due)


def _identity(entry: Mapping[str, Any]) -> list[Any]:
    """Of a run, in JSON."""
    return [entry.get("invocation", ""), entry["began"]]


def _next_success(job: Job, entry: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """The next run, if it was ok and has ended meanwhile: systemd does not start a unit again while that is running.
    (A failure is reported by another unit.)"""
    runs = [one for one in journal.runs() if one["job"] == job.name]
    later = runs[runs.index(dict(entry)) + 1 :] if entry in runs else []
    return next((one for one in later if one["status"] == journal.OK), None)


def all_due() -> int:
    """Notify of jobs that are late, and send what could not be sent, or not yet; the exit status."""
    code = 0
    known = journal.summary()
    runs = {entry["job"]: entry for entry in journal.runs() if entry["status"] not in journal.NOTHING_DONE}
    due = []
    with contextlib.ExitStack() as records:  # everything is sent at once, as one server that is silent affects all jobs
        for name in names():
            try:
                job = load(name)
            except Day2Error as exc:
                complain(f"{name}: {exc}")
                code = 1
                job = reachable(name)
            if job.notify:
                record = records.enter_context(_record_of(name))
                due += _due(job, known.get(name, {}), runs.get(name, {}), record)
        return max(code, _deliver(due))


def test(job: Job) -> int:
    """Send a test message to all channels of a job and to its ping; the exit status."""
    last = journal.summary().get(job.name, {})
    message = _message(job, TEST, last, {}, "This is a test.")
    # The monitor of a job that has failed must not show a success.
    what = NOTE if last.get("status", journal.OK) == journal.OK else FAIL
    due = [*_ping_of(job, what, message.msg), *(_Due(job.name, one, message, _nothing) for one in job.notify)]
    if not due:
        raise InvalidRequest(f"{job.name} has no ping and notifies nobody.", "Set ping or notify of the job.")
    code = _deliver(due)
    if not code:
        say(f"{job.name}: sent to {', '.join(one.to for one in due)}")
    return code


def _secret(name: str) -> str:
    return credential(name)[0]


def _nothing() -> None:
    pass


class _Due(NamedTuple):
    """A message to a channel, or a ping."""

    job: str
    settings: Mapping[str, Any]
    message: Union[Message, tuple[str, str]]  # of a ping: what happened, and the text
    sent: Callable[[], None]  # to be called once it was delivered

    @property
    def to(self) -> str:
        return str(self.settings.get("name", "ping"))

    def sender(self) -> Callable[[], None]:
        """Raises InvalidRequest."""
        if isinstance(self.message, Message):
            return sender(self.settings, _secret, self.message, LIMIT)
        return ping_sender(self.settings, _secret, *self.message, LIMIT)


def _ping_of(job: Job, what: str, text: str) -> list[_Due]:
    return [_Due(job.name, job.ping, (what, text), _nothing)] if job.ping else []


def _deliver(due: Sequence[_Due]) -> int:
    """Send everything at once; the exit status. One wrong channel does not stop the others."""
    ready, problems = [], []
    for one in due:
        try:
            ready.append((one, one.sender()))
        except Day2Error as exc:
            problems.append((one, Outcome(str(exc), False)))
    for (one, _send), outcome in zip(ready, send_all([send for _one, send in ready], LIMIT)):
        if outcome.problem:
            problems.append((one, outcome))
        if outcome.delivered:
            one.sent()
    for one, outcome in problems:
        to_all = " to all" if outcome.delivered else ""
        complain(f"{one.job}: A message was not sent{to_all}. {one.to}: {outcome.problem}")
    return int(bool(problems))


def _run_of_unit(job: Job) -> Optional[dict[str, Any]]:
    """The run that systemd says has ended. A run that could not be recorded is known by its exit status only."""
    invocation = os.environ.get("MONITOR_INVOCATION_ID", "")
    for entry in reversed(journal.runs()):
        ours = entry["job"] == job.name and entry.get("invocation") == invocation
        if ours and entry["status"] != journal.SKIPPED:
            return entry
    if os.environ.get("MONITOR_EXIT_STATUS") == "0":
        entry = journal.unseen_end(job.name, job.verb, time.time(), "The run could not be recorded.")
        return {**entry, "status": journal.OK}
    return None


def _last_state(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The state of the job in the summary; that after `entry`, if it could not be recorded."""
    last = journal.summary().get(name, {})
    return last if last.get("began") == round(entry["began"]) else journal.counted(last, entry)


def _due(job: Job, last: Mapping[str, Any], entry: Mapping[str, Any], record: dict[str, Any]) -> list[_Due]:
    """The messages that are due. What a channel was sent goes into `record`."""
    event, reason = _event(job, last, entry)
    due = []
    now = time.time()
    for channel in job.notify:
        before = record.get(channel["name"])
        what = wanted(event, before, last.get("began"), now, parse_duration(channel["cooldown"]))
        if not what:
            continue
        told = functools.partial(record.__setitem__, channel["name"], sent(what, before, last.get("began"), now))
        if what in channel["events"]:
            due.append(_Due(job.name, channel, _message(job, what, last, entry, reason), told))
        else:
            told()
    return due


def _event(job: Job, last: Mapping[str, Any], entry: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong with a job, as an event ("": nothing), and why."""
    if not last:
        # Nobody knows since when the job exists, but its file was written then or later.
        with contextlib.suppress(OSError):
            if job.expected_every and time.time() - os.stat(path_of(job.name)).st_mtime > job.expected_every:
                return SILENCE, "It has never run."
        return "", ""
    reason = str(entry.get("msg") or last.get("msg", ""))
    if last.get("status") != journal.OK:
        return FAILURE, reason
    delay = journal.late(last, job.expected_every)
    return (SILENCE, f"{delay}.") if delay else ("", reason)


def _message(job: Job, event: str, last: Mapping[str, Any], entry: Mapping[str, Any], reason: str) -> Message:
    unit = f"day2-{job.name}.service"
    by_unit = os.path.lexists(f"/etc/systemd/system/{unit}")
    return Message(
        event=event,
        host=socket.gethostname(),
        job=job.name,
        verb=job.verb,
        status=str(last.get("status", "never run")),
        msg=reason,
        failures=int(last.get("failures", 0)),
        warnings="\n".join(entry.get("warnings", ()))[:_WARNINGS],
        began=_text(last.get("began")),
        ended=_text(entry.get("ended")),
        last_success=_text(last.get("last_ok")),
        next_step=f"journalctl -u {unit}" if by_unit else f"day2 status {job.name}",
    )


def _text(seconds: Any) -> str:
    known = journal.known_time(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(known)) if known else ""


def _record_of(name: str) -> contextlib.AbstractContextManager[dict[str, Any]]:
    """What each channel was told of a job last."""
    return recorded(state("notified", f"{name}.json"), lambda text: complain(f"{name}: {text}"))
