# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last steps of what writes backups: those that stay are locked again where backups are, the others are removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from .._core.errors import Day2Error
from .._repository.base import Repository


def carry_out(
    repository: Repository,
    name: str,
    kept: Sequence[str],
    removals: Sequence[str],
    forget: Callable[[str], None] = lambda backup: None,
) -> tuple[list[str], list[str]]:
    """Extend the locks of backups, and remove others. Returns the ids of those that are gone, and warnings.

    One that can't be locked or removed does not keep the others. The caller holds the lock.

    :param forget: called before a backup is removed; if it raises Day2Error, the backup stays.
    """
    warnings: list[str] = []
    try:
        warnings += repository.extend_locks(name, list(dict.fromkeys(kept)))
    except Day2Error as exc:
        warnings.append(f"Not all backups could be locked for longer: {exc.message}")
    removed: list[str] = []
    for backup in removals:
        try:
            forget(backup)
            removal = repository.remove(name, backup)
        except Day2Error as exc:  # an attribute may protect it
            warnings.append(f"Backup {backup}, which the policy does not keep, could not be removed: {exc.message}")
            continue
        if removal.stays:
            warnings.append(f"Backup {backup} {removal.stays}.")
        else:
            removed.append(backup)
            warnings += removal.notes
    return removed, warnings
