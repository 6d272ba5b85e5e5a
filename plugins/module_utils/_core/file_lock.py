# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock for a file that is about to be changed, kept in a file beside it while it is held."""

from __future__ import annotations

import contextlib
import fcntl
import os

from .files import PREPARED, shortened


class FileLock:
    """The lock of `path`. It ends with the process, whatever ends that; what a killed one leaves is taken over."""

    def __init__(self, path: str) -> None:
        directory, name = os.path.split(os.path.abspath(path))
        self.path = os.path.join(directory, f"{PREPARED}{shortened(name)}.lock")
        self._fd = -1

    def take(self) -> bool:
        """False: somebody else has it. Where no file can be made, none can be changed: that is not for a lock to tell.

        :raises OSError: something that is no file of ours has the name.
        """
        while self._fd < 0:
            try:
                fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                return True
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # whoever had it may have removed this file after we opened it
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
        """May be called twice, and without `take`."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
            os.close(self._fd)
            self._fd = -1
