# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds a tree in a private directory, from entries and their content."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from ..._core.content_hash import content_hash
from ..._core.errors import TargetError
from ..._core.files import CREATE_FILE, OPEN_DIRECTORY, os_errors
from .attributes import Attributes, Target
from .index import BLOCK_DEVICE, CHARACTER_DEVICE, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry, shown

Content = Iterable[tuple[int, bytes]]  # offsets and bytes, without the holes

_NODES = {FIFO: stat.S_IFIFO, CHARACTER_DEVICE: stat.S_IFCHR, BLOCK_DEVICE: stat.S_IFBLK}
_INHERITED = ("system.posix_acl_access", "system.posix_acl_default")


class Builder:
    """Creates entries below an empty private directory, in the order of an index."""

    def __init__(self, root: str, target: Target) -> None:
        self._target = target
        self._attributes = target.attributes
        self._levels: list[tuple[Entry, int]] = []  # directories that are not finished, with descriptors
        self._root = os.open(root, OPEN_DIRECTORY)
        for name in _INHERITED:  # from the directory above, and on to everything below
            try:
                os.removexattr(self._root, name)
            except OSError as exc:
                if exc.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
                    raise

    def add(self, entry: Entry, content: Content) -> str:
        """Create an entry. Returns the SHA-256 of the content of a file.

        :raises TargetError: the system refuses.
        :raises ValueError: a hard link has no target.
        """
        with os_errors(TargetError, "Can't restore", shown(entry.path)):
            return self._add(self._target(entry), content)

    def adopt(self, entry: Entry, path: str) -> None:
        """Create an entry as another name of a finished file outside of the tree."""
        with os_errors(TargetError, "Can't restore", shown(entry.path)):
            os.link(path, self._name(entry), dst_dir_fd=self._enter(entry.path), follow_symlinks=False)

    def finish(self) -> None:
        """Finish the directories that are still open."""
        with os_errors(TargetError, "Can't restore", "directories"):
            while self._levels:
                self._leave()

    def close(self) -> None:
        """Close all descriptors."""
        for _entry, fd in self._levels:
            if fd != self._root:
                os.close(fd)
        self._levels = []
        os.close(self._root)

    @staticmethod
    def _name(entry: Entry) -> bytes:
        return entry.path.rpartition(b"/")[2]

    def _add(self, entry: Entry, content: Content) -> str:
        if not entry.path:
            self._levels.append((entry, self._root))
            return ""
        directory = self._enter(entry.path)
        name = self._name(entry)
        if entry.kind == FILE:
            return write_file(directory, name, entry, content, self._attributes)
        if entry.kind == DIRECTORY:
            os.mkdir(name, 0o700, dir_fd=directory)
            self._levels.append((entry, os.open(name, OPEN_DIRECTORY, dir_fd=directory)))
        elif entry.kind == HARDLINK:
            self._link(entry, directory, name)
        elif entry.kind == SYMLINK:
            os.symlink(entry.target, name, dir_fd=directory)
            self._attributes.set_by_name(directory, name, entry)
        else:
            os.mknod(name, _NODES[entry.kind] | 0o600, os.makedev(*entry.device), dir_fd=directory)
            self._attributes.set_by_name(directory, name, entry)
        return ""

    def _enter(self, path: bytes) -> int:
        """The descriptor of the directory that contains a path; directories that are complete are finished."""
        parent = path.rpartition(b"/")[0]
        while self._levels[-1][0].path != parent:
            self._leave()
        return self._levels[-1][1]

    def _leave(self) -> None:
        entry, fd = self._levels.pop()
        try:
            self._attributes.set(fd, entry)
        finally:
            if fd != self._root:
                os.close(fd)

    def _link(self, entry: Entry, directory: int, name: bytes) -> None:
        """:raises ValueError: its target was not created before, or is not a file."""
        *above, last = entry.target.split(b"/")
        source = os.dup(self._root)
        try:
            for part in above:
                below = os.open(part, OPEN_DIRECTORY, dir_fd=source)
                os.close(source)
                source = below
            if not stat.S_ISREG(os.stat(last, dir_fd=source, follow_symlinks=False).st_mode):
                raise ValueError(f"{shown(entry.path)} is a link to {shown(entry.target)}, which is not a file")
            os.link(last, name, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise ValueError(f"{shown(entry.path)} is a link without a target") from exc
        finally:
            os.close(source)


def write_file(directory: int, name: bytes, entry: Entry, content: Content, attributes: Attributes) -> str:
    """Create a file with its holes. Returns the SHA-256 of its content."""
    digest = content_hash(entry.sparse)
    end = 0
    fd = os.open(name, CREATE_FILE, 0o600, dir_fd=directory)
    try:
        for offset, data in content:
            digest.update(offset, data)
            end = offset + len(data)
            _write_all(fd, data, offset)
        if end < entry.size:
            os.ftruncate(fd, entry.size)
        attributes.set(fd, entry)
    finally:
        os.close(fd)
    return digest.hexdigest(entry.size)


def _write_all(fd: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written
