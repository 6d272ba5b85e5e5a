# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backup: make sure that a set has a good, current backup, and remove those that the policy does not keep."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional

from .._core.compression import by_suffix, choose
from .._core.compression.base import BLOCK, Compression, CorruptStream
from .._core.errors import Day2Error, InvalidRequest, RepositoryError, SourceError
from .._core.files import open_regular, os_errors, resolve
from .._core.progress import Progress
from .._core.scratch import scratch_directory
from .._core.units import format_duration, format_size, format_time
from .._repository.base import Repository, Staging
from .._repository.history import CLOCK_SKEW, CONFIRMED, History, read_history, remember_verified, retained
from .._repository.location import open_repository
from .._repository.manifest import Manifest, check_set_name, content_digest
from .._repository.retention import Decision, Keep
from .._stores.base import Sink, Snapshot
from .arguments import (
    COMPRESSION,
    KEEP,
    REPOSITORY,
    NamedStore,
    duration,
    keep_policy,
    named_stores,
    optional,
    store_argument,
)
from .writing import Taken, backup_id, check_apart, describe, describe_part, note, publish, take, take_snapshot

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        name={"type": "str", "required": True},
        source=store_argument(),
        sources=store_argument(type="list", elements="dict"),
        max_age={"type": "str"},
        **{"import": {"type": "path"}},
        **REPOSITORY,
        **COMPRESSION,
        **KEEP,
    ),
    "mutually_exclusive": [("source", "sources"), ("sources", "import")],
    "required_one_of": [("source", "sources")],
}

# What a store was like when it was last found equal to a backup: {name: {key, fingerprint, content_digest}}.
FINGERPRINTS = "fingerprints"


class Request(NamedTuple):
    """What a backup is asked for. `imported` is the path of a copy made by hand, to be used instead of the store."""

    name: str
    repository: Repository
    stores: Sequence[NamedStore]
    compression: Compression
    compression_note: str
    keep: Optional[Keep]
    max_age: Optional[float]
    lock_timeout: float
    imported: Optional[str]


class Plan(NamedTuple):
    """What a run would do, and all that it has read for it.

    `reason` is one of new, changed, import (a backup is written); unchanged, recent (none is).
    """

    request: Request
    history: History
    leftovers: list[str]
    reason: str
    how: str  # for people
    taken: Sequence[Taken]
    staging: Optional[Staging]
    created: datetime
    started: datetime
    decisions: list[Decision]

    @property
    def writes(self) -> bool:
        """Is a backup written?"""
        return self.reason in ("new", "changed", "import")

    @property
    def removals(self) -> list[str]:
        """The ids that the policy does not keep."""
        return [one.id for one in self.decisions if not one.reasons]


def request_from(params: Mapping[str, Any]) -> Request:
    """Check the module's arguments. Raises InvalidRequest, MissingDependency."""
    repository = open_repository(params["repository"])
    stores = named_stores(params["source"], params["sources"])
    check_apart(repository, stores)
    compression, note = choose(params["compression"] or "")
    return Request(
        name=check_set_name(params["name"]),
        repository=repository,
        stores=stores,
        compression=compression,
        compression_note=note,
        keep=keep_policy(params["keep"]),
        max_age=optional(params["max_age"], duration),
        lock_timeout=duration(params["lock_timeout"]),
        imported=optional(params["import"], lambda path: resolve(path, SourceError)),
    )


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb: check mode is the plan alone."""
    began = time.monotonic()
    with plan(request_from(params), check, progress) as ready:
        result = preview(ready) if check else apply(ready)
    result["duration_s"] = round(time.monotonic() - began, 3)
    return result


@contextlib.contextmanager
def plan(request: Request, check: bool, progress: Progress) -> Iterator[Plan]:
    """Find out what to do. Outside check mode the set stays locked while the block runs, and what was read is
    staged in the repository, so that `apply` need not read it again; in check mode nothing is written there."""
    request.repository.check_writable()
    with contextlib.ExitStack() as stack:
        leftovers: list[str] = []
        staging: Optional[Staging] = None
        scratch = ""
        if not check:
            lock = request.repository.lock(request.name, "backup", request.lock_timeout)
            leftovers = stack.enter_context(lock)
        started = datetime.now(timezone.utc)
        history = read_history(request.repository, request.name, started)
        known = _reason_not_to_read(request, history, started)
        taken: list[Taken] = []
        created = started
        if known is None:
            if check:
                scratch = stack.enter_context(scratch_directory())
            else:
                staging = stack.enter_context(request.repository.stage(request.name))
            created = _created(request, history, started)
            read = _convert(request.imported) if request.imported else take_snapshot
            taken = take(
                request.stores,
                staging=staging,
                scratch=scratch,
                compression=request.compression,
                progress=progress,
                read=read,
            )
            known = _reason(request, history, taken)
        reason, how = known
        decisions = retained(history, request.keep)
        if reason in ("new", "changed", "import"):
            # as `publish` would: what the policy says must be said of the id that it will have
            while history.get(_new_id(taken, created)):
                created += timedelta(seconds=1)
            decisions = retained(history, request.keep, ((_new_id(taken, created), created),))
            _check_kept(request, _new_id(taken, created), decisions)
        yield Plan(request, history, leftovers, reason, how, taken, staging, created, started, decisions)


def _reason_not_to_read(request: Request, history: History, now: datetime) -> Optional[tuple[str, str]]:
    newest = history.newest
    if newest is None or request.imported:
        return None
    if request.max_age is not None:
        age = history.age(newest, now)
        if age <= request.max_age:
            return (
                "recent",
                f"the newest backup is {format_duration(age)} old, and max_age is {format_duration(request.max_age)}",
            )
    state = request.repository.read_state(request.name, FINGERPRINTS)
    parts = {part.name: part for part in newest.sources}
    if set(parts) != {entry.name for entry in request.stores}:
        return None
    for entry in request.stores:
        saved = state.get(entry.name, {})
        if saved.get("content_digest") != parts[entry.name].content_digest or saved.get("key") != _key(entry):
            return None
        fingerprint = entry.store.fingerprint()
        if fingerprint is None or fingerprint != saved.get("fingerprint"):
            return None
    return "unchanged", "no file has changed since it was last compared with the newest backup"


def _key(entry: NamedStore) -> list[Any]:
    """Fingerprints of different stores, or of one with other options, are not compared."""
    return [entry.store.type, entry.store.path, entry.store.parameters()]


def _reason(request: Request, history: History, taken: Sequence[Taken]) -> tuple[str, str]:
    identity = [one.part.identity() for one in taken]
    if request.imported:
        for manifest in history.good:
            if [part.identity() for part in manifest.sources] == identity:
                return "unchanged", f"backup {manifest.id} has the same content"
        return "import", "no backup has this content"
    if history.newest is None:
        return "new", "the set has no good backup"
    if [part.identity() for part in history.newest.sources] == identity:
        return "unchanged", "the data was read and equals the newest backup"
    return "changed", "the data differs from the newest backup"


def _new_id(taken: Sequence[Taken], created: datetime) -> str:
    return backup_id(created, content_digest([one.part for one in taken]))


def apply(ready: Plan) -> dict[str, Any]:
    """Do what was planned. State is written after the work that it tells of."""
    request = ready.request
    current = ready.history.newest
    if ready.writes and ready.staging is not None:
        current = publish(
            ready.staging,
            request.name,
            ready.taken,
            compression=request.compression,
            created=ready.created,
            started=ready.started,
            imported_from=request.imported,
        )
    warnings = note(lambda: _remember(ready, current))
    removed: list[str] = []
    for backup in ready.removals:
        try:
            gone = request.repository.remove(request.name, backup)
        except Day2Error as exc:
            raise RepositoryError(
                f"{_message(ready, False, removed)} Then: {exc.message}", details={"removed": removed}
            ) from exc
        if gone:
            removed.append(backup)
        else:
            warnings.append(f"Backup {backup} is being read by another process: it stays until the next run.")
    result = _result(ready, current, removed)
    result["warnings"] += warnings
    return result


def _remember(ready: Plan, current: Optional[Manifest]) -> None:
    request, repository = ready.request, ready.request.repository
    if current is None or ready.reason == "recent":
        return
    if ready.writes:
        remember_verified(repository, request.name, {current.id: []}, datetime.now(timezone.utc))
    if not request.imported:
        if ready.taken:
            remember_fingerprints(repository, request.name, request.stores, ready.taken)
        repository.write_state(request.name, CONFIRMED, {"id": current.id, "at": format_time(ready.started)})


def remember_fingerprints(
    repository: Repository, name: str, stores: Sequence[NamedStore], taken: Sequence[Taken]
) -> None:
    """Let the next run see at a glance that nothing has changed."""
    keys = {entry.name: _key(entry) for entry in stores}
    value = {
        one.part.name: {
            "key": keys[one.part.name],
            "fingerprint": one.fingerprint,
            "content_digest": one.part.content_digest,
        }
        for one in taken
    }
    repository.write_state(name, FINGERPRINTS, value)


def preview(ready: Plan) -> dict[str, Any]:
    """The result of check mode: the same shape, without what can't be known yet."""
    return _result(ready, None if ready.writes else ready.history.newest, ready.removals, check=True)


def _result(ready: Plan, current: Optional[Manifest], removed: Sequence[str], check: bool = False) -> dict[str, Any]:
    request = ready.request
    if current is not None:
        backup = describe(current, request.repository.path(request.name, current.id))
    else:
        backup = {
            "id": None,
            "path": None,
            "kind": "backup",
            "created": None,
            "bytes": sum(one.bytes for one in ready.taken),
            "sources": [describe_part(one.part, one.bytes) for one in ready.taken],
            "compression": request.compression.name,
        }
    created = {one.id: one.created for one in [*ready.history.good, *([current] if current else [])]}
    warnings = [note for one in ready.taken for note in one.notes]
    warnings += [f"Removed what a killed run had left: {path}" for path in ready.leftovers]
    warnings += _damage_notes(ready.history)
    return {
        "changed": ready.writes or bool(removed),
        "reason": ready.reason,
        "msg": _message(ready, check, removed),
        "backup": backup,
        "removed": list(removed),
        "kept": [
            {"id": one.id, "created": format_time(created[one.id]), "reasons": list(one.reasons)}
            for one in ready.decisions
            if one.reasons and one.id in created
        ],
        "diff": _diff(ready, removed),
        "warnings": warnings,
        "notes": [request.compression_note] if request.compression_note and ready.writes else [],
    }


def _message(ready: Plan, check: bool, removed: Sequence[str]) -> str:
    if ready.writes:
        size = format_size(sum(one.bytes for one in ready.taken))
        text = f"{'Would back up' if check else 'Backed up'} {size}: {ready.how}."
    else:
        text = f"Nothing to back up: {ready.how}."
    return text + (" Removed %d by the policy." % len(removed) if removed else "")


def _damage_notes(history: History) -> list[str]:
    return [
        "Backup {} {}: {}: {}.".format(
            entry.id,
            "is damaged and does not count" if entry.problems else "does not count",
            entry.complaints[0]["path"],
            entry.complaints[0]["problem"],
        )
        for entry in history.entries
        if entry.complaints
    ]


def _diff(ready: Plan, removed: Sequence[str]) -> dict[str, str]:
    newest = ready.history.newest
    before = [line for part in newest.sources for line in _count_lines(part.name, part)] if newest else []
    after = [line for one in ready.taken for line in _count_lines(one.part.name, one.part)] if ready.writes else before
    return {
        "before_header": f"newest backup of {ready.request.name}",
        "after_header": f"newest backup of {ready.request.name}",
        "before": "".join(before) + "".join(f"backup {one}\n" for one in removed),
        "after": "".join(after),
    }


def _count_lines(name: str, part: Any) -> list[str]:
    lines = ["%s %s: %d\n" % (name, one.name, one.records) for one in part.collections]
    return [*lines, f"{name} content {part.content_digest[:16]}\n"]


def _created(request: Request, history: History, now: datetime) -> datetime:
    """The date of the backup that may be written: of a snapshot later than all that count, whatever the clock did."""
    if request.imported:
        return _time_of(request.imported, now)
    newest = history.newest
    return now if newest is None else max(now, newest.created + timedelta(microseconds=1))


def _time_of(path: str, now: datetime) -> datetime:
    with os_errors(SourceError, "Can't read", path):
        modified = os.stat(path).st_mtime
    hint = "It is the date that the backup would get: correct it (touch), or the clock."
    try:
        moment = datetime.fromtimestamp(modified, timezone.utc)
    except (ValueError, OverflowError, OSError) as exc:
        raise SourceError(f"The modification time of {path}, {modified:.0f}, is not a date.", hint) from exc
    if moment > now + CLOCK_SKEW:
        raise SourceError(f"{path} is dated in the future ({format_time(moment)}).", hint)
    return moment


def _check_kept(request: Request, new: str, decisions: Sequence[Decision]) -> None:
    """What this run writes is not for this run to remove. Only an import can be as old as that."""
    if any(one.id == new and not one.reasons for one in decisions):
        raise InvalidRequest(
            f"{request.imported} is older than everything that keep retains: its backup would be removed at once.",
            "Nothing was written. Widen keep, or import without it.",
        )


def _convert(path: str) -> Any:
    """Read a copy that somebody made by hand instead of the store."""

    def read(entry: NamedStore, sink: Sink) -> Snapshot:
        compression, filename = by_suffix(os.path.basename(path))
        with os.fdopen(open_regular(path, SourceError), "rb", buffering=0) as handle:
            if os.fstat(handle.fileno()).st_size == 0:
                raise SourceError(f"{path} is empty.")
            try:
                with compression.reader(handle) as reader:
                    snapshot = entry.store.convert(reader, filename, sink)
                    while reader.read(BLOCK):  # to the end, where the checksums are
                        pass
                    return snapshot
            except (CorruptStream, SourceError) as exc:
                raise SourceError(f"{path} can't be imported: {exc.message}", exc.hint) from exc

    return read
