# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State machines of records: states, the transitions between them, and what each transition requires."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest, TargetError
from ..._core.patterns import HINT, NotAPattern, TooLong, compile_pattern, time_limit

REGISTER = "register"  # the transition of a new subject into the initial state

_KEYS = ("name", "collection", "key", "state_field", "initial", "states", "final", "register", "transitions")
_REQUIRED = ("name", "collection", "key", "state_field", "initial", "states", "transitions")
_TEXTS = ("name", "to", "service", "service_status", "before", "after")  # of a transition
_SWITCHES = ("requires_reason", "shortcut")
_SECONDS = 1.0  # that a value may be compared with a pattern


class Transition(NamedTuple):
    """`start`: the states that it leaves. `requires`: fields that must have a value. `values`: fields that it sets.

    `shortcut`: it may be in the middle of a way. `before`, `after`: names of hooks.
    """

    name: str
    start: tuple[str, ...]
    to: str
    requires: tuple[str, ...] = ()
    requires_reason: bool = False
    values: Mapping[str, Any] = {}
    service: str = ""
    service_status: str = "active"
    before: str = ""
    after: str = ""
    shortcut: bool = True


class Step(NamedTuple):
    """A transition from one state. `start` is None for a new subject."""

    transition: Transition
    start: Optional[str]

    def described(self) -> dict[str, Any]:
        """For results, and for the role that goes it."""
        one = self.transition
        return {
            "name": one.name,
            "from": self.start,
            "to": one.to,
            "before": one.before or None,
            "after": one.after or None,
        }


class Rules(NamedTuple):
    """What a new subject must have."""

    required: tuple[str, ...] = ()
    patterns: Mapping[str, str] = {}
    values: Mapping[str, Sequence[Any]] = {}


class Machine(NamedTuple):
    """A state machine over the records of a collection."""

    name: str
    collection: str
    key: str
    state_field: str
    initial: str
    states: tuple[str, ...]
    transitions: tuple[Transition, ...]
    final: tuple[str, ...] = ()
    rules: Rules = Rules()

    def transition(self, name: str) -> Transition:
        """The transition with this name.

        :raises InvalidRequest: there is none.
        """
        if name == REGISTER:
            return Transition(REGISTER, (), self.initial)
        for one in self.transitions:
            if one.name == name:
                return one
        raise InvalidRequest(f"The machine {self.name} has no transition {name}.")

    @property
    def fields(self) -> frozenset[str]:
        """The fields that its rules look at."""
        return frozenset(field for one in self.transitions for field in one.requires)

    def check_state(self, state: Any, subject: str) -> None:
        """Raise TargetError when a subject is in a state that the machine does not have."""
        if state not in self.states:
            raise TargetError(
                f"{subject} is in the state {state!r}, which the machine {self.name} does not have.",
                f"Its states are {', '.join(self.states)}.",
            )

    def way(self, start: str, goal: str, *, direct: bool) -> list[Step]:
        """The shortest list of transitions; of equally long ones, that which is listed first.

        :param direct: more than one transition is refused.
        :raises TargetError: there is no way.
        """
        if goal not in self.states:
            raise InvalidRequest(
                f"The machine {self.name} has no state {goal}.", f"Its states are {', '.join(self.states)}."
            )
        before: dict[str, Optional[Step]] = {start: None}
        queue = deque([start])
        while queue:
            state = queue.popleft()
            for one in self.transitions:
                if state in one.start and one.to not in before and (one.shortcut or one.to == goal):
                    before[one.to] = Step(one, state)
                    queue.append(one.to)
        if goal not in before:
            reachable = [state for state in self.states if state in before and state != start]
            raise TargetError(
                f"{start} can't become {goal}.",
                f"From {start}, {', '.join(reachable)} can be reached." if reachable else f"{start} is final.",
            )
        path = list(_backwards(before, goal))[::-1]
        if direct and len(path) > 1:
            states = [start, *(step.transition.to for step in path)]
            raise TargetError(
                f"{start} can't become {goal} directly.",
                f"The shortest way is {' → '.join(states)}. Set via=shortest to take it.",
            )
        return path


def _backwards(before: Mapping[str, Optional[Step]], goal: str) -> Iterator[Step]:
    step = before[goal]
    while step is not None:
        yield step
        step = before[str(step.start)]


def check_requirements(step: Step, record: Mapping[str, Any], reason: str, subject: str) -> None:
    """Raise TargetError when the record lacks what a transition requires."""
    one = step.transition
    lacking = [field for field in one.requires if record.get(field) in (None, "")]
    if lacking:
        raise TargetError(f"The transition {one.name} of {subject} requires {', '.join(lacking)}.")
    if one.requires_reason and not reason:
        raise TargetError(f"The transition {one.name} of {subject} requires a reason.", "Set reason.")


def check_registration(machine: Machine, record: Mapping[str, Any], subject: str) -> None:
    """Raise TargetError when a new subject lacks a field, or has a value that is not allowed."""
    lacking = [field for field in machine.rules.required if record.get(field) in (None, "")]
    if lacking:
        raise TargetError(f"The registration of {subject} requires {', '.join(lacking)}.", "Set them in record.")
    wrong = [
        field for field, allowed in machine.rules.values.items() if field in record and record[field] not in allowed
    ]
    wrong += [
        field for field, text in machine.rules.patterns.items() if field in record and not _matches(text, record[field])
    ]
    if wrong:
        raise TargetError(f"The registration of {subject} has a value that is not allowed in {', '.join(wrong)}.")


def _matches(pattern: str, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        with time_limit(_SECONDS):
            return compile_pattern(pattern).fullmatch(value) is not None
    except TooLong:
        raise InvalidRequest(f"The pattern {pattern!r} of the machine takes too long.", HINT) from None


def machine_from(given: Mapping[str, Any]) -> Machine:
    """The machine that a user has written.

    :raises InvalidRequest: everything that is wrong with it.
    """
    problems = [f"{name} is missing" for name in _REQUIRED if not given.get(name)]
    problems += [f"{name} is not known" for name in given if name not in _KEYS]
    if problems:
        raise _wrong(given, problems)
    transitions = []
    for number, one in enumerate(_list(given["transitions"])):
        try:
            transitions.append(_transition(one))
        except InvalidRequest as exc:
            problems.append(f"transitions[{number}] {exc.message.rstrip('.')}")
    try:
        rules = _rules(given.get("register") or {})
    except InvalidRequest as exc:
        problems.append(exc.message.rstrip("."))
        rules = Rules()
    texts = {name: str(given[name]) for name in ("name", "collection", "key", "state_field", "initial")}
    machine = Machine(
        **texts,
        states=tuple(map(str, _list(given["states"]))),
        final=tuple(map(str, _list(given.get("final") or []))),
        transitions=tuple(transitions),
        rules=rules,
    )
    problems += _problems(machine)
    if problems:
        raise _wrong(given, problems)
    return machine


def _wrong(given: Mapping[str, Any], problems: Sequence[str]) -> InvalidRequest:
    return InvalidRequest(
        f"machine {given.get('name') or ''}: {'; '.join(problems)}.", "docs/RECORDS.md has an example."
    )


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _transition(given: Any) -> Transition:
    if not isinstance(given, Mapping):
        raise InvalidRequest("is not a dictionary")
    names = {"from": "start", "set": "values"}
    fields = {str(names.get(name, name)): value for name, value in given.items() if value is not None}
    unknown = sorted(set(fields) - set(Transition._fields) - {"start"})
    missing = [name for name in ("name", "start", "to") if not fields.get(name)]
    if unknown or missing:
        words = [f"has no {'from' if name == 'start' else name}" for name in missing]
        raise InvalidRequest("; ".join([*words, *(f"has {name}, which is not known" for name in unknown)]))
    wrong = [name for name in _TEXTS if isinstance(fields.get(name), (Mapping, list, tuple))]
    if wrong:
        raise InvalidRequest(f"has a {wrong[0]} that is not a string")
    wrong = [name for name in _SWITCHES if not isinstance(fields.get(name, False), bool)]
    if wrong:
        raise InvalidRequest(f"has a {wrong[0]} that is neither true nor false")
    if not isinstance(fields.get("values", {}), Mapping):
        raise InvalidRequest("set is not a dictionary")
    fields.update((name, str(fields[name])) for name in _TEXTS if name in fields)
    fields["values"] = {str(name): value for name, value in fields.get("values", {}).items()}
    fields["start"] = tuple(map(str, _list(fields["start"])))
    fields["requires"] = tuple(map(str, _list(fields.get("requires", []))))
    return Transition(**fields)


def _rules(given: Any) -> Rules:
    if not isinstance(given, Mapping) or set(given) - set(Rules._fields):
        raise InvalidRequest("register is a dictionary of required, patterns and values")
    patterns, values = given.get("patterns") or {}, given.get("values") or {}
    if not isinstance(patterns, Mapping) or not all(isinstance(one, str) for one in patterns.values()):
        raise InvalidRequest("register.patterns is not a dictionary of regular expressions")
    if not isinstance(values, Mapping) or not all(isinstance(one, (list, tuple)) for one in values.values()):
        raise InvalidRequest("register.values is not a dictionary of lists")
    for field, pattern in patterns.items():
        try:
            compile_pattern(pattern)
        except NotAPattern as exc:
            raise InvalidRequest(f"register.patterns.{field} is not a regular expression: {exc}") from None
    return Rules(tuple(map(str, _list(given.get("required") or []))), dict(patterns), dict(values))


def _problems(machine: Machine) -> Iterator[str]:
    states = set(machine.states)
    yield from (f"the state {state} is listed twice" for state, count in Counter(machine.states).items() if count > 1)
    names = Counter(one.name for one in machine.transitions)
    yield from (f"two transitions are named {name}" for name, count in names.items() if count > 1 or name == REGISTER)
    if machine.initial not in states:
        yield f"the initial state {machine.initial} is not a state"
    yield from (f"the final state {state} is not a state" for state in machine.final if state not in states)
    for one in machine.transitions:
        for state in (*one.start, one.to):
            if state not in states:
                yield f"the transition {one.name} names {state}, which is not a state"
            elif state in machine.final and state in one.start:
                yield f"the transition {one.name} leaves the final state {state}"
        if machine.state_field in one.values or machine.key in one.values:
            yield f"the transition {one.name} sets the key or the state"
    pairs = Counter((start, one.to) for one in machine.transitions for start in one.start)
    yield from (f"two transitions lead from {start} to {to}" for (start, to), count in pairs.items() if count > 1)
    yield from (f"no transition leads to {state}" for state in machine.states if state not in _reached(machine))


def _reached(machine: Machine) -> set[str]:
    reached, queue = {machine.initial}, [machine.initial]
    while queue:
        state = queue.pop()
        for one in machine.transitions:
            if state in one.start and one.to not in reached:
                reached.add(one.to)
                queue.append(one.to)
    return reached
