# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of a set in order, and the status of each: good or not, confirmed, verified."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional

from .._core.errors import DamagedBackup, InvalidRequest, RepositoryError
from .._core.units import format_time, parse_time
from .base import Listed, Repository
from .encryption import PLANTED, Encryption, is_planted
from .manifest import CONTENT, MANIFEST, ORDINARY, Manifest
from .owner import Owner, is_of_host, owners_of
from .reading import Problem, load, quick_problems
from .recognition import has_tags
from .retention import Decision, Keep, decide

CONFIRMED = "confirmed"  # {id: time}: when the newest backup of an owner was last found to equal its data
VERIFIED = "verified"  # {id: {"at", "problems", "read"}}: the last full verification
STORED = "stored"  # of an encrypted backup, the bytes were compared, as there was no identity

# Tolerated difference between the clocks of hosts that share a repository. Later times are not trusted.
CLOCK_SKEW = timedelta(minutes=1)


class Entry(NamedTuple):
    """One backup. `manifest` is None if it is damaged; `problems` then has the reasons.

    `future`: its date is in the future, so that a clock was wrong when it was made, or is wrong now.
    """

    id: str
    manifest: Optional[Manifest]
    problems: tuple[Problem, ...]
    verified_at: Optional[datetime]
    future: bool = False
    notes: tuple[str, ...] = ()
    verified: str = CONTENT  # what was read then: the content, or only the bytes as they are STORED

    @property
    def counts(self) -> bool:
        """Whether it can be latest, has an age and is subject to `keep`. Damaged, safety and future backups are not."""
        return self.manifest is not None and not self.problems and self.manifest.kind in ORDINARY and not self.future

    @property
    def complaints(self) -> list[Problem]:
        """Its problems, and whether it is dated in the future: such a backup can be restored by its id."""
        if self.future and self.manifest is not None:
            late = f"it is dated in the future ({format_time(self.manifest.created)}) and does not count until then"
            return [*self.problems, {"path": MANIFEST, "problem": late}]
        return list(self.problems)


class History(NamedTuple):
    """All backups of a set, oldest first by the time of their data."""

    entries: tuple[Entry, ...]
    confirmed: dict[str, datetime]

    @property
    def good(self) -> list[Manifest]:
        """The manifests of all backups that count, oldest first."""
        return [entry.manifest for entry in self.entries if entry.counts and entry.manifest is not None]

    @property
    def newest(self) -> Optional[Manifest]:
        """The newest good backup."""
        return self.good[-1] if self.good else None

    def of(self, owner: Owner) -> History:
        """The backups of an owner, and those whose manifest can't be trusted."""
        own = tuple(one for one in self.entries if one.manifest is None or owner.owns(one.manifest))
        return self._replace(entries=own)

    def of_host(self, host: str) -> History:
        """The backups of a host, and those whose manifest can't be trusted."""
        own = tuple(one for one in self.entries if one.manifest is None or is_of_host(one.manifest, host))
        return self._replace(entries=own)

    def tagged(self, tags: Collection[str]) -> History:
        """The backups that have all of these tags, and those whose manifest can't be trusted."""
        own = tuple(one for one in self.entries if one.manifest is None or has_tags(one.manifest, tags))
        return self._replace(entries=own)

    def others(self, owner: Owner) -> list[tuple[Owner, list[Manifest]]]:
        """The other owners in the set and their backups. Safety backups do not make a host an owner."""
        own = [one.manifest for one in self.entries if one.manifest is not None and one.manifest.kind in ORDINARY]
        return owners_of(one for one in own if not owner.owns(one))

    def current_until(self, manifest: Manifest) -> datetime:
        """The last time at which this backup was known to equal the current data. Ages count from then."""
        return max(manifest.created, self.confirmed.get(manifest.id, manifest.created))

    def age(self, manifest: Manifest, now: datetime) -> float:
        """Seconds since this backup was last known to equal the current data, at least 0."""
        return max(0.0, (now - self.current_until(manifest)).total_seconds())

    def get(self, backup_id: str) -> Optional[Entry]:
        """The backup with this id."""
        return next((entry for entry in self.entries if entry.id == backup_id), None)


def read_history(repository: Repository, name: str, now: Optional[datetime] = None) -> History:
    """Check names and sizes of every backup of a set. State that is dated in the future is ignored."""
    latest = (now or datetime.now(timezone.utc)) + CLOCK_SKEW
    ledger = repository.read_state(name, VERIFIED)
    encryption = repository.encryption
    entries = [_entry(listed, ledger.get(listed.id), latest, encryption) for listed in repository.listing(name)]
    entries = [_unless_planted(repository, name, one) for one in entries]
    entries.sort(key=lambda one: (_time_of(one), one.id))
    noted = {one: _moment(at, latest) for one, at in repository.read_state(name, CONFIRMED).items()}
    return History(tuple(entries), {one: at for one, at in noted.items() if at is not None})


def _entry(listed: Listed, noted: Any, latest: datetime, encryption: Encryption) -> Entry:
    known = noted if isinstance(noted, dict) else {}
    problems: list[Problem] = []
    manifest: Optional[Manifest] = None
    try:
        manifest = load(listed, encryption)
        problems = quick_problems(listed, manifest) or _problems(known.get("problems"))
    except DamagedBackup as exc:
        problems = exc.problems
    future = manifest is not None and manifest.created > latest
    read = STORED if known.get("read") == STORED else CONTENT
    at = _moment(known.get("at"), latest)
    return Entry(listed.id, manifest, tuple(problems), at, future, tuple(listed.notes), read)


def _time_of(entry: Entry) -> datetime:
    """When it was made: the manifest has the exact time, the id the second."""
    if entry.manifest is not None:
        return entry.manifest.created
    try:
        return parse_time(entry.id.partition("-")[0])
    except InvalidRequest:
        return datetime.min.replace(tzinfo=timezone.utc)


def _unless_planted(repository: Repository, name: str, entry: Entry) -> Entry:
    if entry.manifest is None or not is_planted(repository, name, entry.manifest):
        return entry
    return entry._replace(problems=(*entry.problems, {"path": MANIFEST, "problem": PLANTED}))


def _problems(noted: Any) -> list[Problem]:
    """Problems from the state, if they are valid."""
    keys = ("path", "problem")
    listed = [one for one in noted if isinstance(one, dict)] if isinstance(noted, list) else []
    return [{key: str(one.get(key, "")) for key in keys} for one in listed]


def _moment(noted: Any, latest: datetime) -> Optional[datetime]:
    """A time from the state, or None if it can't be trusted."""
    try:
        moment = parse_time(noted) if noted else None
    except InvalidRequest:
        return None
    return moment if moment is None or moment <= latest else None


def retained(
    history: History, keep: Optional[Keep], extra: tuple[tuple[str, datetime, Collection[str]], ...] = ()
) -> list[Decision]:
    """The decision of a policy on each backup of one owner that counts, newest first; empty without a policy.

    :param extra: (id, created, tags) of a backup that is about to be made.
    """
    if keep is None:
        return []
    asked = {tag for group in keep.tags for tag in group}
    backups = [*((one.id, one.created, _tags(one, asked)) for one in history.good), *extra]
    return decide(
        [(backup, created) for backup, created, _tags in backups],
        keep,
        tags={backup: tags for backup, _created, tags in backups},
    )


def _tags(manifest: Manifest, asked: Collection[str]) -> Collection[str]:
    """Those that a policy can ask for. What may have a tag is not removed."""
    return manifest.tags if manifest.opened else [tag for tag in asked if has_tags(manifest, [tag], unknown=True)]


def remember_confirmed(
    repository: Repository, name: str, backup_id: str, at: datetime, existing: Optional[Collection[str]] = None
) -> None:
    """Record that a backup was found to equal the current data. The caller holds the lock.

    :param existing: the ids of all backups of the set, where they need not be listed again.
    """
    noted = dict(repository.read_state(name, CONFIRMED), **{backup_id: format_time(at)})
    _write(repository, name, CONFIRMED, noted, existing)


def remember_verified(
    repository: Repository,
    name: str,
    found: dict[str, list[Problem]],
    now: datetime,
    *,
    stored: Collection[str] = (),
    existing: Optional[Collection[str]] = None,
) -> None:
    """Record the results of full verifications. The caller holds the lock.

    :param stored: those of which only the bytes as stored were compared.
    :param existing: the ids of all backups of the set, where they need not be listed again.
    """
    ledger = repository.read_state(name, VERIFIED)
    for backup_id, problems in found.items():
        read = STORED if backup_id in stored else CONTENT
        ledger[backup_id] = {"at": format_time(now), "problems": problems, "read": read}
    _write(repository, name, VERIFIED, ledger, existing)


def _write(
    repository: Repository, name: str, document: str, noted: dict[str, Any], existing: Optional[Collection[str]]
) -> None:
    """Write what is known of backups that exist."""
    there = set(repository.ids(name) if existing is None else existing)
    repository.write_state(name, document, {one: noted[one] for one in sorted(noted) if one in there})


def select(history: History, wanted: str, at: Optional[datetime], name: str) -> Manifest:
    """The backup to restore: "latest", an id, or the newest that is not later than a time (or second).

    Raises RepositoryError, which lists alternatives, when there is none.
    """
    if at is not None:
        # ids have a resolution of a second: a time without a fraction includes all of its second
        whole = at.microsecond == 0
        candidates = [
            one for one in history.good if (one.created.replace(microsecond=0) if whole else one.created) <= at
        ]
        if not candidates:
            oldest = history.good[0].id if history.good else "none"
            raise RepositoryError(
                f"The set {name} has no good backup from {format_time(at)} or earlier.",
                f"The oldest is {oldest}.",
            )
        return candidates[-1]
    if wanted == "latest":
        if history.newest is None:
            late = [entry.id for entry in history.entries if entry.future and not entry.problems]
            raise RepositoryError(
                f"The set {name} has no good backup.",
                f"{late[-1]} is dated in the future: correct the clock, or restore it by its id."
                if late
                else "Check the name and the repository; backup_info lists sets and the problems of their backups.",
            )
        return history.newest
    entry = history.get(wanted)
    if entry is None:
        listed = ", ".join(one.id for one in history.entries[-5:]) or "none"
        raise RepositoryError(f"The set {name} has no backup {wanted}.", f"The newest are: {listed}.")
    if entry.manifest is None or entry.problems:
        raise DamagedBackup(entry.id, entry.problems)
    return entry.manifest
