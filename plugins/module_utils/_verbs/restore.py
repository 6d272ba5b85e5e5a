# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restore: replace stores with their state in a backup, or leave them exactly as they are."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from .._core.compression import choose
from .._core.compression.base import Compression
from .._core.errors import (
    Cancelled,
    DamagedBackup,
    InvalidRequest,
    RepositoryError,
    SourceError,
    TargetError,
    TaskEnded,
)
from .._core.files import os_errors
from .._core.pgbackrest import is_pgbackrest
from .._core.progress import Progress
from .._core.scratch import remove_left_scratch, scratch_directory
from .._repository.base import Repository, Staging
from .._repository.location import open_repository
from .._repository.manifest import PURGE, SAFETY, Manifest, SourcePart, check_set_name
from .._repository.reading import BackupCopy, quick_problems
from .._stores.base import Buildable, Partial, Restoration
from .arguments import COMPRESSION, ENCRYPTION, IDENTITY, OBJECT_LOCK, REPOSITORY, TIMEOUT, duration, limited
from .descriptions import describe
from .evidence import EVIDENCE, recorded
from .restore_choice import Choice, Found, choice_from, find
from .restore_result import diff_of, message_of, result_of
from .snapshots import NamedStore, check_apart, check_encrypted, check_secrets, files_of, publish, take
from .space import check_space, size_of
from .store_arguments import named_stores, store_argument

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        name={"type": "str", "required": True},
        target=store_argument(restore=True),
        targets=store_argument(restore=True, type="list", elements="dict"),
        backup={"type": "str", "default": "latest"},
        at={"type": "str"},
        host={"type": "str"},
        tags={"type": "list", "elements": "str"},
        strict={"type": "bool", "default": False},
        only={"type": "list", "elements": "str"},
        on_existing={"type": "str", "choices": ["fail", "replace"], "default": "fail"},
        safety_backup={"type": "bool", "default": True},
        **REPOSITORY,
        **TIMEOUT,
        **OBJECT_LOCK,
        **IDENTITY,
        **ENCRYPTION,
        **COMPRESSION,
        **EVIDENCE,
    ),
    "mutually_exclusive": [("target", "targets"), ("targets", "only")],
    "required_one_of": [("target", "targets")],
}


class RestoreRequest(NamedTuple):
    """The arguments of a restore.

    `scratch`: a private directory for it, if it only reads from the repository (a drill), and must not lock it.
    """

    name: str
    repository: Repository
    stores: Sequence[NamedStore]
    choice: Choice
    only: Sequence[str]
    replace: bool
    safety_backup: bool
    strict: bool
    compression: Compression
    lock_timeout: float
    scratch: str = ""


class Step(NamedTuple):
    """A store and its prepared restoration."""

    entry: NamedStore
    part: SourcePart
    existed: bool
    restoration: Restoration


class RestorePlan(NamedTuple):
    """Everything is read and verified; no target has been changed."""

    request: RestoreRequest
    manifest: Manifest
    path: str
    leftovers: list[str]
    steps: list[Step]
    started: datetime
    progress: Progress

    @property
    def changes(self) -> list[Step]:
        """The stores that differ from the backup."""
        return [step for step in self.steps if step.restoration.changed]

    @property
    def saved(self) -> list[NamedStore]:
        """The stores that are backed up before they are replaced."""
        return [step.entry for step in self.changes if step.existed and self.request.safety_backup]


def request_from(params: Mapping[str, Any]) -> RestoreRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid, MissingDependency when a
    program is missing.
    """
    repository = open_repository(params)
    stores = named_stores(params["target"], params["targets"])
    check_apart(repository, stores)
    check_secrets(repository, stores)
    return RestoreRequest(
        name=check_set_name(params["name"]),
        repository=repository,
        stores=stores,
        choice=choice_from(params),
        only=params["only"] or (),
        replace=params["on_existing"] == "replace",
        safety_backup=params["safety_backup"],
        strict=params["strict"],
        compression=choose(params["compression"] or "")[0],
        lock_timeout=duration(params["lock_timeout"]),
    )


@recorded("restore")
@limited
def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Check mode runs only the plan."""
    if is_pgbackrest(params["repository"]):
        from . import pitr  # only here: see _stores/registry.py

        return pitr.restore(params, ARGUMENTS["argument_spec"], check, progress)
    began = time.monotonic()
    with plan(request_from(params), check, progress) as ready:
        safety = None if check else apply(ready)
    result = result_of(ready, check, safety)
    result["duration_s"] = round(time.monotonic() - began, 3)
    return result


@contextlib.contextmanager
def plan(
    request: RestoreRequest, check: bool, progress: Progress, found: Optional[Found] = None
) -> Iterator[RestorePlan]:
    """Choose the backup (unless it was found before), verify it, and prepare each store beside its target."""
    started = datetime.now(timezone.utc)
    with contextlib.ExitStack() as stack:
        leftovers: list[str] = []
        source, name, manifest = found or find(request.repository, request.name, request.choice, request.stores)
        stack.enter_context(_chosen(manifest, source.path(name, manifest.id)))
        stack.enter_context(source.hold(name, manifest.id))
        problems = quick_problems(source.look(name, manifest.id), manifest)
        if problems:
            raise DamagedBackup(manifest.id, problems)
        pairs = _match(request, manifest)
        read_only = "" if request.scratch else _why_read_only(request)
        lock = request.repository.lock(request.name, "restore", request.lock_timeout)
        # elsewhere the right to read is enough, unless a safety backup has to be written
        local = request.repository.local_path is not None
        locked = local and not check and not read_only and not request.scratch
        if not check:
            remove_left_scratch()
        if locked:
            leftovers = stack.enter_context(lock)
        if request.scratch:
            scratch = request.scratch
        elif locked and manifest.envelope is None:
            scratch = stack.enter_context(request.repository.stage(request.name, started)).scratch
        else:
            scratch = stack.enter_context(scratch_directory())
        progress.start(f"Reading and verifying {name}/{manifest.id}", manifest.size, "bytes")
        steps = []
        for index, (entry, part) in enumerate(pairs):
            own = os.path.join(scratch, f"restore-{index}")
            with os_errors(RepositoryError, "Can't create", own):
                os.mkdir(own, 0o700)
            copy = BackupCopy(source, name, manifest, part, progress)
            copy.strict = request.strict
            existed = entry.store.exists()
            restoration = stack.enter_context(entry.store.prepare(copy, request.only, own, check))
            if isinstance(restoration, Partial):
                existed = restoration.replaces
            steps.append(Step(entry, part, existed, restoration))
        ready = RestorePlan(request, manifest, source.path(name, manifest.id), leftovers, steps, started, progress)
        _check_allowed(ready)
        _check_safety(ready, read_only, scratch if check else "")
        for restoration in [step.restoration for step in ready.changes if not check]:
            if isinstance(restoration, Buildable):
                restoration.build()
        if ready.saved and not locked and not check:
            leftovers += stack.enter_context(lock)
        yield ready


@contextlib.contextmanager
def _chosen(manifest: Manifest, path: str) -> Iterator[None]:
    """An error that ends the block has the backup that was chosen among its details."""
    try:
        yield
    except TaskEnded as exc:
        exc.details = {"backup": describe(manifest, path), **exc.details}
        raise


def _why_read_only(request: RestoreRequest) -> str:
    """Why the repository can't be written to, or "" if it can."""
    try:
        request.repository.check_writable(request.name)
    except RepositoryError as exc:
        return exc.message
    return ""


def _check_safety(ready: RestorePlan, read_only: str, scratch: str) -> None:
    """Raise TargetError or NoSpace when the current data can't be backed up first.

    :param scratch: a directory for check mode; "" in a run, which writes the backup anyway.
    """
    replaced = ready.saved
    if not replaced:
        return
    if read_only:
        raise _cannot_save(read_only)
    check_encrypted(ready.request.repository, ready.request.name)
    if scratch:
        check_space(
            ready.request.repository,
            replaced,
            size=sum(size_of(entry.store.local_path) for entry in replaced if entry.store.local_path),
            scratch=scratch,
            compression=ready.request.compression,
            progress=ready.progress,
        )


def _match(request: RestoreRequest, manifest: Manifest) -> list[tuple[NamedStore, SourcePart]]:
    """The part of the backup for each target."""
    parts = {part.name: part for part in manifest.sources}
    pairs = []
    if manifest.kind == PURGE:
        raise InvalidRequest(
            f"Backup {manifest.id} is not a backup of a store: it contains records that purge has deleted.",
            "docs/RECORDS.md describes how to restore them.",
        )
    for entry in request.stores:
        part = parts.get(entry.name)
        if part is None and len(parts) == len(request.stores) == 1:
            part = manifest.sources[0]
        if part is None:
            raise InvalidRequest(
                f"Backup {manifest.id} has no part {entry.name}.",
                f"Set name of the target to one of: {', '.join(sorted(parts))}.",
            )
        if not part.files:
            raise InvalidRequest(
                f"Backup {manifest.id} has no data: it only records how to revert a migration.",
                "Use migrate with state=reverted, or restore another backup.",
            )
        if part.type != entry.store.type:
            raise InvalidRequest(
                f"Part {part.name} of the backup is of type {part.type}, but the target is of type {entry.store.type}.",
                "Restore to a target of the same type, then convert it with migrate.",
            )
        pairs.append((entry, part))
    return pairs


def _check_allowed(ready: RestorePlan) -> None:
    existing = [step.entry.store.path for step in ready.changes if step.existed]
    if existing and not ready.request.replace:
        raise TargetError(
            f"{' and '.join(existing)} exists and differs from backup {ready.manifest.id}.",
            "Set on_existing=replace to overwrite it.",
            {"diff": diff_of(ready)},
        )
    for step in ready.changes:
        if ready.request.safety_backup and step.existed and step.restoration.damage:
            raise _cannot_save(step.restoration.damage)


def apply(ready: RestorePlan) -> Optional[Manifest]:
    """Back up the data that will be replaced, then replace it. Returns the safety backup, if one was made."""
    changes = ready.changes
    if not changes:
        return None
    safety = None
    if ready.saved:
        created = datetime.now(timezone.utc)
        with ready.request.repository.stage(ready.request.name, created) as staging:
            safety = _save(ready, staging, created)
    done: list[Step] = []
    try:
        with ready.progress.critical():
            try:
                for step in changes:
                    step.restoration.apply()
                    done.append(step)
            except BaseException as exc:
                problem = _undo(done, safety)
                if problem:
                    first = exc.message if isinstance(exc, TaskEnded) else f"{type(exc).__name__}: {exc}."
                    raise TargetError(f"{first} {problem}") from exc  # its hint may say that nothing was changed
                raise
    except Cancelled as exc:  # recorded before, raised now that the work is done
        details = {key: one for key, one in result_of(ready, False, safety).items() if key not in ("msg", "diff")}
        raise Cancelled(f"{exc.message} {message_of(ready, check=False)}", details=details) from exc
    return safety


def _undo(done: Sequence[Step], safety: Optional[Manifest]) -> str:
    """Put back what was replaced, store by store. Returns what could not be, and what to do, as sentences."""
    problems = []
    for step in reversed(done):
        try:
            step.restoration.undo()
        except (TaskEnded, OSError) as exc:
            problems.append(f"{step.entry.store.path} could not be put back: {exc}")
    if problems and safety is not None:
        problems.append(f"The former data is in the safety backup {safety.id}.")
    return " ".join(problems)


def _save(ready: RestorePlan, staging: Staging, created: datetime) -> Manifest:
    request = ready.request
    ready.progress.start("Backing up the data to be replaced", unit="bytes")
    try:
        files = files_of(request.repository, staging, request.compression)
        taken = take(ready.saved, files=files, scratch="", progress=ready.progress)
    except SourceError as exc:
        raise _cannot_save(exc.message) from exc
    return publish(
        request.repository,
        files,
        request.name,
        taken,
        created=created,
        started=ready.started,
        kind=SAFETY,
    )


def _cannot_save(why: str) -> TargetError:
    return TargetError(
        f"The current data can't be backed up before it is replaced: {why}",
        "Nothing was changed. Copy the data elsewhere if you may need it, and set safety_backup=false.",
    )
