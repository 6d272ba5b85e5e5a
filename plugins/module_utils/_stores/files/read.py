# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a live tree: owners, attributes, hard links, content."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import Optional

from ..._core.content_hash import content_hash
from ..._core.owners import group_name, user_name
from ..._core.sparse import data_ranges, has_holes
from ..._core.walk import Found
from .archive import CHUNK, Segments
from .index import BLOCK_DEVICE, CHARACTER_DEVICE, DIRECTORY, FIFO, FILE, SYMLINK, Entry

_KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFIFO: FIFO,
    stat.S_IFCHR: CHARACTER_DEVICE,
    stat.S_IFBLK: BLOCK_DEVICE,
}
_DEVICES = (CHARACTER_DEVICE, BLOCK_DEVICE)
_NOT_A_FILE_NOW = (errno.ELOOP, errno.ENXIO, errno.ENODEV)

# Smaller files with holes are not worth a map.
_SMALLEST_SPARSE = 1 << 16
# Holes of so many bytes make a file sparse.
_SPARSE_HOLES = 1 << 20


def kind_of(info: os.stat_result) -> Optional[str]:
    """The kind of an entry; None for a socket, which only its server can create."""
    return _KINDS.get(stat.S_IFMT(info.st_mode))


def open_file(found: Found) -> Optional[int]:
    """Open a regular file without waiting, following a link, or changing its access time. None if it is something that
    can't be opened so, and no regular file any more.

    :raises OSError: it was removed, or cannot be read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            return os.open(found.name, flags | os.O_NOATIME, dir_fd=found.directory)
        except PermissionError:  # O_NOATIME is for the owner
            return os.open(found.name, flags, dir_fd=found.directory)
    except OSError as exc:
        if exc.errno in _NOT_A_FILE_NOW:
            return None
        raise


def read_xattrs(fd: int) -> tuple[tuple[bytes, bytes], ...]:
    """The extended attributes that a restore can set again, sorted."""
    try:
        names = os.listxattr(fd)
        if not names:
            return ()
        values = [(name, os.getxattr(fd, name)) for name in names if _is_data(name)]
    except OSError as exc:
        if exc.errno in (errno.EOPNOTSUPP, errno.ENODATA):  # none here, or taken away this moment
            return ()
        raise
    return tuple(sorted((os.fsencode(name), value) for name, value in values))


def _is_data(name: str) -> bool:
    """Whether an attribute contains data. Others of system.* are views of what the file system stores elsewhere.

    Those of trusted.* are visible only with CAP_SYS_ADMIN: the content of a backup must not depend on who makes it.
    """
    return not name.startswith(("system.", "trusted.")) or name.startswith("system.posix_acl_")


class Describer:
    """Describes what a walk finds as entries. Of a file with several names, the first one is the file."""

    def __init__(self) -> None:
        self._links: dict[tuple[int, int], Entry] = {}

    def entry(self, found: Found, info: os.stat_result, fd: int = -1, sha256: str = "") -> Entry:
        """The entry.

        :param info: the current attributes of `found`; not of a socket.
        :param fd: the descriptor of an open file or directory, otherwise -1.
        :raises OSError: its kind has changed, or it cannot be read.
        """
        kind = kind_of(info) or ""
        uid, gid = info.st_uid, info.st_gid
        return Entry(
            found.path,
            kind,
            stat.S_IMODE(info.st_mode),
            uid,
            gid,
            user_name(uid),
            group_name(gid),
            info.st_mtime_ns,
            info.st_size if kind == FILE else 0,
            sha256,
            os.readlink(found.name, dir_fd=found.directory) if kind == SYMLINK else b"",
            read_xattrs(fd) if fd >= 0 else (),
            (os.major(info.st_rdev), os.minor(info.st_rdev)) if kind in _DEVICES else (0, 0),
        )

    def link(self, path: bytes, info: os.stat_result) -> Optional[Entry]:
        """The entry of a further name of a file that was passed to `remember`; None for others."""
        if info.st_nlink < 2:
            return None
        first = self._links.get((info.st_dev, info.st_ino))
        if first is None:
            return None
        return first.other_name(path)

    def remember(self, entry: Entry, info: os.stat_result) -> None:
        """Remember the entry of a file that may have more names."""
        if info.st_nlink > 1:
            self._links[info.st_dev, info.st_ino] = entry


def may_be_sparse(info: os.stat_result) -> bool:
    """Whether a file may have holes, and is large enough for a map of its data."""
    return info.st_size >= _SMALLEST_SPARSE and has_holes(info)


def data_segments(fd: int, info: os.stat_result) -> Optional[list[tuple[int, int]]]:
    """The segments of a file that contain data, as (offset, length) in bytes; None if it has no holes."""
    if not may_be_sparse(info):
        return None
    segments = [(start, end - start) for start, end in data_ranges(fd, 0, info.st_size)]
    return None if segments == [(0, info.st_size)] else segments


def is_sparse(segments: Optional[Segments], size: int) -> bool:
    """Whether a file counts as sparse: hashing its holes would take too long."""
    return segments is not None and size - sum(length for _offset, length in segments) >= _SPARSE_HOLES


def read_range(fd: int, offset: int, length: int) -> Iterator[bytes]:
    """A part of a file; less if the file was truncated meanwhile."""
    while length:
        data = os.pread(fd, min(CHUNK, length), offset)
        if not data:
            return
        yield data
        offset += len(data)
        length -= len(data)


def content_digest(fd: int, info: os.stat_result, sparse: bool) -> str:
    """SHA-256 of the content of an open file, as its entry in the index has it."""
    digest = content_hash(sparse)
    segments = data_segments(fd, info)
    for offset, length in [(0, info.st_size)] if segments is None else segments:
        position = offset
        for data in read_range(fd, offset, length):
            digest.update(position, data)
            position += len(data)
    return digest.hexdigest(info.st_size)
