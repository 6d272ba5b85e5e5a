# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a migration: progress of each collection, rates, errors, validation, a diff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from ..._core.units import format_duration, plural
from ..._stores.records.model import DECIMAL

if TYPE_CHECKING:
    from .plan import Job, MigratePlan


class Done(NamedTuple):
    """What this run has written of a collection."""

    written: int
    rejected: int
    seconds: float
    removed: int = 0


class Check(NamedTuple):
    """One line of the validation."""

    name: str
    ok: bool
    message: str


def report(
    ready: MigratePlan,
    done: Sequence[Done] = (),
    checks: Sequence[Check] = (),
    safety: Optional[str] = None,
    check: bool = False,
) -> dict[str, Any]:
    """The result of the module."""
    if done:
        ready = ready._replace(jobs=[_as_done(job, one) for job, one in zip(ready.jobs, done)])
    changed = any(job.changes for job in ready.jobs)
    rows = [_row(job, done[number] if done else None, check) for number, job in enumerate(ready.jobs)]
    seconds = sum(one.seconds for one in done)
    written = sum(one.written for one in done)
    migration = {
        "source": ready.source.location,
        "target": ready.target.location,
        "resumed": ready.resumed,
        "restarted": any(job.verdict == "restart" for job in ready.jobs),
        "collections": rows,
        "total": sum(row["total"] for row in rows),
        "written": written,
        "errors": sum(row["rejected"] for row in rows),
        "records_per_second": _rate(written, seconds),
    }
    return {
        "changed": changed,
        "msg": _message(ready, migration, changed, seconds, check),
        "migration": migration,
        "validation": [one._asdict() for one in checks],
        "report": _lines(migration, seconds, checks) if done else [],
        "safety_backup": safety,
        "diff": _diff(ready),
        "warnings": _notes(ready) + (_cautions(ready) if check and changed else []),
    }


def _cautions(ready: MigratePlan) -> list[str]:
    """Sentences that the user should read before the run."""
    return [*ready.source.cautions(), *ready.target.doubts(), *ready.unforeseen]


def _notes(ready: MigratePlan) -> list[str]:
    notes = list(ready.source.notes)
    for job in ready.jobs:
        if (
            job.source.not_portable
            and ready.target.columns
            and ready.target.type != job.source.native
            and not job.exists
        ):
            notes.append(
                f"Not migrated from the table {job.source.name}, as only "
                f"{job.source.native or ready.source.type} supports it: {', '.join(job.source.not_portable)}."
            )
        if ready.target.columns and not job.exists:
            notes += [*_unkept(job, {one.source.name for one in ready.jobs}), *_as_text(ready, job)]
    notes += _case_collisions(ready)
    return notes


def _as_text(ready: MigratePlan, job: Job) -> list[str]:
    """A note on numbers that SQLite stores as text, with all their digits, but ordered differently."""
    if ready.target.type != "sqlite" or ready.source.type == "sqlite":
        return []
    names = [field.name for field in job.target.fields if field.kind == DECIMAL]
    listed = ", ".join(f"{job.source.name}.{name}" for name in names)
    return (
        [f"Decimals are stored as text in SQLite, and sorted as text: {listed}. Use CAST(… AS REAL) to sort them."]
        if names
        else []
    )


def _case_collisions(ready: MigratePlan) -> list[str]:
    """Notes on new tables of PostgreSQL whose names differ from others only in case."""
    new = [job.target.stored.name for job in ready.jobs if not job.exists]
    if ready.target.type != "postgresql" or not new:
        return []
    present = {info.stored.name for info in ready.target.collections()}
    return [
        (
            f"The table {name} exists beside {other}: an application that does not quote names uses only one of "
            "them. With names=lower, there is only one."
        )
        for name in new
        for other in sorted(present | set(new))
        if other != name and other.lower() == name.lower()
    ]


def _unkept(job: Job, names: set[str]) -> list[str]:
    """Notes on foreign keys that the target cannot have, or not for all records."""
    had = {(one.fields, one.to): one for one in job.source.foreign_keys}
    has = {(one.fields, one.to): one for one in job.target.foreign_keys}
    notes = [
        f"The foreign key ({', '.join(fields)}) of {job.source.name} is not migrated, as "
        f"{'its target is not unique' if to in names else f'the target has no {to}'}."
        for fields, to in had
        if (fields, to) not in has
    ]
    return notes + [
        (
            f"Some records of {job.source.name} have dangling references to {to} ({', '.join(fields)}): in the "
            "target, the foreign key is only enforced for new records."
        )
        for (fields, to), one in has.items()
        if not one.valid and had.get((fields, to), one).valid
    ]


def _as_done(job: Job, done: Done) -> Job:
    """The job, with the records that the target has refused, which the plan did not know."""
    one = job.comparison
    refused = max(done.rejected - one.rejected, 0) if job.changes else 0
    return job._replace(comparison=one._replace(added=one.added - refused, rejected=one.rejected + refused))


def _row(job: Job, done: Optional[Done], check: bool) -> dict[str, Any]:
    one = job.comparison
    return {
        "name": job.source.name,
        "total": job.profile.records,
        "done": 0 if check and job.changes else job.profile.records - (done.rejected if done else one.rejected),
        "added": one.added,
        "changed": one.changed,
        "removed": _removed(job, done),
        "left": one.left,
        "rejected": done.rejected if done and job.changes else one.rejected,
        "rejects": [{"key": key, "reason": reason} for key, reason in one.reasons],
        "records_per_second": _rate(done.written, done.seconds) if done else 0.0,
        "digest": job.profile.hexdigest(),
    }


def _removed(job: Job, done: Optional[Done]) -> int:
    """The number of records of the target that were removed, in all runs of the migration."""
    if done is not None and job.changes:
        return done.removed
    earlier = job.state.removed if job.verdict == "restart" and job.state is not None else 0
    return job.comparison.removed + earlier


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 1) if seconds > 0 else 0.0


def _message(ready: MigratePlan, migration: dict[str, Any], changed: bool, seconds: float, check: bool) -> str:
    refused = f", except for {migration['errors']} that it can't store" if migration["errors"] else ""
    if not changed:
        migrated = migration["total"] - migration["errors"]
        return f"Nothing to migrate: {ready.target.location} has all {plural(migrated, 'record')}{refused}."
    migrated = plural(sum(row["added"] + row["changed"] for row in migration["collections"]), "record")
    way = f"{migrated} from {ready.source.location} to {ready.target.location}{refused}"
    return f"Would migrate {way}." if check else f"Migrated {way}, verified."


def _lines(migration: dict[str, Any], seconds: float, checks: Sequence[Check]) -> list[str]:
    lines = [
        f"Migrating {row['name']}: {row['done']:,}/{row['total']:,} "
        f"({100 * row['done'] // row['total'] if row['total'] else 100}%)"
        for row in migration["collections"]
    ]
    lines += [
        f"Total records: {format(migration['total'], ',')}",
        f"Migration time: {format_duration(seconds)}",
        f"Average speed: {format(migration['records_per_second'], ',.1f')} records/second",
        f"Errors: {migration['errors']}",
    ]
    return lines + [f"[{('x' if one.ok else ' ')}] {one.message}" for one in checks]


def _diff(ready: MigratePlan) -> dict[str, str]:
    before, after = [], []
    for job in ready.jobs:
        one = job.comparison
        if job.exists:
            before.append(f"{job.source.name}: {plural(one.left + one.changed + one.removed, 'record')}\n")
        text = f"{job.source.name}: {plural(one.left + one.changed + one.added, 'record')}"
        if job.changes:
            text += f" ({one.added} added, {one.changed} changed, {one.removed} removed, {one.left} left)"
        after.append(text + "\n")
    return {
        "before_header": ready.target.location,
        "after_header": ready.target.location,
        "before": "".join(before),
        "after": "".join(after),
    }
