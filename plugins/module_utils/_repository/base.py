# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every kind of repository answers. It keeps bytes under names; formats are the manifest's business.

Verbs may rely on what the weakest kind can promise: there is one writer nearly always, a backup is whole or absent,
nothing of another run is touched while that run can live, and a reader who began before a removal can read on. They may
not rely on a lock that ends at once, on state being the newest, or on a removal freeing space now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, BinaryIO, Callable, NamedTuple, Optional, Protocol

from .._core.errors import Cancelled, LeaseLost, Unreachable
from .encryption import Encryption
from .pieces import Piece


class Listed(NamedTuple):
    """One backup as a listing shows it. Nothing of it has been checked."""

    id: str
    sizes: Mapping[str, Optional[int]]  # of all files, by path; None: it is not a regular file
    read: Callable[[str], bytes]  # the content of a small file; raises RepositoryError
    notes: Sequence[str] = ()  # warnings about it; it counts all the same


class Removal(NamedTuple):
    """What became of a backup that was to be removed."""

    stays: str = ""  # why it stays, as the end of a sentence that begins with the backup; "": it is gone
    notes: Sequence[str] = ()  # a sentence for each thing that could not be removed of it, and is a leftover now


class Staging(Protocol):
    """A backup that is not published yet and therefore not visible. It is removed if the block ends without
    `publish`."""

    id: Optional[str]  # what the backup will be called; None: its content decides, when it is published
    scratch: str  # an empty local directory for native copies, removed with the staging; never in a place of others
    read_back: str  # how it is made sure that it is what was written, as in the manifest
    # of a copy: files of the right size that an interrupted run left. What `create` replaces is not among them any more
    found: Collection[str]

    def create(self, path: str) -> BinaryIO:
        """A new file, written in order through its descriptor. It may be a pipe.

        Closing it, or leaving its block, raises what went wrong on the other side.
        """

    def discard(self, path: str) -> None:
        """Remove what was written of a file, if anything was."""

    def seal(self, path: str) -> Sequence[str]:
        """Complete what was written. Returns the names of the pieces that it lies in, in order: one, unless it is
        too large for that."""

    def reopen(self, piece: str) -> BinaryIO:
        """Open a written file for reading, after a sync, from the disk rather than from a cache."""

    def confirm(self, piece: str) -> Optional[Piece]:
        """What was sealed, if it is proven without reading it to be what was written; None: it must be read back."""

    def publish(self, backup_id: str, manifest: bytes, sums: bytes) -> bool:
        """Make it a backup, completely or not at all. False: the id is taken.

        Raises LeaseLost when the lock was lost meanwhile; nothing was published then.
        """

    def __enter__(self) -> Staging: ...

    def __exit__(self, *exc: object) -> None: ...


class Repository(Protocol):
    """A place for backups, with one directory (or prefix) per set."""

    location: str
    place: str  # tells it from others at equal addresses of other servers
    local_path: Optional[str]  # the directory on this host that it is; None: it is elsewhere
    hides_names: bool  # whether the names of its sets must not be known to who can read it
    compression: Optional[str]  # of all backups that are written, where it compresses by itself; None: as asked for
    encrypts: bool  # whether it encrypts everything by itself, so that secrets may be written without `encryption`
    encryption: Encryption  # nothing of the repository itself depends on it, but that ids then tell nothing

    def check_writable(self, name: str) -> None:
        """Raise RepositoryError when no backup of this set could be written, as far as can be told; create nothing."""

    def trouble(self) -> str:
        """The reason why the repository can't be read, as the end of a sentence that begins with the location; "" if it
        can.
        """

    def free_bytes(self) -> Optional[int]:
        """Bytes that can still be written; None if this is unknown."""

    def sets(self) -> list[str]:
        """The names of all sets that have backups, or that can't be read."""

    def ids(self, name: str) -> list[str]:
        """The ids of the backups of a set, oldest first. Other names are ignored."""

    def listing(self, name: str) -> Iterator[Listed]:
        """All backups of a set, oldest first, one at a time: there may be very many."""

    def look(self, name: str, backup_id: str) -> Listed:
        """One backup. Of one that is not there, nothing is listed and nothing can be read."""

    def path(self, name: str, backup_id: str) -> str:
        """The path of the backup, for people."""

    def open(self, name: str, backup_id: str, path: str) -> BinaryIO:
        """A data file, to be read from its beginning. Raises RepositoryError."""

    def hold(self, name: str, backup_id: str) -> AbstractContextManager[None]:
        """While the block runs, the data of this backup is kept. Raises RepositoryError when it was removed."""

    def stage(self, name: str, created: datetime) -> Staging:
        """Begin a backup of data that is read at this time. The caller holds the set's lock."""

    def stage_copy(self, name: str, backup_id: str, sizes: Mapping[str, int]) -> Staging:
        """Begin, or go on with, a copy of a backup under the id that it has elsewhere. The caller holds the set's lock.

        What is complete of it stays for the next run if this one is killed, or fails for a reason that may pass. The
        caller has named the id as `continued`.

        :param sizes: of all files that will be written, by path; each lies in one piece, whatever its size. Empty, if
            they are not known before: then nothing is gone on with.
        """

    def drop_copies(self, name: str, backup_ids: Collection[str]) -> list[str]:
        """Remove what interrupted copies left of backups that will not be copied; the caller holds the lock. Returns
        notes. Where another run may still be writing, it goes later, by itself."""

    def bytes_of_copy(self, name: str, backup_id: str) -> int:
        """The bytes that an interrupted copy left of a backup that is not listed, where free space is known."""

    def remove(self, name: str, backup_id: str) -> Removal:
        """Remove a backup in one visible step; the caller holds the lock."""

    def locked_until(self, name: str, backup_id: str) -> Optional[datetime]:
        """Until when nobody can remove this backup; None: it can be removed."""

    def extend_locks(self, name: str, kept: Sequence[str]) -> list[str]:
        """See to it that these backups stay locked, where backups are. The caller holds the lock.

        Returns a sentence for each thing that went wrong.
        """

    def lock(
        self, name: str, verb: str, timeout: float, continued: Collection[str] = ()
    ) -> AbstractContextManager[list[str]]:
        """The only writer of a set while the block runs. Gives notes on what earlier runs left, which is removed.
        Leaving the block without a backup in the set leaves nothing that `sets` would show.

        :param continued: ids of backups that may be copied in the block: what interrupted copies left of them stays.
            That of others may stay for a while, too.

        Raises LockTimeout, naming the holder.
        """

    def read_state(self, name: str, document: str) -> dict[str, Any]:
        """The JSON mapping with this name, or {} if it is missing or damaged: state can always be recreated."""

    def write_state(self, name: str, document: str, value: dict[str, Any]) -> None:
        """Replace it atomically. The caller holds the lock."""

    def put_anchor(self, host: str, name: str, data: bytes) -> bool:
        """Write the head of a journal of evidence, once (anchors.py). False: that name has another content.

        Raises RepositoryError, also where there is no repository yet.
        """

    def anchors(self, host: str) -> Iterator[tuple[str, bytes]]:
        """All anchors of a host, by name. Nothing of them has been checked."""


def continues_later(kind: object) -> bool:
    """Whether a copy that ends with this kind of error may go on in a later run. After a lost lock, another one may
    have begun to."""
    return isinstance(kind, type) and issubclass(kind, (Unreachable, Cancelled, LeaseLost))
