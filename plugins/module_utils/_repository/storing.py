# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the files of a backup are stored: each as a file of its own, compressed. Encrypted ones are elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple, Optional, Protocol

from .._core.compression.base import BLOCK, Compression, CorruptStream, Readable, Writable
from .._core.errors import RepositoryError
from .._core.files import os_errors
from .base import Staging
from .manifest import DataFile, Manifest
from .pieces import Piece, digest_of, key_of
from .stored_reader import StoredReader, hashing

BAD_DISK = "Nothing was published. Check the disk and the memory of the host of the repository."


class Content(NamedTuple):
    """A file as a store has given it."""

    path: str
    bytes: int
    sha256: str


class Files(Protocol):
    """The files of a backup that is being made."""

    staging: Staging
    compression: Compression

    def path(self, folder: str, name: str) -> str:
        """What a file is called in the manifest."""

    def file(self, path: str) -> contextlib.AbstractContextManager[Writable]:
        """Write a file."""

    def discard(self, path: str) -> None:
        """Forget a file that was written."""

    def seal(self, content: Content, advance: Callable[[int], None]) -> DataFile:
        """Complete a file, and read it back from where it lies. Raises RepositoryError when it is not what was
        written."""

    def enclose(self, manifest: Manifest) -> Manifest:
        """Store what the manifest of the backup does not have room for, or must not show."""


class PlainFiles:
    """Compressed, under their names."""

    def __init__(self, staging: Staging, compression: Compression) -> None:
        self.staging = staging
        self.compression = compression

    def path(self, folder: str, name: str) -> str:
        stored = name if self.staging.id is None else key_of(name)
        return f"{folder}/{stored}{self.compression.suffix}"

    @contextlib.contextmanager
    def file(self, path: str) -> Iterator[Writable]:
        with os_errors(RepositoryError, "Can't write to the repository", path):
            with self.staging.create(path) as handle:
                with self.compression.writer(handle.fileno()) as target:
                    yield target

    def discard(self, path: str) -> None:
        self.staging.discard(path)

    def seal(self, content: Content, advance: Callable[[int], None]) -> DataFile:
        names = self.staging.seal(content.path)
        pieces = confirmed(self.staging, names)
        if pieces is None:
            with contextlib.closing(StoredReader(names, self.staging.reopen)) as stored:
                check_content(stored, self.compression, content, advance, stored)
            pieces = stored.pieces
        parts = tuple(pieces) if len(pieces) > 1 else ()
        size = sum(one.bytes for one in pieces)
        return DataFile(content.path, size, digest_of(pieces), content.bytes, content.sha256, parts)

    def enclose(self, manifest: Manifest) -> Manifest:
        return manifest


def confirmed(staging: Staging, names: Sequence[str]) -> Optional[list[Piece]]:
    """The pieces of a file, if none of them must be read back."""
    pieces = [staging.confirm(name) for name in names]
    known = [piece for piece in pieces if piece is not None]
    return known if len(known) == len(pieces) else None


def check_content(
    source: Readable,
    compression: Compression,
    content: Content,
    advance: Callable[[int], None],
    stored: StoredReader,
) -> None:
    """Read back what was written, to its end. Raises RepositoryError unless it has this content.

    :param source: what is to be decompressed: `stored`, or what comes out of it.
    """
    try:
        with compression.reader(source) as reader:
            found = hashing(reader, stored)
            for data in iter(lambda: found.read(BLOCK), b""):
                advance(len(data))
    except CorruptStream as exc:
        raise RepositoryError(f"{content.path} can't be read back after writing: {exc}.", BAD_DISK) from exc
    if (found.bytes, found.sha256()) != (content.bytes, content.sha256):
        raise RepositoryError(f"{content.path} differs when it is read back after writing.", BAD_DISK)
