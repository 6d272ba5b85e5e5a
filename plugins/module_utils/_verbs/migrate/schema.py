# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""migrate with `schema`: brings the schema of a database up to the newest version, step by step."""

from __future__ import annotations

from typing import Any, Optional

from ..._core.errors import InvalidRequest, SourceError, TargetError
from ..._core.progress import Progress
from ..._stores.records.store import TargetStore
from ..._stores.records.versions import TABLE, Step, Versioned, shown, steps_from
from .plan import MigrateRequest
from .safety import saved, ways_of


def run_schema(request: MigrateRequest, target: TargetStore, check: bool, progress: Progress) -> dict[str, Any]:
    """The steps that were not taken yet; check mode only tells them.

    :raises TargetError: the database is newer than the list, a step was edited or left out, or can't be taken.
    """
    steps = steps_from(request.params["schema"])
    if not isinstance(target, Versioned):
        raise InvalidRequest(
            "The schema of a store of type %s has no versions." % target.type, "schema is for sqlite and postgresql."
        )
    progress.start("Looking at the schema of %s" % target.location)
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
            safety = saved(request, target, {}, progress, whole=ways_of(request, {"": bool(infos)})[""])
        taken = _take(target, pending, baseline, progress)
    return _report(target.location, steps, pending, taken, before=before, baseline=baseline, safety=safety, check=check)


def _check(location: str, steps: list[Step], applied: dict[int, str]) -> None:
    if not steps:
        raise InvalidRequest("schema is empty.", "List the steps: version, and up, its statements.")
    newest = max(applied, default=0)
    if newest > steps[-1].version:
        raise TargetError(
            "The schema of %s has version %d, and the newest of the list is %d."
            % (location, newest, steps[-1].version),
            "This list is older than the database: use the one that made it.",
        )
    edited = [step for step in steps if applied.get(step.version, step.digest) != step.digest]
    if edited:
        raise TargetError(
            "Version %d of the schema of %s was applied with other statements." % (edited[0].version, location),
            "What was applied can't be edited: put back its statements, and the change into a version of its own.",
        )
    skipped = [step.version for step in steps if step.version < newest and step.version not in applied]
    if skipped:
        raise TargetError(
            "Version %d of the schema of %s was never applied, and %d was." % (skipped[0], location, newest),
            "Versions only go up: give the step a number above %d." % newest,
        )


def _take(target: Versioned, pending: list[Step], baseline: int, progress: Progress) -> list[Step]:
    taken = []
    progress.start("Changing the schema of %s" % target.location, len(pending), "versions")
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
            "Version %d of the schema of %s does not read back." % (missing[0], target.location),
            "Look at its table %s." % TABLE,
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
        message = "The schema of %s is at version %d already." % (location, newest)
    elif check:
        message = "Would bring the schema of %s from version %d to %d (%s)." % (location, before, newest, done)
    else:
        message = "Brought the schema of %s from version %d to %d (%s)." % (location, before, newest, done)
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
            "before": "schema version %d\n" % before,
            "after": "schema version %d\n" % (newest if pending else before)
            + "".join(
                "%d: %s\n" % (step.version, shown(text) if step.version > baseline else "(is there already)")
                for step in pending
                for text in (step.statements if step.version > baseline else step.statements[:1])
            ),
        },
        "warnings": [],
    }
