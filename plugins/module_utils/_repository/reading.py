# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads backups, in a repository or elsewhere: loads and verifies them, and passes them to a restore."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from .._core.collection import Collection
from .._core.compression import usable
from .._core.compression.base import BLOCK, CorruptStream
from .._core.errors import DamagedBackup, RepositoryError, Unreachable
from .._core.progress import Progress
from .base import Listed, Repository
from .manifest import MANIFEST, PLAIN, SUMS, DataFile, Manifest, SourcePart, name_of, parse
from .pieces import Piece, StoredReader, hashing

Problem = dict[str, str]  # path, problem

_LARGEST = 64 << 20  # of a manifest, which is read into memory: some hundred thousand files or collections


def load(listed: Listed) -> Manifest:
    """The manifest of a backup. Raises DamagedBackup when it is not valid."""
    return parse(listed.id, *read_documents(listed))


def read_documents(listed: Listed) -> tuple[bytes, bytes]:
    """The bytes of manifest.json and SHA256SUMS. Raises DamagedBackup when they can't be read."""
    parts = []
    for path in (MANIFEST, SUMS):
        size = listed.sizes.get(path)
        if size is not None and size > _LARGEST:
            raise DamagedBackup(listed.id, [{"path": path, "problem": f"its size of {size} bytes exceeds the limit"}])
        try:
            parts.append(listed.read(path))
        except Unreachable:
            raise
        except RepositoryError as exc:
            raise DamagedBackup(listed.id, [{"path": path, "problem": exc.message}]) from exc
    return parts[0], parts[1]


def quick_problems(listed: Listed, manifest: Manifest) -> list[Problem]:
    """The problems that names and sizes show."""
    problems = []
    for path, expected in manifest.pieces.items():
        size = listed.sizes.get(path)
        if size is None:
            problems.append({"path": path, "problem": "it is missing, or not a regular file"})
        elif size != expected:
            problems.append({"path": path, "problem": f"it has {size} bytes instead of {expected}"})
    for path in listed.sizes:
        if path not in (MANIFEST, SUMS) and path not in manifest.pieces:
            problems.append({"path": path, "problem": "it does not belong to the backup"})
    return problems


def full_problems(repository: Repository, name: str, manifest: Manifest, progress: Progress) -> list[Problem]:
    """The problems that are found by reading every byte, as stored and decompressed."""
    problems = quick_problems(repository.look(name, manifest.id), manifest)
    progress.start(f"Verifying {name}/{manifest.id}", manifest.size, "bytes")
    bad = {problem["path"] for problem in problems}
    for one in manifest.files:
        if one.path in bad:
            continue
        try:
            with open_data(repository, name, manifest, one, progress) as reader:
                while reader.read(BLOCK):
                    pass
        except DamagedBackup as exc:
            problems.extend(exc.problems)
    return problems


@contextlib.contextmanager
def open_data(
    repository: Repository, name: str, manifest: Manifest, one: DataFile, progress: Progress
) -> Iterator[_VerifiedReader]:
    """The content of a data file. The reader of the block raises DamagedBackup rather than return a wrong end."""
    expected = {piece.path: piece for piece in one.stored}

    def opened(path: str) -> BinaryIO:
        return open_piece(repository, name, manifest.id, path)

    def ended(piece: Piece) -> None:
        problem = difference(piece, expected[piece.path])
        if problem:
            raise DamagedBackup(manifest.id, [{"path": piece.path, "problem": problem}])

    with contextlib.closing(StoredReader(list(expected), opened, ended)) as stored:
        with usable(manifest.compression).reader(stored) as reader:
            yield _VerifiedReader(manifest.id, one, stored, reader, progress)


def open_piece(repository: Repository, name: str, backup_id: str, path: str) -> BinaryIO:
    """A stored object, to be read from its beginning. Raises DamagedBackup when it is not there."""
    try:
        return repository.open(name, backup_id, path)
    except Unreachable:
        raise
    except RepositoryError as exc:
        raise DamagedBackup(backup_id, [{"path": path, "problem": exc.message}]) from exc


def difference(piece: Piece, expected: Piece) -> str:
    """How an object differs from what the manifest says of it, as the end of a sentence; "" if it does not."""
    if piece.bytes != expected.bytes:
        return f"it has {piece.bytes} bytes instead of {expected.bytes}"
    if piece.sha256 != expected.sha256:
        return f"its SHA-256 is {piece.sha256} instead of {expected.sha256}"
    return ""


class _VerifiedReader:
    """Returns b"" only if size and digests, stored and decompressed, match the manifest."""

    def __init__(self, backup_id: str, one: DataFile, stored: StoredReader, reader: Any, progress: Progress) -> None:
        self._id = backup_id
        self._file = one
        self._stored = stored
        self._content = hashing(reader, stored)
        self._progress = progress

    def read(self, size: int) -> bytes:
        try:
            data = self._content.read(size)
        except CorruptStream as exc:
            raise self._damaged(exc.message) from exc
        except OSError as exc:
            raise self._damaged(f"it can't be read ({exc.strerror})") from exc
        self._progress.advance(len(data))
        if self._content.bytes > self._file.content_bytes:  # also keeps a decompression bomb from filling the disk
            raise self._damaged(
                f"it has more than the {self._file.content_bytes} bytes that are listed in the manifest"
            )
        if not data:
            self._check_end()
        return data

    def sha256(self) -> str:
        return self._content.sha256()

    def _check_end(self) -> None:
        if self._stored.read(1):  # what a decompressor left behind what it takes for the end
            raise self._damaged("it is followed by something else")
        content = (self._content.bytes, self._content.sha256())
        if content != (self._file.content_bytes, self._file.content_sha256):
            raise self._damaged("its decompressed content differs from the manifest")

    def _damaged(self, problem: str) -> DamagedBackup:
        return DamagedBackup(self._id, [{"path": self._file.path, "problem": problem}])


class BackupCopy:
    """The part of a backup that belongs to one store, as `Store.prepare` expects it."""

    def __init__(
        self, repository: Repository, name: str, manifest: Manifest, part: SourcePart, progress: Progress
    ) -> None:
        self.content_digest = part.content_digest
        self.collections: tuple[Collection, ...] = part.collections
        self.details: Mapping[str, Any] = part.details
        self.progress = progress
        self.strict = False
        self._where = (repository, name, manifest)
        folder = "" if len(manifest.sources) == 1 else part.name
        self._files = {self._name_of(one, folder, manifest): one for one in part.files}

    @staticmethod
    def _name_of(one: DataFile, folder: str, manifest: Manifest) -> str:
        name = one.path.split("/", 2 if folder else 1)[-1]
        suffix = usable(manifest.compression).suffix
        name = name[: -len(suffix)] if suffix and name.endswith(suffix) else name
        return name if manifest.version == PLAIN else name_of(name)

    def names(self) -> Sequence[str]:
        return list(self._files)

    def open(self, name: str) -> contextlib.AbstractContextManager[_VerifiedReader]:
        repository, set_name, manifest = self._where
        return open_data(repository, set_name, manifest, self._files[name], self.progress)
