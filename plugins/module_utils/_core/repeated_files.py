# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads files of a backup more than once. What was verified at the first time must be the same afterwards.

A reader raises DamagedBackup at the end at the latest, so that what comes before may be the beginning of a damaged
file. Of a file that has been read to its end once, nothing is returned any more that is not what was verified: somebody
may have written to the repository meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Callable, Protocol

from .errors import DamagedBackup

_BLOCK = 1 << 20


class Reader(Protocol):
    """A verified reader of a file."""

    def read(self, size: int) -> bytes: ...


class RepeatedFiles:
    """
    :param opened: opens a file by its name.
    """

    def __init__(self, opened: Callable[[str], AbstractContextManager[Reader]]) -> None:
        self._opened = opened
        self._known: dict[str, list[bytes]] = {}

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Reader]:
        """Read a file."""
        with self._opened(name) as reader:
            known = self._known.get(name)
            if known is not None:
                yield _Again(reader, known, name)
                return
            first = _First(reader)
            yield first
            if first.ended:
                self._known[name] = first.digests


class _First:
    """Remembers the digest of each block."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._hash = hashlib.sha256()
        self._left = _BLOCK
        self.digests: list[bytes] = []
        self.ended = False

    def read(self, size: int) -> bytes:
        data = self._reader.read(size)
        view = memoryview(data)
        while len(view) >= self._left:
            self._hash.update(view[: self._left])
            view = view[self._left :]
            self._end_block()
        self._hash.update(view)
        self._left -= len(view)
        if not data and not self.ended:
            self.ended = True
            if self._left < _BLOCK:
                self._end_block()
        return data

    def _end_block(self) -> None:
        self.digests.append(self._hash.digest())
        self._hash, self._left = hashlib.sha256(), _BLOCK


class _Again:
    """Returns only what was there before."""

    def __init__(self, reader: Reader, known: list[bytes], name: str) -> None:
        self._reader = reader
        self._known = iter(known)
        self._name = name
        self._block = memoryview(b"")

    def read(self, size: int) -> bytes:
        if not self._block:
            self._block = memoryview(self._next())
        data, self._block = bytes(self._block[:size]), self._block[size:]
        return data

    def _next(self) -> bytes:
        parts, left = [], _BLOCK
        while left:
            data = self._reader.read(left)
            if not data:
                break
            parts.append(data)
            left -= len(data)
        block = b"".join(parts)
        known = next(self._known, None)
        if (hashlib.sha256(block).digest() if block else None) != known:
            problem = "it has changed since it was verified"
            raise DamagedBackup("that is restored", [{"path": self._name, "problem": problem}])
        return block
