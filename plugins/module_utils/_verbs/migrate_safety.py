# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The safety backup of a migration's target, and the way back to it."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from .._core.compression import choose
from .._core.errors import TargetError
from .._core.progress import Progress
from .._core.record_batches import batches, digest_sum, layouts
from .._core.scratch import scratch_directory
from .._repository.base import Repository
from .._repository.manifest import SAFETY, Manifest
from .._repository.reading import BackupCopy, load
from .._stores.as_stored import as_stored
from .._stores.base import Copy, Store
from .._stores.record_export import ExportStore, exported, lines
from .._stores.record_store import Info, Record, RecordStore
from .._stores.registry import STORES, open_store
from .._stores.sql_schema import parents_first
from . import restore
from .arguments import NamedStore, duration
from .migrate_compare import compare
from .migrate_plan import OVERALL
from .migrate_survey import MODULUS
from .writing import check_apart, publish, take

MIGRATIONS = "migrations"  # the state document: {location of the target: {"safety": id, "created": [names]}}


class Safety(NamedTuple):
    """Where the target is saved."""

    repository: Repository
    name: str
    compression: str
    lock_timeout: str


def store_of(target: RecordStore, options: Mapping[str, Any]) -> Store:
    """The target as a store that can be backed up."""
    if options["type"] in STORES:
        return open_store({"type": options["type"], "path": options["path"]})
    return ExportStore(target)


def save(safety: Safety, target: RecordStore, options: Mapping[str, Any], progress: Progress) -> Manifest:
    """Back up what the target holds, as a safety backup."""
    if options["type"] in STORES:
        target.let_go()  # its store opens the same file
    entry = NamedStore(options.get("path") or target.type, store_of(target, options))
    entry = entry._replace(name=os.path.basename(entry.name))
    check_apart(safety.repository, [entry] if options.get("path") else [])
    compression, _note = choose(safety.compression)
    now = datetime.now(timezone.utc)
    progress.start("Backing up %s" % target.location, unit="bytes")
    with safety.repository.stage(safety.name) as staging:
        taken = take([entry], staging=staging, scratch="", compression=compression, progress=progress)
        return publish(staging, safety.name, taken, compression=compression, created=now, started=now, kind=SAFETY)


def remember(safety: Safety, location: str, backup: Optional[str], created: Sequence[str]) -> None:
    """Keep what a way back needs."""
    state = safety.repository.read_state(safety.name, MIGRATIONS)
    state[location] = {"safety": backup, "created": list(created)}
    safety.repository.write_state(safety.name, MIGRATIONS, state)


def revert(
    safety: Safety, target: RecordStore, params: Mapping[str, Any], check: bool, progress: Progress
) -> dict[str, Any]:
    """Bring the target back to the safety backup of the last migration into it."""
    entry = safety.repository.read_state(safety.name, MIGRATIONS).get(target.location, {})
    backup = entry.get("safety")
    if not backup:
        raise TargetError(
            "There is no safety backup of %s in the set %s." % (target.location, safety.name),
            "The target held nothing before the migration: remove what was migrated into it."
            if entry
            else "Only a migration that ran with safety_backup can be reverted. Check name, repository and target.",
        )
    options = params["target"]
    if options["type"] in STORES:
        result = restore.run(
            {
                **{name: one.get("default") for name, one in restore.ARGUMENTS["argument_spec"].items()},
                "name": safety.name,
                "repository": params["repository"],
                "lock_timeout": safety.lock_timeout,
                "target": {"type": options["type"], "path": options["path"]},
                "backup": backup,
                "on_existing": "replace",
            },
            check,
            progress,
        )
        changed = bool(result["changed"])
        diff = result["diff"]
    else:
        with scratch_directory() as scratch:
            changed, diff = _import(
                safety,
                target,
                backup=backup,
                created=entry["created"],
                check=check,
                progress=progress,
                scratch=scratch,
            )
    words = ("Would revert" if check else "Reverted") if changed else "Nothing to revert:"
    return {
        "changed": changed,
        "msg": "%s %s %s safety backup %s." % (words, target.location, "to" if changed else "equals", backup),
        "safety_backup": backup,
        "diff": diff,
    }


def _import(
    safety: Safety,
    target: RecordStore,
    *,
    backup: str,
    created: Sequence[str],
    check: bool,
    progress: Progress,
    scratch: str,
) -> tuple[bool, dict[str, str]]:
    manifest = load(safety.repository, safety.name, backup)
    part = manifest.sources[0]
    copy = BackupCopy(safety.repository, safety.name, manifest, part, progress)
    infos = exported(part.details)
    before = {info.name: as_stored(info) for info in target.collections()}
    dropped = [before[name] for name in created if name in before and name not in [info.name for info in infos]]
    numbers = {info.name: number for number, info in enumerate(infos)}
    wanted = {name: _digest_of(_chunks(copy, number, True)) for name, number in numbers.items()}
    differing = [
        info
        for info in parents_first(infos)
        if info.name not in before or _digest(target, before[info.name]) != wanted[info.name]
    ]
    diff = {
        "before_header": "now",
        "after_header": "backup %s" % backup,
        "before": "".join("%s\n" % info.name for info in [*dropped, *differing]),
        "after": "".join("%s (from the backup)\n" % info.name for info in differing),
    }
    if not check:
        for info in dropped:
            target.drop(info)
        # an interrupted migration has left some; there is nothing to go on with any more
        names = [OVERALL, *created, *numbers]
        target.positions(names)
        timeout = duration(safety.lock_timeout)
        chunks = functools.partial(_chunks_of, copy, numbers)
        if target.type != "postgresql" or not _at_once(target, differing, chunks, timeout, copy.progress):
            _put_back(target, copy, [(numbers[info.name], info) for info in differing], scratch)
        target.forget(names)
        for info in infos:
            if _digest(target, info) != wanted[info.name]:
                raise TargetError("The collection %s differs from backup %s after all." % (info.name, backup))
    return bool(differing or dropped), diff


def _at_once(*arguments: Any) -> bool:
    from .migrate_put_back import put_back  # which needs what only PostgreSQL needs

    return put_back(*arguments)


def _chunks_of(copy: Copy, numbers: Mapping[str, int], info: Info) -> Iterator[Sequence[Record]]:
    return _chunks(copy, numbers[info.name], True)


def _put_back(target: RecordStore, copy: Copy, parts: Sequence[tuple[int, Info]], scratch: str) -> None:
    """Write the backup's records over those of the target, then remove what it does not have."""
    for _number, info in parts:
        target.ensure(info, False, None)
    for number, info in parts:
        _fill(target, info, copy, number)
    for number, info in reversed(parts):
        extra: list[tuple[Any, ...]] = []
        compare(
            functools.partial(_chunks, copy, number),
            functools.partial(target.chunks, info),
            info.key,
            loose=False,
            refuses=lambda record: "",
            scratch=scratch,
            progress=copy.progress,
            extra=extra.append,
        )
        target.delete(info, extra)
    target.finish([info for _number, info in parts])


def _chunks(copy: Copy, number: int, ordered: bool) -> Iterator[Sequence[Record]]:
    with copy.open("%d.jsonl" % number) as reader:
        yield from batches(lines(reader), 5000)


def _fill(target: RecordStore, info: Info, copy: Copy, number: int) -> None:
    def refused(rejects: list[Any]) -> None:
        if rejects:
            raise TargetError("%s: a record of the backup can't be written: %s." % (info.name, rejects[0].reason))

    for chunk in _chunks(copy, number, True):
        target.write(info, chunk, refused, True)


def _digest_of(chunks: Iterable[Sequence[Record]]) -> int:
    return sum(digest_sum(layouts(chunk)) for chunk in chunks) % MODULUS


def _digest(target: RecordStore, info: Info) -> int:
    return _digest_of(target.chunks(info, ordered=False))
