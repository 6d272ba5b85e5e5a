# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a restore, in check mode and outside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .._core.units import format_time
from .._repository.manifest import REFERENCE, Manifest
from .._repository.owner import owner_of, this_host
from .descriptions import describe

if TYPE_CHECKING:
    from .restore import RestorePlan


def result_of(ready: RestorePlan, check: bool, safety: Optional[Manifest]) -> dict[str, Any]:
    """:param safety: the backup that was made of what was replaced."""
    request = ready.request
    warnings = [note for step in ready.steps for note in step.restoration.notes]
    if _is_foreign(ready):
        warnings.append(
            f"Backup {ready.manifest.id} is of {owner_of(ready.manifest)}, not of this host, "
            f"{this_host(request.choice.host)}."
        )
    warnings += ready.leftovers
    return {
        "changed": bool(ready.changes),
        "msg": message_of(ready, check),
        "backup": describe(ready.manifest, ready.path),
        "foreign": _is_foreign(ready),
        "safety_backup": None if safety is None else describe(safety, request.repository.path(request.name, safety.id)),
        "targets": [
            {
                "name": step.part.name,
                "type": step.part.type,
                "path": step.entry.store.path,
                "changed": step.restoration.changed,
                "changes": [one._asdict() for one in step.restoration.changes],
            }
            for step in ready.steps
        ],
        "diff": diff_of(ready),
        "warnings": warnings,
    }


def _is_foreign(ready: RestorePlan) -> bool:
    return this_host(ready.request.choice.host).casefold() != ready.manifest.host.casefold()


def message_of(ready: RestorePlan, check: bool) -> str:
    """What was, or would be, restored."""
    whose = f" of host {ready.manifest.host}" if _is_foreign(ready) else ""
    if not ready.changes and ready.manifest.kind == REFERENCE:  # AWS compares nothing
        return f"Nothing to restore: the target was restored from backup {ready.manifest.id}{whose} before."
    if not ready.changes:
        return f"Nothing to restore: the target equals backup {ready.manifest.id}{whose}."
    moved = sorted({step.part.path for step in ready.changes if step.part.path != step.entry.path})
    return "{} {} from backup {}{}{}, made {}.".format(
        "Would restore" if check else "Restored",
        " and ".join(step.entry.store.path for step in ready.changes),
        ready.manifest.id,
        f" of {' and '.join(moved)}" if moved else "",
        whose,
        format_time(ready.manifest.created),
    )


def diff_of(ready: RestorePlan) -> dict[str, str]:
    """What differs between the targets and the backup."""
    before, after = [], []
    for step in ready.steps:
        for change in step.restoration.changes:
            if change.before is not None:
                before.append(f"{step.part.name} {change.name}: {change.before}\n")
            after.append(f"{step.part.name} {change.name}: {change.after}\n")
        for path, what in step.restoration.differences:
            if what != "added":
                before.append(f"{step.part.name} {path}\n")
            if what != "removed":
                after.append(f"{step.part.name} {path}{' (from the backup)' if what == 'changed' else ''}\n")
    return {
        "before_header": "now",
        "after_header": f"backup {ready.manifest.id}",
        "before": "".join(before),
        "after": "".join(after),
    }
