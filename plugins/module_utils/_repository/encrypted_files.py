# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an encrypted backup: large ones each as an object of its own, small ones in packs, all under numbers."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple, Optional

from .._core import age, host_key
from .._core.compression.base import BLOCK, Compression, CorruptStream, Writable
from .._core.errors import RepositoryError, WrongIdentity
from .._core.files import os_errors
from .base import Staging
from .envelope import AGE, SUFFIX, Envelope, Marks, content_path
from .manifest import DATA, DataFile, Manifest
from .owner import owner_of
from .packs import FULL, SMALL, packed, size_in_pack, unpacked
from .pieces import Piece, digest_of
from .stored_reader import StoredReader
from .storing import BAD_DISK, Content, check_content, confirmed


class _Pack(NamedTuple):
    """A pack that was written: what it has, and where it lies."""

    object: str
    files: dict[str, tuple[int, str]]
    pieces: list[Piece]  # once it was read back


class _Kept:
    """Holds a file in memory while it is small, and begins a stream of its own when it is not."""

    def __init__(self, begin: Callable[[], Writable]) -> None:
        self._begin = begin
        self._stream: Optional[Writable] = None
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if self._stream is None:
            self._held.append(bytes(data))
            self._size += len(data)
            if self._size <= SMALL:
                return
            self._stream = self._begin()
            data, self._held = b"".join(self._held), []
        self._stream.write(data)

    @property
    def content(self) -> Optional[bytes]:
        """All of it, if it is small."""
        return b"".join(self._held) if self._stream is None else None


class EncryptedFiles:
    """Compressed, then encrypted: to the recipients, and to an identity that only this run has, to read them back."""

    def __init__(self, staging: Staging, compression: Compression, recipients: Sequence[str]) -> None:
        self.staging = staging
        self.compression = compression
        self._recipients = recipients
        self._identity, own = age.throw_away()
        self._to = (*recipients, own)
        self._number = 0
        self._objects: dict[str, str] = {}  # of large files, by path
        self._waiting: list[tuple[str, bytes]] = []
        self._size = 0
        self._packs: list[_Pack] = []
        self._sealed: list[Piece] = []

    def path(self, folder: str, name: str) -> str:
        return f"{folder}/{name}"

    @contextlib.contextmanager
    def file(self, path: str) -> Iterator[Writable]:
        with contextlib.ExitStack() as stack:
            kept = _Kept(lambda: self._begin(stack, path))
            yield kept
        content = kept.content
        if content is not None:
            self._waiting.append((path, content))
            self._size += size_in_pack(path, content)
            if self._size >= FULL:
                self._store_pack()

    def _begin(self, stack: contextlib.ExitStack, path: str) -> Writable:
        self._objects[path] = self._next("")
        return stack.enter_context(self._writing(self._objects[path]))

    def _next(self, kind: str) -> str:
        self._number += 1
        return f"{DATA}/{self._number:06d}{kind}{self.compression.suffix}{SUFFIX}"

    @contextlib.contextmanager
    def _writing(self, path: str) -> Iterator[Writable]:
        with os_errors(RepositoryError, "Can't write to the repository", path):
            with self.staging.create(path) as handle:
                with age.encrypting(self._to, handle.fileno()) as plain:
                    with self.compression.writer(plain) as target:
                        yield target

    def _store_pack(self) -> None:
        files, self._waiting, self._size = self._waiting, [], 0
        if files:
            pack = self._next(".tar")
            with self._writing(pack) as target:
                target.write(packed(files))
            known = {path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in files}
            self._packs.append(_Pack(pack, known, []))

    def discard(self, path: str) -> None:
        self._waiting = [one for one in self._waiting if one[0] != path]  # in a pack it stays, and nothing refers to it
        self._size = sum(size_in_pack(*one) for one in self._waiting)
        if path in self._objects:
            self.staging.discard(self._objects.pop(path))

    def seal(self, content: Content, advance: Callable[[int], None]) -> DataFile:
        self._store_pack()
        if content.path in self._objects:
            pieces = self._read_back(content._replace(path=self._objects[content.path]), content, advance)
            return _data_file(content, pieces, packed_with_others=False)
        pack = next(one for one in self._packs if content.path in one.files)
        if not pack.pieces:
            pack.pieces.extend(self._check_pack(pack))
        if pack.files[content.path] != (content.bytes, content.sha256):
            raise RepositoryError(f"{content.path} differs from what was written.", BAD_DISK)
        advance(content.bytes)
        return _data_file(content, pack.pieces, packed_with_others=True)

    def _read_back(self, object_: Content, content: Content, advance: Callable[[int], None]) -> list[Piece]:
        names = self.staging.seal(object_.path)
        known = confirmed(self.staging, names)
        if known is not None:
            self._sealed += known
            return known
        with self._reading(object_.path, names) as stored:
            with age.decrypting(self._identity, stored) as source:
                check_content(source, self.compression, content, advance, stored)
        self._sealed += stored.pieces
        return stored.pieces

    @contextlib.contextmanager
    def _reading(self, path: str, names: Sequence[str]) -> Iterator[StoredReader]:
        with contextlib.closing(StoredReader(names, self.staging.reopen)) as stored:
            try:
                yield stored
            except (CorruptStream, WrongIdentity) as exc:
                raise RepositoryError(f"{path} can't be read back after writing: {exc.message}.", BAD_DISK) from exc

    def _check_pack(self, pack: _Pack) -> list[Piece]:
        names = self.staging.seal(pack.object)
        known = confirmed(self.staging, names)
        if known is not None:
            self._sealed += known
            return known
        data, pieces = self._whole(pack.object, names)
        found = {path: (len(one), hashlib.sha256(one).hexdigest()) for path, one in unpacked(data).items()}
        if found != pack.files:
            raise RepositoryError(f"{pack.object} differs when it is read back after writing.", BAD_DISK)
        return pieces

    def _whole(self, path: str, names: Sequence[str]) -> tuple[bytes, list[Piece]]:
        """A small object, decrypted, and the pieces that it lies in."""
        with self._reading(path, names) as stored:
            with age.decrypting(self._identity, stored) as source, self.compression.reader(source) as reader:
                data = b"".join(iter(lambda: reader.read(BLOCK), b""))
        self._sealed += stored.pieces
        return data, stored.pieces

    def enclose(self, manifest: Manifest) -> Manifest:
        """Encrypt the manifest, and give what remains outside of it."""
        path = content_path(self.compression.name)
        inside = manifest._replace(encryption=AGE)
        document = inside.to_json()
        with self._writing(path) as target:
            target.write(document)
        if self._whole(path, self.staging.seal(path))[0] != document:
            raise RepositoryError(f"{path} differs when it is read back after writing.", BAD_DISK)
        key = host_key.made()
        marks = Marks(manifest.id, key)
        migration = manifest.sources[0].details.get("migration") or {}
        envelope = Envelope(
            key=marks.key(),
            owner=marks.owner(manifest.host),
            paths=tuple(sorted(map(marks.path, owner_of(manifest).paths))),
            tags=tuple(sorted(marks.tag(tag) for tag in manifest.tags)),
            same=marks.same([part.identity() for part in manifest.sources]),
            recipients=marks.recipients(self._recipients),
            number=migration.get("number"),
            objects=tuple(sorted(self._sealed)),
            series=tuple(sorted(marks.series(manifest.set, manifest.host, one) for one in owner_of(manifest).paths)),
            copy_of=None if manifest.copy_of is None else marks.copy_of(manifest.copy_of),
        )
        outside = inside._replace(envelope=envelope)
        seal = marks.seal({**outside.outside(), **envelope.to_document()})
        return outside._replace(envelope=envelope._replace(seal=seal))


def _data_file(content: Content, pieces: Sequence[Piece], *, packed_with_others: bool) -> DataFile:
    return DataFile(
        content.path,
        sum(one.bytes for one in pieces),
        digest_of(pieces),
        content.bytes,
        content.sha256,
        tuple(pieces),
        packed_with_others,
    )
