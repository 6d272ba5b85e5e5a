# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a migration: how each collection is on both sides, will be, and differs. Nothing is written."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest, SourceError, TargetError
from ..._core.progress import Progress
from ..._repository.base import Repository
from ..._stores.records.as_held import HeldSource
from ..._stores.records.as_stored import for_same_type
from ..._stores.records.model import LIST, Index, Info, check_same_key, key_of
from ..._stores.records.note import as_wanted
from ..._stores.records.null_or_gap import holes
from ..._stores.records.store import SourceStore, TargetStore
from ..._stores.records.table_names import beside_lower
from ..._stores.sql.schema import without_computed
from .checkpoint import NEW, REFUSE, RESTART, RESUME, State, check_unfinished, identity_of, judge, states_of
from .compare import LISTED, Comparison, compare, shown_key
from .profiles import Profile, Reference, check_unique, profile
from .strict import strict
from .target_schema import Found, Options, in_target, mixes_up, target_schema
from .typed import check, settled, typed


class MigrateRequest(NamedTuple):
    """The arguments of a migration."""

    params: Mapping[str, Any]
    name: str
    references: Sequence[Reference]
    mode: str  # on_existing
    rejects: Optional[str]
    repository: Optional[Repository] = None  # where the target is saved


class Moving(NamedTuple):
    """A record of the target with a value that must be unique and that another record will have. `stays`: the source
    has it, too.
    """

    key: tuple[Any, ...]
    stays: bool


class Job(NamedTuple):
    """One collection: how it is in the source, how it will be in the target, and what has to be done.

    `state` is the progress of an unfinished migration, `verdict` how it is continued (see checkpoint.py), `exists`
    whether the target has the collection.
    """

    source: Info
    target: Info
    profile: Profile
    comparison: Comparison
    exists: bool
    made: bool  # by this migration, if it exists
    existing_profile: Optional[Profile]  # the records in the target, where it was read
    state: Optional[State] = None
    verdict: str = NEW
    moving: Sequence[Moving] = ()  # to be deleted before others are written

    @property
    def existing_records(self) -> int:
        """The number of records in the target before this run."""
        return self.existing_profile.records if self.existing_profile is not None else 0

    @property
    def changes(self) -> bool:
        """Whether anything has to be written."""
        one = self.comparison
        return bool(one.added or one.changed or one.removed or not self.exists or self.verdict != NEW)


class MigratePlan(NamedTuple):
    """What was read and determined. Nothing is written. `unforeseen`: sentences on what only writing can tell."""

    request: MigrateRequest
    source: SourceStore
    target: TargetStore
    jobs: Sequence[Job]
    scratch: str
    progress: Progress
    unforeseen: Sequence[str] = ()

    @property
    def resumed(self) -> bool:
        """Whether it continues an unfinished migration."""
        return any(job.verdict != NEW for job in self.jobs)


def look(
    request: MigrateRequest,
    source: SourceStore,
    target: TargetStore,
    scratch: str,
    progress: Progress,
    *,
    refuse: bool = False,
) -> MigratePlan:
    """Read both sides and compare them.

    :param refuse: raise TargetError if an unfinished migration of another kind is in the way; otherwise, both sides are
        compared anyway.
    """
    if source.type == target.type and source.location == target.location:
        raise InvalidRequest(f"Source and target are the same: {source.location}.")
    progress.start(f"Reading the schema of {target.location}")
    lower = _in_lower(request, source, target)
    infos, present = _both_sides(request, source, target, scratch, lower=lower)
    states = states_of(target.location, target.checkpoints([info.name for info in infos]))
    wishes = {info.name: identity_of(request.params, source.identity, info) for info in infos}
    restart = request.params["unfinished"] == "restart" or not refuse
    if refuse:
        check_unfinished(target.location, states, wishes, restart=restart, atomic=target.replaces_atomically)
    as_typed = typed(request.params, source, target, infos, present=present, progress=progress)
    source = HeldSource(as_typed.source)
    problems: list[str] = []
    options = _options(request, source, target, lower=lower)
    found = [_found(source, info, present.get(info.name), options, progress) for info in infos]
    given = []
    for place, (one, _read) in enumerate(found):
        converted = as_typed.converts(one.info)
        decisions, against = settled(as_typed, one.info, one.kinds, present, progress)
        if as_typed.converts(one.info) != converted:
            found[place] = _found(source, one.info, present.get(one.info.name), options, progress)
        given.append(found[place][0]._replace(decisions=decisions))
        problems += against
    check(as_typed.problems, problems)
    target = strict(target, as_typed.decisions, given)
    source.check_unchanged()
    # a table that a killed run has made may still lack its indexes and foreign keys
    ours = {name for name, state in states.items() if state.created}
    made = {info.name for info in infos if info.name not in present or info.name in ours}
    finals, lost = target_schema(given, present, made, options)
    ready = MigratePlan(request, source, target, (), scratch, progress)
    jobs = []
    for info, (_one, read) in zip(infos, found):
        name, existing = info.name, present.get(info.name)
        state, wish, digest = states.get(name), wishes[name], (read.hexdigest(), read.records)
        verdict = judge(state, wish, digest, restart=restart, atomic=target.replaces_atomically)
        if verdict == RESUME and not info.key and target.replaces_atomically:
            verdict = NEW  # what was gathered can't be told apart
        if verdict == REFUSE or (verdict == RESUME and existing is None and not target.replaces_atomically):
            verdict = RESTART  # only looked at; or somebody has removed it
        told = info._replace(dialect_specific=info.dialect_specific + lost.get(name, ()))
        every = Comparison(added=read.records)
        job = Job(told, finals[name], read, every, existing is not None, name in made, None, state, verdict)
        jobs.append(_compared(ready, job, existing))
    return ready._replace(jobs=jobs)


def _both_sides(
    request: MigrateRequest, source: SourceStore, target: TargetStore, scratch: str, *, lower: bool
) -> tuple[list[Info], dict[str, Info]]:
    """The collections to migrate, and those of the target by the same names."""
    infos = wanted(request, source)
    _check_keys(request, source, target, infos, scratch)
    present = {info.name: info for info in target.collections()}
    if target.type == "json":
        present = as_wanted({info.name: info for info in infos}, present)
    if lower:
        present = beside_lower(infos, present)
    infos = [_identified(info, present.get(info.name), target) for info in infos]
    if target.type == "json":
        present = as_wanted({info.name: info for info in infos}, present)
    if source.type == target.type:
        infos = [for_same_type(info, present.get(info.name, info)) for info in infos]
    else:
        infos = [without_computed(info) for info in infos]
    return infos, present


def _options(request: MigrateRequest, source: SourceStore, target: TargetStore, *, lower: bool) -> Options:
    return Options(
        *(source.type, target.type, source.typed, target.columns),
        document=request.params["shape"] == "document",
        lower=lower,
        holding_constraints=source.holding_constraints,
    )


def _found(
    source: HeldSource, info: Info, existing: Optional[Info], options: Options, progress: Progress
) -> tuple[Found, Profile]:
    """A collection of the source, and what was read; if an existing table cannot distinguish null from missing, as that
    table will return it.
    """
    kinds = not source.typed or info.document
    source.hold(info, None)
    read = profile(source, info, progress, kinds=kinds)
    found = holes(info, read.kinds)
    if mixes_up(existing, found, options):
        names = [field.name for field in (read.kinds.fields() if kinds else info.fields)]
        source.hold(info, existing, names, found)
        read = profile(source, info, progress, kinds=kinds)
    return Found(info, read.kinds, found), read


def _in_lower(request: MigrateRequest, source: SourceStore, target: TargetStore) -> bool:
    """Whether names are converted to lower case.

    :raises InvalidRequest: this is requested where it is not possible.
    """
    if request.params["names"] != "lower":
        return False
    if not target.columns or source.type == target.type:
        raise InvalidRequest("names=lower requires tables that are created from a store of another type.")
    return True


def _compared(ready: MigratePlan, job: Job, existing: Optional[Info]) -> Job:
    """The collection, compared with the existing one in the target."""
    read, source, target = job.profile, ready.source, ready.target
    if job.verdict == RESUME and job.state is not None and not target.replaces_atomically:
        return job._replace(comparison=Comparison(*job.state.planned))
    if existing is None:
        return _atomic(job, "")
    existing = _of_both(ready, job, existing)
    present = profile(target, existing, ready.progress, kinds=False)
    job = _atomic(job, f"{present.digest:x}")
    if job.verdict == RESUME and job.state is not None:
        return job._replace(comparison=Comparison(*job.state.planned))
    if (present.records, present.digest) == (read.records, read.digest):
        return job._replace(comparison=Comparison(left=present.records), existing_profile=present)
    if target.replaces_atomically and ready.request.mode == "merge":
        check_same_key(job.target, existing)
    if not present.records:
        return job._replace(existing_profile=present)
    ready.progress.start(f"Comparing {job.source.name}", unit="records")
    found = compare(
        functools.partial(source.chunks, job.source),
        functools.partial(target.chunks, existing),
        job.target.key,
        refuses=functools.partial(target.refuses, job.target),
        scratch=ready.scratch,
        progress=ready.progress,
    )
    if ready.request.mode == "merge":
        found = found._replace(left=found.left + found.removed, removed=0)
    return job._replace(comparison=found, existing_profile=present)


def _atomic(job: Job, present: str) -> Job:
    """The verdict for a document: if its content was changed since the migration began, the collection starts over."""
    if job.verdict == RESUME and job.state is not None:
        if job.state.was != present:
            return job._replace(verdict=NEW)
        return job._replace(comparison=Comparison(*job.state.planned))
    return job


def _of_both(ready: MigratePlan, job: Job, existing: Info) -> Info:
    """The collection of the target without columns that only it has."""
    return in_target(job.target, existing) if ready.target.columns else existing


def job_rights(ready: MigratePlan, job: Job) -> list[str]:
    """What is done with an existing table: INSERT, UPDATE if records are put over others, and DELETE."""
    fresh = job.state.fresh if job.verdict == RESUME and job.state is not None else is_fresh(ready, job)
    over = bool(job.target.key) and (ready.request.mode == "merge" or not fresh)
    return ["INSERT", *["UPDATE"] * over, *["DELETE"] * bool(job.comparison.removed or job.moving)]


def is_fresh(ready: MigratePlan, job: Job) -> bool:
    """Does a collection hold none of the records that this run begins with?"""
    if ready.target.replaces_atomically and ready.request.mode != "merge":
        return True
    return not (job.exists if job.verdict == RESTART else job.existing_records)


def check_as_planned(ready: MigratePlan) -> None:
    """Raise TargetError when the target was written to since the plan was made."""
    present = {info.name: info for info in ready.target.collections()}
    for job in ready.jobs:
        existing = present.get(job.source.name)
        if job.existing_profile is None or not job.changes or existing is None:
            continue
        now = profile(ready.target, _of_both(ready, job, existing), ready.progress, kinds=False)
        if (now.records, now.digest) != (job.existing_profile.records, job.existing_profile.digest):
            raise TargetError(
                f"{ready.target.location} was written to while it was backed up: {existing.name} has changed.",
                "Nothing was changed. Stop the application that writes to it, and run again.",
            )


def foreseen(ready: MigratePlan) -> MigratePlan:
    """The plan with the records that the target will refuse; a run learns this when it writes them."""
    return ready._replace(jobs=[_foreseen(ready, job) for job in ready.jobs])


def _foreseen(ready: MigratePlan, job: Job) -> Job:
    under_way = job.verdict == RESUME and job.state is not None and not job.state.fresh
    if ready.target.replaces_atomically or job.existing_records or under_way:  # takes all; was looked at
        return job
    ready.progress.start(
        f"Checking which records of {job.source.name} {ready.target.location} can store", unit="records"
    )
    count, rejected = 0, 0
    reasons: list[tuple[str, str]] = []
    for chunk in ready.source.chunks(job.source, ordered=False):
        for record in chunk:
            reason = ready.target.refuses(job.target, record)
            rejected += bool(reason)
            if reason and len(reasons) < LISTED:
                reasons.append((shown_key(job.target, record), reason))
        count += len(chunk)
        ready.progress.update(count)
    return job._replace(
        comparison=job.comparison._replace(added=count - rejected, rejected=rejected, reasons=tuple(reasons))
    )


def selected(request: MigrateRequest, source: SourceStore) -> list[Info]:
    """The collections to migrate."""
    infos = source.collections()
    only = request.params["only"]
    unknown = sorted(set(only or ()) - {info.name for info in infos})
    if unknown or not infos:
        what = f"no collection {', '.join(unknown)}" if unknown else "no collections"
        raise SourceError(
            f"{source.location} has {what}.",
            (f"Its collections are: {', '.join(info.name for info in infos)}.")
            if infos
            else "Check its path or connection.",
        )
    return [info for info in infos if not only or info.name in only]


def wanted(request: MigrateRequest, source: SourceStore) -> list[Info]:
    """The collections to migrate, with the keys that were given."""
    given = {one["collection"]: one["fields"] for one in request.params["primary_keys"] or ()}
    return [_with_key(info, given.get(info.name, ())) for info in selected(request, source)]


def _check_keys(
    request: MigrateRequest, source: SourceStore, target: TargetStore, infos: Sequence[Info], scratch: str
) -> None:
    """Check the keys of the collections.

    :raises InvalidRequest: records without a key should be stored by their key.
    :raises SourceError: a key that was given does not identify records.
    """
    given = {one["collection"] for one in request.params["primary_keys"] or ()}
    for info in infos:
        if info.name in given and info.native:  # documents are looked at by their reader
            check_unique(source, info, scratch)
    if request.params["shape"] != "document" or not target.columns:
        return
    for info in infos:
        if not info.key:
            raise InvalidRequest(
                f"shape=document stores records by key, but the collection {info.name} has no key.",
                "Set its key in primary_keys, or migrate it separately (only) with shape=columns.",
            )


def _identified(info: Info, existing: Optional[Info], target: TargetStore) -> Info:
    """The collection without its key, if that may be null, and is so in the target."""
    required = {field.name for field in info.fields if field.required}
    if info.native != "sqlite" or existing is None or required.issuperset(info.key):
        return info
    if existing.key and not (
        existing.note.shape == LIST and any(None in key_of(info, record) for record in target.read(existing))
    ):
        return info
    former = Index(f"day2_{info.name}_former_key", info.key, True, constraint=True)
    return info._replace(key=(), indexes=(*info.indexes, former))


def _with_key(info: Info, given: Sequence[str]) -> Info:
    """A collection with the key that was given, which will be unique in the target. Its former key stays unique."""
    key = tuple(given) or info.key
    if key == info.key:
        return info
    names = [field.name for field in info.fields]
    if not info.native or not set(key).issubset(names):
        raise InvalidRequest(
            f"primary_keys: ({', '.join(key)}) is not a valid key of the collection {info.name}.",
            f"Its key is ({', '.join(info.key)}), its fields are: {', '.join(names)}.",
        )
    fields = tuple(field._replace(required=field.required or field.name in key) for field in info.fields)
    unique = [Index(f"day2_{info.name}_key", key, True)]
    if info.key:
        unique.append(Index(f"day2_{info.name}_former_key", info.key, True, constraint=True))
    return info._replace(key=key, fields=fields, indexes=(*info.indexes, *unique), key_definition="")
