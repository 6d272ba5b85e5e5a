# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""migrate with `schema`: brings the schema of a database to the newest version, step by step."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest, SourceError, TargetError
from ..._core.progress import Progress
from ..._stores.records.store import TargetStore
from ..._stores.records.versions import TABLE, Step, Versioned, shown, steps_from
from ..._stores.registry import has_path
from .plan import MigrateRequest
from .safety import check_repository, saved, ways_of
from .way_back import THIS
from .whole import DATABASE, kind_of


def run_schema(request: MigrateRequest, target: TargetStore, check: bool, progress: Progress) -> dict[str, Any]:
    """Apply the missing steps; check mode only lists them.

    :raises TargetError: the database is newer than the list, a step was edited or omitted, or one cannot be applied.
    """
    steps = steps_from(request.params["schema"])
    if not isinstance(target, Versioned):
        raise InvalidRequest(
            f"Stores of type {target.type} have no schema versions.", "Use schema with sqlite or postgresql."
        )
    progress.start(f"Reading the schema of {target.location}")
    applied = target.versions()
    _check(target.location, steps, applied)
    baseline = 0 if applied else request.params["schema_baseline"]
    before = max(applied, default=min(baseline, steps[-1].version))
    pending = [step for step in steps if step.version not in applied]
    safety = _Safety()
    if any(step.version > baseline for step in pending):
        safety = _saved(request, target, check, progress)
    taken = pending if check or not pending else _take(target, pending, baseline, progress)
    return _report(target.location, steps, pending, taken, before=before, baseline=baseline, safety=safety, check=check)


class _Safety(NamedTuple):
    """The safety backup, what it has ("": there is none), and why it has not all of the database."""

    id: Optional[str] = None
    kind: str = ""
    why: str = ""

    def warnings(self, check: bool) -> list[str]:
        if not self.why:
            return []
        words = (
            f"The safety backup {'would have' if check else 'has'} only the records of the schema: {self.why}. "
            f"state=reverted {'would restore' if check else 'restores'} no columns, views and functions that the "
            "steps change."
        )
        return [words]


def _saved(request: MigrateRequest, target: TargetStore, check: bool, progress: Progress) -> _Safety:
    """Back the database up before it is changed. Check mode only tells how."""
    whole = ways_of(request, {"": bool(target.collections())})[""]
    if whole != THIS:
        return _Safety(None if check else saved(request, target, {}, progress, whole=whole).backup)
    check_repository(request, target)
    kind, why = kind_of(request.params["target"])
    database = kind == DATABASE and not has_path(target.type)
    backup = None if check else saved(request, target, {}, progress, whole=whole, database=database).backup
    return _Safety(backup, kind, why)


def _check(location: str, steps: list[Step], applied: dict[int, str]) -> None:
    if not steps:
        raise InvalidRequest(
            "schema is empty.", "Set it to a list of steps, each with version and up (its statements)."
        )
    newest = max(applied, default=0)
    if newest > steps[-1].version:
        raise TargetError(
            f"The schema of {location} has version {newest}, but the newest version in schema is {steps[-1].version}.",
            "The list is older than the database: use the list that its schema was created with.",
        )
    edited = [step for step in steps if applied.get(step.version, step.digest) != step.digest]
    if edited:
        raise TargetError(
            f"Version {edited[0].version} of the schema of {location} was applied with different statements.",
            "Applied statements can't be edited. Restore the original ones, and add a new version with the change.",
        )
    skipped = [step.version for step in steps if step.version < newest and step.version not in applied]
    if skipped:
        raise TargetError(
            f"Version {skipped[0]} of the schema of {location} was never applied, and {newest} was.",
            f"Versions must increase: give the step a number above {newest}.",
        )


def _take(target: Versioned, pending: list[Step], baseline: int, progress: Progress) -> list[Step]:
    taken = []
    progress.start(f"Changing the schema of {target.location}", len(pending), "versions")
    for step in pending:
        # what the database had before anybody kept a record of it is only written down
        statements = step.statements if step.version > baseline else ()
        if target.take_step(step, statements):
            taken.append(step)
        progress.advance(1)
    applied = target.versions()
    missing = [step.version for step in pending if applied.get(step.version) != step.digest]
    if missing:
        raise SourceError(
            f"Version {missing[0]} of the schema of {target.location} is missing when read back.",
            f"Check its table {TABLE}.",
        )
    return taken


def _report(
    location: str,
    steps: list[Step],
    pending: list[Step],
    taken: list[Step],
    *,
    before: int,
    baseline: int,
    safety: _Safety,
    check: bool,
) -> dict[str, Any]:
    newest = steps[-1].version
    done = ", ".join(str(step.version) for step in taken)
    if not taken:
        message = f"The schema of {location} is already at version {newest}."
    elif check:
        message = f"Would migrate the schema of {location} from version {before} to {newest} ({done})."
    else:
        message = f"Migrated the schema of {location} from version {before} to {newest} ({done})."
    return {
        "changed": bool(taken),
        "msg": message,
        "schema": {
            "before": before,
            "version": before if check else newest,
            "applied": [] if check else [step.version for step in taken],
            "pending": [step.version for step in pending] if check else [],
            "safety_backup": safety.kind or None,
        },
        "safety_backup": safety.id,
        "diff": {
            "before_header": location,
            "after_header": location,
            "before": f"schema version {before}\n",
            "after": f"schema version {(newest if pending else before)}\n"
            + "".join(
                f"{step.version}: {shown(text) if step.version > baseline else '(already applied)'}\n"
                for step in pending
                for text in (step.statements if step.version > baseline else step.statements[:1])
            ),
        },
        "warnings": safety.warnings(check),
    }
