# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""store_optimize: VACUUM, ANALYZE and REINDEX where they are worth it, within a window, and what was won by them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ..._core.compression import choose
from ..._core.compression.base import Compression
from ..._core.errors import Cancelled, Day2Error, InvalidRequest, LockTimeout, TargetError
from ..._core.progress import Progress
from ..._core.scratch import scratch_directory
from ..._core.units import format_duration, format_size, parse_size, plural
from ..._repository.base import Repository
from ..._repository.manifest import SAFETY
from ..._stores.records.inspection import Figures
from ..._stores.records.optimizing import (
    VACUUM,
    Held,
    NotDone,
    OptimizePlan,
    Optimizer,
    OptimizeStep,
    OutOfTime,
    Until,
    Wanted,
)
from ..._stores.records.registry import argument_spec, open_optimizer
from ..._stores.registry import open_store
from ..arguments import COMPRESSION, ENCRYPTION, IDENTITY, OBJECT_LOCK, REPOSITORY, duration
from ..evidence import ON_THE_WAY, recorded
from ..health.windows import Window, read_windows
from ..migrate.migrate import ARGUMENTS as MIGRATE
from ..migrate.migrate import request_from as migrate_request
from ..migrate.plan import MigrateRequest
from ..snapshots import NamedStore, check_apart, check_encrypted, files_of, publish, take
from ..space import check_space, size_of

# The options of a safety backup are those of a migration.
_SAFETY = ("name", "safety_backup", *REPOSITORY, *OBJECT_LOCK, *IDENTITY, *ENCRYPTION, *COMPRESSION)
_MIGRATE = MIGRATE["argument_spec"]

WINDOW: dict[str, Any] = {
    "type": "dict",
    "options": {
        "start": {"type": "raw", "required": True},
        "end": {"type": "raw", "required": True},
        "days": {"type": "list", "elements": "str"},
        "timezone": {"type": "str"},
    },
}

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        store={"type": "dict", "required": True, "options": argument_spec()},
        free={"type": "str", "default": "20%"},
        dead_rows={"type": "str", "default": "10%"},
        min_bytes_freed={"type": "str", "default": "64M"},
        vacuum={"type": "str", "choices": ["auto", "full", "never"], "default": "auto"},
        analyze={"type": "bool", "default": True},
        reindex={"type": "bool", "default": True},
        journal_mode={"type": "str", "choices": ["delete", "wal"]},
        auto_vacuum={"type": "str", "choices": ["none", "full", "incremental"]},
        window=WINDOW,
        time_limit={"type": "str"},
        **{option: _MIGRATE[option] for option in _SAFETY},
    ),
}


class OptimizeRequest(NamedTuple):
    """The arguments. `seconds`: of `time_limit`."""

    wanted: Wanted
    window: Optional[Window]
    seconds: Optional[float]
    safety: MigrateRequest

    def until(self, now: datetime) -> Until:
        """When everything has to end, from now on."""
        ends = [one for one in (self.seconds, self.window.left(now) if self.window else None) if one is not None]
        return Until(min(ends) if ends else None)


def request_from(params: Mapping[str, Any]) -> OptimizeRequest:
    """Check the arguments of the module.

    :raises InvalidRequest: they are not valid.
    """
    store = params["store"]
    if store["type"] != "sqlite" and (params["journal_mode"] or params["auto_vacuum"]):
        raise InvalidRequest("journal_mode and auto_vacuum are for stores of type sqlite.", "Omit them.")
    if store["type"] != "sqlite" and params["vacuum"] == "full":
        raise InvalidRequest("vacuum=full is for stores of type sqlite.", "Run VACUUM FULL or pg_repack manually.")
    seconds = duration(params["time_limit"]) if params["time_limit"] else None
    if seconds is not None and seconds <= 0:
        raise InvalidRequest(f"time_limit is {params['time_limit']}.", "Set it to a duration, for example 10m.")
    wanted = Wanted(
        _percent("free", params["free"]),
        _percent("dead_rows", params["dead_rows"]),
        parse_size(params["min_bytes_freed"]),
        params["vacuum"],
        params["analyze"],
        params["reindex"],
        params["journal_mode"],
        params["auto_vacuum"],
    )
    asked = {option: one.get("default") for option, one in _MIGRATE.items()}
    safety = migrate_request({**asked, **{one: params[one] for one in _SAFETY}, "target": store})
    return OptimizeRequest(wanted, window_of(params["window"]), seconds, safety)


def _percent(option: str, value: str) -> float:
    text = value.strip()
    try:
        found = float(text[:-1] if text.endswith("%") else text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 100:
        raise InvalidRequest(f"{option} is {value}.", "Write a percentage, for example 20%.")
    return found


def window_of(given: Optional[Mapping[str, Any]]) -> Optional[Window]:
    """The window of the option of that name.

    :raises InvalidRequest: it is none.
    """
    if given is None:
        return None
    problems: list[str] = []
    found = read_windows([{name: one for name, one in given.items() if one is not None}], problems)
    if problems:
        raise InvalidRequest("; ".join(one.replace("maintenance[0].", "window: ") for one in problems) + ".")
    return found[0]


@recorded(ON_THE_WAY)
def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """Plan and, outside check mode, apply.

    :raises TargetError: something was refused or failed; with the result in `details`.
    """
    began = time.monotonic()
    request = request_from(params)
    now = datetime.now(timezone.utc)
    outcome = _Outcome()
    with open_optimizer(params["store"]) as store:
        if request.window is not None and not request.window.holds(now):
            outcome.closed = True
        elif check:
            _plan(request, store, request.until(now), outcome, progress)
            if outcome.saves:
                _check_space(request, progress)
        else:
            _optimize(request, store, request.until(now), outcome, progress)
    result = outcome.result(store.location, check)
    result["duration_s"] = round(time.monotonic() - began, 3)
    if outcome.problems:
        details = {name: value for name, value in result.items() if name != "msg"}
        raise TargetError(f"{result['msg']} {' '.join(outcome.problems)}", details=details)
    return result


def _plan(request: OptimizeRequest, store: Optimizer, until: Until, outcome: _Outcome, progress: Progress) -> None:
    repository, name = request.safety.repository, request.safety.name
    if repository is not None:
        repository.check_writable(name)
        check_encrypted(repository, name)
    plan = store.plan(request.wanted._replace(in_window=request.window is not None), progress)
    outcome.planned(plan, until)
    vacuums = any(one.action == VACUUM for one in outcome.fitting)
    if not vacuums or store.type != "sqlite" or not request.safety.params["safety_backup"]:
        return
    outcome.saves = repository is not None
    if repository is None and plan.irreversible:
        outcome.refuse(VACUUM, f"{plan.irreversible}. Set repository for a safety backup, or safety_backup=false")


def _optimize(request: OptimizeRequest, store: Optimizer, until: Until, outcome: _Outcome, progress: Progress) -> None:
    repository, name = request.safety.repository, request.safety.name
    patience = duration(request.safety.params["lock_timeout"])
    with contextlib.ExitStack() as stack:
        if repository is not None:
            stack.enter_context(repository.lock(name, "store_optimize", patience))
        _lock(store, patience)
        _plan(request, store, until, outcome, progress)
        if outcome.saves:
            outcome.safety_backup = _save(request, progress)
        try:
            for step in outcome.fitting:
                _apply(store, step, until, outcome, progress)
        except Cancelled as exc:
            if not outcome.done:
                raise
            message = f"{exc.message} Before that: {_actions([one for one, _took in outcome.done])}."
            raise Cancelled(message, exc.hint, {"changed": True}) from exc
        outcome.after = store.after(progress)


def _lock(store: Optimizer, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not store.lock():
        if time.monotonic() >= deadline:
            raise LockTimeout(
                f"Another run is optimizing or migrating {store.location}.",
                f"Wait for it to end, or increase lock_timeout (now {patience:g} s).",
            )
        time.sleep(0.1)


def _saved(request: OptimizeRequest) -> tuple[Repository, NamedStore]:
    """Where the safety backup is written, and of what."""
    path, repository = request.safety.params["target"]["path"], request.safety.repository
    if repository is None:
        raise InvalidRequest("There is no repository for a safety backup.", "Set repository.")
    store = open_store({"type": request.safety.params["target"]["type"], "path": path})
    entry = NamedStore(os.path.basename(path), store, store.path)
    check_apart(repository, [entry])
    return repository, entry


def _compression(request: OptimizeRequest) -> Compression:
    return choose(request.safety.params["compression"] or "")[0]


def _check_space(request: OptimizeRequest, progress: Progress) -> None:
    repository, entry = _saved(request)
    with scratch_directory() as scratch:
        check_space(
            repository,
            [entry],
            size=size_of(entry.path),
            scratch=scratch,
            compression=_compression(request),
            progress=progress,
        )


def _save(request: OptimizeRequest, progress: Progress) -> str:
    """The ID of the safety backup."""
    repository, entry = _saved(request)
    progress.start(f"Backing up {entry.path}", unit="bytes")
    now = datetime.now(timezone.utc)
    with repository.stage(request.safety.name, now) as staging:
        files = files_of(repository, staging, _compression(request))
        taken = take([entry], files=files, scratch="", progress=progress)
        name = request.safety.name
        return publish(repository, files, name, taken, created=now, started=now, kind=SAFETY).id


def _apply(store: Optimizer, step: OptimizeStep, until: Until, outcome: _Outcome, progress: Progress) -> None:
    if not until.fits(step.seconds):
        outcome.hold(step, "the time left is no longer sufficient")
        return
    began = time.monotonic()
    try:
        outcome.notes += store.apply(step, until, progress)
    except NotDone as exc:
        outcome.hold(step, exc.reason)
        outcome.stopped = outcome.stopped or isinstance(exc, OutOfTime)
        if not exc.partly:
            return
    except Day2Error as exc:
        outcome.hold(step, exc.message)
        outcome.problems.append(str(exc))
        return
    outcome.done.append((step, time.monotonic() - began))


class _Outcome:
    """What is done and what is not."""

    def __init__(self) -> None:
        self.closed = self.stopped = self.saves = False
        self.before: Optional[Figures] = None
        self.after: Optional[Figures] = None
        self.fitting: list[OptimizeStep] = []
        self.done: list[tuple[OptimizeStep, float]] = []
        self.held: list[Held] = []
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.safety_backup: Optional[str] = None

    def planned(self, plan: OptimizePlan, until: Until) -> None:
        """Take over a plan, as far as there is time for it."""
        self.before = plan.before
        self.held += plan.held
        self.notes += plan.notes
        left = until.left
        total = 0.0
        for step in plan.steps:
            if left is not None and total + step.seconds > left:
                words = f"it takes about {format_duration(step.seconds)}, but {format_duration(max(0, left - total))}"
                self.held.append(Held(step.action, step.name, f"{words} are left", True))
            else:
                total += step.seconds
                self.fitting.append(step)
        for one in self.held:
            if one.refused:
                self.problems.append(f"{one.action} of {one.name} was refused: {one.reason}.")

    def refuse(self, action: str, reason: str) -> None:
        """Refuse all steps of a kind."""
        for step in [one for one in self.fitting if one.action == action]:
            self.fitting.remove(step)
            self.held.append(Held(action, step.name, reason, True))
            self.problems.append(f"{action} of {step.name} was refused: {reason}.")

    def hold(self, step: OptimizeStep, reason: str) -> None:
        self.held.append(Held(step.action, step.name, reason))

    def result(self, location: str, check: bool) -> dict[str, Any]:
        steps = [(one, None) for one in self.fitting] if check else self.done
        return {
            "changed": bool(steps),
            "store": location,
            "steps": [
                {
                    "action": one.action,
                    "name": one.name,
                    "reason": one.reason,
                    "predicted_s": round(one.seconds, 1),
                    "duration_s": None if took is None else round(took, 3),
                }
                for one, took in steps
            ],
            "left_out": [{"action": one.action, "name": one.name, "reason": one.reason} for one in self.held],
            "before": _sizes(self.before),
            "after": _sizes(self.after),
            "bytes_freed": self._freed(),
            "stopped": "window" if self.closed else "time_limit" if self.stopped else None,
            "safety_backup": self.safety_backup,
            "warnings": self.notes,
            "msg": self._message(location, [one for one, _took in steps], check),
        }

    def _freed(self) -> Optional[int]:
        if self.before is None or self.after is None:
            return None
        return int(self.before.get("bytes") - self.after.get("bytes"))

    def _message(self, location: str, steps: Sequence[OptimizeStep], check: bool) -> str:
        if self.closed:
            return f"{location}: nothing was done, as the current time is outside of the window."
        if not steps:
            return f"{location}: nothing {'would be' if check else 'was'} done."
        actions = _actions(steps)
        predicted = format_duration(sum(one.seconds for one in steps))
        if check:
            return f"{location}: would run {actions}, in about {predicted}."
        freed = self._freed()
        won = f" {format_size(freed)} were freed." if freed is not None and freed > 0 else ""
        left_out = f" {plural(len(self.held), 'step')} left out." if self.held else ""
        return f"{location}: {actions}.{won}{left_out}"


def _actions(steps: Sequence[OptimizeStep]) -> str:
    """In words: "vacuum of hawkfish.db, analyze of 3"."""
    found: dict[str, list[str]] = {}
    for one in steps:
        found.setdefault(one.action, []).append(one.name)
    return ", ".join(
        f"{action.replace('_', ' ')} of {names[0] if len(names) == 1 else len(names)}"
        for action, names in found.items()
    )


def _sizes(figures: Optional[Figures]) -> Optional[dict[str, Any]]:
    if figures is None:
        return None
    names = ("bytes", "free_bytes", "free_percent")
    return {name: figures.get(name) for name in names}
