# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing what a migration's plan says: save, write in batches, complete, verify, repair."""

from __future__ import annotations

import functools
import hashlib
import os
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from .._core.errors import SourceError, TargetError
from .._core.files import os_errors
from .._core.record_batches import digest_sum, layouts, regrouped, without_nulls
from .._core.records import record_digest
from .._core.tagged_json import encode as encode_json
from .._stores.record_kinds import Summary
from .._stores.record_store import Info, Record, Reject
from .._stores.sql_schema import parents_first
from .migrate import safety_of, saved
from .migrate_compare import Comparison, compact, compare
from .migrate_plan import OVERALL, Job, Plan, Request, check_as_planned, in_target
from .migrate_report import Check, Done, refusal
from .migrate_survey import MODULUS, dangling


class _Written(NamedTuple):
    job: Job
    info: Info  # as the target has it
    position: dict[str, Any]
    seconds: float
    written: int


def apply(ready: Plan) -> tuple[list[Done], list[Check], Optional[str]]:
    """Write what differs. Returns what was done, what was verified, and the id of the safety backup."""
    jobs = [job for job in ready.jobs if job.changes]
    overall = ready.resumed
    if overall is None:
        overall = {"safety": _save(ready), "mode": ready.request.mode}
        ready.target.keep_position(OVERALL, overall)
    _prepare_tables(ready, jobs)
    listed = _listed_rejects(ready)
    by_name = {job.source.name: job for job in jobs}
    order = parents_first([job.target for job in jobs])
    found = {info.name: info for info in ready.target.collections()} if ready.target.columns else {}
    written = [_write(ready, by_name[info.name], found.get(info.name), listed) for info in order]
    infos = [one.info for one in written]
    if ready.request.mode != "merge":
        for one in reversed(written):
            _remove_extra(ready, one)
    ready.progress.start("Completing %s" % ready.target.location)
    # with the source's keys and indexes, which the tables may still lack
    ready.target.finish([one.job.target for one in written])
    checks = [_verify(ready, one) for one in written]
    checks += _references(ready, infos)
    failed = [check.message for check in checks if not check.ok]
    if failed:
        raise TargetError(
            "The target differs from the source after the migration: %s" % " ".join(failed),
            "Set repair=true to write the differing records again, or state=reverted to go back.",
            {"validation": [check._asdict() for check in checks]},
        )
    ready.source.check_unchanged()
    # the mark of the whole last: a run that is killed in between is continued, not refused
    names = [job.source.name for job in ready.jobs]
    others = [] if ready.target.whole else [one.name for one in ready.target.collections() if one.name not in names]
    # collections that this run was not asked for (`only`) may wait to be continued, too
    ready.target.forget(names if ready.target.positions(others) else [*names, OVERALL])
    done = {one.job.source.name: Done(one.written, one.position["rejected"], one.seconds) for one in written}
    return [done.get(job.source.name, Done(0, 0, 0.0)) for job in ready.jobs], checks, overall["safety"]


def _save(ready: Plan) -> Optional[str]:
    """The safety backup, when the target holds anything."""
    existing = ready.target.collections()
    backup = saved(ready.request, ready.target, bool(existing and ready.held), ready.progress)
    if backup is not None and ready.target.type == "sqlite":  # whose snapshot ended for the backup
        check_as_planned(ready)
    if ready.request.params["repository"]:
        from .migrate_safety import remember

        names = {info.name for info in existing}
        created = [job.source.name for job in ready.jobs if job.source.name not in names]
        remember(safety_of(ready.request), ready.target.location, backup, created)
    return backup


def _prepare_tables(ready: Plan, jobs: list[Job]) -> None:
    """Make the collections that are missing.

    What is in a table is not removed to be written again: others may point to it, and go with it. Records are put over
    it, and what is too much is removed in the end. A document takes the old one's place as a whole.
    """
    anew = ready.target.whole and ready.request.mode != "merge"
    for job in jobs:
        if job.position is None:
            ready.target.ensure(job.target, anew and job.there, _start(job, anew or not job.held))


def _start(job: Job, fresh: bool) -> dict[str, Any]:
    """The position before the first record. `fresh`: the target's collection held none."""
    read = job.survey
    return {
        "source": read.hexdigest(),
        "count": read.records,
        "done": 0,
        "rejected": 0,
        "digest": "0",
        "fresh": fresh,
        "made": job.made,
    }


def _write(ready: Plan, job: Job, there: Optional[Info], listed: frozenset[bytes]) -> _Written:
    """Write the rest of a collection, batch by batch.

    :param there: the table as the target has it.
    """
    name = job.source.name
    position = dict(job.position or ready.target.positions([name])[name])
    if position["done"] and not ready.source.stable:  # the order is another one now
        position = _start(job, False)
    upsert = ready.request.mode == "merge" or not position["fresh"]
    info = in_target(job.target, there) if there is not None else job.target
    began, written = time.monotonic(), position["done"]
    ready.progress.start("Migrating %s" % name, job.survey.records, "records")
    if position["done"] < job.survey.records:
        chunks = ready.source.chunks(job.source, text=ready.target.takes_text)
        for batch in regrouped(chunks, ready.request.params["batch_size"], position["done"]):

            def account(rejects: list[Reject], size: int = len(batch)) -> dict[str, Any]:
                _keep_rejects(ready, job, rejects, position["rejected"], listed)
                total = int(position["digest"], 16) + sum(_digest(job, one.record) for one in rejects)
                position.update(
                    done=position["done"] + size,
                    rejected=position["rejected"] + len(rejects),
                    digest="%x" % (total % MODULUS),
                )
                return position

            ready.target.write(info, batch, account, upsert)
            ready.progress.update(position["done"])
    return _Written(job, info, position, time.monotonic() - began, position["done"] - written)


def _digest(job: Job, record: Record) -> int:
    return record_digest(compact(record) if job.loose else record)


def _keep_rejects(ready: Plan, job: Job, rejects: list[Reject], before: int, listed: frozenset[bytes]) -> None:
    """Write the refused records to their file, or give up before anything of the batch is written."""
    if not rejects:
        return
    params = ready.request.params
    first = "%s: %s" % (encode_json(list(rejects[0].key)), rejects[0].reason)
    if before + len(rejects) > params["max_rejects"]:
        raise refusal(job.source.name, before + len(rejects), params["max_rejects"], first)
    add_rejects(ready.request, rejects, listed)


def add_rejects(request: Request, rejects: Sequence[Reject], listed: frozenset[bytes] = frozenset()) -> None:
    """Write refused records to their file, but those that are listed there."""
    path = request.rejects or ""
    if not rejects or not path:
        return
    with os_errors(TargetError, "Can't write the rejects to", path):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "ab") as handle:
            for one in rejects:
                told = {"collection": one.collection, "key": list(one.key), "reason": one.reason, "record": one.record}
                line = encode_json(told).encode() + b"\n"
                if _mark(line) not in listed:
                    handle.write(line)
            handle.flush()
            os.fsync(handle.fileno())


def _listed_rejects(ready: Plan) -> frozenset[bytes]:
    """Marks of the lines in the file of rejects, when a killed run may have written some of a batch that comes again.

    Other migrations may write to the same file: nothing of it is taken back but half a line at its end.
    """
    path = ready.request.rejects
    if ready.resumed is None or not path or not os.path.exists(path):
        return frozenset()
    with os_errors(TargetError, "Can't go on with the rejects in", path):
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "r+b") as handle:
            marks, end = set(), 0
            for line in handle:
                if line.endswith(b"\n"):
                    marks.add(_mark(line))
                    end += len(line)
            if end < os.fstat(fd).st_size:
                handle.truncate(end)
    return frozenset(marks)


def _mark(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()


def _verify(ready: Plan, one: _Written) -> Check:
    """Compare counts and digests, recomputed from the target; find the keys that differ, and repair them."""
    problem = _differs(ready, one)
    if problem is not None and ready.request.params["repair"]:
        _repair(ready, one)
        problem = _differs(ready, one)
    name, expected = one.job.source.name, one.job.survey.records - one.position["rejected"]
    if problem is None:
        return Check(name, True, "%s: %d records, digests are the same." % (name, expected))
    keys = ", ".join("%s %s" % pair for pair in problem.keys)
    return Check(
        name,
        False,
        "%s: %d missing, %d different, %d too many (%s)."
        % (name, problem.added, problem.changed, problem.removed, keys),
    )


def _differs(ready: Plan, one: _Written) -> Optional[Comparison]:
    job = one.job
    ready.progress.start("Verifying %s" % job.source.name, job.survey.records, "records")
    if ready.request.mode != "merge" and not job.loose and _same(one, ready.target.summary(one.info)):
        return None
    if ready.request.mode != "merge":
        count, total = 0, 0
        for chunk in ready.target.chunks(one.info, ordered=False):
            total += digest_sum(without_nulls(layouts(chunk)) if job.loose else layouts(chunk))
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
            "The collection %s changed while it was read, or has a key twice." % job.source.name,
            "Stop its writers, or mend the source, and run again.",
        )
    return found if found.added or found.changed or found.removed else None


def _same(one: _Written, known: Optional[Summary]) -> bool:
    """Does what the target computed itself say that all is there? If not, reading has the last word."""
    return known is not None and _equals(one, known.records, known.digest)


def _equals(one: _Written, count: int, total: int) -> bool:
    """:param total: the sum of the digests of the records that the target has"""
    total += int(one.position["digest"], 16)
    wanted = one.job.survey
    return (count + one.position["rejected"], total % MODULUS) == (wanted.records, wanted.digest)


def _compare(ready: Plan, one: _Written, **listeners: Any) -> Comparison:
    return compare(
        functools.partial(ready.source.chunks, one.job.source),
        functools.partial(ready.target.chunks, one.info),
        one.info.key,
        loose=one.job.loose,
        refuses=functools.partial(ready.target.refuses, one.info),
        scratch=ready.scratch,
        progress=ready.progress,
        **listeners,
    )


def _repair(ready: Plan, one: _Written) -> None:
    """Write what differs again, and remove what is too much."""
    size = ready.request.params["batch_size"]
    differing: list[Record] = []
    extra: list[tuple[Any, ...]] = []

    def flush(least: int) -> None:
        if len(differing) >= least:
            ready.target.write(one.info, differing, lambda rejects: one.position, True)
            differing.clear()

    # What is written while it is compared would be read again.
    _compare(ready, one, differing=differing.append, extra=extra.append)
    flush(1)
    if ready.request.mode != "merge":
        for start in range(0, len(extra), size):
            ready.target.delete(one.info, extra[start : start + size])
    ready.target.finish([one.job.target])


def _remove_extra(ready: Plan, one: _Written) -> None:
    """Remove what the target held before and the source does not have."""
    if one.position["fresh"]:
        return
    extra: list[tuple[Any, ...]] = []
    _compare(ready, one, extra=extra.append)
    size = ready.request.params["batch_size"]
    for start in range(0, len(extra), size):
        ready.target.delete(one.info, extra[start : start + size])


def _references(ready: Plan, infos: list[Info]) -> list[Check]:
    by_name = {job.source.name: job.target for job in ready.jobs} | {info.name: info for info in infos}
    return [
        Check(
            str(reference),
            not count,
            "%s: %s." % (reference, "%d point nowhere: %s" % (count, ", ".join(keys)) if count else "all are there"),
        )
        for reference in ready.request.references
        # empty fields, which not every target keeps, may be all that there are
        for count, keys in [dangling(ready.target, by_name, reference, ready.scratch, must_exist=False)]
    ]
