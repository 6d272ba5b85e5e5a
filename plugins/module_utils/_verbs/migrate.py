# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""migrate: bring the records of one store into another, of whatever type, and prove that they are there."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._core.errors import InvalidRequest, LockTimeout, SourceError, TargetError
from .._core.files import resolve
from .._core.progress import Progress
from .._core.record_batches import seldom_collected
from .._core.scratch import scratch_directory
from .._core.workers import usual_number
from .._repository.location import open_repository
from .._repository.manifest import check_set_name
from .._stores.record_kinds import Kinds
from .._stores.record_registry import argument_spec, open_records
from .._stores.record_store import DECIMAL, TEXT, Field, Index, Info, RecordStore
from .._stores.sql_defaults import fitting
from .._stores.sql_schema import alike, shaped
from .arguments import COMPRESSION, duration
from .migrate_compare import Comparison, compare
from .migrate_report import refusal, report
from .migrate_survey import Reference, Survey, dangling, parse_reference, survey

OVERALL = "*"  # the position of the migration as a whole
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
        lock_timeout={"type": "str", "default": "1m"},
        **COMPRESSION,
    ),
    "required_if": [("state", "migrated", ["source", "schema"], True), ("state", "reverted", ["repository"])],
    "mutually_exclusive": [("source", "schema")],
}


class Request(NamedTuple):
    """What a migration is asked for."""

    params: Mapping[str, Any]
    name: str
    references: Sequence[Reference]
    mode: str  # on_existing
    rejects: Optional[str]


class Job(NamedTuple):
    """One collection: how it is in the source and will be in the target, and what is to be done.

    `position` is where an interrupted run has come to; `there` whether the target has the collection.
    """

    source: Info
    target: Info
    survey: Survey
    loose: bool
    comparison: Comparison
    there: bool
    made: bool  # by this migration, if it is there
    held: int  # records in the target
    position: Optional[dict[str, Any]]

    @property
    def changes(self) -> bool:
        """Is anything to be written?"""
        one = self.comparison
        return bool(one.added or one.changed or one.removed or not self.there or self.position)


class Plan(NamedTuple):
    """What was read and found out; nothing is written."""

    request: Request
    source: RecordStore
    target: RecordStore
    jobs: Sequence[Job]
    resumed: Optional[dict[str, Any]]
    held: int  # records that the target's collections hold
    scratch: str
    progress: Progress


def request_from(params: Mapping[str, Any]) -> Request:
    """Check the module's arguments. Raises InvalidRequest."""
    if params["batch_size"] < 1:
        raise InvalidRequest("batch_size is %d; it must be at least 1." % params["batch_size"])
    if params["workers"] is not None and params["workers"] < 1:
        raise InvalidRequest("workers is %d; it must be at least 1." % params["workers"])
    if params["max_rejects"] and not params["rejects"]:
        raise InvalidRequest("max_rejects lets records be left out.", "Set rejects, the file that they are written to.")
    target = params["target"]
    name = params["name"] or os.path.basename(target.get("path") or target.get("database") or "") or target["type"]
    return Request(
        params,
        check_set_name(params["name"] or re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip("._-") or target["type"]),
        [parse_reference(one) for one in params["references"] or ()],
        params["on_existing"],
        params["rejects"] and resolve(params["rejects"], InvalidRequest),
    )


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb: check mode is the plan alone."""
    began = time.monotonic()
    request = request_from(params)
    keys = {one["collection"]: one["fields"] for one in params["primary_keys"] or ()}
    with contextlib.ExitStack() as stack:
        stack.enter_context(seldom_collected())
        # a restore takes the lock itself
        restores = params["state"] == "reverted" and params["target"].get("path")
        if params["repository"] and not check and not restores:
            repository = open_repository(params["repository"])
            repository.check_writable()
            stack.enter_context(repository.lock(request.name, "migrate", duration(params["lock_timeout"])))
        workers = params["workers"] or usual_number()
        target = stack.enter_context(open_records(params["target"], keys, workers))
        if not check and not restores:
            _claim(target, duration(params["lock_timeout"]))
        if params["state"] == "reverted":
            from .migrate_safety import revert  # what reads backups is only needed here

            result = revert(safety_of(request), target, params, check, progress)
        elif params["schema"] is not None:
            from .migrate_schema import run_schema

            result = run_schema(request, target, check, progress)
        else:
            source = stack.enter_context(open_records(params["source"], keys, workers))
            ready = plan(request, source, target, stack.enter_context(scratch_directory()), progress)
            if check or not any(job.changes for job in ready.jobs):
                result = report(ready, check=check)
            else:
                from .migrate_apply import apply

                result = report(ready, *apply(ready))
    result["duration_s"] = round(time.monotonic() - began, 3)
    return result


def _claim(target: RecordStore, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not target.claim():
        if time.monotonic() >= deadline:
            raise LockTimeout(
                "Another migration writes to %s." % target.location,
                "Wait for it, or give this one more time (lock_timeout, now %g s)." % timeout,
            )
        time.sleep(0.1)


def saved(request: Request, target: RecordStore, holds: bool, progress: Progress) -> Optional[str]:
    """The id of a safety backup of the target, when it holds anything and nobody has declined one."""
    params = request.params
    if not (params["safety_backup"] and holds):
        return None
    if not params["repository"]:
        raise InvalidRequest(
            "%s holds records, and there is no repository for their backup." % target.location,
            "Set repository, or safety_backup=false if what is there is not worth keeping.",
        )
    from .migrate_safety import save

    try:
        return str(save(safety_of(request), target, params["target"], progress).id)
    except SourceError as exc:
        raise TargetError("The safety backup of the target failed: %s" % exc.message, "Nothing was changed.") from exc


def safety_of(request: Request) -> Any:
    """Where the target is saved."""
    from .migrate_safety import Safety

    params = request.params
    return Safety(
        open_repository(params["repository"]), request.name, params["compression"] or "", params["lock_timeout"]
    )


def plan(request: Request, source: RecordStore, target: RecordStore, scratch: str, progress: Progress) -> Plan:
    """Read both sides and find out what would change. Raises whatever speaks against it."""
    ready = look(request, source, target, scratch, progress)
    if any(job.changes for job in ready.jobs):
        target.check_writable([job.target for job in ready.jobs], _needed(ready))
    _check_allowed(ready)
    _check_references(ready)
    return ready


def look(request: Request, source: RecordStore, target: RecordStore, scratch: str, progress: Progress) -> Plan:
    """Read both sides and compare them, whatever may then be done."""
    if source.type == target.type and source.location == target.location:
        raise InvalidRequest("Source and target are the same: %s." % source.location)
    infos = wanted(request, source)
    progress.start("Looking at %s" % target.location)
    existing = {info.name: info for info in target.collections()}
    positions = target.positions([OVERALL, *[info.name for info in infos]])
    found = [_surveyed(request, source, target, info=info, existing=existing, progress=progress) for info in infos]
    source.check_unchanged()
    # a table that a killed run has made may still lack its indexes and foreign keys
    ours = {name for name, position in positions.items() if position and position.get("made")}
    made = {info.name for info in infos if info.name not in existing or info.name in ours}
    finals, lost = _fitted(source, target, existing, {info.name: one[0] for info, one in zip(infos, found)}, made)
    ready = Plan(request, source, target, (), positions.get(OVERALL), 0, scratch, progress)
    jobs = []
    for info, (_final, loose, read) in zip(infos, found):
        name, there = info.name, existing.get(info.name)
        position = positions.get(name)
        if position is not None and not (position["source"] == read.hexdigest() and position["count"] == read.records):
            position = None  # the source has changed since: this collection starts over
        told = info._replace(peculiar=info.peculiar + lost.get(name, ()))
        every = Comparison(added=read.records)
        job = Job(told, finals[name], read, loose, every, there is not None, name in made, 0, position)
        jobs.append(_compared(ready, job, there))
    return ready._replace(jobs=jobs, held=sum(job.held for job in jobs))


def _fitted(
    source: RecordStore, target: RecordStore, existing: Mapping[str, Info], finals: dict[str, Info], made: set[str]
) -> tuple[dict[str, Info], dict[str, tuple[str, ...]]]:
    """The collections as they fit each other, or the tables that are there; and of each what it loses, in words."""
    lost: dict[str, tuple[str, ...]] = {}
    if target.columns:
        if source.type != target.type:
            finals.update(alike({name: source.kept(finals[name]) for name in made}))
            for name in made:
                finals[name], lost[name] = fitting(finals[name])
        if not source.type == target.type == "sqlite":  # which takes tables with whatever they refer to
            present = finals.keys() | existing.keys()
            for name in made:
                keys = tuple(one for one in finals[name].foreign_keys if one.to in present)
                finals[name] = finals[name]._replace(foreign_keys=keys)
        finals.update({name: in_target(finals[name], existing[name]) for name in finals.keys() - made})
    return finals, lost


def _compared(ready: Plan, job: Job, there: Optional[Info]) -> Job:
    """The collection, compared with what the target has of it."""
    read, source, target = job.survey, ready.source, ready.target
    if job.position is not None:
        done = job.position["done"]
        return job._replace(comparison=Comparison(added=read.records - done, left=done))
    if there is None:
        return job
    if target.columns:
        there = there._replace(key=job.target.key)
    present = survey(target, there, job.loose, ready.progress, kinds=False)
    if (present.records, present.digest) == (read.records, read.digest):
        return job._replace(comparison=Comparison(left=present.records), held=present.records)
    if not present.records:
        return job
    ready.progress.start("Comparing %s" % job.source.name, unit="records")
    found = compare(
        functools.partial(source.chunks, job.source),
        functools.partial(target.chunks, there),
        job.target.key,
        loose=job.loose,
        refuses=functools.partial(target.refuses, job.target),
        scratch=ready.scratch,
        progress=ready.progress,
    )
    if ready.request.mode == "merge":
        found = found._replace(left=found.left + found.removed, removed=0)
    return job._replace(comparison=found, held=present.records)


def wanted(request: Request, source: RecordStore) -> list[Info]:
    """The collections to migrate, each with a key."""
    infos = source.collections()
    only = request.params["only"]
    unknown = sorted(set(only or ()) - {info.name for info in infos})
    if unknown or not infos:
        what = "no collection %s" % ", ".join(unknown) if unknown else "no collections"
        raise SourceError(
            "%s holds %s." % (source.location, what),
            "It has: %s." % ", ".join(info.name for info in infos) if infos else "Check its path or connection.",
        )
    given = {one["collection"]: one["fields"] for one in request.params["primary_keys"] or ()}
    infos = [_with_key(info, given.get(info.name, ())) for info in infos if not only or info.name in only]
    for info in infos:
        if not info.key:
            raise SourceError(
                "The collection %s of %s has no key to tell its records apart." % (info.name, source.location),
                "Name the fields of one in primary_keys, or name the other collections in only.",
            )
    return infos


def _with_key(info: Info, given: Sequence[str]) -> Info:
    """A collection with the key that was given, which will be unique in the target. What was its key stays unique."""
    key = tuple(given) or info.key
    if key == info.key:
        return info
    names = [field.name for field in info.fields]
    if not info.native or not set(key).issubset(names):
        raise InvalidRequest(
            "primary_keys: the key of the collection %s can't be (%s)." % (info.name, ", ".join(key)),
            "It is (%s); the fields: %s." % (", ".join(info.key), ", ".join(names)),
        )
    fields = tuple(field._replace(required=field.required or field.name in key) for field in info.fields)
    unique = [Index("day2_%s_key" % info.name, key, True)]
    if info.key:
        unique.append(Index("day2_%s_former_key" % info.name, info.key, True, constraint=True))
    return info._replace(key=key, fields=fields, indexes=(*info.indexes, *unique), key_definition="")


def _surveyed(
    request: Request,
    source: RecordStore,
    target: RecordStore,
    *,
    info: Info,
    existing: Mapping[str, Info],
    progress: Progress,
) -> tuple[Info, bool, Survey]:
    """How the collection will be in the target, whether null is the same as missing, and what was read."""
    there = existing.get(info.name)
    document = target.columns and (there.document if there else request.params["shape"] == "document")
    loose = (source.columns and not info.document) or (target.columns and not document)
    read = survey(source, info, loose, progress, kinds=not source.typed or info.document)
    final = info
    if not source.typed or info.document:
        final = info._replace(fields=_fields(info, read.kinds, source.type == target.type))
    if target.columns:
        final = shaped(final, document) if not (document and info.document) else final
    if info.document and not document:
        final = final._replace(native="", statements=(), document=False)
    return final, loose, read


def _fields(info: Info, kinds: Kinds, same_type: bool) -> tuple[Field, ...]:
    """The declared fields with the kinds that their values have; of documents those that were seen."""
    seen = {field.name: field for field in kinds.fields()}
    if info.fields and same_type and not info.document:
        return info.fields
    if info.fields and info.native and not info.document:
        return tuple(
            field._replace(kind=seen[field.name].kind if field.name in seen else _unseen(field))
            for field in info.fields
        )
    for field in info.fields:  # keys that are known without records
        if field.name in info.key:
            seen.setdefault(field.name, field)
    return tuple(field._replace(required=field.name in info.key) for field in seen.values())


def _unseen(field: Field) -> str:
    """The kind of a column without values. To SQLite a time is one of numbers, and yet what it writes there is text."""
    if field.kind != "numeric":
        return field.kind
    return TEXT if re.search("DATE|TIME", field.native.upper()) else DECIMAL


def in_target(info: Info, there: Info) -> Info:
    """The collection with the columns of the table that is there, as far as the source has them."""
    from .._stores.sql_schema import check_fits

    check_fits(info, there, str)
    given = {field.name for field in info.fields}
    return there._replace(fields=tuple(field for field in there.fields if field.name in given), key=info.key)


def _needed(ready: Plan) -> int:
    """About how many bytes of records are to be written."""
    total = 0
    for job in ready.jobs:
        if job.changes and job.survey.records:
            # a document is made anew with all there is
            again = job.comparison.left if ready.target.whole and job.position is None else 0
            wanted = job.comparison.added + job.comparison.changed + again
            total += ready.source.bytes_of(job.source) * wanted // job.survey.records
    return total


def _check_allowed(ready: Plan) -> None:
    for job in ready.jobs:
        one = job.comparison
        if job.comparison.rejected > ready.request.params["max_rejects"]:
            raise refusal(job.source.name, one.rejected, ready.request.params["max_rejects"], "")
    if ready.request.mode != "fail" or ready.resumed is not None:
        return
    blocked = [
        job
        for job in ready.jobs
        if job.changes and (job.comparison.left + job.comparison.changed + job.comparison.removed)
    ]
    if blocked:
        raise TargetError(
            "%s already holds records of %s, and they differ from the source."
            % (ready.target.location, ", ".join(job.source.name for job in blocked)),
            "Set on_existing=merge to add to them, or on_existing=replace to replace them.",
            {"diff": report(ready, check=True)["diff"]},
        )


def _check_references(ready: Plan) -> None:
    infos = {job.source.name: job.source for job in ready.jobs}
    for reference in ready.request.references:
        count, listed = dangling(ready.source, infos, reference, ready.scratch)
        if count:
            raise SourceError(
                "%d records of the source point nowhere (%s): %s." % (count, reference, ", ".join(listed)),
                "Mend the source, or leave the reference out of references.",
            )
