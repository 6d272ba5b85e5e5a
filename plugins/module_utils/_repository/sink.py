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
from .._core.compression.base import BLOCK, Compression, Writable
from .._core.errors import RepositoryError
from .._core.files import from_os_error, os_errors
from .._core.progress import Progress
from .manifest import DATA, DataFile
from .storing import Content, Files


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
        self.dry = True
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
    """Writes the files of one source; `seal` reads them back once it is known that they are wanted."""

    def __init__(self, files: Files, folder: str, progress: Progress) -> None:
        self.scratch = os.path.join(files.staging.scratch, folder or DATA)
        self.progress = progress
        self.strict = False
        self.dry = False
        self._written: list[tuple[str, HashingWriter]] = []
        self._files = files
        self._folder = DATA if not folder else f"{DATA}/{folder}"
        with os_errors(RepositoryError, "Can't write to the repository", self.scratch):
            os.mkdir(self.scratch, 0o700)

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[HashingWriter]:
        path = self._files.path(self._folder, name)
        with self._files.file(path) as target, HashingWriter(target, path, self.progress) as writer:
            yield writer
        self._written.append((path, writer))

    def discard(self, name: str) -> None:
        path = self._files.path(self._folder, name)
        self._written = [one for one in self._written if one[0] != path]
        self._files.discard(path)

    @property
    def bytes(self) -> int:
        """Bytes of the content that was written."""
        return sum(writer.bytes for _path, writer in self._written)

    def seal(self) -> tuple[DataFile, ...]:
        """Complete what was written, and read it back: what the manifest says of it. A backup is one only when it has
        been read."""
        return tuple(self._sealed(path, writer) for path, writer in self._written)

    def _sealed(self, path: str, written: HashingWriter) -> DataFile:
        self.progress.start(f"Reading back {path}", written.bytes, "bytes")
        return self._files.seal(Content(path, written.bytes, written.sha256()), self.progress.advance)
