# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a backup: the owner of the set, whether anything has changed, and the decisions of the policy."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from .._core.collection import Collection
from .._core.compression.base import Compression
from .._core.errors import InvalidRequest
from .._core.progress import Progress
from .._core.units import format_duration
from .._repository.base import Repository
from .._repository.encryption import Encryption, check_plain_allowed
from .._repository.history import History, read_history, retained
from .._repository.manifest import REFERENCE, Manifest, SourcePart, content_digest
from .._repository.owner import Owner
from .._repository.recognition import Identity, has_tags, holds, identity_of, is_recognized
from .._repository.retention import Decision, Keep
from .backup_owner import check_owner
from .references import Abandoning, kind_of, why_outdated
from .snapshots import NamedStore, Read, Taken, backup_id, files_of, take, take_snapshot

if TYPE_CHECKING:
    from .._repository.storing import Files

WRITES = ("new", "changed", "tags", "recipients", "key", "import")  # reasons for which a backup is written

# The state of a store when it last equalled a backup: {host: {name: {key, fingerprint, content_digest}}}.
FINGERPRINTS = "fingerprints"


class BackupRequest(NamedTuple):
    """The arguments of a backup. `imported` is the path of a copy made by hand, to be used instead of the store."""

    name: str
    repository: Repository
    stores: Sequence[NamedStore]
    compression: Compression
    compression_note: str
    keep: Optional[Keep]
    max_age: Optional[float]
    lock_timeout: float
    imported: Optional[str]
    owner: Owner
    take_over: bool
    tags: Sequence[str]
    strict: bool


class BackupPlan(NamedTuple):
    """What a run would do, and the data that it has read.

    `history` belongs to the owner of the request; `others` are other owners with backups in the set; `ids` and
    `manifests` are all that the set has. `reason` is one of
    new, changed, tags, recipients, key, import (a backup is written); unchanged, recent (none is).
    """

    request: BackupRequest
    history: History
    others: list[tuple[Owner, list[Manifest]]]
    manifests: list[Manifest]
    ids: list[str]
    leftovers: list[str]
    reason: str
    how: str  # for people
    taken: Sequence[Taken]
    files: Optional[Files]
    created: datetime
    started: datetime
    decisions: list[Decision]
    locked: Mapping[str, datetime]  # of what the policy does not keep, until when nobody can remove it

    @property
    def writes(self) -> bool:
        """Whether a backup is written."""
        return self.reason in WRITES

    @property
    def removals(self) -> list[str]:
        """The ids of the backups that the policy does not keep."""
        return [one.id for one in self.decisions if not one.reasons and one.id not in self.locked]

    @property
    def kept(self) -> list[str]:
        """The ids of all backups of the set but those that the policy does not keep, also of those that do not count:
        what someone writes beside a backup, or into the state, must not end its lock.
        """
        unwanted = {one.id for one in self.decisions if not one.reasons}
        return [one for one in self.ids if one not in unwanted]


@contextlib.contextmanager
def plan(request: BackupRequest, check: bool, progress: Progress) -> Iterator[BackupPlan]:
    """Plan a backup. Outside check mode, the set is locked while the block runs, and the data that was read is staged
    in the repository, so that `apply` need not read it again; in check mode nothing is written there.
    """
    request.repository.check_writable(request.name)
    with contextlib.ExitStack() as stack:
        leftovers: list[str] = []
        files: Optional[Files] = None
        scratch = ""
        if not check:
            lock = request.repository.lock(request.name, "backup", request.lock_timeout)
            leftovers = stack.enter_context(lock)
            _remove_scratch(request.repository)
        started = datetime.now(timezone.utc)
        everything = read_history(request.repository, request.name, started)
        others = everything.others(request.owner)
        history = everything.of(request.owner)
        check_owner(request, history, others)
        _check_encrypted(request, everything)
        outdated = "" if history.newest is None else why_outdated(request.stores, history.newest)
        known = _reason_not_to_read(request, history, started, outdated)
        taken: list[Taken] = []
        created = started
        if known is None:
            created = _created(request, history, started)
            if check:
                from .._core.scratch import scratch_directory  # only here: see _stores/registry.py

                scratch = stack.enter_context(scratch_directory())
            else:
                staging = stack.enter_context(request.repository.stage(request.name, created))
                files = files_of(request.repository, staging, request.compression)
        with Abandoning(request.stores):
            if known is None:
                taken = _read(request, files, scratch, progress)
                known = _reason(request, history, taken, outdated)
            reason, how = known
            decisions = retained(history, request.keep)
            if reason in WRITES:
                new, created = _identified(everything, files, taken, created)
                decisions = retained(history, request.keep, ((new, created, request.tags),))
                _check_kept(request, new, decisions)
                if check:
                    _check_space(request, taken, scratch, progress)
            locked = _locked(request, decisions)
        yield BackupPlan(
            request,
            history,
            others,
            [one.manifest for one in everything.entries if one.manifest is not None],
            [one.id for one in everything.entries],
            leftovers,
            reason,
            how,
            taken,
            files,
            created,
            started,
            decisions,
            locked,
        )


def _read(request: BackupRequest, files: Optional[Files], scratch: str, progress: Progress) -> list[Taken]:
    return take(
        request.stores,
        files=files,
        scratch=scratch,
        progress=progress,
        read=reader_of(request),
        strict=request.strict,
    )


def _remove_scratch(repository: Repository) -> None:
    """Remove what killed runs left, also if nothing has changed: it may be the only copy that is not encrypted."""
    if repository.encryption.recipients or repository.local_path is None:
        from .._core.scratch import remove_left_scratch  # only here: see _stores/registry.py

        remove_left_scratch()


def reader_of(request: BackupRequest) -> Read:
    """How the stores are read: from a copy that was made by hand, if the request names one."""
    if not request.imported:
        return take_snapshot
    from .backup_import import convert  # only here: see _stores/registry.py

    return convert(request.imported)


def _check_space(request: BackupRequest, taken: Sequence[Taken], scratch: str, progress: Progress) -> None:
    from .space import check_space  # only here: see _stores/registry.py

    check_space(
        request.repository,
        request.stores,
        size=sum(one.bytes for one in taken),
        scratch=scratch,
        compression=request.compression,
        progress=progress,
        read=reader_of(request),
    )


def _locked(request: BackupRequest, decisions: Sequence[Decision]) -> dict[str, datetime]:
    found = {one.id: request.repository.locked_until(request.name, one.id) for one in decisions if not one.reasons}
    return {backup: until for backup, until in found.items() if until is not None}


def _check_encrypted(request: BackupRequest, everything: History) -> None:
    newest = next((one.manifest for one in reversed(everything.entries) if one.manifest is not None), None)
    check_plain_allowed(request.repository, request.name, newest)


def _reason_not_to_read(
    request: BackupRequest, history: History, now: datetime, outdated: str
) -> Optional[tuple[str, str]]:
    newest = history.newest
    if newest is None or request.imported or not request.repository.encryption.fits(newest):
        return None
    state = _saved(request)
    identity = _remembered(request, state)
    if not _has_tags(request, history, identity):
        return None
    if request.max_age is not None:
        age = history.age(newest, now)
        if age <= request.max_age and not outdated:
            return (
                "recent",
                f"the newest backup is {format_duration(age)} old, and max_age is {format_duration(request.max_age)}",
            )
    if identity is None or not holds(newest, identity) or not _is_settled(request, state):
        return None
    return "unchanged", "nothing has changed since the newest backup was last compared"


def _saved(request: BackupRequest) -> dict[str, Any]:
    state = request.repository.read_state(request.name, FINGERPRINTS).get(request.owner.host)
    return state if isinstance(state, dict) else {}


def _remembered(request: BackupRequest, state: Mapping[str, Any]) -> Optional[Identity]:
    """The identity of the data when fingerprints were last recorded, if they are of these stores and options."""
    identity = []
    for entry in request.stores:
        saved = state.get(entry.name)
        if not isinstance(saved, dict) or saved.get("key") != _key(entry):
            return None
        parameters = json.dumps(entry.store.parameters(), sort_keys=True)
        identity.append((entry.name, entry.store.type, parameters, str(saved.get("content_digest"))))
    return identity


def remembered_parts(request: BackupRequest, manifest: Manifest) -> list[tuple[SourcePart, int]]:
    """The parts of an encrypted backup and their sizes, if they are what was last recorded of these stores."""
    state = _saved(request)
    identity = _remembered(request, state)
    if identity is None or not holds(manifest, identity):
        return []
    parts = []
    for entry, (name, kind, _parameters, digest) in zip(request.stores, identity):
        saved = state[name]
        try:
            collections = tuple(Collection(str(one), int(records)) for one, records in saved["collections"])
            size = int(saved["bytes"])
        except (KeyError, TypeError, ValueError):
            return []
        parts.append((SourcePart(name, kind, entry.path, entry.store.parameters(), digest, collections, {}, ()), size))
    return parts


def _is_settled(request: BackupRequest, state: Mapping[str, Any]) -> bool:
    """Whether no file has changed since then."""
    for entry in request.stores:
        fingerprint = entry.store.fingerprint()
        if fingerprint is None or fingerprint != state[entry.name].get("fingerprint"):
            return False
    return True


def _key(entry: NamedStore) -> list[Any]:
    """The key of a fingerprint: fingerprints of different stores or options are not compared."""
    return [entry.store.type, entry.store.path, entry.store.parameters()]


def _reason(request: BackupRequest, history: History, taken: Sequence[Taken], outdated: str) -> tuple[str, str]:
    identity = identity_of(one.part for one in taken)
    encryption, newest = request.repository.encryption, history.newest
    if request.imported:
        for manifest in history.good:
            if holds(manifest, identity) and has_tags(manifest, request.tags) and encryption.fits(manifest):
                return "unchanged", f"backup {manifest.id} has the same content"
        return "import", f"no backup has this content{' and these tags' if request.tags else ''}"
    if newest is None:
        return "new", "the set has no good backup"
    if not encryption.fits(newest):
        return _of_encryption(newest, encryption)
    if kind_of(request.stores) == REFERENCE:
        return "changed", outdated or "the newest backup is older than max_age"
    if holds(newest, identity):
        if not _has_tags(request, history, identity):
            return "tags", f"no backup of the current data is tagged {','.join(request.tags)}"
        return "unchanged", "the data was read and equals the newest backup"
    return "changed", "the data differs from the newest backup"


def _of_encryption(newest: Manifest, encryption: Encryption) -> tuple[str, str]:
    if newest.envelope is None:
        return "recipients", "the newest backup is not encrypted"
    if encryption.recipients and not is_recognized(newest):
        return "key", "the newest backup was encrypted with another key of this host, so that it can't be compared"
    if not encryption.recipients:
        return "recipients", "the newest backup is encrypted, and encrypt_to is not set"
    return "recipients", "the newest backup is encrypted to other recipients"


def _has_tags(request: BackupRequest, history: History, identity: Optional[Identity]) -> bool:
    """Whether a backup of the current data has the requested tags. Backups before the last change of the data do not
    count.

    :param identity: of the current data, if it is known.
    """
    newest = history.newest
    for manifest in reversed(history.good):
        if newest is None or not _is_same(manifest, newest, identity):
            return False
        if has_tags(manifest, request.tags):
            return True
    return False


def _is_same(manifest: Manifest, newest: Manifest, identity: Optional[Identity]) -> bool:
    if manifest.opened and newest.opened:
        return manifest.content_digest == newest.content_digest
    return manifest.id == newest.id or (identity is not None and holds(manifest, identity))


def _identified(
    everything: History, files: Optional[Files], taken: Sequence[Taken], created: datetime
) -> tuple[str, datetime]:
    """The id and date of the backup that is to be written: what the policy says must be said of that id."""
    if files is not None and files.staging.id is not None:
        return files.staging.id, created
    digest = content_digest([one.part for one in taken])
    while everything.get(backup_id(created, digest)):  # as `publish` would
        created += timedelta(seconds=1)
    return backup_id(created, digest), created


def _created(request: BackupRequest, history: History, now: datetime) -> datetime:
    """The date of a new backup. A snapshot is later than all backups that count, whatever the clock says."""
    if request.imported:
        from .backup_import import time_of  # only here: see _stores/registry.py

        return time_of(request.imported, now)
    newest = history.newest
    return now if newest is None else max(now, newest.created + timedelta(microseconds=1))


def _check_kept(request: BackupRequest, new: str, decisions: Sequence[Decision]) -> None:
    """A run must not remove what it has written. Only an import can be old enough for this."""
    if any(one.id == new and not one.reasons for one in decisions):
        raise InvalidRequest(
            f"{request.imported} is older than all backups that keep retains: its backup would be removed at once.",
            "Nothing was written. Extend keep, or omit it for the import.",
        )


def remember_fingerprints(request: BackupRequest, taken: Sequence[Taken]) -> None:
    """Record fingerprints, so that the next run can skip unchanged data without reading it."""
    keys = {entry.name: _key(entry) for entry in request.stores}
    value = {
        one.part.name: {
            "key": keys[one.part.name],
            "fingerprint": one.fingerprint,
            "content_digest": one.part.content_digest,
            "bytes": one.bytes,
            "collections": [list(collection) for collection in one.part.collections],
        }
        for one in taken
    }
    state = request.repository.read_state(request.name, FINGERPRINTS)
    request.repository.write_state(request.name, FINGERPRINTS, dict(state, **{request.owner.host: value}))
