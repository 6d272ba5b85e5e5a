# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory that does not exist yet: a plan sees an empty one, and it is created when something is put into it."""

from __future__ import annotations

import errno
import os
import stat
from typing import Optional

from .._core.files import OPEN_DIRECTORY
from .._core.owners import set_owner
from .._core.secure_directory import SecureDirectory


class NewDirectory(SecureDirectory):
    """Until `make`, its nearest parent that exists stands in for it, as if it were empty.

    Raises Day2Error when the parent can't be opened.

    :param like: the directory whose owner, group and permissions it gets.
    :param lock_timeout: how long `make` waits for another run; None: no lock is needed.
    """

    def __init__(self, path: str, like: SecureDirectory, lock_timeout: Optional[float]) -> None:
        above = os.path.dirname(path)
        while not os.path.lexists(above):
            above = os.path.dirname(above)
        super().__init__(above)
        self._above = self.path
        self._made = False
        self._like = os.fstat(like.fd)
        self._lock_timeout = lock_timeout
        self.path = path

    def names(self) -> list[str]:
        return super().names() if self._made else []

    def stat(self, name: str) -> os.stat_result:
        if not self._made and name != ".":
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.of(name))
        return super().stat(name)

    def make(self) -> None:
        """Create it and its missing parents. From then on it is a directory like any other. Raises Day2Error when this
        fails.
        """
        if self._made:
            return
        here = os.dup(self.fd)
        try:
            with self.errors("Can't create the directory", ""):
                for part in os.path.relpath(self.path, self._above).split(os.sep):
                    following = self._make_one(here, part)
                    os.close(here)
                    here = following
            os.dup2(here, self.fd, inheritable=False)  # it is identified by its descriptor
        finally:
            os.close(here)
        self._made = True
        self.look()
        if self._lock_timeout is not None:
            self.lock(self._lock_timeout)

    def _make_one(self, above: int, name: str) -> int:
        try:
            os.mkdir(name, 0o700, dir_fd=above)
        except FileExistsError:  # another run has created it meanwhile
            return os.open(name, OPEN_DIRECTORY, dir_fd=above)
        fd = os.open(name, OPEN_DIRECTORY, dir_fd=above)
        set_owner(fd, self._like.st_uid, self._like.st_gid)  # without root, it is ours
        os.fchmod(fd, stat.S_IMODE(self._like.st_mode))
        os.fsync(above)
        return fd
