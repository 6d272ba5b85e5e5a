# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a migration refuses to do, and how a run that is refused while it writes leaves nothing behind.

Only check mode examines each record before anything is written, as that requires another reading. A run finds records
that the target cannot store when it writes them. If it has created all collections that it writes, it then drops them;
if not, it examines the records first as well.
"""

from __future__ import annotations

from ..._core.errors import TargetError, TaskEnded, Violation
from ..._core.units import plural
from ..._stores.records.model import LIST
from .checkpoint import NEW
from .plan import Job, MigratePlan
from .report import report

_NAMED = 5  # rejects in a message


class TooManyRejects(Violation):
    """The target cannot store more records than the user allows."""


def too_many_rejects(collection: str, count: int, most: int, first: str) -> TooManyRejects:
    """The error of too many records that the target cannot store."""
    return TooManyRejects(
        f"The target can't store {plural(count, 'record')} of {collection}{(f' ({first})' if first else '')}.",
        f"max_rejects is {most}: increase it, and set rejects to a file, to migrate without them.",
    )


def check_allowed(ready: MigratePlan) -> None:
    """Check what the plan would do.

    :raises TargetError: records would be lost, or too many be omitted.
    """
    for job in ready.jobs:
        one = job.comparison
        first = "; ".join(f"{key}: {reason}" for key, reason in one.reasons[:_NAMED])
        if job.comparison.rejected > ready.request.params["max_rejects"]:
            raise too_many_rejects(job.source.name, one.rejected, ready.request.params["max_rejects"], first)
    rows = [job for job in ready.jobs if not job.target.key and job.existing_records and job.comparison.added]
    if ready.request.mode == "merge" and rows:
        raise TargetError(
            f"{ready.target.location} already contains records of "
            f"{', '.join(job.source.name for job in rows)}, which has no key with which records could be "
            "merged.",
            "Set on_existing=replace to replace them, or set a key in primary_keys.",
        )
    placed = [job for job in ready.jobs if _is_placed(job) and job.comparison.changed]
    if ready.request.mode == "merge" and ready.target.replaces_atomically and placed:
        raise TargetError(
            f"{ready.target.location} has other records at the positions of those of "
            f"{', '.join(job.source.name for job in placed)}, and nothing says which of them belong together.",
            "Set a key in primary_keys, or on_existing=replace to replace them.",
        )
    if ready.request.mode != "fail":
        return
    blocked = [
        job
        for job in ready.jobs
        if job.changes
        and job.verdict == NEW
        and (job.comparison.left + job.comparison.changed + job.comparison.removed)
    ]
    if blocked:
        raise TargetError(
            f"{ready.target.location} already contains records of "
            f"{', '.join(job.source.name for job in blocked)} that differ from the source.",
            "Set on_existing=merge to add to them, or on_existing=replace to replace them.",
            {"diff": report(ready, check=True)["diff"]},
        )


def _is_placed(job: Job) -> bool:
    """Whether records are known only by their places in a list."""
    note = job.target.note
    return note.shape == LIST and bool(note.key) and note.key in job.target.key


def check_interference(ready: MigratePlan) -> None:
    """:raises TargetError: triggers would change or refuse what is written."""
    jobs = [job for job in ready.jobs if job.exists and job.changes]
    removing = [job.source.name for job in jobs if job.comparison.removed or job.moving]
    found = ready.target.interference([job.target for job in jobs], removing)
    if found:
        hint = "Drop them for the migration, and recreate them afterwards."
        if ready.target.type == "postgresql":
            hint = "Set target_tables=existing, with which triggers are disabled while the tables are written."
        raise TargetError(
            f"In {ready.target.location}, {', '.join(found)} may change or refuse the records.",
            f"Nothing was changed. {hint}",
        )


def can_be_undone(ready: MigratePlan) -> bool:
    """Whether this run creates all collections that it writes, in a target that can tell what others write."""
    return ready.target.undoes and not ready.resumed and not any(job.exists for job in ready.jobs if job.changes)


def with_hint(why: TargetError, more: str) -> TargetError:
    """The same error with an extended hint."""
    return TargetError(why.message, f"{why.hint} {more}".strip(), why.details) if more.strip() else why


def undo(ready: MigratePlan, why: Violation) -> TargetError:
    """Drop what the run has created, if it has created everything that it writes. Returns the error to raise."""
    if not can_be_undone(ready):
        return with_hint(why, _STAYS)
    ready.progress.start(f"Removing records that were written to {ready.target.location}")
    try:
        ready.target.undo([job.target for job in ready.jobs if job.changes])
    except TaskEnded as exc:  # which ends the task in any case
        return with_hint(why, f"Written records remain. {exc.message}")
    return why


_STAYS = "Earlier records remain. Correct the source or the target, and run again to continue."
