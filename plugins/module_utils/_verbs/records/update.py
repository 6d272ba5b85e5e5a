# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""records_update: changes the selected records of a collection, batch by batch, while its application writes, too."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Mapping
from typing import Any

from ..._core.errors import InvalidRequest, TargetError
from ..._core.progress import Progress
from ..._core.scratch import remove_left_scratch, scratch_directory
from ..._core.units import plural
from ..._stores.records.editor import Editor
from ..._stores.records.model import Info, Overtaken
from ..._stores.records.registry import open_editor
from ..._stores.records.store import TargetStore
from ..arguments import COMPRESSION, ENCRYPTION, IDENTITY, OBJECT_LOCK, REPOSITORY, duration
from ..evidence import ON_THE_WAY, recorded
from ..migrate.lock import lock_target
from ..migrate.migrate import ARGUMENTS as MIGRATE
from ..migrate.migrate import request_from as migrate_request
from ..migrate.plan import MigrateRequest
from ..migrate.safety import check_repository, safety_of, saved
from ..migrate.way_back import THIS
from ..snapshots import check_encrypted
from .apply import Changing, change, replace
from .collection import SELECTION, Selected, check_positive, keys_of
from .outcome import Outcome
from .plan import Recipe, Spool, plan, read
from .schemas import VALIDATORS, open_validator
from .transform import by_command, by_constants, fitting

# The options of a safety backup are those of a migration.
_SAFETY = ("name", "safety_backup", *REPOSITORY, *OBJECT_LOCK, *IDENTITY, *ENCRYPTION, *COMPRESSION)
_MIGRATE = MIGRATE["argument_spec"]

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        SELECTION,
        set={"type": "dict"},
        command={"type": "list", "elements": "str"},
        batch_size={"type": "int", "default": 100},
        workers={"type": "int", "default": 1},
        timeout={"type": "str", "default": "1m"},
        retries={"type": "int", "default": 3},
        max_errors={"type": "int"},
        schema={"type": "dict"},
        validator={"type": "str", "choices": list(VALIDATORS), "default": "builtin"},
        **{option: _MIGRATE[option] for option in _SAFETY},
    ),
    "mutually_exclusive": [("set", "command")],
    "required_one_of": [("set", "command")],
}


def request_from(params: Mapping[str, Any]) -> MigrateRequest:
    """Check the arguments of the module. Its safety backup is that of a migration into the store.

    :raises InvalidRequest: they are not valid.
    """
    check_positive(params, "batch_size", "workers")
    if params["retries"] < 0 or (params["max_errors"] or 0) < 0:
        raise InvalidRequest("retries and max_errors must be at least 0.")
    if params["set"] is not None and not params["set"]:
        raise InvalidRequest("set is empty.", "Set it to fields and their values.")
    if params["command"] is not None and not params["command"]:
        raise InvalidRequest("command is empty.", "Set it to a list of the program and its arguments.")
    asked = {option: one.get("default") for option, one in _MIGRATE.items()}
    return migrate_request({**asked, **{one: params[one] for one in _SAFETY}, "target": params["store"]})


@recorded(ON_THE_WAY)
def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """Plan and, outside check mode, apply. If a document is written meanwhile, plan again.

    :raises TargetError: a batch failed; with the errors and the whole result in `details`.
    """
    began = time.monotonic()
    request = request_from(params)
    for attempt in itertools.count(1):
        try:
            outcome = _attempt(request, params, check, progress)
            break
        except Overtaken:
            if attempt > params["retries"]:
                raise
    result = outcome.result(check)
    result["duration_s"] = round(time.monotonic() - began, 3)
    if outcome.errors:
        first = outcome.errors[0]
        raise TargetError(
            f"{result['msg']} {plural(len(outcome.errors), 'batch', 'batches')} "
            f"{'would fail' if check else 'failed'}. {first['first_key']} to {first['last_key']}: {first['error']}.",
            details={name: value for name, value in result.items() if name != "msg"},
        )
    return result


def _attempt(request: MigrateRequest, params: Mapping[str, Any], check: bool, progress: Progress) -> Outcome:
    with contextlib.ExitStack() as stack:
        if request.repository is not None:
            request.repository.check_writable(request.name)
            check_encrypted(request.repository, request.name)
            if not check:
                wait = duration(params["lock_timeout"])
                stack.enter_context(request.repository.lock(request.name, "records_update", wait))
        target = stack.enter_context(open_editor(params["store"], keys_of(params)))
        target.check_state()
        if not check:
            lock_target(target, duration(params["lock_timeout"]))
            target.recover()
            remove_left_scratch()
        scratch = stack.enter_context(scratch_directory())
        return _update(request, target, scratch, check=check, progress=progress, params=params)


def _update(
    request: MigrateRequest,
    target: TargetStore,
    scratch: str,
    *,
    params: Mapping[str, Any],
    check: bool,
    progress: Progress,
) -> Outcome:
    progress.start(f"Reading {params['collection']}", unit="records")
    selected = Selected(target, params, progress)
    info = selected.info
    _check_key(info)
    recipe = _recipe(params, selected)
    outcome = Outcome(params["max_errors"])
    records = read(selected, recipe.batch_size, scratch)
    progress.start(f"Planning the update of {info.name}", total=records.count, unit="records")
    planned = plan(records, selected, recipe, scratch, outcome)
    outcome.warnings = selected.warnings()
    if not planned.count:
        return outcome
    _check_target(request, info, target, planned)
    if check:
        _check_room(request, target, progress)
        return outcome
    outcome.backup = saved(request, target, {info.name: THIS}, progress).backup
    outcome.begin()
    progress.start(f"Updating {info.name}", total=planned.count, unit="records")
    if isinstance(target, Editor):
        change(Changing(target, selected, recipe), planned, outcome, progress)
    else:
        replace(target, info, planned, outcome, progress)
    return outcome


def _recipe(params: Mapping[str, Any], selected: Selected) -> Recipe:
    over = threading.Event()
    if params["command"] is not None:
        transform = by_command(params["command"], duration(params["timeout"]), selected, over)
    else:
        transform = by_constants(fitting(selected, params["set"]))
    validator = open_validator(params["validator"], params["schema"]) if params["schema"] is not None else None
    return Recipe(transform, validator, params["batch_size"], params["workers"], params["retries"], over)


def _check_key(info: Info) -> None:
    if not info.key:
        raise InvalidRequest(
            f"The collection {info.name} has no key that identifies its records.",
            "Set key to the fields that identify them.",
        )


def _check_target(request: MigrateRequest, info: Info, target: TargetStore, planned: Spool) -> None:
    """Raise whatever prevents the update, before anything is written."""
    if target.checkpoints([info.name]):
        raise TargetError(
            f"A migration into the collection {info.name} is unfinished.", "Continue it with day2.ops.migrate first."
        )
    size = target.bytes_of(info) if target.replaces_atomically else planned.size
    target.check_writable([info], size, {info.name: ["UPDATE"]})
    check_repository(request, target)


def _check_room(request: MigrateRequest, target: TargetStore, progress: Progress) -> None:
    if request.params["safety_backup"]:
        from ..migrate.backup import check_room  # only here: what it needs is much

        check_room(safety_of(request), target, request.params["target"], progress)
