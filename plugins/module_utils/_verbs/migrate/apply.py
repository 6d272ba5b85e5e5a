# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing what a migration's plan says: save, write in batches, complete, verify, publish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from ..._core.errors import Day2Error, NoSpace, TargetError, Violation
from ..._stores.sql.schema import parents_first
from .checkpoint import CREATED, DECLINED, EMPTY, RESTART, RESUME, State, identity_of
from .plan import Job, MigratePlan, check_as_planned, foreseen, is_fresh
from .refusals import TooManyRejects, can_be_undone, check_allowed, undo, with_hint
from .rejects import listed_rejects
from .report import Check, Done
from .safety import Saved, forget_way_back, must_be_kept, saved, to_be_written, ways_back
from .verify import check_references, verify
from .way_back import THIS
from .write import Outcome, remove_extra, write

_CONTINUED = "Committed records remain. Free some space on that file system and run again to continue."


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


def _carry_out(ready: MigratePlan, jobs: list[Job], states: Mapping[str, State]) -> tuple[list[Outcome], list[Check]]:
    """Write, remove, complete, verify, publish."""
    listed = listed_rejects(ready)
    by_name = {job.source.name: job for job in jobs}
    order = parents_first([job.target for job in jobs])
    found = {info.name: info for info in ready.target.collections()} if ready.target.columns else {}
    written = [write(ready, by_name[info.name], states[info.name], found.get(info.name), listed) for info in order]
    infos = [one.info for one in written]
    if ready.request.mode != "merge":
        written = [remove_extra(ready, one) for one in reversed(written)][::-1]
    ready.progress.start(f"Completing {ready.target.location}")
    # with the source's keys and indexes, which the tables may still lack
    ready.target.build_indexes([one.job.target for one in written])
    verified = [verify(ready, one) for one in written]
    checks, written = [check for check, _one in verified], [one for _check, one in verified]
    checks += check_references(ready, infos)
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
        state = states[job.source.name] = _start(ready, job, is_fresh(ready, job), ways[job.source.name])
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
        earlier=before.removed if before is not None else 0,
        planned=(one.added, one.changed, one.removed, one.left, one.rejected),
        way=way,
        was=f"{job.existing_profile.digest:x}" if job.existing_profile is not None else "",
    )
