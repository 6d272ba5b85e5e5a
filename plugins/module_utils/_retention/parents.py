# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directories that entries are removed from: locked, and made durable, once for many entries that follow."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Optional

from .._core.errors import LockTimeout
from .._core.secure_directory import SecureDirectory

_LONGEST = 1.0  # seconds; then others have a chance, and what was removed is durable


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
        """The directory, open and locked. Raises LockTimeout (after the first time without waiting), Day2Error."""
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
        """Make what was removed durable, and let others in. Raises Day2Error."""
        directory, self._open = self._open, None
        if directory is not None:
            with directory, directory.errors("Can't make durable", ""):
                directory.sync()
