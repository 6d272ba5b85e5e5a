# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a file whose holes are not read: a `lastlog` of a terabyte has some kilobytes of data."""

from __future__ import annotations

import hashlib
from typing import Protocol

BLOCK = 1 << 16
_ZEROS = bytes(BLOCK)
_WHOLE = bytes(1 << 20)


class ContentHash(Protocol):
    """A digest of content that is passed without its holes."""

    def update(self, offset: int, data: bytes) -> None:
        """Add data at an offset that is not before the end of the last."""

    def hexdigest(self, size: int) -> str:
        """The digest of the whole content, `size` bytes."""


class PlainHash:
    """SHA-256 of the content, zeros included."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._position = 0

    def update(self, offset: int, data: bytes) -> None:
        self._fill(offset)
        self._digest.update(data)
        self._position += len(data)

    def hexdigest(self, size: int) -> str:
        self._fill(size)
        return self._digest.hexdigest()

    def _fill(self, offset: int) -> None:
        while self._position < offset:
            length = min(len(_WHOLE), offset - self._position)
            self._digest.update(_WHOLE[:length])
            self._position += length


class SparseHash:
    """SHA-256 over each block of 64 KiB that is not all zeros, preceded by its number, and over the size.

    (Numbers and size are 8 bytes, most significant first. The last block may be shorter.) The digest does not depend on
    where a file system has put holes.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._number = -1  # of the current block
        self._gathered = bytearray(BLOCK)

    def update(self, offset: int, data: bytes) -> None:
        done = 0
        while done < len(data):
            number, start = divmod(offset + done, BLOCK)
            part = data[done : done + BLOCK - start]
            done += len(part)
            if len(part) == BLOCK:
                self._end_block()
                self._add(number, part)
                continue
            if number != self._number:
                self._end_block()
                self._number = number
            self._gathered[start : start + len(part)] = part

    def hexdigest(self, size: int) -> str:
        self._end_block(size)
        self._digest.update(size.to_bytes(8, "big"))
        return self._digest.hexdigest()

    def _end_block(self, size: int = 1 << 63) -> None:
        if self._number >= 0:
            self._add(self._number, bytes(self._gathered[: size - self._number * BLOCK]))
            self._number, self._gathered = -1, bytearray(BLOCK)

    def _add(self, number: int, block: bytes) -> None:
        if block != _ZEROS[: len(block)]:
            self._digest.update(number.to_bytes(8, "big"))
            self._digest.update(block)


def content_hash(sparse: bool) -> ContentHash:
    """The digest for a file that is, or is not, treated as sparse."""
    return SparseHash() if sparse else PlainHash()
