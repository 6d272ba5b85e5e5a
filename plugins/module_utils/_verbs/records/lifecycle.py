# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lifecycle: brings records into a state of a declared state machine, with a history in the same transaction.

A transition with hooks takes several steps, between which the role `lifecycle` runs the hooks:

| step | what it does | phase of the attempt afterwards |
|---|---|---|
| plan | reads only: the way, and a hook that has to be repeated | |
| begin | notes the attempt, so that no other run begins one | before |
| commit | state, fields, event and status of the service, if nothing changed since | none; after, if there is a hook |
| fail | an event that says why; before the commit, the state stays | none; failed, if the hook comes after the commit |
| repeat | takes over a hook after the commit that has failed, or whose run was killed | after |
| finish | the hook after the commit has succeeded | none |

`ensure` takes the whole way in one transaction, for one or many subjects, if none of its transitions has hooks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ..._core.errors import Day2Error, InvalidRequest, TargetError, Violation
from ..._core.progress import Progress
from ..._core.units import format_duration, format_time, plural
from ..._stores.postgresql.options import OPTIONS as POSTGRESQL
from ..._stores.records.registry import open_lifecycle
from ..._stores.sql.lifecycle import Attempt, Event, LifecycleTables, Service
from ..arguments import duration
from .machine import REGISTER, Machine, Step, check_registration, check_requirements, machine_from

BEFORE, AFTER, FAILED = "before", "after", "failed"  # phases of an attempt
_SHOWN = 100  # refused subjects in the result
DONE, AFTER_FAILED = "done", "after_failed"  # outcomes of an event, with FAILED

_STEPS = ("ensure", "plan", "begin", "commit", "fail", "repeat", "finish")
DATABASE: dict[str, Any] = {
    "machine": {"type": "dict", "required": True},
    "history": {
        "type": "dict",
        "options": {"collection": {"type": "str"}, "create": {"type": "bool", "default": False}},
    },
    "store": {
        "type": "dict",
        "required": True,
        "options": {
            "type": {"type": "str", "required": True, "choices": ["postgresql", "sqlite"]},
            "path": {"type": "path"},
            **POSTGRESQL,
        },
    },
}
ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        DATABASE,
        subject={"type": "str"},
        subjects={"type": "list", "elements": "str"},
        state={"type": "str"},
        record={"type": "dict"},
        reason={"type": "str"},
        via={"type": "str", "choices": ["shortest", "direct"], "default": "shortest"},
        step={"type": "str", "choices": list(_STEPS), "default": "ensure"},
        transition={"type": "str"},
        token={"type": "str", "no_log": False},
        take_over_after={"type": "str", "default": "1h"},
        actor={"type": "str", "default": "ansible"},
        batch_size={"type": "int", "default": 2000},
    ),
    "required_one_of": [("subject", "subjects")],
    "mutually_exclusive": [("subject", "subjects"), ("subjects", "record")],
    "required_if": [
        ("step", "ensure", ["state"]),
        ("step", "plan", ["state", "subject"]),
        ("step", "begin", ["transition", "subject", "token"]),
        ("step", "commit", ["transition", "subject", "token"]),
        ("step", "fail", ["transition", "subject", "token"]),
        ("step", "repeat", ["transition", "subject", "token"]),
        ("step", "finish", ["transition", "subject", "token"]),
    ],
}


class Plan(NamedTuple):
    """The way of a subject. `attempt`: of an earlier run, which did not end."""

    subject: str
    state: Optional[str]
    path: list[Step]
    attempt: Optional[Attempt] = None

    @property
    def pending(self) -> Optional[Attempt]:
        """The attempt, if its hook after the commit has to be run again."""
        return self.attempt if self.attempt is not None and self.attempt.phase in (AFTER, FAILED) else None


class Refusal(NamedTuple):
    """A subject that was not moved, and why."""

    subject: str
    error: Day2Error


class Lifecycle:
    """A machine over the records of a database."""

    def __init__(self, machine: Machine, tables: LifecycleTables, params: Mapping[str, Any]) -> None:
        self._machine = machine
        self._tables = tables
        self._params = params
        self._reason: str = params["reason"] or ""
        self._record: Mapping[str, Any] = params["record"] or {}
        self._take_over_after = duration(params["take_over_after"])
        self._ways: dict[str, list[Step]] = {}

    def check(self) -> bool:
        """Check that there are all tables and columns. Returns whether those of the history have to be created.

        :raises SourceError, TargetError: something is missing.
        """
        machine = self._machine
        wanted = {machine.key, machine.state_field, *machine.fields, *self._record}
        wanted.update(name for one in machine.transitions for name in one.values)
        self._tables.check_columns(machine.collection, wanted)
        if self._tables.is_ready():
            return False
        if not (self._params["history"] or {}).get("create"):
            raise TargetError(
                f"{self._tables.location} has no tables for the history of lifecycles.",
                "Set history.create to true to create them.",
            )
        return True

    def records(self, subjects: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What the machine looks at, of these subjects."""
        machine = self._machine
        fields = sorted({machine.state_field, *machine.fields})
        return self._tables.records(machine.collection, machine.key, fields, subjects)

    def plan(self, subject: str, record: Optional[Mapping[str, Any]], attempt: Optional[Attempt]) -> Plan:
        """The way of a subject to the wanted state.

        :param record: None for a new subject.
        :raises TargetError: it is not possible, or another run is at it.
        """
        machine, given = self._machine, self._record
        if attempt is not None and attempt.phase != FAILED:
            self._check_alone(attempt)
        state: Optional[str] = None
        if record is None:
            if not given:
                raise TargetError(
                    f"There is no {machine.key} {subject} in {machine.collection}.", "To register it, set record."
                )
            check_registration(machine, {**given, machine.key: subject}, subject)
        else:
            state = record[machine.state_field]
            machine.check_state(state, subject)
        path = self._way(state or machine.initial)
        values = dict(record or given)
        for step in path:
            check_requirements(step, values, self._reason, subject)
            values.update(step.transition.values)
        if record is None:
            path = [Step(machine.transition(REGISTER), None), *path]
        return Plan(subject, state, path, attempt)

    def _way(self, start: str) -> list[Step]:
        """The way from a state to the wanted one; determined once."""
        if start not in self._ways:
            direct = self._params["via"] == "direct"
            self._ways[start] = self._machine.way(start, self._params["state"], direct=direct)
        return self._ways[start]

    def _check_alone(self, attempt: Attempt) -> None:
        """Raise TargetError when another run may still be at a transition."""
        age = time.time() - attempt.began
        if attempt.token == (self._params["token"] or "") or age >= self._take_over_after:
            return
        raise TargetError(
            f"Another run has begun the transition {attempt.transition} of {attempt.subject} "
            f"{format_duration(max(0.0, age))} ago, and has not ended it.",
            f"If it is known to be dead, set take_over_after to 0s (now {self._params['take_over_after']}).",
        )

    def move(self, plans: Sequence[Plan]) -> None:
        """Take the ways of subjects. In the transaction in which they were planned."""
        machine, tables = self._machine, self._tables
        groups: dict[tuple[str, ...], list[Plan]] = {}
        for one in plans:
            if one.path and one.path[0].start is None:
                self._insert(one.subject, one.path)
            elif one.path:
                groups.setdefault(tuple(step.transition.name for step in one.path), []).append(one)
        for some in groups.values():
            values: dict[str, Any] = {}
            for step in some[0].path:
                values.update(step.transition.values)
            values[machine.state_field] = some[0].path[-1].transition.to
            tables.assign(machine.collection, machine.key, [one.subject for one in some], values)
        now = _now()
        tables.add_events([self._event(one.subject, step, DONE, now) for one in plans for step in one.path])
        for one in plans:
            for step in one.path:
                if step.transition.service:
                    self._set_service(one.subject, step, step.transition.service_status)
            if one.path and one.attempt is not None:
                tables.remove_attempt(one.subject)

    def _insert(self, subject: str, path: Sequence[Step]) -> None:
        machine = self._machine
        values = {**self._record, machine.key: subject}
        for step in path:
            values.update(step.transition.values)
        self._tables.insert(machine.collection, {**values, machine.state_field: path[-1].transition.to})

    def _event(self, subject: str, step: Step, outcome: str, now: str) -> Event:
        name, to = step.transition.name, step.transition.to
        return Event(subject, now, name, step.start, to, outcome, self._reason or None, self._params["actor"])

    def _set_service(self, subject: str, step: Step, status: str) -> None:
        if step.transition.service:
            self._tables.set_service(Service(subject, step.transition.service, status, _now()))

    def begin(self, subject: str, transition: str) -> None:
        """Note that a transition begins."""
        step, record = self._current(subject, transition)
        attempt = self._tables.attempts().get(subject)
        if attempt is not None and attempt.phase != FAILED:
            self._check_alone(attempt)
        if attempt is not None and attempt.phase in (AFTER, FAILED):
            raise TargetError(
                f"The hook after {attempt.transition} of {subject} has to be run again first.", "Run again."
            )
        if record is not None:
            check_requirements(step, record, self._reason, subject)
        one = step.transition
        self._tables.set_attempt(
            Attempt(subject, one.name, step.start, one.to, BEFORE, self._params["token"], time.time())
        )
        self._set_service(subject, step, "provisioning")

    def _current(self, subject: str, transition: str) -> tuple[Step, Optional[dict[str, Any]]]:
        """The step from the state in which a subject is, and its record."""
        one = self._machine.transition(transition)
        record = self.records([subject]).get(subject)
        state = record[self._machine.state_field] if record is not None else None
        if (state is None) != (transition == REGISTER) or (state is not None and state not in one.start):
            where = f"in the state {state}" if record is not None else "not registered"
            raise TargetError(f"{subject} is {where} by now, where {transition} can't begin.")
        return Step(one, state), record

    def _own(self, subject: str, transition: str, *phases: str) -> Attempt:
        """The attempt of this run.

        :raises TargetError: it has none in one of these phases.
        """
        attempt = self._tables.attempts().get(subject)
        mine = attempt is not None and attempt.token == self._params["token"] and attempt.transition == transition
        if attempt is None or not mine or attempt.phase not in phases:
            raise TargetError(f"The transition {transition} of {subject} was not begun by this run, or was taken over.")
        return attempt

    def commit(self, subject: str, transition: str) -> None:
        """Change the state, if it still is as it was when the transition began."""
        attempt = self._own(subject, transition, BEFORE)
        step, _record = self._current(subject, transition)
        if step.start != attempt.from_state:
            raise TargetError(f"{subject} is in the state {step.start} by now, not {attempt.from_state}.")
        self.move([Plan(subject, step.start, [step], attempt)])
        if step.transition.after:
            self._tables.set_attempt(attempt._replace(phase=AFTER))

    def fail(self, subject: str, transition: str) -> None:
        """Record that a hook failed."""
        attempt = self._own(subject, transition, BEFORE, AFTER)
        step = Step(self._machine.transition(transition), attempt.from_state)
        outcome = FAILED if attempt.phase == BEFORE else AFTER_FAILED
        self._tables.add_events([self._event(subject, step, outcome, _now())])
        if attempt.phase == BEFORE:
            self._set_service(subject, step, "failed")
            self._tables.remove_attempt(subject)
        else:
            self._tables.set_attempt(attempt._replace(phase=FAILED))

    def repeat(self, subject: str, transition: str) -> None:
        """Take over an attempt whose hook after the commit has to be run again."""
        attempt = self._tables.attempts().get(subject)
        if attempt is None or attempt.transition != transition or attempt.phase not in (AFTER, FAILED):
            raise TargetError(f"No hook of the transition {transition} of {subject} has to be run again.")
        if attempt.phase == AFTER:
            self._check_alone(attempt)
        self._tables.set_attempt(attempt._replace(phase=AFTER, token=self._params["token"], began=time.time()))

    def finish(self, subject: str, transition: str) -> None:
        """The hook after the commit has succeeded."""
        self._own(subject, transition, AFTER)
        self._tables.remove_attempt(subject)


def _now() -> str:
    return format_time(datetime.now(timezone.utc).replace(microsecond=0))


def request_from(params: Mapping[str, Any]) -> Machine:
    """Check the arguments of the module.

    :raises InvalidRequest: they are not valid.
    """
    if params["batch_size"] < 1:
        raise InvalidRequest(f"batch_size is {params['batch_size']}; it must be at least 1.")
    duration(params["take_over_after"])
    machine = machine_from(params["machine"])
    reserved = sorted({machine.key, machine.state_field} & set(params["record"] or {}))
    if reserved:
        raise InvalidRequest(f"record: {', '.join(reserved)} is set by the machine.", "Omit it.")
    return machine


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Check mode and the step `plan` only read."""
    began = time.monotonic()
    machine = request_from(params)
    reading = check or params["step"] == "plan"
    with open_lifecycle(params["store"], machine.name, history_of(params), write=not reading) as tables:
        lifecycle = Lifecycle(machine, tables, params)
        missing = lifecycle.check()
        if missing and not reading:
            with tables.transaction():
                if not tables.is_ready():
                    tables.create()
        if params["step"] in ("ensure", "plan"):
            result = _ensure(lifecycle, tables, params, progress, reading=reading, known=not (missing and reading))
        else:
            result = _take(lifecycle, tables, params, reading=reading)
    result["duration_s"] = round(time.monotonic() - began, 3)
    return result


def history_of(params: Mapping[str, Any]) -> str:
    """The name of the table with the history."""
    return (params["history"] or {}).get("collection") or "lifecycle_events"


def _take(lifecycle: Lifecycle, tables: LifecycleTables, params: Mapping[str, Any], *, reading: bool) -> dict[str, Any]:
    """One of the steps of a transition with hooks."""
    subject, transition, step = params["subject"], params["transition"], params["step"]
    take, words = {
        "begin": (lifecycle.begin, "begun"),
        "repeat": (lifecycle.repeat, "repeated"),
        "commit": (lifecycle.commit, "committed"),
        "fail": (lifecycle.fail, "recorded as failed"),
        "finish": (lifecycle.finish, "finished"),
    }[step]
    if not reading:
        with tables.transaction():
            take(subject, transition)
    return {
        "changed": True,
        "msg": f"The transition {transition} of {subject} {'would be' if reading else 'is'} {words}.",
    }


def _ensure(
    lifecycle: Lifecycle,
    tables: LifecycleTables,
    params: Mapping[str, Any],
    progress: Progress,
    *,
    reading: bool,
    known: bool,
) -> dict[str, Any]:
    subjects = list(dict.fromkeys(params["subjects"] or [params["subject"]]))
    progress.start(f"Moving to {params['state']}", total=len(subjects), unit="records")
    plans: list[Plan] = []
    refused: list[Refusal] = []
    for start in range(0, len(subjects), params["batch_size"]):
        some = subjects[start : start + params["batch_size"]]
        if reading:
            plans += _planned(lifecycle, tables, params, some, refused, known=known)
        else:
            with progress.critical():
                plans += _moved(lifecycle, tables, params, some, refused)
        progress.advance(len(some))
    return _result(params, plans, refused, len(subjects), reading)


def _moved(
    lifecycle: Lifecycle,
    tables: LifecycleTables,
    params: Mapping[str, Any],
    subjects: Sequence[str],
    refused: list[Refusal],
) -> list[Plan]:
    """Move subjects in one transaction; if the database refuses it, each half in its own."""
    found: list[Refusal] = []
    try:
        with tables.transaction():
            ready = list(_planned(lifecycle, tables, params, subjects, found, known=True))
            lifecycle.move(ready)
    except Violation as exc:
        if len(subjects) == 1:
            refused.append(Refusal(subjects[0], exc))
            return []
        middle = len(subjects) // 2
        halves = (subjects[:middle], subjects[middle:])
        return [one for half in halves for one in _moved(lifecycle, tables, params, half, refused)]
    refused += found
    return ready


def _planned(
    lifecycle: Lifecycle,
    tables: LifecycleTables,
    params: Mapping[str, Any],
    subjects: Sequence[str],
    refused: list[Refusal],
    *,
    known: bool,
) -> Iterator[Plan]:
    """The plans of subjects. Those that are refused do not stop the others."""
    records = lifecycle.records(subjects)
    attempts = tables.attempts() if known else {}
    for subject in subjects:
        try:
            plan = lifecycle.plan(subject, records.get(subject), attempts.get(subject))
            if params["step"] == "ensure":
                _check_hooks(plan)
        except InvalidRequest:
            raise
        except Day2Error as exc:
            refused.append(Refusal(subject, exc))
            continue
        yield plan


def _check_hooks(plan: Plan) -> None:
    hooks = [step.transition.name for step in plan.path if step.transition.before or step.transition.after]
    if hooks or plan.pending is not None:
        names = ", ".join(hooks or [plan.pending.transition if plan.pending else ""])
        raise TargetError(f"{names} of {plan.subject} has hooks.", "Use the role day2.ops.lifecycle, which runs them.")


def _result(
    params: Mapping[str, Any], plans: Sequence[Plan], refused: Sequence[Refusal], count: int, reading: bool
) -> dict[str, Any]:
    moved = [one for one in plans if one.path]
    pending = [one for one in plans if one.pending is not None]
    words = f"{len(moved)} of {plural(count, 'subject')} {'would be ' if reading else ''}moved to {params['state']}."
    result: dict[str, Any] = {
        "changed": bool(moved or pending),
        "msg": words,
        "moved": len(moved),
        "events": sum(len(one.path) for one in moved),
        "refused": [{"subject": one.subject, "error": str(one.error)} for one in refused[:_SHOWN]],
        "diff": {
            "before": "".join(f"{one.subject}: {one.state or ''}\n" for one in moved[:20]),
            "after": "".join(f"{one.subject}: {params['state']}\n" for one in moved[:20]),
        },
    }
    if params["subject"] is not None and plans:
        (plan,) = plans
        result["state"] = plan.state
        result["path"] = [step.described() for step in plan.path]
        result["pending"] = _described_hook(params, plan)
    if refused:
        first = refused[0].error
        details = {name: value for name, value in result.items() if name != "msg"}
        if count == 1:
            raise TargetError(first.message, first.hint, details) from first
        raise TargetError(f"{words} {len(refused)} refused. {first.message}", first.hint, details) from first
    return result


def _described_hook(params: Mapping[str, Any], plan: Plan) -> Optional[dict[str, Any]]:
    if plan.pending is None:
        return None
    transition = machine_from(params["machine"]).transition(plan.pending.transition)
    return Step(transition, plan.pending.from_state).described()
