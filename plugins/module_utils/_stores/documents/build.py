# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds a directory of JSON documents beside the one that it will replace."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import IO, Callable, Optional

from ..._core.files import CREATE_FILE, OPEN_DIRECTORY
from ..._core.fingerprint import combine
from ..._core.owners import Owner
from ..._core.system_calls import syncfs
from ..._core.walk import Everything, refuse, walk
from .layout import OPEN_FILE, opened
from .place import resemble
from .read import chunks

Replaced = Callable[[str], bool]


class Build:
    """A new directory, with mode 0700 until it is finished.

    :param new: its path; the directory is created.
    :param old: the path of the directory that it will replace; "" if there is none. Files that are in both keep their
        owner and mode.
    """

    def __init__(self, new: str, old: str) -> None:
        self.notes: dict[str, None] = {}
        self._owners: dict[str, Owner] = {}
        self._path, self._replaces = new, old
        os.mkdir(new, 0o700)
        self._new = os.open(new, OPEN_DIRECTORY)
        self._old = os.open(old, OPEN_DIRECTORY) if old else None

    def close(self) -> None:
        """Close all descriptors."""
        os.close(self._new)
        if self._old is not None:
            os.close(self._old)

    def add_directory(self, name: str, owner: Owner) -> None:
        """Add the directory of a collection. Its owner and mode are set by `finish`."""
        self._owners[name] = owner
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self._new)

    def add_file(self, name: str, owner: Owner, content: IO[bytes]) -> str:
        """Add a file. Returns the SHA-256 of its content."""
        directory, dummy, base = name.rpartition("/")
        digest = hashlib.sha256()
        with opened(directory or ".", OPEN_DIRECTORY, self._new) as parent:
            fd = os.open(base, CREATE_FILE, 0o600, dir_fd=parent)
        with os.fdopen(fd, "wb") as out:
            for data in chunks(content.read):
                digest.update(data)
                out.write(data)
            out.flush()
            self._dress(fd, name, OPEN_FILE, owner)
        return digest.hexdigest()

    def carry_over(self, replaced: Replaced) -> None:
        """Link everything that is not replaced from the old directory into the new one.

        :param replaced: called with a name relative to the directory; names of directories end in "/".
        """
        if self._old is not None:
            self._carry_over(self._old, self._new, "", replaced)

    def finish(self, owner: Owner) -> None:
        """Set the owners and modes of the directories, and make everything durable."""
        for name, one in self._owners.items():
            with opened(name, OPEN_DIRECTORY, self._new) as fd:
                if fd is not None:
                    self._dress(fd, name, OPEN_DIRECTORY, one)
        self._dress(self._new, ".", OPEN_DIRECTORY, owner)
        syncfs(self._new, self._path)

    def _dress(self, fd: int, name: str, flags: int, owner: Owner) -> None:
        if self._old is not None:
            with opened(name, flags, self._old) as old:
                if old is not None:
                    resemble(fd, old, os.path.normpath(os.path.join(self._replaces, name)))
                    return
        self.notes.update(dict.fromkeys(owner.give(fd)))

    def _carry_over(self, old: int, new: int, prefix: str, replaced: Replaced) -> None:
        for name in os.listdir(old):
            path = prefix + name
            info = os.stat(name, dir_fd=old, follow_symlinks=False)
            if not stat.S_ISDIR(info.st_mode):
                if not replaced(path):
                    os.link(name, name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
                continue
            with opened(name, OPEN_DIRECTORY, old) as below:
                if below is None:
                    continue
                if replaced(path + "/") and all(replaced(f"{path}/{one}") for one in os.listdir(below)):
                    continue  # the backup tells whether there is such a collection
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=new)
                with opened(name, OPEN_DIRECTORY, new) as made:
                    if made is not None:
                        self._carry_over(below, made, path + "/", replaced)
                        resemble(made, below, os.path.join(self._replaces, path))


def put(content: IO[bytes], name: str, owner: Owner, build: Optional[Build]) -> str:
    """Read a file of the backup to its end, and add it to the build, if there is one. Returns its SHA-256."""
    if build is not None:
        return build.add_file(name, owner, content)
    digest = hashlib.sha256()
    for data in chunks(content.read):
        digest.update(data)
    return digest.hexdigest()


def state(path: str, replaced: Replaced) -> str:
    """The state that a restore relies on: the identity of everything in a directory, and the content of what is
    replaced.
    """

    def lines() -> Iterator[str]:
        for found in walk(path, Everything(), refuse):
            name = os.fsdecode(found.path) + "/" * stat.S_ISDIR(found.info.st_mode)
            line = f"{name}\0{found.info.st_ino}"
            yield f"{line} {found.info.st_size} {found.info.st_mtime_ns}" if replaced(name) else line

    return combine(lines())
