# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing the records of a migration, batch by batch, and removing what the target has too much."""

from __future__ import annotations

import contextlib
import functools
import re
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from ..._core.record_batches import regrouped
from ..._core.records import record_digest
from ..._core.unordered import MODULUS
from ..._stores.records.model import Info, Record, Reject
from .checkpoint import RESUME, State
from .compare import Comparison, compare, delete, places_of
from .plan import Job, MigratePlan
from .rejects import keep_rejects
from .target_schema import in_target


class Outcome(NamedTuple):
    job: Job
    info: Info  # as the target has it
    state: State
    seconds: float
    written: int


def write(ready: MigratePlan, job: Job, state: State, existing: Optional[Info], listed: frozenset[bytes]) -> Outcome:
    """Write the rest of a collection, batch by batch.

    :param there: the table as the target has it.
    """
    name = job.source.name
    if 0 < state.done < state.records and not ready.source.deterministic_order:  # the order is another one now
        state = state._replace(done=0, rejected=0, digest="0", fresh=False)
    info = in_target(job.target, existing) if existing is not None else job.target
    if not info.key and (job.verdict == RESUME or not state.fresh):
        return _write_missing(ready, Outcome(job, info, state, 0.0, 0), listed)
    upsert = bool(info.key) and (ready.request.mode == "merge" or not state.fresh)
    began, before = time.monotonic(), state.done
    state = _make_way(ready, job, info, state)
    account = _Account(ready, job, state, listed)
    ready.progress.start(f"Migrating {name}", job.profile.records, "records")
    if state.done < job.profile.records:
        batches = regrouped(
            ready.source.chunks(job.source, copy_lines=ready.target.takes_copy_lines),
            *(ready.request.params["batch_size"], state.done),
        )
        with contextlib.closing(batches):  # before a refused run reads the source again
            for batch in batches:
                ready.target.write(info, batch, functools.partial(account.move_on, len(batch)), upsert)
                ready.progress.update(account.state.done)
    return Outcome(job, info, account.state, time.monotonic() - began, account.state.done - before)


def _make_way(ready: MigratePlan, job: Job, info: Info, state: State) -> State:
    """Delete the records with values that others will have and that must be unique; those that stay come again."""
    size = ready.request.params["batch_size"]
    for start in range(0, len(job.moving), size):
        some = job.moving[start : start + size]
        state = state._replace(removed=state.removed + sum(not one.stays for one in some))
        delete(ready.target, info, [one.key for one in some], state.document())
    return state


def _write_missing(ready: MigratePlan, one: Outcome, listed: frozenset[bytes]) -> Outcome:
    """Write the records of a collection without a key that the target has less often than the source.

    Nothing says which of them a killed run has written: all are counted again.
    """
    began, count = time.monotonic(), 0
    one = one._replace(state=one.state._replace(done=0, rejected=0, digest="0"))
    if ready.request.mode != "merge" and _may_collide(ready, one):
        one = remove_extra(ready, one)
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
    compared(ready, one, refuses=lambda record: "", differing=differs)
    flush(1)
    state = account.state._replace(done=one.job.profile.records)
    return one._replace(state=state, seconds=time.monotonic() - began, written=count)


def _may_collide(ready: MigratePlan, one: Outcome) -> bool:
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


def compared(ready: MigratePlan, one: Outcome, **listeners: Any) -> Comparison:
    return compare(
        functools.partial(ready.source.chunks, one.job.source),
        functools.partial(ready.target.chunks, one.info),
        one.info.key,
        scratch=ready.scratch,
        progress=ready.progress,
        places=functools.partial(places_of, ready.target, one.info),
        **{"refuses": functools.partial(ready.target.refuses, one.info), **listeners},
    )


def remove_extra(ready: MigratePlan, one: Outcome) -> Outcome:
    """Remove what the target held before and the source does not have."""
    if one.state.fresh:
        # of a document what is not wanted was never taken over
        return (
            one._replace(state=one.state._replace(removed=one.job.comparison.removed))
            if ready.target.replaces_atomically
            else one
        )
    extra: list[tuple[Any, ...]] = []
    compared(ready, one, extra=extra.append)
    if one.job.verdict == RESUME and not ready.target.undoes:  # a batch may be counted that was not removed
        so_far = one.state.earlier + max(0, one.state.planned[2] - len(extra))
        one = one._replace(state=one.state._replace(removed=so_far))
    return delete_extra(ready, one, extra)


def delete_extra(ready: MigratePlan, one: Outcome, extra: Sequence[tuple[Any, ...]]) -> Outcome:
    """Remove records by their keys; how many that are in all runs is committed with them."""
    size = ready.request.params["batch_size"]
    for start in range(0, len(extra), size):
        some = extra[start : start + size]
        one = one._replace(state=one.state._replace(removed=one.state.removed + len(some)))
        delete(ready.target, one.info, some, one.state.document())
    return one
