# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing what a migration's plan says: save, write in batches, complete, verify, repair."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import Day2Error, NoSpace, SourceError, TargetError, Violation
from ..._core.record_batches import digest_sum, layouts, regrouped
from ..._core.records import record_digest
from ..._core.units import plural
from ..._core.unordered import MODULUS
from ..._stores.records.kinds import Summary
from ..._stores.records.model import Info, Record, Reject
from ..._stores.sql.schema import parents_first
from .checkpoint import CREATED, DECLINED, EMPTY, RESTART, RESUME, State, identity_of
from .compare import Comparison, compare, delete, places_of
from .plan import Job, MigratePlan, check_as_planned, foreseen
from .profiles import dangling
from .refusals import TooManyRejects, can_be_undone, check_allowed, undo, with_hint
from .rejects import keep_rejects, listed_rejects
from .report import Check, Done
from .safety import Saved, forget_way_back, must_be_kept, saved, to_be_written, ways_back
from .target_schema import in_target
from .way_back import THIS

_CONTINUED = "Committed records remain. Free some space on that file system and run again to continue."


class _Outcome(NamedTuple):
    job: Job
    info: Info  # as the target has it
    state: State
    seconds: float
    written: int


def apply(ready: MigratePlan) -> tuple[list[Done], list[Check], Optional[str]]:
    """Write what differs. Returns what was done, what was verified, and the id of the safety backup."""
    jobs = [job for job in ready.jobs if job.changes]
    ways, saved_way, safety = _save(ready)
    try:
        states = _begin(ready, jobs, ways)
    except TargetError as exc:
        raise _not_begun(ready, jobs, saved_way, exc) from exc
    try:
        written, checks = _carry_out(ready, jobs, states)
    except NoSpace as exc:
        raise NoSpace(exc.message, _CONTINUED) from exc
    except Violation as exc:
        raise _refused(ready, saved_way, exc) from exc
    done = {
        one.job.source.name: Done(one.written, one.state.rejected, one.seconds, one.state.removed) for one in written
    }
    return [done.get(job.source.name, Done(0, 0, 0.0)) for job in ready.jobs], checks, safety


def _not_begun(ready: MigratePlan, jobs: list[Job], way: Saved, why: TargetError) -> TargetError:
    """The error to raise, when nothing was made and the target keeps no checkpoint that needs the way back."""
    try:
        begun = not can_be_undone(ready) or bool(ready.target.checkpoints([job.source.name for job in jobs]))
    except Day2Error:  # it can't be told
        begun = True
    return why if begun else with_hint(why, forget_way_back(ready, way))


def _refused(ready: MigratePlan, way: Saved, why: Violation) -> TargetError:
    """The error to raise, when as much as can be is as it was before."""
    error = undo(ready, why)
    if error is not why:
        return error
    remains = forget_way_back(ready, way)
    if isinstance(why, TooManyRejects):
        try:
            check_allowed(foreseen(ready))  # tells of all of them, as check mode does
        except TooManyRejects as exc:
            return with_hint(exc, remains)
        except Day2Error as exc:  # the source was changed meanwhile, or does not answer
            return with_hint(why, f"{remains} {exc.message}")
    return with_hint(why, remains)


def _carry_out(ready: MigratePlan, jobs: list[Job], states: Mapping[str, State]) -> tuple[list[_Outcome], list[Check]]:
    """Write, remove, complete, verify, publish."""
    listed = listed_rejects(ready)
    by_name = {job.source.name: job for job in jobs}
    order = parents_first([job.target for job in jobs])
    found = {info.name: info for info in ready.target.collections()} if ready.target.columns else {}
    written = [_write(ready, by_name[info.name], states[info.name], found.get(info.name), listed) for info in order]
    infos = [one.info for one in written]
    if ready.request.mode != "merge":
        written = [_remove_extra(ready, one) for one in reversed(written)][::-1]
    ready.progress.start(f"Completing {ready.target.location}")
    # with the source's keys and indexes, which the tables may still lack
    ready.target.build_indexes([one.job.target for one in written])
    verified = [_verify(ready, one) for one in written]
    checks, written = [check for check, _one in verified], [one for _check, one in verified]
    checks += _references(ready, infos)
    failed = [check.message for check in checks if not check.ok]
    if failed:
        raise TargetError(
            f"The target differs from the source after the migration: {' '.join(failed)}",
            "Set repair=true to write the differing records again, or state=reverted to roll back.",
            {"validation": [check._asdict() for check in checks]},
        )
    ready.source.check_unchanged()
    # published, and only then forgotten: a run that is killed in between is continued, not refused
    ready.target.commit([job.source.name for job in jobs])
    return written, checks


def _save(ready: MigratePlan) -> tuple[dict[str, str], Saved, Optional[str]]:
    """Publish the way back. Returns the way of each collection, what was published, and the backup that has what the
    target held."""
    ways = ways_back(ready)
    always, written = must_be_kept(ready), to_be_written(ready)
    way_back = saved(ready.request, ready.target, ways, ready.progress, always=always, written=written)
    backup = way_back.backup
    if backup is not None and ready.target.type == "sqlite":  # whose snapshot ended for the backup
        check_as_planned(ready)
    kept = {name: backup if way == THIS and backup is not None else way for name, way in ways.items()}
    older = sorted(set(kept.values()) - {CREATED, EMPTY, DECLINED})
    return kept, way_back, backup or (older[0] if older else None)


def _begin(ready: MigratePlan, jobs: list[Job], ways: Mapping[str, str]) -> dict[str, State]:
    """Make the collections that are missing, and say of each whose rows it will have.

    What is in a table is not removed to be written again: others may point to it, and go with it. Records are put over
    it, and what is too much is removed in the end. A document takes the old one's place as a whole.
    """
    anew = ready.target.replaces_atomically and ready.request.mode != "merge"
    states, starts = {}, []
    for job in jobs:
        if job.verdict == RESUME and job.state is not None:
            states[job.source.name] = job.state
            continue
        fresh = anew or not (job.exists if job.verdict == RESTART else job.existing_records)
        state = states[job.source.name] = _start(ready, job, fresh, ways[job.source.name])
        starts.append((job.target, anew and job.exists, state.document()))
    if starts:
        ready.target.begin(starts, [job.source.name for job in jobs if not job.exists])
    return states


def _start(ready: MigratePlan, job: Job, fresh: bool, way: str) -> State:
    """The checkpoint before the first record. `fresh`: the target's collection holds none."""
    read, one = job.profile, job.comparison
    before = job.state if job.verdict == RESTART else None
    return State(
        identity=identity_of(ready.request.params, ready.source.identity, job.source),
        origin=ready.source.location,
        source=read.hexdigest(),
        records=read.records,
        done=0,
        rejected=0,
        digest="0",
        fresh=fresh,
        created=job.made,
        removed=before.removed if before is not None else 0,
        planned=(one.added, one.changed, one.removed, one.left, one.rejected),
        way=way,
        was=f"{job.existing_profile.digest:x}" if job.existing_profile is not None else "",
    )


def _write(ready: MigratePlan, job: Job, state: State, existing: Optional[Info], listed: frozenset[bytes]) -> _Outcome:
    """Write the rest of a collection, batch by batch.

    :param there: the table as the target has it.
    """
    name = job.source.name
    if 0 < state.done < state.records and not ready.source.deterministic_order:  # the order is another one now
        state = state._replace(done=0, rejected=0, digest="0", fresh=False)
    info = in_target(job.target, existing) if existing is not None else job.target
    if not info.key and (job.verdict == RESUME or not state.fresh):
        return _write_missing(ready, _Outcome(job, info, state, 0.0, 0), listed)
    upsert = bool(info.key) and (ready.request.mode == "merge" or not state.fresh)
    began, before = time.monotonic(), state.done
    account = _Account(ready, job, state, listed)
    ready.progress.start(f"Migrating {name}", job.profile.records, "records")
    if state.done < job.profile.records:
        chunks = ready.source.chunks(job.source, copy_lines=ready.target.takes_copy_lines)
        for batch in regrouped(chunks, ready.request.params["batch_size"], state.done):
            ready.target.write(info, batch, functools.partial(account.move_on, len(batch)), upsert)
            ready.progress.update(account.state.done)
    return _Outcome(job, info, account.state, time.monotonic() - began, account.state.done - before)


def _write_missing(ready: MigratePlan, one: _Outcome, listed: frozenset[bytes]) -> _Outcome:
    """Write the records of a collection without a key that the target has less often than the source.

    Nothing says which of them a killed run has written: all are counted again.
    """
    began, count = time.monotonic(), 0
    one = one._replace(state=one.state._replace(done=0, rejected=0, digest="0"))
    if ready.request.mode != "merge" and _may_collide(ready, one):
        one = _remove_extra(ready, one)
    account = _Account(ready, one.job, one.state, listed)
    missing: list[Record] = []

    def flush(least: int) -> None:
        nonlocal count
        if len(missing) >= least:
            rejected = account.state.rejected
            ready.target.write(one.info, missing, functools.partial(account.move_on, len(missing)), False)
            count += len(missing) - (account.state.rejected - rejected)
            missing.clear()

    def differs(record: Record) -> None:
        missing.append(record)
        flush(ready.request.params["batch_size"])

    ready.progress.start(f"Migrating {one.job.source.name}", one.job.profile.records, "records")
    _compare(ready, one, refuses=lambda record: "", differing=differs)
    flush(1)
    state = account.state._replace(done=one.job.profile.records)
    return one._replace(state=state, seconds=time.monotonic() - began, written=count)


def _may_collide(ready: MigratePlan, one: _Outcome) -> bool:
    """May a record that is too much have a value that another one is to have, and can it go before that one comes?"""
    found = ready.target.collections()
    existing = next((info for info in found if info.name == one.info.name), one.info)
    unique = any(index.unique for index in existing.indexes) or any(
        re.search(r"\bUNIQUE\b", f"{made.kind} {made.sql}", re.I) for made in existing.statements
    )
    return unique and not any(key.to == one.info.name for info in found for key in info.foreign_keys)


class _Account:
    """The state of a collection while its batches are written."""

    def __init__(self, ready: MigratePlan, job: Job, state: State, listed: frozenset[bytes]) -> None:
        self._ready, self._job, self._listed = ready, job, listed
        self.state = state

    def move_on(self, size: int, rejects: list[Reject]) -> dict[str, Any]:
        """The state after a batch of this size; its rejects are in their file before the batch is committed."""
        keep_rejects(self._ready, self._job, rejects, self.state.rejected, self._listed)
        total = int(self.state.digest, 16) + sum(record_digest(one.record) for one in rejects)
        self.state = self.state._replace(
            done=self.state.done + size,
            rejected=self.state.rejected + len(rejects),
            digest=f"{total % MODULUS:x}",
        )
        return self.state.document()


def _verify(ready: MigratePlan, one: _Outcome) -> tuple[Check, _Outcome]:
    """Compare counts and digests, recomputed from the target; find the keys that differ, and repair them."""
    problem = _differs(ready, one)
    if problem is not None and ready.request.params["repair"]:
        one = _repair(ready, one)
        problem = _differs(ready, one)
    name, expected = one.job.source.name, one.job.profile.records - one.state.rejected
    if problem is None:
        return Check(name, True, f"{name}: {plural(expected, 'record')}, equal digests."), one
    keys = ", ".join("%s %s" % pair for pair in problem.keys)
    words = "%s: %d missing, %d different, %d too many (%s)."
    return Check(name, False, words % (name, problem.added, problem.changed, problem.removed, keys)), one


def _differs(ready: MigratePlan, one: _Outcome) -> Optional[Comparison]:
    job = one.job
    ready.progress.start(f"Verifying {job.source.name}", job.profile.records, "records")
    if ready.request.mode != "merge" and _same(one, ready.target.summary(one.info)):
        return None
    if ready.request.mode != "merge":
        count, total = 0, 0
        for chunk in ready.target.chunks(one.info, ordered=False):
            total += digest_sum(layouts(chunk))
            count += len(chunk)
            ready.progress.update(count)
        if _equals(one, count, total):
            return None
    found = _compare(ready, one)
    if ready.request.mode == "merge":
        found = found._replace(removed=0)
    elif not (found.added or found.changed or found.removed):
        # equal by key, and yet not in number: the source has a key twice, or was changed meanwhile
        raise SourceError(
            f"The collection {job.source.name} changed while it was read, or has a duplicate key.",
            "Stop the applications that write to it, or correct the source, and run again.",
        )
    return found if found.added or found.changed or found.removed else None


def _same(one: _Outcome, known: Optional[Summary]) -> bool:
    """Does what the target computed itself say that all is there? If not, reading has the last word."""
    return known is not None and _equals(one, known.records, known.digest)


def _equals(one: _Outcome, count: int, total: int) -> bool:
    """:param total: the sum of the digests of the records that the target has"""
    total += int(one.state.digest, 16)
    wanted = one.job.profile
    return (count + one.state.rejected, total % MODULUS) == (wanted.records, wanted.digest)


def _compare(ready: MigratePlan, one: _Outcome, **listeners: Any) -> Comparison:
    return compare(
        functools.partial(ready.source.chunks, one.job.source),
        functools.partial(ready.target.chunks, one.info),
        one.info.key,
        scratch=ready.scratch,
        progress=ready.progress,
        places=functools.partial(places_of, ready.target, one.info),
        **{"refuses": functools.partial(ready.target.refuses, one.info), **listeners},
    )


def _repair(ready: MigratePlan, one: _Outcome) -> _Outcome:
    """Write what differs again, and remove what is too much."""
    differing: list[Record] = []
    extra: list[tuple[Any, ...]] = []
    if ready.target.replaces_atomically and not one.info.key:  # what was gathered can't be told apart
        state = one.state._replace(done=0, rejected=0, digest="0")
        ready.target.begin([(one.job.target, True, state.document())])
        again = _write(ready, one.job, state, None, frozenset())
        ready.target.build_indexes([one.job.target])
        return again
    # What is written while it is compared would be read again.
    _compare(ready, one, differing=differing.append, extra=extra.append)
    if differing:
        ready.target.write(one.info, differing, lambda rejects: one.state.document(), bool(one.info.key))
    if ready.request.mode != "merge":
        one = _delete(ready, one, extra)
    ready.target.build_indexes([one.job.target])
    return one


def _remove_extra(ready: MigratePlan, one: _Outcome) -> _Outcome:
    """Remove what the target held before and the source does not have."""
    if one.state.fresh:
        # of a document what is not wanted was never taken over
        return (
            one._replace(state=one.state._replace(removed=one.job.comparison.removed))
            if ready.target.replaces_atomically
            else one
        )
    extra: list[tuple[Any, ...]] = []
    _compare(ready, one, extra=extra.append)
    return _delete(ready, one, extra)


def _delete(ready: MigratePlan, one: _Outcome, extra: Sequence[tuple[Any, ...]]) -> _Outcome:
    """Remove records by their keys; how many that are in all runs is committed with them."""
    size = ready.request.params["batch_size"]
    for start in range(0, len(extra), size):
        some = extra[start : start + size]
        one = one._replace(state=one.state._replace(removed=one.state.removed + len(some)))
        delete(ready.target, one.info, some, one.state.document())
    return one


def _references(ready: MigratePlan, infos: list[Info]) -> list[Check]:
    by_name = {job.source.name: job.target for job in ready.jobs} | {info.name: info for info in infos}
    return [
        Check(
            str(reference),
            not count,
            "%s: %s."
            % (reference, f"{count} dangling references: {', '.join(keys)}" if count else "no dangling references"),
        )
        for reference in ready.request.references
        # empty fields, which not every target keeps, may be all that there are
        for count, keys in [dangling(ready.target, by_name, reference, ready.scratch, must_exist=False)]
    ]
