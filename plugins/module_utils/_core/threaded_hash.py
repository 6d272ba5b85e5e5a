# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SHA-256 in a thread, while the next piece is read or written."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Optional

_LARGE = 1 << 18  # minimum size in bytes for which a thread pays off


class ThreadedHash:
    """SHA-256 of pieces; those that are large are hashed in a thread, which ends with this object or by `close`."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, "day2-hash")
        self._pending: Optional[Future[None]] = None

    def update(self, data: bytes) -> None:
        """The next piece, which must not change from now on."""
        self._wait()
        if len(data) >= _LARGE:
            self._pending = self._thread.submit(self._hash.update, data)
        else:
            self._hash.update(data)

    def hexdigest(self) -> str:
        """The digest of all pieces so far."""
        self._wait()
        return self._hash.hexdigest()

    def close(self) -> None:
        """End the thread. The digest remains available."""
        self._thread.shutdown()

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None
