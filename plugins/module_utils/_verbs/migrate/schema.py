# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""migrate with `schema`: brings the schema of a database to the newest version, step by step."""

from __future__ import annotations

from typing import Any, Optional

from ..._core.errors import InvalidRequest, SourceError, TargetError
from ..._core.progress import Progress
from ..._stores.records.store import TargetStore
from ..._stores.records.versions import TABLE, Step, Versioned, shown, steps_from
from .plan import MigrateRequest
from .safety import saved, ways_of


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
    safety = None
    taken = pending
    if pending and not check:
        infos = target.collections()
        if any(step.version > baseline for step in pending):
            safety = saved(request, target, {}, progress, whole=ways_of(request, {"": bool(infos)})[""]).backup
        taken = _take(target, pending, baseline, progress)
    return _report(target.location, steps, pending, taken, before=before, baseline=baseline, safety=safety, check=check)


def _check(location: str, steps: list[Step], applied: dict[int, str]) -> None:
    if not steps:
        raise InvalidRequest(
            "schema is empty.", "Set it to a list of steps, each with version and up (its statements)."
        )
    newest = max(applied, default=0)
    if newest > steps[-1].version:
        raise TargetError(
            f"The schema of {location} has version {newest}, but the newest version in schema is {steps[-1].version}.",
            "The list is older than the database: use the list that created it.",
        )
    edited = [step for step in steps if applied.get(step.version, step.digest) != step.digest]
    if edited:
        raise TargetError(
            f"Version {edited[0].version} of the schema of {location} was applied with other statements.",
            "Applied statements can't be edited. Restore them, and add a new version with the change.",
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
    safety: Optional[str],
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
        },
        "safety_backup": safety,
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
        "warnings": [],
    }
