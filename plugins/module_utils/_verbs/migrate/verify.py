# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a target back and compares it with the source. With `repair`, differing records are written again."""

from __future__ import annotations

from typing import Any, Optional

from ..._core.errors import SourceError
from ..._core.record_batches import digest_sum, layouts
from ..._core.units import plural
from ..._core.unordered import MODULUS
from ..._stores.records.kinds import Summary
from ..._stores.records.model import Info, Record
from .compare import Comparison
from .plan import MigratePlan
from .profiles import dangling
from .report import Check
from .write import Outcome, compared, delete_extra, write


def verify(ready: MigratePlan, one: Outcome) -> tuple[Check, Outcome]:
    """Compare counts and digests, recomputed from the target; find the keys that differ, and repair them."""
    problem = _differs(ready, one)
    if problem is not None and ready.request.params["repair"]:
        one = _repair(ready, one)
        problem = _differs(ready, one)
    name, expected = one.job.source.name, one.job.profile.records - one.state.rejected
    if problem is None:
        return Check(name, True, f"{name}: {plural(expected, 'record')}, equal digests."), one
    keys = ", ".join(f"{key} {how}" for key, how in problem.keys)
    counts = f"{problem.added} missing, {problem.changed} different, {problem.removed} too many"
    return Check(name, False, f"{name}: {counts} ({keys})."), one


def _differs(ready: MigratePlan, one: Outcome) -> Optional[Comparison]:
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
    found = compared(ready, one)
    if ready.request.mode == "merge":
        found = found._replace(removed=0)
    elif not (found.added or found.changed or found.removed):
        # equal by key, and yet not in number: the source has a key twice, or was changed meanwhile
        raise SourceError(
            f"The collection {job.source.name} changed while it was read, or has a duplicate key.",
            "Stop the applications that write to it, or correct the source, and run again.",
        )
    return found if found.added or found.changed or found.removed else None


def _same(one: Outcome, known: Optional[Summary]) -> bool:
    """Does what the target computed itself say that all is there? If not, reading has the last word."""
    return known is not None and _equals(one, known.records, known.digest)


def _equals(one: Outcome, count: int, total: int) -> bool:
    """:param total: the sum of the digests of the records that the target has"""
    total += int(one.state.digest, 16)
    wanted = one.job.profile
    return (count + one.state.rejected, total % MODULUS) == (wanted.records, wanted.digest)


def _repair(ready: MigratePlan, one: Outcome) -> Outcome:
    """Write what differs again, and remove what is too much."""
    differing: list[Record] = []
    extra: list[tuple[Any, ...]] = []
    if ready.target.replaces_atomically and not one.info.key:  # what was gathered can't be told apart
        state = one.state._replace(done=0, rejected=0, digest="0")
        ready.target.begin([(one.job.target, True, state.document())])
        again = write(ready, one.job, state, None, frozenset())
        ready.target.build_indexes([one.job.target])
        return again
    # What is written while it is compared would be read again.
    compared(ready, one, differing=differing.append, extra=extra.append)
    if differing:
        ready.target.write(one.info, differing, lambda rejects: one.state.document(), bool(one.info.key))
    if ready.request.mode != "merge":
        one = delete_extra(ready, one, extra)
    ready.target.build_indexes([one.job.target])
    return one


def check_references(ready: MigratePlan, infos: list[Info]) -> list[Check]:
    by_name = {job.source.name: job.target for job in ready.jobs} | {info.name: info for info in infos}
    return [
        Check(
            str(reference),
            not count,
            f"{reference}: {count} dangling references: {', '.join(keys)}."
            if count
            else f"{reference}: no dangling references.",
        )
        for reference in ready.request.references
        # empty fields, which not every target keeps, may be all that there are
        for count, keys in [dangling(ready.target, by_name, reference, ready.scratch, must_exist=False)]
    ]
