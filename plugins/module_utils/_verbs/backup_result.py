# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a backup, in check mode and outside of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from .._core.units import format_size, format_time, plural
from .._repository.history import History
from .._repository.manifest import REFERENCE, Manifest, content_digest
from .._repository.recognition import has_tags, holds, identity_of
from .backup_plan import BackupPlan, remembered_parts
from .descriptions import describe, describe_owners, describe_part
from .references import kind_of


def preview(ready: BackupPlan) -> dict[str, Any]:
    """The result of check mode: the same keys, without values that are unknown yet."""
    return result_of(ready, None if ready.writes else ready.history.newest, ready.removals, check=True)


def result_of(
    ready: BackupPlan, current: Optional[Manifest], removed: Sequence[str], check: bool = False
) -> dict[str, Any]:
    """The result of a run after which `current` is the newest backup, and that has removed the given ones."""
    request = ready.request
    if current is not None:
        backup = describe(current, request.repository.path(request.name, current.id))
        if not current.opened:
            backup.update(_known(ready, current))
    else:
        backup = {
            "id": None,
            "path": None,
            "kind": "backup",
            "created": None,
            "bytes": sum(one.bytes for one in ready.taken),
            "sources": [describe_part(one.part, one.bytes) for one in ready.taken],
            "compression": request.compression.name,
            "encrypted": bool(request.repository.encryption.recipients),
            "host": request.owner.host,
            "tags": list(request.tags),
        }
    created = {one.id: one.created for one in [*ready.history.good, *([current] if current else [])]}
    warnings = [note for one in ready.taken for note in one.notes]
    warnings += ready.leftovers
    warnings += damage_notes(ready.history)
    return {
        "changed": ready.writes or bool(removed),
        "reason": ready.reason,
        "msg": message_of(ready, check, removed),
        "backup": backup,
        "removed": list(removed),
        "locked": [{"id": one, "until": format_time(until)} for one, until in sorted(ready.locked.items())],
        "kept": [
            {"id": one.id, "created": format_time(created[one.id]), "reasons": list(one.reasons)}
            for one in ready.decisions
            if one.reasons and one.id in created
        ],
        "other_owners": describe_owners(ready.others),
        "diff": _diff(ready, removed),
        "warnings": warnings,
        "notes": _notes(ready),
    }


def _known(ready: BackupPlan, current: Manifest) -> dict[str, Any]:
    """What this host knows of an encrypted backup, although it can't decrypt it: the data that it was compared with."""
    request = ready.request
    taken = [(one.part, one.bytes) for one in ready.taken]
    if not holds(current, identity_of(part for part, _size in taken)):
        taken = remembered_parts(request, current)
    if not taken:
        return {}
    known = {
        "bytes": sum(size for _part, size in taken),
        "content_digest": content_digest([part for part, _size in taken]),
        "sources": [describe_part(part, size) for part, size in taken],
    }
    all_tags = current.envelope is not None and len(current.envelope.tags) == len(request.tags)
    if all_tags and has_tags(current, request.tags):
        known["tags"] = list(request.tags)
    return {**known, "host": request.owner.host}


def _notes(ready: BackupPlan) -> list[str]:
    notes = [ready.request.compression_note] if ready.request.compression_note and ready.writes else []
    notes += [
        f"The set also has {len(own)} backup{'s' * (len(own) > 1)} of {owner}, to which keep does not apply."
        for owner, own in ready.others
    ]
    return notes


def message_of(ready: BackupPlan, check: bool, removed: Sequence[str]) -> str:
    """A sentence that says what was, or would be, done."""
    if ready.writes and kind_of(ready.request.stores) == REFERENCE:
        tables = plural(sum(len(one.part.details["tables"]) for one in ready.taken), "table")
        text = f"{'Would have' if check else 'Had'} AWS back up {tables}: {ready.how}."
    elif ready.writes:
        size = format_size(sum(one.bytes for one in ready.taken))
        text = f"{'Would back up' if check else 'Backed up'} {size}: {ready.how}."
    else:
        text = f"Nothing to back up: {ready.how}."
    removal = "Would remove" if check else "Removed"
    return text + (f" {removal} {len(removed)} that the policy does not keep." if removed else "")


def damage_notes(history: History) -> list[str]:
    """A sentence for each backup that does not count, and for each thing that was found beside one."""
    return [f"Backup {entry.id}: {note}" for entry in history.entries for note in entry.notes] + [
        "Backup {} {}: {}: {}.".format(
            entry.id,
            "is damaged and does not count" if entry.problems else "does not count",
            entry.complaints[0]["path"],
            entry.complaints[0]["problem"].rstrip("."),
        )
        for entry in history.entries
        if entry.complaints
    ]


def _diff(ready: BackupPlan, removed: Sequence[str]) -> dict[str, str]:
    newest = ready.history.newest
    before = [line for part in newest.sources for line in _count_lines(part.name, part)] if newest else []
    if newest is not None and not newest.opened:
        before = [f"encrypted backup {newest.id}\n"]
    after = [line for one in ready.taken for line in _count_lines(one.part.name, one.part)] if ready.writes else before
    return {
        "before_header": f"newest backup of {ready.request.name}",
        "after_header": f"newest backup of {ready.request.name}",
        "before": "".join(before) + "".join(f"backup {one}\n" for one in removed),
        "after": "".join(after),
    }


def _count_lines(name: str, part: Any) -> list[str]:
    lines = [f"{name} {one.name}: {one.records}\n" for one in part.collections]
    return [*lines, f"{name} content {part.content_digest[:16]}\n"]
