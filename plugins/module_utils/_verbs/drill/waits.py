# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a drill waits for its repository, and for age. Data is fetched, decrypted and written in one stream, so the
time of a restore does not say which of them is slow."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from ..._core.compression.base import Readable
from ..._repository.encryption import Encryption

REPOSITORY, AGE = 0, 1


class Clock:
    """Measures how long threads wait, for the repository or for age. A moment counts once, and for the repository if
    both are waited for: then age waits, too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = [0, 0]  # threads
        self._seconds = [0.0, 0.0]
        self._since = 0.0

    @contextlib.contextmanager
    def waiting(self, which: int) -> Iterator[None]:
        """The block waits for REPOSITORY or AGE."""
        self._count(which, 1)
        try:
            yield
        finally:
            self._count(which, -1)

    def _count(self, which: int, change: int) -> None:
        with self._lock:
            now = time.monotonic()
            if any(self._waiting):
                self._seconds[REPOSITORY if self._waiting[REPOSITORY] else AGE] += now - self._since
            self._waiting[which] += change
            self._since = now

    def seconds(self) -> tuple[float, float]:
        """For the repository, and for age."""
        return self._seconds[REPOSITORY], self._seconds[AGE]


class Timed:
    """A repository that reads as another one, and measures how long its readers wait."""

    def __init__(self, repository: Any) -> None:
        self._repository = repository
        self.clock = Clock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._repository, name)

    @property
    def encryption(self) -> Encryption:
        timed = _TimedEncryption(*self._repository.encryption)
        timed.clock = self.clock
        return timed

    def open(self, name: str, backup_id: str, path: str) -> Any:
        with self.clock.waiting(REPOSITORY):
            return _TimedReader(self._repository.open(name, backup_id, path), self.clock, REPOSITORY)


class _TimedEncryption(Encryption):
    clock: Clock

    @contextlib.contextmanager
    def decrypting(self, source: Readable) -> Iterator[Readable]:
        with super().decrypting(source) as reader:
            yield _TimedReader(reader, self.clock, AGE)


class _TimedReader:
    """A stream that is read as another one."""

    def __init__(self, stream: Any, clock: Clock, which: int) -> None:
        self._stream, self._clock, self._which = stream, clock, which

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, size: int = -1) -> bytes:
        with self._clock.waiting(self._which):
            data: bytes = self._stream.read(size)
        return data
