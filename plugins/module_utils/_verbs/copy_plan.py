# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request for copies, the plan, and the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Callable, NamedTuple, Optional

from .._repository.base import Repository
from .._repository.history import Entry, History
from .._repository.manifest import Manifest
from .._repository.owner import Owner
from .._repository.retention import Decision, Keep

NEWEST, ALL = "newest", "all"


class CopyRequest(NamedTuple):
    """Which backups of a set are copied from where to where. `which` is "newest", "all" or an id.

    `insist`: it is an error if `keep` would remove a copy at once. `confirmed`: when the backup was found to equal the
    data. `owner`: of the backups, if it is known. `coming`: in check mode, the backup that a run would make in the
    source first, and then copy, and `coming_bytes` how many of so many free bytes it takes in the target.
    """

    name: str
    source: Repository
    target: Repository
    which: str
    keep: Optional[Keep]
    take_over: bool
    lock_timeout: float
    insist: bool = False
    confirmed: Optional[datetime] = None
    owner: Optional[Owner] = None
    coming: Optional[Manifest] = None
    coming_bytes: Callable[[Repository, int], int] = lambda _target, _free: 0

    def encrypts(self, manifest: Manifest) -> bool:
        """Whether a copy of this backup is encrypted on the way."""
        return bool(self.target.encryption.recipients) and manifest.envelope is None

    def fits(self, manifest: Manifest) -> bool:
        """Whether the target may have a copy of an encrypted backup as it is."""
        asked = self.target.encryption.recipients
        if self.coming is not None:  # nothing is encrypted yet that could tell
            return not asked or set(asked) == set(self.source.encryption.recipients)
        return not asked or self.target.encryption.fits(manifest)


class Wanted(NamedTuple):
    """A backup of the source, and the id of its copy. One that is `encrypted` on the way gets its id when it is made:
    until then, this one stands for it.
    """

    manifest: Manifest
    id: str
    future: bool = False
    encrypted: bool = False

    @property
    def entry(self) -> Entry:
        """As it will be in the target."""
        manifest = self.manifest
        if self.encrypted:
            manifest = manifest._replace(id=self.id, copy_of=manifest.id)
        return Entry(self.id, manifest, (), None, self.future)


class CopyPlan(NamedTuple):
    """What a run would do. `history` is of the target; `alternatives` are the good backups of the source.

    `not_kept` would be removed by `keep` at once. `refused` tells why a backup can't be copied.
    """

    request: CopyRequest
    history: History
    alternatives: Sequence[Manifest]
    wanted: Sequence[Wanted]
    existing: Sequence[str]
    not_kept: Sequence[str]
    refused: Mapping[str, str]
    decisions: Sequence[Decision]
    locked: Mapping[str, datetime]
    leftovers: Sequence[str]
    notes: Sequence[str]

    @property
    def removals(self) -> list[str]:
        """The ids of the backups in the target that its policy does not keep."""
        return [one.id for one in self.decisions if not one.reasons and one.id not in self.locked]


class Copied(NamedTuple):
    """What a run has done. `failed` tells why a backup was not copied. `ids` are those of the copies, by those in the
    plan.
    """

    copied: Sequence[Manifest]
    failed: Mapping[str, str]
    removed: Sequence[str]
    warnings: Sequence[str]
    ids: Mapping[str, str]
