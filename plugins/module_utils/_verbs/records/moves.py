# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways of subjects through a state machine, and the steps of a transition.

A transition with hooks takes several steps, between which the role `lifecycle` runs the hooks:

| step | what it does | phase of the attempt afterwards |
|---|---|---|
| plan | reads only: the way, and a hook that has to be repeated | |
| begin | notes the attempt, so that no other run begins one | before |
| commit | state, fields, event and status of the service, if nothing changed since | none; after, if there is a hook |
| fail | an event that says why; before the commit, the state stays | none; failed, if the hook comes after the commit |
| repeat | takes over a hook after the commit that has failed, or whose run was killed | after |
| finish | the hook after the commit has succeeded | none |
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ..._core.errors import TargetError
from ..._core.units import format_duration, format_time, parse_duration
from ..._stores.sql.lifecycle import Attempt, Event, LifecycleTables, Service
from .machine import REGISTER, Machine, Step, check_registration, check_requirements

BEFORE, AFTER, FAILED = "before", "after", "failed"  # phases of an attempt
DONE, AFTER_FAILED = "done", "after_failed"  # outcomes of an event, with FAILED


class Plan(NamedTuple):
    """The way of a subject. `attempt`: of an earlier run, which did not end."""

    subject: str
    state: Optional[str]
    path: list[Step]
    attempt: Optional[Attempt] = None

    @property
    def pending(self) -> Optional[Attempt]:
        """The attempt, if its hook after the commit must be run again."""
        return self.attempt if self.attempt is not None and self.attempt.phase in (AFTER, FAILED) else None

    def check_hooks(self) -> None:
        """Raise TargetError when hooks have to be run on the way."""
        names = [step.transition.name for step in self.path if step.transition.before or step.transition.after]
        if self.pending is not None:
            names.append(self.pending.transition)
        if names:
            raise TargetError(
                f"{', '.join(names)} of {self.subject} has hooks.", "Use the role day2.ops.lifecycle, which runs them."
            )


class Lifecycle:
    """A machine over the records of a database."""

    def __init__(self, machine: Machine, tables: LifecycleTables, params: Mapping[str, Any]) -> None:
        self._machine = machine
        self._tables = tables
        self._params = params
        self._reason: str = params["reason"] or ""
        self._record: Mapping[str, Any] = params["record"] or {}
        self._take_over_after = parse_duration(params["take_over_after"])
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

    def spelled(self, subject: str) -> str:
        """The subject as the database writes its key."""
        return self._tables.spelled(self._machine.collection, self._machine.key, subject)

    def all_spelled(self, subjects: Sequence[str], records: Mapping[str, Any]) -> list[str]:
        """Each subject once, as the database writes its key.

        :param records: of these subjects, by the keys that they have.
        """
        missing = [one for one in subjects if one not in records]
        if not missing or (not self._record and not self.records(missing)):
            return list(subjects)
        return list(dict.fromkeys(one if one in records else self.spelled(one) for one in subjects))

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

    def pending(self, plan: Plan) -> Optional[Step]:
        """The transition whose hook after the commit must be run again."""
        attempt = plan.pending
        return Step(self._machine.transition(attempt.transition), attempt.from_state) if attempt is not None else None

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
        attempt = self._tables.attempt(subject)
        if attempt is not None and attempt.phase != FAILED:
            self._check_alone(attempt)
        if attempt is not None and attempt.phase in (AFTER, FAILED):
            raise TargetError(
                f"The hook after {attempt.transition} of {subject} must be run again first.", "Run again."
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
            raise TargetError(f"{subject} is {where} by now, and {transition} can't begin there.")
        return Step(one, state), record

    def _own(self, subject: str, transition: str, *phases: str) -> Attempt:
        """The attempt of this run.

        :raises TargetError: it has none in one of these phases.
        """
        attempt = self._tables.attempt(subject)
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
        """Take over an attempt whose hook after the commit must be run again."""
        attempt = self._tables.attempt(subject)
        if attempt is None or attempt.transition != transition or attempt.phase not in (AFTER, FAILED):
            raise TargetError(f"No hook of the transition {transition} of {subject} must be run again.")
        if attempt.phase == AFTER:
            self._check_alone(attempt)
        self._tables.set_attempt(attempt._replace(phase=AFTER, token=self._params["token"], began=time.time()))

    def finish(self, subject: str, transition: str) -> None:
        """The hook after the commit has succeeded."""
        self._own(subject, transition, AFTER)
        self._tables.remove_attempt(subject)


def _now() -> str:
    return format_time(datetime.now(timezone.utc).replace(microsecond=0))
