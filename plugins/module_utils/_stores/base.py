# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every store type answers, and what it is given.

A store knows its own native format and nothing of repositories: it writes its snapshot into a `Sink` and is
restored from a `Copy`; both are handed to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Optional, Protocol, runtime_checkable

from .._core.collection import Collection
from .._core.progress import Progress


class Snapshot(NamedTuple):
    """What a store says of the copy that it has just written into a sink.

    `content_digest` is hex SHA-256 of the native content: equal exactly when a restore would bring the same data
    back. `details` are JSON values: what a restore needs and what a person wants to know, never a secret.
    `fingerprint` is the cheap identity of what was read (see `Store.fingerprint`).
    """

    content_digest: str
    collections: tuple[Collection, ...]
    details: Mapping[str, Any]
    fingerprint: Optional[str]
    notes: tuple[str, ...] = ()


class Writer(Protocol):
    """One file of a snapshot, being written."""

    def write(self, data: bytes) -> object: ...


class HashedWriter(Writer, Protocol):
    """A sink's file: hashed anyway, so that a store need not hash the same bytes again."""

    def sha256(self) -> str:
        """Hex digest of what was written so far."""


class Reader(Protocol):
    """One file of a backup, being read. `read(n)` returns at most n bytes, and b"" only at a *verified* end."""

    def read(self, size: int) -> bytes: ...


class HashedReader(Reader, Protocol):
    """A backup's file: hashed anyway."""

    def sha256(self) -> str:
        """Hex digest of what was read so far."""


class Sink(Protocol):
    """Where a snapshot goes: a backup in the making, or (in check mode) only a digest.

    `scratch` is an empty private directory with room for a native copy; it is removed with everything in it.
    With `strict`, what can't be taken exactly is an error instead of a note. With `dry`, nothing is kept: a store must
    not make anything elsewhere for it.
    """

    scratch: str
    progress: Progress
    strict: bool
    dry: bool

    def file(self, name: str) -> AbstractContextManager[HashedWriter]:
        """Open a file; several can be open at once. `name` is relative, without a compression's suffix
        ("hawkfish.db").

        The file counts once the block ends without an exception.
        """

    def discard(self, name: str) -> None:
        """Forget a file, whether it was completed or not: the store is going to write it again."""


class Copy(Protocol):
    """One store's part of a backup, as a restore sees it.

    With `strict`, what can't be restored exactly is an error instead of a note.
    """

    content_digest: str
    collections: tuple[Collection, ...]
    details: Mapping[str, Any]
    progress: Progress
    strict: bool

    def names(self) -> Sequence[str]:
        """The names that the store gave its files in `snapshot`."""

    def open(self, name: str) -> AbstractContextManager[HashedReader]:
        """The file's content, decompressed. Raises DamagedBackup at the first byte that can't be right,
        at the latest at the end: what was read counts only after b"" was returned."""


class Change(NamedTuple):
    """One line of a restore's difference: a collection, or for trees a kind of entry."""

    name: str
    before: Optional[int]  # records in the target now; None: it is not there
    after: int


class Restoration(Protocol):
    """A restore that is ready: everything is read and verified beside the target, nothing of it is touched.

    Used as a context manager: leaving the block removes what was prepared. Exactly one of these orders holds:
    nothing; `apply`; `apply` then `undo`.
    """

    changed: bool  # False: the target already equals the backup
    changes: tuple[Change, ...]
    differences: tuple[tuple[str, str], ...]  # of trees: paths and "added", "changed" or "removed", at most some
    notes: tuple[str, ...]
    damage: str  # why what is there, and differs, can't be read, and so not be backed up before it goes; "" when it can

    def apply(self) -> None:
        """Put the new content in place in one atomic step; raise, with the target as it was, when that fails."""

    def undo(self) -> None:
        """Put back what `apply` replaced."""

    def __enter__(self) -> Restoration: ...

    def __exit__(self, *exc: object) -> None: ...


@runtime_checkable
class Buildable(Protocol):
    """A restoration of which `prepare` has only determined what it changes, as the rest takes long or much space."""

    def build(self) -> None:
        """Prepare the rest beside the target. Called once, before `apply`, and only if the restore is allowed."""


@runtime_checkable
class Partial(Protocol):
    """A restoration of a store that consists of several places, of which it may change only some."""

    replaces: bool  # something that exists is changed or removed; otherwise the restore only adds


@runtime_checkable
class Referring(Protocol):
    """A store that can have backups made elsewhere, to which a backup here only refers.

    `details` are those of the snapshot that such a backup was made of.
    """

    refers: bool  # whether its next snapshot is such a reference

    def outdated(self, details: Mapping[str, Any]) -> str:
        """Why an earlier backup is not enough, whatever its age, as a clause; "" if it is. Raises SourceError when that
        can't be told."""

    def build_on(self, details: Mapping[str, Any]) -> None:
        """Called before the next snapshot: the newest backup, which the snapshot may continue."""

    def forget(self, details: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> None:
        """Remove the data that an earlier backup refers to, if it exists. Raises SourceError if some of it remains.

        :param others: of the backups that are still needed, and may refer to the same.
        """

    def abandon(self) -> str:
        """Remove what a snapshot of this run has made, as no backup will refer to it. Returns a sentence on what stays,
        or ""."""


class Store(Protocol):
    """One store of an application.

    `type` is the name of its type, as registry.py has it; its options are there, too. `path` is where it is, for
    people: a path, or an address with "://".
    """

    type: str
    path: str
    local_path: Optional[str]  # the file or directory on this host that it is; None: it is elsewhere, or not a file

    def __init__(self, path: str, options: Mapping[str, Any]) -> None: ...

    def exists(self) -> bool:
        """Is there anything at the path? (An empty directory or file is nothing.)"""

    def parameters(self) -> dict[str, Any]:
        """The options that select what is backed up, for the manifest: two runs with equal parameters back up the same
        thing. Never a secret."""

    def fingerprint(self) -> Optional[str]:
        """A cheap identity of the current content, without reading it; None where it can't be trusted.

        Equal fingerprints mean equal content; different ones mean "read it".
        """

    def snapshot(self, sink: Sink) -> Snapshot:
        """Write a consistent native copy into the sink, while others write. Raises SourceError."""

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        """As `snapshot`, from a copy that somebody made by hand (already decompressed; `filename` has lost
        its compression suffix: "backup_20250630.db", "dump.sql", "config.tar"), after checking it."""

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        """Get ready to restore, whole or `only` some collections or paths.

        With `dry` nothing is written outside `scratch`; without it, files may be prepared beside the target
        under hidden names that start with `PREPARED` (see _core/files.py) and leftovers of a killed run with
        such names are removed. Raises DamagedBackup, TargetError, InvalidRequest (an unknown name in `only`).
        """
