# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of copies, in check mode and outside of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import RepositoryError
from .._core.units import format_size, format_time, plural
from .._repository.manifest import Manifest
from .backup_result import damage_notes
from .copy_plan import Copied, CopyPlan
from .descriptions import describe


def preview(ready: CopyPlan) -> dict[str, Any]:
    """The result of check mode. Raises RepositoryError for what the run would refuse."""
    copied = [one.entry.manifest or one.manifest for one in ready.wanted]
    removed = ready.removals if not ready.refused else ()
    ids = {one.id: one.id for one in ready.wanted if not one.encrypted}
    return result_of(ready, Copied(copied, {}, removed, (), ids), check=True)


def result_of(ready: CopyPlan, done: Copied, check: bool = False) -> dict[str, Any]:
    """The result of a run. Raises RepositoryError, with the result as its details, if a backup could not be copied."""
    coming = {one.id for one in ready.wanted}
    encrypted = _encrypted(ready, done)
    created = {one.id: one.created for one in [*ready.history.good, *done.copied]}
    kept = [(done.ids.get(one.id), one) if one.id in coming else (one.id, one) for one in ready.decisions]
    result: dict[str, Any] = {
        "changed": bool(done.copied or done.removed),
        "msg": _message(ready, done, check),
        "copied": [_described(ready, one, unnamed=check and one.id in encrypted) for one in done.copied],
        "existing": list(ready.existing),
        "not_kept": list(ready.not_kept),
        "removed": list(done.removed),
        "locked": [{"id": one, "until": format_time(until)} for one, until in sorted(ready.locked.items())],
        "kept": [
            {"id": backup, "created": format_time(created[backup]), "reasons": list(one.reasons)}
            for backup, one in kept
            if one.reasons and backup in created
        ],
        "diff": _diff(ready, done, encrypted),
        "warnings": [*ready.notes, *ready.leftovers, *damage_notes(ready.history), *done.warnings],
    }
    failed = {**ready.refused, **done.failed}
    if failed:
        raise _failure(result, failed, check)
    return result


def _encrypted(ready: CopyPlan, done: Copied) -> dict[str, str]:
    """The originals of copies that are encrypted on the way, by the ids of these."""
    return {done.ids.get(one.id, one.id): one.manifest.id for one in ready.wanted if one.encrypted}


def _described(ready: CopyPlan, one: Manifest, *, unnamed: bool) -> dict[str, Any]:
    told = describe(one, ready.request.target.path(ready.request.name, one.id))
    if unnamed:  # it is encrypted on the way, and gets an id when it is made
        told.update(id=None, path=None, encrypted=True)
    return told


def _failure(result: Mapping[str, Any], failed: Mapping[str, str], check: bool) -> RepositoryError:
    several = len(failed) > 1
    count = (
        f"{plural(len(failed), 'backup')} {'would not be' if check else 'were not' if several else 'was not'} copied: "
    )
    details = {key: value for key, value in result.items() if key not in ("msg", "diff")}
    return RepositoryError(count + " ".join(failed.values()), "", dict(details, failures=dict(failed)))


def _message(ready: CopyPlan, done: Copied, check: bool) -> str:
    where = ready.request.target.location
    if done.copied:
        size = format_size(sum(one.stored_size for one in done.copied))
        text = f"{'Would copy' if check else 'Copied'} {plural(len(done.copied), 'backup')} ({size}) to {where}."
    elif ready.not_kept and not ready.existing:
        text = f"Nothing to copy to {where}: keep would remove the copies at once."
    else:
        text = f"Nothing to copy: {where} has {_what(ready)}."
    removal = "Would remove" if check else "Removed"
    return text + (f" {removal} {len(done.removed)} there that the policy does not keep." if done.removed else "")


def _what(ready: CopyPlan) -> str:
    return f"backup {ready.existing[0]}" if len(ready.existing) == 1 else "all of them"


def _diff(ready: CopyPlan, done: Copied, encrypted: Mapping[str, str]) -> dict[str, str]:
    before = [entry.id for entry in ready.history.entries]
    lines = {f"{encrypted[one.id]}, encrypted" if one.id in encrypted else one.id for one in done.copied}
    after = sorted({*before, *lines} - set(done.removed))
    header = f"backups of {ready.request.name} in {ready.request.target.location}"
    return {
        "before_header": header,
        "after_header": header,
        "before": "".join(f"{one}\n" for one in before),
        "after": "".join(f"{one}\n" for one in after),
    }
