# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lifecycle: brings records into a state of a declared state machine, with a history in the same transaction.

`ensure` takes the whole way in one transaction, for one or many subjects, if none of its transitions has hooks. The
other steps (moves.py) are those between which the role `lifecycle` runs the hooks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple, TypeVar

from ..._core.errors import Cancelled, Day2Error, InvalidRequest, RolledBack, TargetError, Violation
from ..._core.progress import Progress
from ..._core.units import parse_duration, plural
from ..._stores.postgresql.options import OPTIONS as POSTGRESQL
from ..._stores.records.registry import open_lifecycle
from ..._stores.sql.lifecycle import LifecycleTables
from .machine import Machine, machine_from
from .moves import Lifecycle, Plan

_SHOWN = 100  # refused subjects in the result
_TRIES = 4  # of a transaction

Result = TypeVar("Result")

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


class Refusal(NamedTuple):
    """A subject that was not moved, and why."""

    subject: str
    error: Day2Error


def request_from(params: Mapping[str, Any]) -> Machine:
    """Check the arguments of the module.

    :raises InvalidRequest: they are not valid.
    """
    if params["batch_size"] < 1:
        raise InvalidRequest(f"batch_size is {params['batch_size']}; it must be at least 1.")
    parse_duration(params["take_over_after"])
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
    subject = lifecycle.spelled(subject)
    if not reading:
        _in_transaction(tables, lambda: take(subject, transition))
    return {
        "changed": True,
        "msg": f"The transition {transition} of {subject} {'would be' if reading else 'is'} {words}.",
    }


def _in_transaction(tables: LifecycleTables, action: Callable[[], Result]) -> Result:
    """What the action returns, which is called again if the database undoes it because of other transactions."""
    for left in reversed(range(_TRIES)):
        try:
            with tables.transaction():
                return action()
        except RolledBack:
            if not left:
                raise
    raise AssertionError("the last try returns or fails")


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
    try:
        for start in range(0, len(subjects), params["batch_size"]):
            some = subjects[start : start + params["batch_size"]]
            if reading:
                plans += _planned(lifecycle, tables, params, some, refused, known=known)
            else:
                with progress.critical():
                    plans += _moved(lifecycle, tables, params, some, refused)
            progress.advance(len(some))
    except Cancelled as exc:
        moved = sum(bool(one.path) for one in plans)
        if reading or not moved:
            raise
        words = f"{exc.message} Before that: {moved} of {plural(len(subjects), 'subject')} moved to {params['state']}."
        raise Cancelled(words, exc.hint, {"changed": True, "moved": moved}) from exc
    return _result(lifecycle, params, plans, refused, reading)


def _moved(
    lifecycle: Lifecycle,
    tables: LifecycleTables,
    params: Mapping[str, Any],
    subjects: Sequence[str],
    refused: list[Refusal],
) -> list[Plan]:
    """Move subjects in one transaction; if the database refuses it, each half in its own."""
    found: list[Refusal] = []

    def move() -> list[Plan]:
        found.clear()
        plans = list(_planned(lifecycle, tables, params, subjects, found, known=True))
        lifecycle.move(plans)
        return plans

    try:
        ready = _in_transaction(tables, move)
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
    for subject in lifecycle.all_spelled(subjects, records):
        try:
            plan = lifecycle.plan(subject, records.get(subject), attempts.get(subject))
            if params["step"] == "ensure":
                plan.check_hooks()
        except InvalidRequest:
            raise
        except Day2Error as exc:
            refused.append(Refusal(subject, exc))
            continue
        yield plan


def _result(
    lifecycle: Lifecycle, params: Mapping[str, Any], plans: Sequence[Plan], refused: Sequence[Refusal], reading: bool
) -> dict[str, Any]:
    count = len(plans) + len(refused)
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
        pending_hook = lifecycle.pending(plan)
        result["pending"] = pending_hook.described() if pending_hook is not None else None
    if refused:
        first = refused[0].error
        details = {name: value for name, value in result.items() if name != "msg"}
        if count == 1:
            raise TargetError(first.message, first.hint, details) from first
        raise TargetError(f"{words} {len(refused)} refused. {first.message}", first.hint, details) from first
    return result
