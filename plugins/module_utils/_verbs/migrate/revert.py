# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""state=reverted: restores the target as it was before the last migration."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional

from ..._core.errors import TargetError
from ..._core.progress import Progress
from ..._core.record_batches import batches, digest_sum, layouts
from ..._core.scratch import scratch_directory
from ..._core.units import plural
from ..._core.unordered import MODULUS
from ..._repository.encryption import check_trusted
from ..._repository.location import ACCESS, check_exists
from ..._repository.opening import check_opened
from ..._repository.reading import BackupCopy, load
from ..._stores.base import Copy
from ..._stores.records.as_stored import as_stored
from ..._stores.records.export import exported, lines
from ..._stores.records.model import Info, Record
from ..._stores.records.store import TargetStore
from ..._stores.registry import has_path
from ..._stores.sql.schema import parents_first
from .. import restore
from ..arguments import ENCRYPTION, IDENTITY, duration
from ..evidence import also
from .backup import Safety
from .checkpoint import CREATED, DECLINED, EMPTY, states_of
from .compare import compare, delete, places_of
from .lock import lock_target
from .way_back import THIS, WORDS, WayBack, newest_way_back
from .whole import database_of, is_whole


def revert(
    safety: Safety, target: TargetStore, params: Mapping[str, Any], check: bool, progress: Progress
) -> dict[str, Any]:
    """Restore the collections of the last run as they were before it.

    :raises TargetError: there was no run, or it ran without a safety backup.
    """
    check_exists(safety.repository)
    way = newest_way_back(safety.repository, safety.name, target)
    if way is None:
        raise TargetError(
            f"No migration into {target.location} is recorded in the set {safety.name}.",
            "Only a migration with this repository can be reverted. Check name, repository and target.",
        )
    check_trusted(safety.repository, safety.name, way.manifest)
    declined = ["its schema"] if way.whole == DECLINED else way.named(DECLINED)
    if declined:
        raise TargetError(
            f"{target.location} was migrated with safety_backup=false, so that {', '.join(declined)} can't be "
            "restored.",
            "Nothing was changed. Restore another backup of the target.",
        )
    database = way.whole == THIS and is_whole(way.manifest.sources[0])
    if way.whole:
        way = _of_all(way, target)
    _check_created(target, way)
    backups = way.backups()
    if database:
        target.__exit__(None, None, None)  # the database that is replaced has no sessions
        store = database_of(params["target"])
        changed, diff = _restore_one(safety, way.manifest.id, None, store, params, check=check, progress=progress)
    elif has_path(params["target"]["type"]) and backups:
        changed, diff = _restore(safety, target, way, params, check=check, progress=progress)
    else:
        changed, diff = _import(safety, target, way, params, check=check, progress=progress)
    words = ("Would revert" if check else "Reverted") if changed else "Nothing to revert:"
    what = f"safety backup {', '.join(backups)}" if backups else "its state before the migration"
    return {
        "changed": changed,
        "msg": f"{words} {target.location} {('to' if changed else 'equals')} {what}.",
        "safety_backup": next(iter(backups), None),
        "diff": diff,
    }


def _check_created(target: TargetStore, way: WayBack) -> None:
    """Check the collections that would be dropped.

    :raises TargetError: one does not contain what the run has written.
    """
    created = way.named(CREATED)
    states = states_of(target.location, target.checkpoints(created)) if created else {}
    for info in target.collections() if created else ():
        if info.name not in created:
            continue
        least, most = way.written.get(info.name, (-1, -1))
        state = states.get(info.name)
        if state is not None:  # batches of a target without commits may be there that it does not count
            least = state.done - state.rejected
            most = least if target.undoes else state.records
        count = sum(map(len, target.chunks(info, ordered=False)))
        if not least <= count <= most:
            raise TargetError(
                f"{info.name} in {target.location} has {plural(count, 'record')}, not those that the migration wrote. "
                "It may contain records of other programs.",
                "Nothing was changed. If they are not needed, drop it, and run again.",
            )
    target.end_reading()


def _restore(
    safety: Safety, target: TargetStore, way: WayBack, params: Mapping[str, Any], *, check: bool, progress: Progress
) -> tuple[bool, dict[str, str]]:
    """Restore from backups of the whole store: everything, if the migration wrote everything, otherwise only its
    collections.
    """
    options = params["target"]
    backups = way.backups()
    whole = list(backups) == [way.manifest.id] and _covers(target, way)
    changed, before, after = False, "", ""
    for backup, names in backups.items():
        store = {"type": options["type"], "path": options["path"]}
        only = None if whole else names
        own, diff = _restore_one(safety, backup, only, store, params, check=check, progress=progress)
        changed = changed or own
        before, after = before + diff["before"], after + diff["after"]
    target.end_reading()
    # one backup alone has no collection that the migration made, and those that were empty as they were
    rest = way._replace(ways={} if whole else {name: one for name, one in way.ways.items() if one in WORDS})
    more, diff = _import(safety, target, rest, params, check=check, progress=progress, names=list(way.ways))
    changed = changed or more
    before, after = before + diff["before"], after + diff["after"]
    return changed, {**_HEADERS, "before": before, "after": after}


_HEADERS = {"before_header": "now", "after_header": "before the migration"}


def _restore_one(
    safety: Safety,
    backup: str,
    only: Optional[Sequence[str]],
    store: Mapping[str, Any],
    params: Mapping[str, Any],
    *,
    check: bool,
    progress: Progress,
) -> tuple[bool, dict[str, str]]:
    """Restore from one backup, as the verb does."""
    result = restore.run(
        {
            **{name: one.get("default") for name, one in restore.ARGUMENTS["argument_spec"].items()},
            "name": safety.name,
            "repository": params["repository"],
            **{option: params[option] for option in ACCESS},
            "lock_for": params["lock_for"],
            "lock_mode": params["lock_mode"],
            **{name: params[name] for name in (*IDENTITY, *ENCRYPTION)},
            "lock_timeout": safety.lock_timeout,
            "target": store,
            "backup": backup,
            "only": only,
            "on_existing": "replace",
        },
        check,
        progress,
    )
    return bool(result["changed"]), {**_HEADERS, **{side: result["diff"][side] for side in ("before", "after")}}


def _of_all(way: WayBack, target: TargetStore) -> WayBack:
    """The way back of a store whose schema has changed: all of its content.

    :raises TargetError: it was empty.
    """
    if way.whole == EMPTY:
        raise TargetError(
            f"{target.location} had no tables before its schema was changed.", "Nothing was changed. Drop its tables."
        )
    return way._replace(ways={one.name: way.manifest.id for one in way.manifest.sources[0].collections})


def _covers(target: TargetStore, way: WayBack) -> bool:
    """Whether the backup of the run contains only what the run has written."""
    if way.whole:
        return True
    known = {one.name for one in way.manifest.sources[0].collections}
    present = {info.name for info in target.collections()}
    target.end_reading()
    return way.ways.keys() >= known | present


class _Part(NamedTuple):
    """A collection as it was, and its records, always in the same order."""

    info: Info
    chunks: Callable[..., Iterator[Sequence[Record]]]


def _parts(safety: Safety, way: WayBack, before: Mapping[str, Info], progress: Progress) -> dict[str, _Part]:
    """The collections of exports, and those that were empty, by name."""
    parts = {name: _Part(before[name], _nothing) for name in way.named(EMPTY) if name in before}
    for backup, names in way.backups().items():
        listed = safety.repository.look(safety.name, backup)
        manifest = load(listed, safety.repository.encryption)
        check_opened(manifest, listed, safety.repository.encryption)
        check_trusted(safety.repository, safety.name, manifest)
        source = manifest.sources[0]
        copy = BackupCopy(safety.repository, safety.name, manifest, source, progress)
        for number, info in enumerate(exported(source.details)):
            if info.name in names:
                parts[info.name] = _Part(info, functools.partial(_chunks, copy, number))
    return parts


def _nothing(*_ordered: bool) -> Iterator[Sequence[Record]]:
    return iter(())


def _chunks(copy: Copy, number: int, *_ordered: bool) -> Iterator[Sequence[Record]]:
    with copy.open(f"{number}.jsonl") as reader:
        yield from batches(lines(reader), 5000)


def _import(
    safety: Safety,
    target: TargetStore,
    way: WayBack,
    params: Mapping[str, Any],
    *,
    check: bool,
    progress: Progress,
    names: Sequence[str] = (),
) -> tuple[bool, dict[str, str]]:
    """Restore or drop collections one by one.

    :param names: of collections whose checkpoints are removed as well.
    """
    if not check and params["target"].get("path"):  # else it is ours already
        lock_target(target, duration(params["lock_timeout"]))
        target.recover()
    names = [*way.ways, *names]
    unfinished = target.checkpoints(names)
    before = {info.name: as_stored(info) for info in target.collections()}
    parts = _parts(safety, way, before, progress)
    dropped = [before[name] for name in way.named(CREATED) if name in before]
    wanted = {name: _digest_of(part.chunks()) for name, part in parts.items()}
    differing = [
        parts[info.name]
        for info in parents_first([part.info for part in parts.values()])
        if info.name not in before or _digest(target, before[info.name]) != wanted[info.name]
    ]
    if not check:
        if dropped:
            target.drop(dropped)
        if differing:
            _put_back(target, differing, duration(safety.lock_timeout), progress)
        target.commit(names)  # there is nothing to go on with any more
        for name, part in parts.items():
            if _digest(target, part.info) != wanted[name]:
                raise TargetError(f"The collection {name} differs from its backup after the restore.")
        restored = {part.info.name for part in differing}
        for backup, collections in way.backups().items():
            if restored.intersection(collections):
                also("restore", set=safety.name, backup=backup, targets=[target.location])
    lines = [f"{part.info.name} ({('from the backup' if wanted[part.info.name] else 'empty')})\n" for part in differing]
    diff = {
        "before_header": "now",
        "after_header": "before the migration",
        "before": "".join(f"{info.name}\n" for info in [*dropped, *[part.info for part in differing]]),
        "after": "".join(lines),
    }
    return bool(differing or dropped or unfinished), diff


def _put_back(target: TargetStore, parts: Sequence[_Part], timeout: float, progress: Progress) -> None:
    if target.type == "postgresql":
        from .put_back import put_back  # which needs what only PostgreSQL needs

        by_name = {part.info.name: part for part in parts}
        if put_back(target, [part.info for part in parts], lambda info: by_name[info.name].chunks(), timeout, progress):
            return
    with scratch_directory() as scratch:
        _put_back_over(target, parts, scratch, progress)


def _put_back_over(target: TargetStore, parts: Sequence[_Part], scratch: str, progress: Progress) -> None:
    """Write the records of the backup over those of the target, then remove those that it does not have."""
    target.begin([(part.info, False, None) for part in parts])
    for part in parts:
        if part.info.key:
            _fill(target, part.info, part.chunks())
    for part in reversed(parts):
        extra: list[tuple[Any, ...]] = []
        missing: list[Record] = []
        compare(
            part.chunks,
            functools.partial(target.chunks, part.info),
            part.info.key,
            refuses=lambda record: "",
            scratch=scratch,
            progress=progress,
            extra=extra.append,
            differing=missing.append if not part.info.key else None,
            places=functools.partial(places_of, target, part.info),
        )
        if extra:
            delete(target, part.info, extra)
        _fill(target, part.info, batches(missing, 5000))
    target.build_indexes([part.info for part in parts])


def _fill(target: TargetStore, info: Info, chunks: Iterable[Sequence[Record]]) -> None:
    def refused(rejects: list[Any]) -> None:
        if rejects:
            raise TargetError(f"{info.name}: a record of the backup can't be written: {rejects[0].reason}.")

    for chunk in chunks:
        target.write(info, chunk, refused, bool(info.key))


def _digest_of(chunks: Iterable[Sequence[Record]]) -> int:
    return sum(digest_sum(layouts(chunk)) for chunk in chunks) % MODULUS


def _digest(target: TargetStore, info: Info) -> int:
    return _digest_of(target.chunks(info, ordered=False))
