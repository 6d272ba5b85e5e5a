# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directories that entries are removed from: locked, and synced once for many consecutive entries."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Optional

from .._core.errors import LockTimeout
from .._core.secure_directory import SecureDirectory

_LONGEST = 1.0  # seconds after which other runs get a chance, and removals are made durable


class Parents:
    """One open directory at a time; a context manager.

    :param lock_timeout: seconds to wait for another run.
    """

    def __init__(self, lock_timeout: float) -> None:
        self._timeout = lock_timeout
        self._open: Optional[SecureDirectory] = None
        self._until = 0.0
        self._locked_by_others: dict[str, LockTimeout] = {}

    def __enter__(self) -> Parents:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], where: Optional[TracebackType]
    ) -> None:
        directory, self._open = self._open, None
        if directory is not None:
            directory.close()

    def take(self, path: str) -> SecureDirectory:
        """The directory, open and locked. Raises LockTimeout when another run holds it (after the first time without
        waiting), and other Day2Errors when it can't be opened.
        """
        if path in self._locked_by_others:
            raise self._locked_by_others[path]
        if self._open is None or self._open.path != path or time.monotonic() > self._until:
            self.finish()
            directory = SecureDirectory(path)
            try:
                directory.lock(self._timeout)
            except LockTimeout as exc:
                self._locked_by_others[path] = exc
                directory.close()
                raise
            except BaseException:
                directory.close()
                raise
            self._open = directory
            self._until = time.monotonic() + _LONGEST
        return self._open

    def finish(self) -> None:
        """Make removals durable, and release the lock. Raises Day2Error when this fails."""
        directory, self._open = self._open, None
        if directory is not None:
            with directory, directory.errors("Can't sync", ""):
                directory.sync()
