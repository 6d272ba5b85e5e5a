# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill of the drill: it reads the backup with one bit changed, and must find that."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Callable

from ..._core.errors import InvalidRequest
from ..._repository.manifest import Manifest
from ..._repository.pieces import Piece

_BLOCK = 1 << 20


class Damaging:
    """A repository that reads as another one, except for one bit in the middle of the largest file of a backup.

    Nothing is stored: only what this process reads is damaged.
    """

    def __init__(self, repository: Any, manifest: Manifest) -> None:
        self._repository = repository
        self._id = manifest.id
        self.victim = largest(manifest)
        self._others = {name for one in manifest.files for name in (one.path, *(piece.path for piece in one.stored))}
        self._others -= {
            name for one in manifest.files if self.victim in one.stored for name in (one.path, self.victim.path)
        }
        self._set = ""
        self.reached = False  # whether a reader got the changed byte

    def __getattr__(self, name: str) -> Any:
        return getattr(self._repository, name)

    def open(self, name: str, backup_id: str, path: str) -> BinaryIO:
        handle: BinaryIO = self._repository.open(name, backup_id, path)
        if (backup_id, path) != (self._id, self.victim.path):
            return handle
        self._set = name
        return io.BufferedReader(_Flipped(handle, self.victim.bytes // 2, self._note))

    def _note(self) -> None:
        self.reached = True

    def is_found(self, problems: Sequence[Mapping[str, str]]) -> bool:
        """Whether problems are those that this damage causes, and the backup itself is as it was written there."""
        if not self.reached or any(one["path"] in self._others for one in problems):
            return False
        digest = hashlib.sha256()
        with contextlib.closing(self._repository.open(self._set, self._id, self.victim.path)) as handle:
            for data in iter(lambda: handle.read(_BLOCK), b""):
                digest.update(data)
        return digest.hexdigest() == self.victim.sha256


def largest(manifest: Manifest) -> Piece:
    """The largest stored file of a backup with data. Raises InvalidRequest."""
    pieces: Sequence[Piece] = [piece for one in manifest.files for piece in one.stored if piece.bytes]
    if not pieces:
        raise InvalidRequest(f"Backup {manifest.id} has no data that could be damaged.", "Omit negative.")
    return max(pieces, key=lambda piece: (piece.bytes, piece.path))


class _Flipped(io.RawIOBase):
    """A stream with the lowest bit of one byte changed."""

    def __init__(self, handle: BinaryIO, at: int, note: Callable[[], None]) -> None:
        self._handle, self._at, self._read, self._note = handle, at, 0, note

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = bytearray(self._handle.read(len(buffer)))
        if self._read <= self._at < self._read + len(data):
            data[self._at - self._read] ^= 1
            self._note()
        self._read += len(data)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._handle.close()
        super().close()
