# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back from a migration: each run that writes publishes a safety backup, possibly without data. Its manifest
says how each collection is restored.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import DamagedBackup
from ..._repository.base import Listed, Repository
from ..._repository.encryption import PLANTED, is_planted
from ..._repository.manifest import MANIFEST, SAFETY, Manifest, SourcePart
from ..._repository.opening import check_opened, opened
from ..._repository.owner import this_host
from ..._repository.reading import load
from ..._stores.records.store import TargetStore
from ..snapshots import Taken
from .checkpoint import CREATED, DECLINED, EMPTY

THIS = "this"  # the backup itself has the collection
WORDS = (CREATED, DECLINED, EMPTY)


class WayBack(NamedTuple):
    """The newest run that has written to a target. `ways`: by collection, the id of a backup, or one of the words.

    `whole`: the same for the whole store, if its schema has changed; otherwise "". `written`: the number of records
    that the run was to write to a collection that it created, at least and at most.
    """

    manifest: Manifest
    number: int  # of the run, from 1
    ways: dict[str, str]
    whole: str = ""
    written: Mapping[str, Sequence[int]] = {}

    def backups(self) -> dict[str, list[str]]:
        """The required backups, and the collections that are taken from each."""
        found: dict[str, list[str]] = {}
        for name, way in self.ways.items():
            if way not in WORDS:
                found.setdefault(way, []).append(name)
        return found

    def named(self, word: str) -> list[str]:
        """The collections whose way is this word."""
        return [name for name, way in self.ways.items() if way == word]


def with_way(
    repository: Repository, name: str, part: SourcePart, target: TargetStore, way: Mapping[str, Any]
) -> SourcePart:
    """The part of a safety backup, with the way back in its details. The runs are numbered, as dates come from a clock
    that may be set back.
    """
    known = [one.number for one in _ways_back(repository, name, target, damaged=False)]
    number = max([*known, *_encrypted_numbers(repository, name)], default=0) + 1
    return part._replace(details={**part.details, "migration": {"target": target.identity, "number": number, **way}})


def _encrypted_numbers(repository: Repository, name: str) -> Iterator[int]:
    """Of runs into any target: into which is encrypted."""
    for listed in repository.listing(name):
        with contextlib.suppress(DamagedBackup):
            envelope = load(listed).envelope
            if envelope is not None and envelope.number is not None:
                yield envelope.number


def without_data(target: TargetStore, name: str, path: str) -> Taken:
    """The part of a safety backup if there is nothing to save."""
    part = SourcePart(name, target.type, path, {}, hashlib.sha256(b"").hexdigest(), (), {}, ())
    return Taken(part, 0, None, ())


def newest_way_back(repository: Repository, name: str, target: TargetStore) -> Optional[WayBack]:
    """The way back of the last run that has written to the target.

    :raises DamagedBackup: a manifest is damaged, and may be that of the last run.
    :raises NotOpened: a manifest is encrypted, and there is no identity for it.
    """
    return max(_ways_back(repository, name, target, damaged=True), key=lambda one: one.number, default=None)


def _opened(repository: Repository, name: str, listed: Listed, *, needed: bool) -> Manifest:
    """The manifest; all of it, where it is of a migration. Raises DamagedBackup, NotOpened."""
    manifest = load(listed)
    if is_planted(repository, name, manifest):
        raise DamagedBackup(listed.id, [{"path": MANIFEST, "problem": PLANTED}])
    if manifest.envelope is None or manifest.envelope.number is None:
        return manifest
    manifest = opened(manifest, listed, repository.encryption)
    if needed:
        check_opened(manifest, listed, repository.encryption)
    return manifest


def _ways_back(repository: Repository, name: str, target: TargetStore, *, damaged: bool) -> Iterator[WayBack]:
    """The ways back of all runs that have written to the target.

    :param damaged: raise DamagedBackup for a damaged manifest; otherwise, skip it.
    """
    is_file = target.identity.startswith(("json:", "sqlite:"))
    for listed in repository.listing(name):
        backup = listed.id
        try:
            manifest = _opened(repository, name, listed, needed=damaged)
        except DamagedBackup:
            if damaged:
                raise
            continue
        is_safety = manifest.kind == SAFETY and bool(manifest.sources)
        recorded = manifest.sources[0].details.get("migration") if is_safety else None
        if recorded is None or recorded["target"] != target.identity:
            continue
        if is_file and manifest.host.casefold() != this_host(None).casefold():
            continue  # the same path on another host
        ways = {one: backup if way == THIS else way for one, way in recorded["collections"].items()}
        yield WayBack(manifest, recorded["number"], ways, recorded.get("whole", ""), recorded.get("written", {}))
