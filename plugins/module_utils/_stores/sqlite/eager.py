# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that takes the lock of a database soon after it is free.

SQLite sleeps longer and longer between two attempts, up to 100 ms, so that it hardly ever meets the moments between the
transactions of an application that writes a lot.
"""

from __future__ import annotations

import time
from typing import Any

from .file import PATIENCE, is_busy, sqlite3

_PAUSE = 0.001  # seconds

_Connection: Any = sqlite3.Connection if sqlite3 is not None else object


class EagerConnection(_Connection):
    """Waits for locks in `execute`. SQLite itself should not: set busy_timeout to 0."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """As that of any connection. A statement that finds the database locked has done nothing."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                cursor: sqlite3.Cursor = super().execute(*arguments)
                return cursor
            except sqlite3.OperationalError as exc:
                if not is_busy(exc) or time.monotonic() > until:
                    raise
            time.sleep(_PAUSE)
