# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Determines which files of a directory are JSON documents of a store, without following links.

Files with other names (other suffixes, hidden names, deeper levels) are not part of the store: they are not backed up,
and a restore keeps them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple, Optional

from ..._core import files
from ..._core.errors import Day2Error
from ..._core.files import OPEN_DIRECTORY, kind_of
from ..._core.walk import LEFT_OUT, refuse, walk

OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)


class Layout(NamedTuple):
    """How the files are named, relative to the directory."""

    name: str
    pattern: str
    depth: int  # 1: NAME.json, 2: COLLECTION/KEY.json

    def collection(self, relative: str) -> Optional[str]:
        """The collection of a file, or of a directory ("users/"). None if it does not belong to the store."""
        parts = relative.split("/")
        if len(parts) != self.depth or any(part.startswith(".") for part in parts):
            return None
        if self.depth == 2 and not parts[1]:
            return parts[0]
        if not parts[-1].endswith(".json"):
            return None
        return parts[0] if self.depth == 2 else parts[0][: -len(".json")]


FILE_PER_COLLECTION = Layout("file_per_collection", "NAME.json", 1)
FILE_PER_RECORD = Layout("file_per_record", "COLLECTION/KEY.json", 2)
LAYOUTS = {layout.name: layout for layout in (FILE_PER_COLLECTION, FILE_PER_RECORD)}


def listing(path: str, layout: Layout, kind: type[Day2Error]) -> Iterator[tuple[str, os.stat_result]]:
    """The files of the store, and the directories of its collections ("users/"), in an order that only depends on the
    names.

    :raises kind: something cannot be read, or has a name of the store but is not a regular file.
    """
    with files.os_errors(kind, "Can't read", path):
        for found in walk(path, _Named(layout), refuse):
            name = _text(found.path, path, kind)
            is_directory, is_link = stat.S_ISDIR(found.info.st_mode), stat.S_ISLNK(found.info.st_mode)
            if layout.depth == 2 and is_directory and name and "/" not in name:
                yield name + "/", found.info
            elif layout.collection(name) is not None:
                if not stat.S_ISREG(found.info.st_mode):
                    raise _irregular(path, name, found.info, kind)
                yield name, found.info
            elif layout.depth == 2 and is_link and "/" not in name and os.path.isdir(os.path.join(path, name)):
                raise _irregular(path, name, found.info, kind)


class _Named:
    """A `Choice` of everything that is not hidden, as deep as the layout. The state is the depth."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def enter(self, path: bytes, above: int) -> int:
        return LEFT_OUT if path.rpartition(b"/")[2].startswith(b".") else above + 1

    def selects(self, state: int) -> bool:
        return True

    def leads(self, state: int) -> bool:
        return state < self._layout.depth


def _text(name: bytes, path: str, kind: type[Day2Error]) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as exc:
        raise kind(f"The name {os.fsdecode(name)!r} in {path} is not valid UTF-8.", "Rename it.") from exc


@contextlib.contextmanager
def opened(name: str, flags: int, directory: int) -> Iterator[Optional[int]]:
    """Open something below a directory. None if it was removed, or is something else now."""
    fd = directory
    try:
        for part in name.split("/")[:-1]:
            fd = _step(fd, directory, part, OPEN_DIRECTORY)
        fd = _step(fd, directory, name.rsplit("/", 1)[-1], flags)
        if flags == OPEN_FILE and not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.ENOENT, "not a regular file", name)
    except OSError as exc:
        if fd != directory:
            os.close(fd)
        if exc.errno not in _GONE:
            raise
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _step(fd: int, root: int, name: str, flags: int) -> int:
    below = os.open(name, flags, dir_fd=fd)
    if fd != root:
        os.close(fd)
    return below


def _irregular(path: str, name: str, info: os.stat_result, kind: type[Day2Error]) -> Day2Error:
    return kind(
        f"{os.path.join(path, name)} is {kind_of(info)}, not a regular file or directory.",
        "Move it out of the store, or replace it with its target.",
    )
