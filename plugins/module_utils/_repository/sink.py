# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The destination of a snapshot: a backup that is being made or, in check mode, only a digest."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

from .._core.behind import Behind
from .._core.compression.base import BLOCK, Compression, CorruptStream, Writable
from .._core.errors import RepositoryError
from .._core.files import from_os_error, os_errors
from .._core.progress import Progress
from .base import Staging
from .manifest import DATA, DataFile, key_of
from .pieces import StoredReader, hashing


class HashingWriter:
    """Counts, hashes and writes what passes through; large pieces in a thread, while the next one is read."""

    def __init__(self, target: Writable, path: str, progress: Progress) -> None:
        self._target = target
        self._path = path
        self._progress = progress
        self._hash = hashlib.sha256()
        self._behind = Behind()
        self.bytes = 0

    def __enter__(self) -> HashingWriter:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_exc: object) -> None:
        try:
            if kind is None:
                self._behind.wait()
        finally:
            self._behind.close()

    def write(self, data: bytes) -> None:
        self._behind.call(self._write, data)
        self.bytes += len(data)
        self._progress.advance(len(data))

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        try:
            self._target.write(data)
        except OSError as exc:  # here, errors in writing can be distinguished from errors in reading the store
            raise from_os_error(exc, RepositoryError, "Can't write to the repository", self._path) from exc

    def sha256(self) -> str:
        """The digest of what was written, at the end."""
        return self._hash.hexdigest()


class _Nowhere:
    def write(self, data: bytes) -> None:
        """Only update the digests."""


class DigestSink:
    """Stores nothing: check mode runs the same code to determine what a run would write."""

    def __init__(self, scratch: str, progress: Progress) -> None:
        self.scratch = scratch
        self.progress = progress
        self.strict = False
        self._sizes: dict[str, int] = {}

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[HashingWriter]:
        with HashingWriter(_Nowhere(), name, self.progress) as writer:
            yield writer
        self._sizes[name] = writer.bytes

    def discard(self, name: str) -> None:
        self._sizes.pop(name, None)

    @property
    def bytes(self) -> int:
        """Bytes of the content that was written."""
        return sum(self._sizes.values())


class CountingSink(DigestSink):
    """Stores nothing and counts the bytes that a run would store."""

    def __init__(self, scratch: str, compression: Compression, progress: Progress) -> None:
        super().__init__(scratch, progress)
        self._stored: dict[str, int] = {}
        self._compression = compression

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[HashingWriter]:
        with ThreadPoolExecutor(1) as pool:
            reading, writing = os.pipe()
            counted = pool.submit(_count, reading)
            try:
                with self._compression.writer(writing) as target:
                    with HashingWriter(target, name, self.progress) as writer:
                        yield writer
            finally:
                os.close(writing)
            self._stored[name] = counted.result()
        self._sizes[name] = writer.bytes

    def discard(self, name: str) -> None:
        super().discard(name)
        self._stored.pop(name, None)

    @property
    def stored(self) -> int:
        """Bytes that a run would store."""
        return sum(self._stored.values())


def _count(fd: int) -> int:
    total = 0
    try:
        for data in iter(lambda: os.read(fd, BLOCK), b""):
            total += len(data)
    finally:
        os.close(fd)
    return total


class StagingSink:
    """Compresses and writes the files of one source; `seal` reads them back once it is known that they are wanted."""

    def __init__(self, staging: Staging, folder: str, compression: Compression, progress: Progress) -> None:
        self.scratch = os.path.join(staging.scratch, folder or DATA)
        self.progress = progress
        self.strict = False
        self._written: list[tuple[str, HashingWriter]] = []
        self._staging = staging
        self._folder = DATA if not folder else f"{DATA}/{folder}"
        self._compression = compression
        with os_errors(RepositoryError, "Can't write to the repository", self.scratch):
            os.mkdir(self.scratch, 0o700)

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[HashingWriter]:
        path = self._path(name)
        with os_errors(RepositoryError, "Can't write to the repository", path):
            with self._staging.create(path) as handle:
                with self._compression.writer(handle.fileno()) as target:
                    with HashingWriter(target, path, self.progress) as writer:
                        yield writer
        self._written.append((path, writer))

    def discard(self, name: str) -> None:
        path = self._path(name)
        self._written = [one for one in self._written if one[0] != path]
        self._staging.discard(path)

    def _path(self, name: str) -> str:
        stored = name if self._staging.id is None else key_of(name)
        return f"{self._folder}/{stored}{self._compression.suffix}"

    @property
    def bytes(self) -> int:
        """Bytes of the content that was written."""
        return sum(writer.bytes for _path, writer in self._written)

    def seal(self) -> tuple[DataFile, ...]:
        """Complete what was written, and read it back: what the manifest says of it."""
        return tuple(self._read_back(path, writer) for path, writer in self._written)

    def _read_back(self, path: str, written: HashingWriter) -> DataFile:
        """A backup is one only when it has been read: decompress the file from where it lies and compare."""
        self.progress.start(f"Reading back {path}", written.bytes, "bytes")
        with contextlib.closing(StoredReader(self._staging.seal(path), self._staging.reopen)) as stored:
            try:
                with self._compression.reader(stored) as reader:
                    content = hashing(reader, stored)
                    for data in iter(lambda: content.read(BLOCK), b""):
                        self.progress.advance(len(data))
            except CorruptStream as exc:
                raise RepositoryError(f"{path} can't be read back after writing: {exc}.", BAD_DISK) from exc
        if (content.bytes, content.sha256()) != (written.bytes, written.sha256()):
            raise RepositoryError(f"{path} differs when it is read back after writing.", BAD_DISK)
        pieces = tuple(stored.pieces) if len(stored.pieces) > 1 else ()
        return DataFile(path, stored.bytes, stored.sha256(), content.bytes, content.sha256(), pieces)


BAD_DISK = "Nothing was published. Check the disk and the memory of the host of the repository."
