# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads backups, in a repository or elsewhere: loads and verifies them, and passes them to a restore."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from .._core.collection import Collection
from .._core.compression import usable
from .._core.compression.base import BLOCK, CorruptStream
from .._core.errors import DamagedBackup, RepositoryError, Unreachable, WrongIdentity
from .._core.progress import Progress
from .base import Listed, Repository
from .encryption import NOT_ENCRYPTED, Encryption
from .manifest import MANIFEST, PLAIN, SUMS, DataFile, Manifest, SourcePart, parse
from .pieces import Piece, name_of

if TYPE_CHECKING:
    from .stored_reader import StoredReader

Problem = dict[str, str]  # path, problem

_LARGEST = 64 << 20  # of a manifest, which is read into memory: some hundred thousand files or collections


def load(listed: Listed, encryption: Encryption = NOT_ENCRYPTED) -> Manifest:
    """The manifest of a backup; of an encrypted one, all of it if the identity is one of its recipients'. Raises
    DamagedBackup when it is not valid.
    """
    manifest = parse(listed.id, *read_documents(listed))
    if manifest.envelope is None:
        return manifest
    from .opening import check_seal, opened  # only here: see _stores/registry.py

    check_seal(manifest)
    return opened(manifest, listed, encryption)


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
    """The problems that are found by reading every byte: as stored and decompressed, or, of an encrypted backup that
    could not be opened, as stored."""
    problems = quick_problems(repository.look(name, manifest.id), manifest)
    size = manifest.size if manifest.opened else manifest.stored_size
    progress.start(f"Verifying {name}/{manifest.id}", size, "bytes")
    bad = {problem["path"] for problem in problems}
    packs = Packs(repository, name, manifest)
    for one in manifest.files:
        if bad.isdisjoint({one.path, *(piece.path for piece in one.stored)}):
            try:
                with open_data(packs, one, progress) as reader:
                    while reader.read(BLOCK):
                        pass
            except DamagedBackup as exc:
                problems.extend(problem for problem in exc.problems if problem not in problems)
    read = {piece.path for one in manifest.files for piece in one.stored}
    for piece in manifest.objects:
        if piece.path not in bad | read:
            problems += _stored_problems(repository, name, manifest, piece, progress)
    return problems


def _stored_problems(
    repository: Repository, name: str, manifest: Manifest, piece: Piece, progress: Progress
) -> list[Problem]:
    """Of an object that can't be decrypted here."""
    try:
        with contextlib.closing(_stored(repository, name, manifest, [piece])) as stored:
            for data in iter(lambda: stored.read(BLOCK), b""):
                progress.advance(len(data))
    except DamagedBackup as exc:
        return exc.problems
    return []


def _stored(repository: Repository, name: str, manifest: Manifest, pieces: Sequence[Piece]) -> StoredReader:
    """Reads objects one after another, and raises DamagedBackup at the end of one that is not as it was written."""
    from .stored_reader import StoredReader  # only here: see _stores/registry.py

    expected = {piece.path: piece for piece in pieces}

    def opened_object(path: str) -> BinaryIO:
        return open_piece(repository, name, manifest.id, path)

    def ended(piece: Piece) -> None:
        problem = difference(piece, expected[piece.path])
        if problem:
            raise DamagedBackup(manifest.id, [{"path": piece.path, "problem": problem}])

    return StoredReader(list(expected), opened_object, ended)


@contextlib.contextmanager
def _content(
    repository: Repository, name: str, manifest: Manifest, pieces: Sequence[Piece]
) -> Iterator[tuple[StoredReader, Any]]:
    """What is stored in objects, and what it is decrypted and decompressed."""
    with contextlib.ExitStack() as stack:
        stored = stack.enter_context(contextlib.closing(_stored(repository, name, manifest, pieces)))
        source: Any = stored
        if manifest.envelope is not None:
            source = stack.enter_context(repository.encryption.decrypting(stored))
        yield stored, stack.enter_context(usable(manifest.compression).reader(source))


@contextlib.contextmanager
def open_data(packs: Packs, one: DataFile, progress: Progress) -> Iterator[_VerifiedReader]:
    """The content of a data file. The reader of the block raises DamagedBackup rather than return a wrong end."""
    repository, name, manifest = packs.where
    if one.packed:
        yield _VerifiedReader(manifest.id, one, io.BytesIO(), io.BytesIO(packs.read(one)), progress)
        return
    with _content(repository, name, manifest, one.stored) as (stored, reader):
        yield _VerifiedReader(manifest.id, one, stored, reader, progress)


class Packs:
    """The packs of a backup. The last one is remembered, as its files are usually read one after another."""

    def __init__(self, repository: Repository, name: str, manifest: Manifest) -> None:
        self.where = (repository, name, manifest)
        self._pieces: tuple[Piece, ...] = ()
        self._files: dict[str, bytes] = {}

    def read(self, one: DataFile) -> bytes:
        """The content of a file. Raises DamagedBackup."""
        if one.stored != self._pieces:
            self._files, self._pieces = self._read(one.stored), one.stored
        try:
            return self._files[one.path]
        except KeyError:
            raise self._damaged(one.stored, f"{one.path} is missing in it") from None

    def _read(self, pieces: Sequence[Piece]) -> dict[str, bytes]:
        from .packs import LARGEST, unpacked  # only here: see _stores/registry.py

        data = bytearray()
        try:
            with _content(*self.where, pieces) as (_stored_reader, reader):
                for block in iter(lambda: reader.read(BLOCK), b""):
                    data += block
                    if len(data) > LARGEST:
                        raise self._damaged(pieces, f"it has more than {LARGEST} bytes")
            return unpacked(bytes(data))
        except (CorruptStream, WrongIdentity) as exc:
            raise self._damaged(pieces, exc.message) from exc

    def _damaged(self, pieces: Sequence[Piece], problem: str) -> DamagedBackup:
        return DamagedBackup(self.where[2].id, [{"path": pieces[0].path, "problem": problem}])


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

    def __init__(self, backup_id: str, one: DataFile, stored: Any, reader: Any, progress: Progress) -> None:
        from .stored_reader import hashing  # only here: see _stores/registry.py

        self._id = backup_id
        self._file = one
        self._stored = stored
        self._content = hashing(reader, stored)
        self._progress = progress

    def read(self, size: int) -> bytes:
        try:
            data = self._content.read(size)
        except (CorruptStream, WrongIdentity) as exc:
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
            raise self._damaged("it is followed by other data")
        content = (self._content.bytes, self._content.sha256())
        if content != (self._file.content_bytes, self._file.content_sha256):
            raise self._damaged("its decompressed content differs from the manifest")

    def _damaged(self, problem: str) -> DamagedBackup:
        path = self._file.stored[0].path if self._file.parts else self._file.path
        return DamagedBackup(self._id, [{"path": path, "problem": problem}])


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
        self._packs = Packs(repository, name, manifest)
        folder = "" if len(manifest.sources) == 1 else part.name
        self._files = {self.name_of_file(one, folder, manifest): one for one in part.files}

    @staticmethod
    def name_of_file(one: DataFile, folder: str, manifest: Manifest) -> str:
        name = one.path.split("/", 2 if folder else 1)[-1]
        if manifest.envelope is not None:
            return name
        suffix = usable(manifest.compression).suffix
        name = name[: -len(suffix)] if suffix and name.endswith(suffix) else name
        return name if manifest.version == PLAIN else name_of(name)

    def names(self) -> Sequence[str]:
        return list(self._files)

    def open(self, name: str) -> contextlib.AbstractContextManager[_VerifiedReader]:
        if name not in self._files:
            _repository, _name, manifest = self._packs.where
            raise DamagedBackup(manifest.id, [{"path": name, "problem": "the manifest does not list it"}])
        return open_data(self._packs, self._files[name], self.progress)
