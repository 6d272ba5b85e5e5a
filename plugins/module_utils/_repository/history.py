# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of a set, in order, with what is known of each: good or not, confirmed, verified."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple, Optional

from .._core.errors import DamagedBackup, RepositoryError
from .._core.units import format_time, parse_time
from .base import Repository
from .manifest import BACKUP, Manifest
from .reading import Problem, load, quick_problems
from .retention import Decision, Keep, decide

CONFIRMED = "confirmed"  # {"id", "at"}: when the newest backup was last found to hold the current data
VERIFIED = "verified"  # {id: {"at", "problems"}}: the last reading of every byte


class Entry(NamedTuple):
    """One backup. `manifest` is None when it can't be believed; then `problems` says why."""

    id: str
    manifest: Optional[Manifest]
    problems: tuple[Problem, ...]
    verified_at: Optional[datetime]

    @property
    def counts(self) -> bool:
        """Does it count for latest, ages and keep? Damaged ones and safety backups don't."""
        return self.manifest is not None and not self.problems and self.manifest.kind == BACKUP


class History(NamedTuple):
    """All backups of a set, oldest first by the time of their data."""

    entries: tuple[Entry, ...]
    confirmed: dict[str, Any]

    @property
    def good(self) -> list[Manifest]:
        """The manifests of all that count, oldest first."""
        return [entry.manifest for entry in self.entries if entry.counts and entry.manifest is not None]

    @property
    def newest(self) -> Optional[Manifest]:
        """The newest good backup."""
        return self.good[-1] if self.good else None

    def current_until(self, manifest: Manifest) -> datetime:
        """The last moment at which this backup was known to hold the current data; ages count from here."""
        if self.confirmed.get("id") == manifest.id:
            return max(manifest.created, parse_time(self.confirmed["at"]))
        return manifest.created

    def get(self, backup_id: str) -> Optional[Entry]:
        """The backup with this id."""
        return next((entry for entry in self.entries if entry.id == backup_id), None)


def read_history(repository: Repository, name: str) -> History:
    """Look at every backup of a set, as far as names and sizes tell."""
    ledger = repository.read_state(name, VERIFIED)
    entries = []
    for backup_id in repository.ids(name):
        known = ledger.get(backup_id, {})
        problems: list[Problem] = []
        manifest: Optional[Manifest] = None
        try:
            manifest = load(repository, name, backup_id)
            problems = quick_problems(repository, name, manifest) or known.get("problems", [])
        except DamagedBackup as exc:
            problems = exc.problems
        verified_at = parse_time(known["at"]) if known.get("at") else None
        entries.append(Entry(backup_id, manifest, tuple(problems), verified_at))
    # ids sort by the second; the manifest knows the time more exactly
    entries.sort(key=lambda one: (format_time(one.manifest.created) if one.manifest else one.id, one.id))
    return History(tuple(entries), repository.read_state(name, CONFIRMED))


def retained(history: History, keep: Optional[Keep], extra: tuple[tuple[str, datetime], ...] = ()) -> list[Decision]:
    """What a policy says of each backup that counts, newest first; without a policy, nothing.

    :param extra: (id, created) of a backup that is about to be made.
    """
    if keep is None:
        return []
    return decide([(one.id, one.created) for one in history.good] + list(extra), keep)


def remember_verified(repository: Repository, name: str, found: dict[str, list[Problem]], now: datetime) -> None:
    """Note what reading every byte of these backups found. The caller holds the lock."""
    ledger = repository.read_state(name, VERIFIED)
    existing = set(repository.ids(name))
    ledger.update({backup_id: {"at": format_time(now), "problems": problems} for backup_id, problems in found.items()})
    repository.write_state(name, VERIFIED, {one: ledger[one] for one in sorted(ledger) if one in existing})


def select(history: History, wanted: str, at: Optional[datetime], name: str) -> Manifest:
    """The backup to restore: "latest", an id, or the newest not after a moment.

    :raises RepositoryError: there is none; the message says what there is.
    """
    if at is not None:
        candidates = [one for one in history.good if one.created <= at]
        if not candidates:
            oldest = history.good[0].id if history.good else "none at all"
            raise RepositoryError(
                f"The set {name} has no good backup from {format_time(at)} or earlier.",
                f"Its oldest is {oldest}.",
            )
        return candidates[-1]
    if wanted == "latest":
        if history.newest is None:
            raise RepositoryError(
                f"The set {name} has no good backup.",
                "Check the name and the repository; backup_info lists sets and what is wrong with their backups.",
            )
        return history.newest
    entry = history.get(wanted)
    if entry is None:
        listed = ", ".join(one.id for one in history.entries[-5:]) or "none"
        raise RepositoryError(f"The set {name} has no backup {wanted}.", f"Its newest are: {listed}.")
    if entry.manifest is None or entry.problems:
        raise DamagedBackup(entry.id, entry.problems)
    return entry.manifest
