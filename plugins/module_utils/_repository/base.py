# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every kind of repository answers. It keeps bytes under names; formats are the manifest's business."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Optional, Protocol


class Staging(Protocol):
    """A backup in the making; nobody sees it until it is published. Leaving the block unpublished removes it."""

    scratch: str  # an empty local directory with room for native copies, removed with the staging

    def create(self, path: str) -> BinaryIO:
        """A new file, to be written by whoever has its descriptor."""

    def reopen(self, path: str) -> BinaryIO:
        """What was written, durable and read from where it lies rather than from a cache."""

    def publish(self, backup_id: str, manifest: bytes, sums: bytes) -> bool:
        """Make it a backup, completely or not at all. False: the id is taken."""

    def __enter__(self) -> Staging: ...

    def __exit__(self, *exc: object) -> None: ...


class Repository(Protocol):
    """Where backups are kept: one directory (or prefix) a set."""

    location: str

    def check_writable(self, name: str) -> None:
        """Raise RepositoryError when no backup of this set could be written; create nothing."""

    def trouble(self) -> str:
        """Why there is nothing to look at, as the end of a sentence that begins with the location; "" if there is."""

    def free_bytes(self) -> int:
        """Bytes that may still be written."""

    def sets(self) -> list[str]:
        """The names of all sets that have backups, or that can't be looked at."""

    def ids(self, name: str) -> list[str]:
        """The ids of a set's backups, oldest first. Names that are no ids are ignored."""

    def path(self, name: str, backup_id: str) -> str:
        """Where a person finds the backup."""

    def read(self, name: str, backup_id: str, path: str) -> bytes:
        """A small file's content (manifest.json, SHA256SUMS)."""

    def size(self, name: str, backup_id: str, path: str) -> Optional[int]:
        """A file's size; None: it is not there or not a regular file."""

    def open(self, name: str, backup_id: str, path: str) -> BinaryIO:
        """A data file, to be read."""

    def foreign(self, name: str, backup_id: str, known: Sequence[str]) -> list[str]:
        """Paths of files in the backup that are not among the known."""

    def hold(self, name: str, backup_id: str) -> AbstractContextManager[None]:
        """While the block runs, `remove` leaves this backup alone."""

    def stage(self, name: str) -> Staging:
        """Begin a backup. The caller holds the set's lock."""

    def remove(self, name: str, backup_id: str) -> Optional[list[str]]:
        """Remove a backup in one visible step; the caller holds the lock.

        Returns a sentence for what could not be removed of it and is a leftover now; None: somebody is reading it.
        """

    def lock(self, name: str, verb: str, timeout: float) -> AbstractContextManager[list[str]]:
        """The only writer of a set while the block runs. Gives notes on what earlier runs left.
        Leaving the block without a backup in the set leaves no set.

        Raises LockTimeout, naming the holder.
        """

    def read_state(self, name: str, document: str) -> dict[str, Any]:
        """A JSON mapping beside the backups; {} when it is missing or damaged: it can always be made again."""

    def write_state(self, name: str, document: str, value: dict[str, Any]) -> None:
        """Replace it atomically. The caller holds the lock."""
