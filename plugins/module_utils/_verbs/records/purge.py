# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""purge: removes old records from a collection while its application writes, and exports them first."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ..._core.compression import choose
from ..._core.errors import InvalidRequest, NoSpace, TargetError
from ..._core.progress import Progress
from ..._core.record_batches import seldom_collected
from ..._core.scratch import remove_left_scratch, scratch_directory
from ..._core.units import parse_duration, plural
from ..._repository.base import Repository
from ..._repository.history import read_history, remember_verified
from ..._repository.location import open_repository
from ..._repository.manifest import CONTENT, PURGE, Manifest, check_set_name, content_digest
from ..._repository.owner import this_host
from ..._repository.retention import Keep, decide
from ..._repository.sink import CountingSink
from ..._stores.base import Sink, Snapshot
from ..._stores.records.export import ExportStore
from ..._stores.records.purger import CASCADE, DETACH, REFUSE, Purger, relations_to
from ..._stores.records.registry import open_purger
from ..arguments import COMPRESSION, ENCRYPTION, KEEP, OBJECT_LOCK, REPOSITORY, duration, keep_policy
from ..evidence import ON_THE_WAY, recorded
from ..migrate.lock import lock_target
from ..removals import carry_out
from ..snapshots import NamedStore, backup_id, check_encrypted, compression_of, files_of, note, publish, take
from .collection import SELECTION, find_collection, keys_of, with_key
from .purge_outcome import Deadline, Outcome, check_vacuum, failed, give_back
from .purge_plan import OutOfTime, PurgeRequest, Selection
from .purge_work import WorkList, damage
from .store_optimize import WINDOW, window_of

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        SELECTION,
        time_field={"type": "str"},
        older_than={"type": "str"},
        keep_last={
            "type": "dict",
            "options": {
                "count": {"type": "int", "required": True},
                "per": {"type": "list", "elements": "str", "default": []},
            },
        },
        references={"type": "str", "choices": [REFUSE, CASCADE, DETACH], "default": REFUSE},
        allow_all={"type": "bool", "default": False},
        ignore_bad_times={"type": "bool", "default": False},
        max_wait={"type": "str", "default": "200ms"},
        window=WINDOW,
        time_limit={"type": "str"},
        vacuum={"type": "bool", "default": False},
        name={"type": "str", "required": True},
        **REPOSITORY,
        **OBJECT_LOCK,
        **ENCRYPTION,
        **COMPRESSION,
        **KEEP,
    ),
}


class Place(NamedTuple):
    """Where the export is written. `keep`: which exports of the set are kept; None: all."""

    repository: Repository
    name: str
    compression: str
    keep: Optional[Keep]


def request_from(params: Mapping[str, Any]) -> PurgeRequest:
    """Check the arguments of the module.

    :raises InvalidRequest: they are not valid.
    """
    if params["older_than"] is None and not params["where"]:
        raise InvalidRequest("Neither older_than nor where is set.", "Set one of them to select the records to delete.")
    if (params["older_than"] is not None or params["keep_last"]) and params["time_field"] is None:
        raise InvalidRequest("older_than and keep_last require time_field.", "Name the field with the times.")
    keep = params["keep_last"] or {"count": 0, "per": []}
    if params["keep_last"] and keep["count"] < 1:
        raise InvalidRequest(f"keep_last.count is {keep['count']}; it must be at least 1.")
    return PurgeRequest(
        params["where"],
        params["time_field"],
        params["older_than"],
        keep["count"],
        keep["per"] or [],
        params["references"],
        params["allow_all"],
        params["ignore_bad_times"],
        parse_duration(params["max_wait"]),
        parse_duration(params["time_limit"]) if params["time_limit"] else None,
        window_of(params["window"]),
    )


@recorded(ON_THE_WAY)
def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """Plan and, outside check mode, apply.

    :raises Day2Error: it is refused, or something failed. Nothing was deleted that is not exported.
    """
    began = time.monotonic()
    request = request_from(params)
    keep = keep_policy(params["keep"])
    place = Place(open_repository(params), check_set_name(params["name"]), params["compression"] or "", keep)
    place.repository.check_writable(place.name)
    check_encrypted(place.repository, place.name)
    outcome, deadline = Outcome(), Deadline()
    now = datetime.now(timezone.utc)
    if request.window is not None and not request.window.holds(now):
        outcome.closed, outcome.stopped = True, "window"
    else:
        if params["vacuum"]:
            check_vacuum(params, progress)
        deadline = request.deadline(began, now)
        _purge(params, request, place, deadline=deadline, outcome=outcome, progress=progress, check=check)
    problem = ""
    if params["vacuum"] and outcome.removed.deleted and not outcome.stopped:
        left = None if deadline.end is None else deadline.end - time.monotonic()
        problem = give_back(params, left, outcome, progress)
    result = outcome.result(params["collection"], check)
    result["duration_s"] = round(time.monotonic() - began, 3)
    if problem:
        raise failed(result, problem)
    return result


def _purge(
    params: Mapping[str, Any],
    request: PurgeRequest,
    place: Place,
    *,
    deadline: Deadline,
    outcome: Outcome,
    progress: Progress,
    check: bool,
) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(seldom_collected())
        if not check:
            wait = duration(params["lock_timeout"])
            outcome.warnings += stack.enter_context(place.repository.lock(place.name, "purge", wait))
        store = open_purger(params["store"], keys_of(params))
        stack.enter_context(store)
        if request.max_wait < store.least_wait:
            raise InvalidRequest(
                f"max_wait is {params['max_wait']}, but such a short wait of writers can't be guaranteed.",
                f"Set it to {store.least_wait * 1000:g}ms or more.",
            )
        store.check_state()
        if not check:
            lock_target(store, duration(params["lock_timeout"]))
            store.recover()
            remove_left_scratch()
        _Purge(store, params, request, place, outcome=outcome, deadline=deadline, progress=progress).run(check)


class _Purge:
    """One run."""

    def __init__(
        self,
        store: Purger,
        params: Mapping[str, Any],
        request: PurgeRequest,
        place: Place,
        *,
        outcome: Outcome,
        deadline: Deadline,
        progress: Progress,
    ) -> None:
        self._store, self._params, self._request, self._place = store, params, request, place
        self._outcome, self._deadline, self._progress = outcome, deadline, progress
        self._path = params["store"].get("path") or store.location
        infos = store.collections()
        found = find_collection(store, params["collection"])
        self._info = with_key(found, params["key"])
        self._named_key = not found.key
        if not self._info.key:
            raise InvalidRequest(
                f"The collection {self._info.name} has no key that identifies its records.",
                "Set key to the fields that identify them.",
            )
        self._relations = relations_to(self._info, infos, request.references)
        self._check_target()
        identity = f"{place.repository.place}|{place.name}|{store.identity_of(self._info)}"
        store.end_reading()  # from now on in pages
        self._work = WorkList(identity)
        self._digest = request.digest(self._info, self._relations)

    def _check_target(self) -> None:
        """Raise whatever prevents the removal, before anything is written."""
        store, info = self._store, self._info
        touched = {one.name: one for one in (info, *(relation.child for relation in self._relations))}
        if self._request.references == REFUSE:
            touched = {info.name: info}
        unfinished = store.checkpoints(list(touched))
        if unfinished:
            raise TargetError(
                f"A migration into the collection {sorted(unfinished)[0]} is unfinished.",
                "Continue it with day2.ops.migrate first.",
            )
        foreign = [words for one in touched.values() for words in store.foreign(one)]
        if foreign:
            raise TargetError(
                f"Tables of other schemas refer to {info.name}: {', '.join(foreign)}.",
                "Nothing was deleted, as their records can't be exported. Drop these foreign keys, or purge manually.",
            )
        rights = ["DELETE", "UPDATE"] if self._relations else ["DELETE"]
        store.check_writable(list(touched.values()), 0, dict.fromkeys(touched, rights))
        self._outcome.warnings += [
            f"Deleting runs {words}, whose effects are not exported."
            for words in store.interference(list(touched.values()), list(touched))
        ]

    def run(self, check: bool) -> None:
        """The rest: continue what a killed run has left, export, delete."""
        outcome = self._outcome
        outcome.resumed = self._unfinished()
        try:
            if outcome.resumed and not check:
                self._remove()
            if not outcome.stopped:
                if check:
                    self._count()
                elif self._export():
                    self._remove()
        except OutOfTime:
            outcome.stopped, outcome.incomplete = self._deadline.option, True
            outcome.matched = 0
        if outcome.removed.deleted:
            outcome.warnings += self._store.finish(self._info)
        if self._place.keep is not None and not outcome.stopped:
            self._apply_policy(self._place.keep, check)

    def _apply_policy(self, keep: Keep, check: bool) -> None:
        """Remove the exports of this collection that the policy does not keep, but never those of this run."""
        repository, name = self._place.repository, self._place.name
        now = datetime.now(timezone.utc)
        entries = [one for one in read_history(repository, name, now).entries if not one.problems and not one.future]
        exports = {one.id: one.manifest.created for one in entries if one.manifest and self._is_ours(one.manifest)}
        new = {"": now} if check and self._outcome.matched else {}
        unwanted = {one.id for one in decide([*exports.items(), *new.items()], keep) if not one.reasons}
        unwanted -= {"", self._outcome.backup, self._outcome.resumed}
        removals = [one for one in sorted(unwanted) if repository.locked_until(name, one) is None]
        if check:
            self._outcome.removed_exports = removals
            return
        kept = [one for one in repository.ids(name) if one not in unwanted]
        self._outcome.removed_exports, warnings = carry_out(repository, name, kept, removals)
        self._outcome.warnings += warnings

    def _is_ours(self, manifest: Manifest) -> bool:
        """Whether this host has exported this collection. Of an encrypted export that can't be opened, nobody knows."""
        if manifest.kind != PURGE or not manifest.opened or manifest.host != this_host():
            return False
        part = manifest.sources[0]
        purged = part.details.get("purge")
        same = (part.type, part.path) == (self._store.type, self._path)
        return same and isinstance(purged, dict) and purged.get("collection") == self._info.name

    def _unfinished(self) -> Optional[str]:
        """The export of a killed run, if its work can be continued: it is read again before more is deleted."""
        repository, name = self._place.repository, self._place.name
        backup = self._work.unfinished(self._digest, repository.ids(name))
        if backup is None:
            return None
        problem = damage(repository, name, backup, self._progress)
        if not problem:
            return backup
        self._outcome.warnings.append(
            f"The export {backup} of an earlier run is damaged ({problem}). The records that this run deleted may be "
            "in no other export. The remaining records are exported again."
        )
        return None

    def _selection(self) -> Selection:
        return Selection(
            self._store,
            self._info,
            self._request,
            relations=self._relations,
            now=datetime.now(timezone.utc),
            deadline=self._deadline,
            progress=self._progress,
        )

    def _selected(self, selection: Selection) -> None:
        outcome = self._outcome
        if self._named_key and not self._store.tells_apart(self._info):
            raise InvalidRequest(
                f"key: several records of {self._info.name} have the same {', '.join(self._info.key)}, or a record has "
                "none.",
                "Nothing was deleted. Set key to the fields that identify each record.",
            )
        outcome.matched, outcome.read = selection.matched, selection.read
        outcome.dependents = selection.dependents
        outcome.months = dict(sorted(selection.months.items()))
        outcome.without_time = selection.without_time
        if outcome.without_time:
            outcome.warnings.append(
                f"{plural(outcome.without_time, 'value')} of times are not valid: their records were not deleted."
            )

    def _count(self) -> None:
        """Check mode: read and compress, and store nothing."""
        repository = self._place.repository
        compression = compression_of(repository, choose(self._place.compression)[0])
        with scratch_directory() as scratch:
            sink = CountingSink(scratch, compression, self._progress)
            selection = self._selection()
            selection.snapshot(sink, lambda data, items: None)
        self._selected(selection)
        free = repository.free_bytes()
        if free is not None and selection.matched and sink.stored > free:
            raise NoSpace(
                f"The export requires {sink.stored} bytes in {repository.location}, where {free} are free.",
                "Nothing was deleted. Free some space on that file system and run again.",
            )

    def _export(self) -> bool:
        """Publish the records that will be deleted. Returns whether there are any."""
        repository, name = self._place.repository, self._place.name
        compression, _note = choose(self._place.compression)
        started = datetime.now(timezone.utc)
        source = ExportStore(self._store)
        entry = NamedStore(os.path.basename(self._path) or self._store.type, source, self._path)
        with contextlib.ExitStack() as stack:
            staging = stack.enter_context(repository.stage(name, started))
            files = files_of(repository, staging, compression)
            selection = self._selection()
            with self._work.written() as writing:

                def read(_entry: NamedStore, sink: Sink) -> Snapshot:
                    return selection.snapshot(sink, writing.add)

                taken = take([entry], files=files, scratch="", progress=self._progress, read=read)
            self._selected(selection)
            if not selection.matched:
                self._work.forget()
                return False
            expected = staging.id or backup_id(started, content_digest([one.part for one in taken]))
            self._work.belongs_to(expected, self._digest)
            manifest = publish(repository, files, name, taken, created=started, started=started, kind=PURGE)
            if manifest.id != expected:
                self._work.belongs_to(manifest.id, self._digest)
        self._outcome.backup, self._outcome.exported = manifest.id, selection.matched
        self._outcome.warnings += note(lambda: _remember(repository, name, manifest))
        return True

    def _remove(self) -> None:
        """Delete what is on the work list."""
        work, outcome, request = self._work, self._outcome, self._request
        done = work.done
        self._progress.start(f"Deleting from {self._info.name}", total=work.items, unit="records")
        self._progress.update(done)
        removal = self._store.remove(self._info, self._relations, work, request.references, request.max_wait)
        with contextlib.closing(removal):  # type: ignore[type-var]
            for removed in removal:
                done += removed.items
                work.advance(done)
                outcome.removed = outcome.removed.plus(removed)
                self._progress.update(done)
                if self._deadline.over() and done < work.items:
                    outcome.stopped = self._deadline.option
                    return
        work.forget()


def _remember(repository: Repository, name: str, manifest: Manifest) -> None:
    if manifest.read_back == CONTENT:
        remember_verified(repository, name, {manifest.id: []}, datetime.now(timezone.utc))
