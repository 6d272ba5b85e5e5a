# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a stored file, piece by piece, and hashes what it reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import BinaryIO, Callable, Optional, Union

from .._core.behind import Behind
from .pieces import Piece, digest_of


class HashingReader:
    """Counts and hashes what is read through it."""

    def __init__(self, source: object) -> None:
        self._source = source
        self._hash = hashlib.sha256()
        self._behind = Behind()
        self.bytes = 0

    def read(self, size: int) -> bytes:
        data: bytes = self._source.read(size)  # type: ignore[attr-defined]
        self._behind.call(self._hash.update, data)
        self.bytes += len(data)
        return data

    def sha256(self) -> str:
        self._behind.wait()
        return self._hash.hexdigest()


class StoredReader:
    """Reads the pieces of a file one after another, and counts and hashes each.

    :param opened: opens a piece.
    :param ended: is told of each piece that was read to its end.
    """

    def __init__(
        self,
        names: Sequence[str],
        opened: Callable[[str], BinaryIO],
        ended: Callable[[Piece], None] = lambda piece: None,
    ) -> None:
        self.single = len(names) == 1
        self.bytes = 0
        self.pieces: list[Piece] = []
        self._opened = opened
        self._ended = ended
        self._waiting = list(names)
        self._handle: Optional[BinaryIO] = None
        self._reader = HashingReader(None)
        self._next()  # what can't be opened is known at once

    def read(self, size: int) -> bytes:
        while self._handle is not None:
            data = self._reader.read(size)
            self.bytes += len(data)
            if data:
                return data
            self._finish()
            self._next()
        return b""

    def sha256(self) -> str:
        """The digest of what was read, which is the file's once b"" was returned."""
        return digest_of(self.pieces) if self._handle is None else self._reader.sha256()

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _finish(self) -> None:
        piece = Piece(self._waiting[len(self.pieces)], self._reader.bytes, self._reader.sha256())
        self.pieces.append(piece)
        self.close()
        self._ended(piece)

    def _next(self) -> None:
        done = len(self.pieces)
        if done < len(self._waiting):
            self._handle = self._opened(self._waiting[done])
            self._reader = HashingReader(self._handle)


def hashing(reader: object, stored: StoredReader) -> Union[HashingReader, StoredReader]:
    """What hashes the content that comes out of a compression; without one, that is what is stored."""
    return stored if reader is stored and stored.single else HashingReader(reader)
