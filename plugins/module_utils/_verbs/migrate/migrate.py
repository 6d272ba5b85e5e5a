# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""migrate: copies the records of one store to another one of any type, and proves that they arrived."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping
from typing import Any

from ..._core.errors import InvalidRequest, TargetError
from ..._core.files import check_regular, check_writable_parent, resolve
from ..._core.progress import Progress
from ..._core.record_batches import seldom_collected
from ..._core.scratch import remove_left_scratch, scratch_directory
from ..._core.workers import usual_number
from ..._repository.location import open_repository
from ..._repository.manifest import check_set_name
from ..._stores.records.plain import plain_view
from ..._stores.records.registry import argument_spec, open_source, open_target
from ..._stores.records.store import SourceStore, TargetStore
from ..arguments import COMPRESSION, ENCRYPTION, IDENTITY, OBJECT_LOCK, REPOSITORY, duration
from ..evidence import ON_THE_WAY, recorded
from ..snapshots import check_encrypted
from .checkpoint import RESUME
from .foreign_keys import check_foreign_keys
from .lock import lock_target
from .plan import MigratePlan, MigrateRequest, foreseen, job_rights, look
from .profiles import dangles, dangling, parse_reference
from .refusals import can_be_undone, check_allowed, check_interference
from .report import report
from .safety import check_repository, must_be_kept, safety_of, ways_back
from .unique import with_moves
from .way_back import THIS

_STORE = {"type": "dict", "options": argument_spec()}

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        name={"type": "str"},
        source=_STORE,
        target=dict(_STORE, required=True),
        state={"type": "str", "choices": ["migrated", "reverted"], "default": "migrated"},
        only={"type": "list", "elements": "str"},
        primary_keys={
            "type": "list",
            "elements": "dict",
            "no_log": False,
            "options": {
                "collection": {"type": "str", "required": True},
                "fields": {"type": "list", "elements": "str", "required": True},
            },
        },
        shape={"type": "str", "choices": ["columns", "document"], "default": "columns"},
        on_existing={"type": "str", "choices": ["fail", "merge", "replace"], "default": "fail"},
        unfinished={"type": "str", "choices": ["fail", "restart"], "default": "fail"},
        target_tables={"type": "str", "choices": ["auto", "create", "existing"], "default": "auto"},
        types={"type": "dict"},
        names={"type": "str", "choices": ["keep", "lower"], "default": "keep"},
        odd={"type": "str", "choices": ["fail", "reject", "wider"]},
        timezone={"type": "str"},
        batch_size={"type": "int", "default": 5000},
        workers={"type": "int"},
        references={
            "type": "list",
            "elements": "dict",
            "options": {"from": {"type": "str", "required": True}, "to": {"type": "str", "required": True}},
        },
        schema={
            "type": "list",
            "elements": "dict",
            "options": {"version": {"type": "int", "required": True}, "up": {"type": "raw", "required": True}},
        },
        schema_baseline={"type": "int", "default": 0},
        rejects={"type": "path"},
        max_rejects={"type": "int", "default": 0},
        repair={"type": "bool", "default": False},
        safety_backup={"type": "bool", "default": True},
        repository={"type": "path"},
        s3=REPOSITORY["s3"],
        rclone=REPOSITORY["rclone"],
        engine=REPOSITORY["engine"],
        restic=REPOSITORY["restic"],
        names_key=REPOSITORY["names_key"],
        limit=REPOSITORY["limit"],
        grace=REPOSITORY["grace"],
        **OBJECT_LOCK,
        **IDENTITY,
        **ENCRYPTION,
        lock_timeout={"type": "str", "default": "1m"},
        **COMPRESSION,
    ),
    "required_if": [("state", "migrated", ["source", "schema"], True), ("state", "reverted", ["repository"])],
    "mutually_exclusive": [("source", "schema")],
}


def request_from(params: Mapping[str, Any]) -> MigrateRequest:
    """Check the arguments of the module.

    :raises InvalidRequest: they are not valid.
    """
    if params["batch_size"] < 1:
        raise InvalidRequest(f"batch_size is {params['batch_size']}; it must be at least 1.")
    if params["workers"] is not None and params["workers"] < 1:
        raise InvalidRequest(f"workers is {params['workers']}; it must be at least 1.")
    if params["max_rejects"] and not params["rejects"]:
        raise InvalidRequest(
            "max_rejects allows records to be rejected.", "Set rejects to the file in which to list them."
        )
    target = params["target"]
    name = params["name"] or os.path.basename(target.get("path") or target.get("database") or "") or target["type"]
    return MigrateRequest(
        params,
        check_set_name(params["name"] or re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip("._-") or target["type"]),
        [parse_reference(one) for one in params["references"] or ()],
        params["on_existing"],
        params["rejects"] and resolve(params["rejects"], InvalidRequest),
        open_repository(params) if params["repository"] else None,
    )


@recorded(ON_THE_WAY)
def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Check mode runs only the plan."""
    began = time.monotonic()
    request = request_from(params)
    keys = {one["collection"]: one["fields"] for one in params["primary_keys"] or ()}
    with contextlib.ExitStack() as stack:
        stack.enter_context(seldom_collected())
        workers = params["workers"] or usual_number()
        restores = _restores(request, keys, workers)
        repository = request.repository
        if repository is not None and not restores:
            repository.check_writable(request.name)
            check_encrypted(repository, request.name)
            if not check:
                stack.enter_context(repository.lock(request.name, "migrate", duration(params["lock_timeout"])))
        target = stack.enter_context(open_target(params["target"], keys, workers))
        if not restores:
            target.check_state()
        if not check and not restores:
            lock_target(target, duration(params["lock_timeout"]))
            target.recover()
            remove_left_scratch()
        if params["state"] == "reverted":
            from .revert import revert  # what reads backups is only needed here

            result = revert(safety_of(request), target, params, check, progress)
        elif params["schema"] is not None:
            from .schema import run_schema

            result = run_schema(request, target, check, progress)
        else:
            _check_rejects(request, params)
            source = plain_view(stack.enter_context(open_source(params["source"], keys, workers)), target)
            scratch = stack.enter_context(scratch_directory())
            result = _migrate(request, source, target, check=check, scratch=scratch, progress=progress)
    result["duration_s"] = round(time.monotonic() - began, 3)
    return result


def _restores(request: MigrateRequest, keys: Mapping[str, list[str]], workers: int) -> bool:
    """Whether it is `restore` that does it all, and takes the lock itself."""
    params = request.params
    if params["state"] != "reverted" or request.repository is None:
        return False
    if params["target"].get("path"):
        return True
    from .whole import restores_database

    with open_target(params["target"], keys, workers) as target:
        return restores_database(request.repository, request.name, target)


def _check_rejects(request: MigrateRequest, params: Mapping[str, Any]) -> None:
    """Check, before a record is written, that rejected records can be written to their file.

    :raises TargetError: they cannot.
    """
    path = request.rejects
    if not path:
        return
    stores = [one.get("path") for one in (params["source"], params["target"])]
    if path in [resolve(one, InvalidRequest) for one in stores if one]:
        raise InvalidRequest(f"rejects: {path} is one of the stores.", "Set it to another file.")
    check_writable_parent(path)
    check_regular(path, TargetError)


def _migrate(
    request: MigrateRequest, source: SourceStore, target: TargetStore, *, check: bool, scratch: str, progress: Progress
) -> dict[str, Any]:
    if target.type == "postgresql" and request.params["target_tables"] != "create":
        from .existing import existing_tables, run_existing

        tables = existing_tables(request, source, target)
        if tables is not None:
            return run_existing(request, source, tables, check=check, scratch=scratch, progress=progress)
    elif request.params["target_tables"] == "existing":
        raise InvalidRequest("target_tables=existing requires a target of type postgresql.")
    ready = plan(request, source, target, check=check, scratch=scratch, progress=progress)
    if check or not any(job.changes for job in ready.jobs):
        stale = [job.source.name for job in ready.jobs if job.state is not None]
        if stale and not check:  # of a document that was completed otherwise
            target.commit(stale)
        return report(ready, check=check)
    from .apply import apply

    return report(ready, *apply(ready))


def plan(
    request: MigrateRequest, source: SourceStore, target: TargetStore, *, check: bool, scratch: str, progress: Progress
) -> MigratePlan:
    """Read both sides and determine what would change. Raises whatever prevents the migration."""
    ready = look(request, source, target, scratch, progress, refuse=True)
    if check or not can_be_undone(ready):
        ready = foreseen(ready)
    ready = with_moves(ready)
    if any(job.changes for job in ready.jobs):
        rights = {job.source.name: job_rights(ready, job) for job in ready.jobs if job.changes and job.exists}
        target.check_writable([job.target for job in ready.jobs], _needed(ready), rights)
    check_allowed(ready)
    check_interference(ready)
    check_foreign_keys(ready)
    if THIS in ways_back(ready).values() or must_be_kept(ready):
        check_repository(request, target)
        if check and request.params["safety_backup"]:
            from .backup import check_room

            check_room(safety_of(request), target, request.params["target"], progress)
    _check_references(ready)
    return ready


def _needed(ready: MigratePlan) -> int:
    """The approximate size of the records to be written, in bytes."""
    total = 0
    for job in ready.jobs:
        if job.changes and job.profile.records:
            # a document is made anew with all there is
            again = job.comparison.left if ready.target.replaces_atomically and job.verdict != RESUME else 0
            wanted = job.comparison.added + job.comparison.changed + again
            if job.verdict == RESUME and job.state is not None:
                wanted = job.profile.records - job.state.done
            total += ready.source.bytes_of(job.source) * wanted // job.profile.records
    return total


def _check_references(ready: MigratePlan) -> None:
    infos = {job.source.name: job.source for job in ready.jobs}
    for reference in ready.request.references:
        count, listed = dangling(ready.source, infos, reference, ready.scratch)
        if count:
            raise dangles(reference, count, listed)
