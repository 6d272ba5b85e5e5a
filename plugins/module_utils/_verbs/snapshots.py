# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads stores and publishes them as one backup, for `backup` and for safety backups."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Union

from .._core.compression import usable
from .._core.compression.base import Compression
from .._core.errors import DamagedBackup, Day2Error, InvalidRequest, LeaseLost, NoSpace, RepositoryError
from .._core.files import is_within, os_errors
from .._core.progress import Progress
from .._core.version import VERSION
from .._repository.base import Repository, Staging
from .._repository.encryption import check_plain_allowed, release, require
from .._repository.manifest import (
    BACKUP,
    PLAIN,
    PURGE,
    REMOTE,
    SAFETY,
    DataFile,
    Manifest,
    SourcePart,
    content_digest,
    parse,
    sums_of,
)
from .._repository.owner import this_host
from .._stores.base import Sink, Snapshot, Store
from .evidence import also

if TYPE_CHECKING:
    from .._repository.sink import DigestSink, StagingSink
    from .._repository.storing import Files


class NamedStore(NamedTuple):
    """A store and its name within a backup.

    `path` is the path as given: the owner of a backup does not depend on the target of a link in it. For a store that
    is no file, it is its address.
    """

    name: str
    store: Store
    path: str


# How a store is read: its snapshot, or a conversion of a hand-made copy.
Read = Callable[[NamedStore, Sink], Snapshot]
# Completes the files that were staged, and describes them.
Seal = Callable[[], tuple[DataFile, ...]]


def take_snapshot(entry: NamedStore, sink: Sink) -> Snapshot:
    """The normal way to read a store."""
    return entry.store.snapshot(sink)


class Taken(NamedTuple):
    """What was read of one store. Its part lists no files until `seal` has completed those that were staged."""

    part: SourcePart
    bytes: int
    fingerprint: Optional[str]
    notes: tuple[str, ...]
    seal: Seal = tuple


def take(
    stores: Sequence[NamedStore],
    *,
    files: Optional[Files],
    scratch: str,
    progress: Progress,
    read: Read = take_snapshot,
    strict: bool = False,
) -> list[Taken]:
    """Read all stores: into the files of a backup or, without them, only for counts and digests.

    :param scratch: an empty directory, used if there are no files.
    :param strict: a store that can't be read exactly is an error, not a note.
    """
    from .._repository.sink import DigestSink, StagingSink  # only here: see _stores/registry.py

    taken = []
    for index, entry in enumerate(stores):
        folder = entry.name if len(stores) > 1 else ""
        sink: Union[StagingSink, DigestSink]
        seal: Seal = tuple
        if files is not None:
            sink = StagingSink(files, folder, progress)
            seal = sink.seal
        else:
            sink = DigestSink(os.path.join(scratch, str(index)), progress)
            with os_errors(NoSpace, "Can't create", sink.scratch):
                os.mkdir(sink.scratch, 0o700)
        sink.strict = strict
        snapshot = read(entry, sink)
        taken.append(Taken(_part(entry, snapshot), sink.bytes, snapshot.fingerprint, snapshot.notes, seal))
    return taken


def _part(entry: NamedStore, snapshot: Snapshot) -> SourcePart:
    return SourcePart(
        name=entry.name,
        type=entry.store.type,
        path=entry.path,
        parameters=entry.store.parameters(),
        content_digest=snapshot.content_digest,
        collections=snapshot.collections,
        details=dict(snapshot.details),
        files=(),
    )


def compression_of(repository: Repository, wanted: Compression) -> Compression:
    """The compression of a new backup."""
    return wanted if repository.compression is None else usable(repository.compression)


def files_of(repository: Repository, staging: Staging, compression: Compression) -> Files:
    """How the files of a new backup are stored in this repository."""
    recipients = repository.encryption.recipients
    compression = compression_of(repository, compression)
    if recipients:
        from .._repository.encrypted_files import EncryptedFiles  # only here: see _stores/registry.py

        return EncryptedFiles(staging, compression, recipients)
    from .._repository.storing import PlainFiles  # only here: see _stores/registry.py

    return PlainFiles(staging, compression)


def publish(
    repository: Repository,
    files: Files,
    name: str,
    taken: Sequence[Taken],
    *,
    created: datetime,
    started: datetime,
    kind: str = BACKUP,
    imported_from: Optional[str] = None,
    host: Optional[str] = None,
    tags: Sequence[str] = (),
) -> Manifest:
    """Publish the staged files as a backup of this host, or of the given one."""
    staging = files.staging
    parts = tuple(one.part._replace(files=one.seal()) for one in taken)
    while True:
        manifest = Manifest(
            id=staging.id or backup_id(created, content_digest(parts)),
            set=name,
            kind=kind,
            created=created,
            host=this_host(host),
            tools=_tools(),
            compression=files.compression.name,
            duration_s=round((datetime.now(timezone.utc) - started).total_seconds(), 3),
            sources=parts,
            imported_from=imported_from,
            tags=tuple(tags),
            version=REMOTE if staging.id else PLAIN,
            read_back=staging.read_back,
        )
        shown = files.enclose(manifest)
        document = shown.to_json()
        sums = sums_of(shown, document)
        _read_back(shown, document, sums)
        if shown.envelope is not None:
            require(repository, name, created)
        elif repository.encryption.optional:
            release(repository, name)
        if staging.publish(manifest.id, document, sums):
            if kind in (SAFETY, PURGE) and manifest.files:  # those of `backup` are recorded with its run
                identity = {"backup": manifest.id, "content_digest": manifest.content_digest, "bytes": manifest.size}
                also("backup", set=name, **identity, reason=kind)
            return manifest._replace(envelope=shown.envelope, encryption=shown.encryption)
        if staging.id:
            raise LeaseLost(
                f"The lock of the set {name} was lost, and another run removed what this one had written.",
                "Nothing was published. Run again.",
            )
        created += timedelta(seconds=1)  # the same content within the same second: a safety backup right after a backup


def _read_back(manifest: Manifest, document: bytes, sums: bytes) -> None:
    """Read the manifest and SHA256SUMS back before they are published."""
    try:
        whole = parse(manifest.id, document, sums).to_json() == document
        problem = "" if whole else "it differs when read back"
    except DamagedBackup as exc:
        problem = exc.message
    if problem:
        raise RepositoryError(
            f"The manifest of backup {manifest.id} can't be read back after writing: {problem}",
            "Nothing was published. This is a bug of day2.ops: please report it.",
        )


def note(write: Callable[[], None]) -> list[str]:
    """Write state, which can always be recreated: a failure is a warning."""
    try:
        write()
    except Day2Error as exc:
        return [f"State can't be written, so the next run will read more than necessary: {exc.message}"]
    return []


def backup_id(created: datetime, digest: str) -> str:
    """20250630T120000Z-3f2a9c1b: the time in seconds, and the first 8 digits of the digest of the content."""
    return f"{created.strftime('%Y%m%dT%H%M%SZ')}-{digest[:8]}"


def _tools() -> dict[str, str]:
    return {"day2.ops": VERSION, "python": platform.python_version(), "system": platform.platform(terse=True)}


def check_secrets(repository: Repository, stores: Sequence[NamedStore]) -> None:
    """Secrets are only written into encrypted backups. Raises InvalidRequest."""
    for option in secrets_of([one.store.parameters() for one in stores], repository):
        raise InvalidRequest(
            f"{option} requires an encrypted backup.", f"Set encrypt_to (or engine=restic), or omit {option}."
        )


def secrets_of(parameters: Iterable[Mapping[str, Any]], repository: Repository) -> list[str]:
    """The options because of which data contains secrets that would not be encrypted in a repository."""
    if repository.encryption.recipients or repository.encrypts:
        return []
    return sorted({option for one in parameters for option in ("role_passwords", "with_secrets") if one.get(option)})


def check_apart(repository: Repository, stores: Sequence[NamedStore]) -> None:
    """A backup that contains the backups would grow forever, and a restore would replace them."""
    for entry in stores:
        data = entry.store.local_path
        if repository.local_path and data and is_within(repository.local_path, os.path.realpath(data)):
            raise InvalidRequest(
                f"The repository {repository.location} is inside {entry.store.path}.",
                "Choose a repository outside of the data, preferably on another disk.",
            )


def check_encrypted(repository: Repository, name: str) -> None:
    """Raise InvalidRequest when a safety backup would not be encrypted, although others of the set are."""
    if repository.encryption.recipients or (repository.encryption.optional and not repository.hides_names):
        return
    from .._repository.reading import load  # only here: see _stores/registry.py

    newest: Optional[Manifest] = None
    for backup in reversed(repository.ids(name)):
        with contextlib.suppress(DamagedBackup):
            newest = load(repository.look(name, backup))
            break
    check_plain_allowed(repository, name, newest)
