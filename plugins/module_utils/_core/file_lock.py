# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock for a file that will be changed, held in a file beside it."""

from __future__ import annotations

import contextlib
import fcntl
import os

from .errors import Day2Error
from .files import PREPARED, check_regular, shortened


class FileLock:
    """The lock of `path`. It ends with the process, even if killed; the lock file of a killed process is reused."""

    def __init__(self, path: str) -> None:
        directory, name = os.path.split(os.path.abspath(path))
        self.path = os.path.join(directory, f"{PREPARED}{shortened(name)}.lock")
        self._fd = -1

    def check(self, kind: type[Day2Error]) -> None:
        """Does not lock. Raises `kind` if the name belongs to something other than a lock file."""
        check_regular(self.path, kind)

    def take(self) -> bool:
        """False: another process holds the lock. Succeeds where no lock file can be created, as then the file can't be
        changed either.

        Raises OSError when the name belongs to something other than a lock file.
        """
        while self._fd < 0:
            try:
                fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                return True
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # the previous holder may have removed this file after we opened it
                if os.path.samestat(os.fstat(fd), os.stat(self.path, follow_symlinks=False)):
                    self._fd, fd = fd, -1
            except BlockingIOError:
                return False
            except FileNotFoundError:
                continue
            finally:
                if fd >= 0:
                    os.close(fd)
        return True

    def release(self) -> None:
        """Release the lock; no effect if it is not held."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
            os.close(self._fd)
            self._fd = -1
