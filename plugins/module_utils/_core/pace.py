# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps transfers below a rate."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable

_PIECE = 65536  # bytes; what is read in larger pieces would be sent in bursts


class Pace:
    """A rate that several threads share.

    :param rate: bytes per second.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._lock = threading.Lock()
        self._due = 0.0  # when all bytes so far may have passed

    def take(self, count: int) -> None:
        """Wait until so many bytes more may have passed."""
        with self._lock:
            self._due = max(self._due, time.monotonic()) + count / self.rate
            wait = self._due - time.monotonic()
        if wait > 0:
            time.sleep(wait)


class PacedBody:
    """Bytes as a file, for a request of boto3 that reads it while it sends.

    `sending` is false while a request is prepared, which also reads it.

    :param check: is called before each piece. If it raises, the request ends.
    """

    def __init__(self, data: Any, pace: Pace, check: Callable[[], None] = lambda: None) -> None:
        self._data = memoryview(data)
        self._pace = pace
        self._check = check
        self._position = 0
        self.sending = False

    def read(self, size: int = -1) -> bytes:
        """The next bytes; fewer than asked for while sending, if that would be many."""
        end = len(self._data) if size is None or size < 0 else self._position + size
        if self.sending:
            self._check()
            end = min(end, self._position + _PIECE)
        data = bytes(self._data[self._position : end])
        self._position += len(data)
        if self.sending and data:
            self._pace.take(len(data))
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of a file."""
        self._position = offset + (0, self._position, len(self._data))[whence]
        return self._position

    def tell(self) -> int:
        """As of a file."""
        return self._position

    @staticmethod
    def note_preparing(request: Any, **_more: Any) -> None:
        """For boto3's event at the beginning of the preparation of a request."""
        if isinstance(request.body, PacedBody):
            request.body.sending = False

    @staticmethod
    def note_sending(request: Any, **_more: Any) -> None:
        """For its end."""
        if isinstance(request.body, PacedBody):
            request.body.sending = True
