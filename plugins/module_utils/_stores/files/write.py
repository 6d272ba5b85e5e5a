# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a live tree into an archive and its index, while others write to it."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Sequence
from typing import Optional

from ..._core.content_hash import content_hash
from ..._core.errors import RepositoryError, SourceError
from ..._core.files import from_os_error
from ..._core.fingerprint import is_young, wait_a_tick
from ..._core.progress import Progress
from ..._core.walk import Found
from ..base import Writer
from .archive import CHUNK, ArchiveWriter, Segments, sparse_map
from .identity import Identity
from .index import FILE, Entry, Index, listed, shown
from .read import Describer, data_segments, is_sparse, kind_of, may_be_sparse, open_file, read_range

# Seconds before each further try to read something that does not hold still: where it must, and where it is taken as it
# was read at last. Each try of a large file is as much again to read and to keep.
_WAITS = (0.01, 0.05, 0.1, 0.2, 0.4, 0.8)
_FEW_WAITS = (0.01, 0.05, 0.1)
_ONE_WAIT = (0.05,)


class Guarded:
    """A file being written, whose errors cannot be confused with those of the files being read."""

    def __init__(self, out: Writer) -> None:
        self._out = out

    def write(self, data: bytes) -> None:
        """Write to the file.

        :raises NoSpace: the disk is full.
        :raises RepositoryError: it cannot be written.
        """
        try:
            self._out.write(data)
        except OSError as exc:
            raise from_os_error(exc, RepositoryError, "Can't write", "the backup") from exc


class TreeWriter:
    """Writes the entries of a live tree, one after another, as a walk finds them.

    `changed` are the files that changed each time they were read, and were written as they were read last.

    :param strict: refuse such files.
    """

    def __init__(self, out: Writer, index: Writer, identity: Identity, progress: Progress, strict: bool) -> None:
        self.index = Index(index)
        self.archive = ArchiveWriter(out)
        self.sockets: list[bytes] = []
        self.changed: list[bytes] = []
        self._strict = strict
        self._as_read = False  # is the next reading the last?
        self._describer = Describer()
        self._identity = identity
        self._progress = progress
        self._done = 0
        self._unstable: list[bytes] = []
        self._unreadable: list[tuple[bytes, str]] = []

    def add(self, found: Found) -> None:
        """Write an entry as it was at one moment. Removed entries are skipped; those that cannot be read are
        remembered.
        """
        try:
            if self._written(found, found.info):
                return
            waits = self._waits(found.info)
            for number, wait in enumerate(waits, 1):
                self._progress.check()
                time.sleep(wait)
                info = os.stat(found.name, dir_fd=found.directory, follow_symlinks=False)
                self._as_read = number == len(waits) and not self._strict
                if self._written(found, info):
                    return
        except FileNotFoundError:
            return
        except OSError as exc:
            self.failed(found.path, exc)
            return
        finally:
            self._as_read = False
        self._unstable.append(found.path)

    def _waits(self, info: os.stat_result) -> Sequence[float]:
        if self._strict:
            return _WAITS
        return _FEW_WAITS if info.st_size <= CHUNK else _ONE_WAIT

    def failed(self, path: bytes, exc: OSError) -> None:
        """Remember an entry that cannot be read."""
        self._unreadable.append((path, exc.strerror or str(exc)))

    def finish(self, root: str) -> None:
        """End the archive.

        :raises SourceError: it would be incomplete.
        """
        problems, advice = [], ["Exclude unneeded ones"]
        if self._unreadable:
            problems.append("can't be read: " + "; ".join(f"{shown(p)} ({why})" for p, why in self._unreadable[:20]))
            if len(self._unreadable) > 20:
                problems[-1] += f"; and {len(self._unreadable) - 20} more"
            advice.append("run as a user with permission (become: true)")
        if self._unstable:
            problems.append("changed each time it was read: " + listed(self._unstable))
            advice.append("stop the application that writes to it")
            if self._strict:
                advice.append("set strict=false to back it up as read, with a warning")
        if problems:
            hint = "{}, or {}.".format(", ".join(advice[:-1]), advice[-1])
            details = {
                "unreadable": [shown(path) for path, _why in self._unreadable],
                "unstable": [shown(path) for path in self._unstable],
            }
            raise SourceError("In {} {}.".format(root, "; ".join(problems)), hint, details)
        self.archive.finish()

    def _written(self, found: Found, info: os.stat_result) -> bool:
        """Write the entry. Returns False if it changed meanwhile."""
        kind = kind_of(info)
        if kind is None:
            self.sockets.append(found.path)
            self._identity.add(found.path, info)
            return True
        if kind == FILE:
            return self._file_written(found, info)
        if stat.S_ISDIR(info.st_mode) != (found.name == b"."):
            return False  # a directory took the place of something else
        try:
            entry = self._describer.entry(found, info, found.directory if stat.S_ISDIR(info.st_mode) else -1)
        except FileNotFoundError:
            raise
        except OSError:
            if stat.S_ISLNK(info.st_mode):
                return False  # a link no longer
            raise
        self._put(entry, info)
        return True

    def _file_written(self, found: Found, info: os.stat_result) -> bool:
        link = self._describer.link(found.path, info)
        if link is not None:
            self._put(link, info)
            return True
        fd = open_file(found)
        if fd is None:
            return False
        try:
            if self._unchanged(found, info, fd):
                return True
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                return False
            segments = data_segments(fd, info)
            if segments is None and info.st_size <= CHUNK:
                complete = self._small(found, info, fd)
            else:
                complete = self._large(self._describer.entry(found, info, fd), info, fd, segments)
        finally:
            os.close(fd)
        if complete is None:
            return False
        self._describer.remember(complete, info)
        self._identity.add(found.path, info)
        return True

    def _unchanged(self, found: Found, info: os.stat_result, fd: int) -> bool:
        """Write a small file that is still the one that was found, and holds still: nearly all are and do. Returns
        whether it was written.

        :param info: its attributes from before it was opened.
        """
        if info.st_size > CHUNK or info.st_nlink > 1 or may_be_sparse(info) or is_young(info):
            return False
        try:
            data = os.pread(fd, info.st_size + 1, 0)
        except OSError:  # it may be something else by now
            return False
        now = os.fstat(fd)
        if len(data) != info.st_size or not (os.path.samestat(now, info) and _is_same(now, info)):
            return False
        entry = self._describer.entry(found, info, fd, hashlib.sha256(data).hexdigest())
        self.archive.add(entry, data)
        self._advance(len(data))
        self.index.add(entry)
        self._identity.add(found.path, info)
        return True

    def _put(self, entry: Entry, info: os.stat_result) -> None:
        self.archive.begin(entry)
        self.index.add(entry)
        self._identity.add(entry.path, info)

    def _small(self, found: Found, info: os.stat_result, fd: int) -> Optional[Entry]:
        """Write a file that is read completely before anything of it is written."""
        data = _read_all(fd, info.st_size)
        complete = data is not None and not (is_young(info) and data != _read_all(fd, info.st_size))
        if data is None:
            data = os.pread(fd, info.st_size, 0)
        entry = self._describer.entry(found, info, fd, hashlib.sha256(data).hexdigest())
        if not (complete and _held_still(fd, info)):
            if not self._as_read:
                return None
            self._take_changed(entry)
            entry = entry._replace(size=len(data))
        self.archive.add(entry, data)
        self._advance(len(data))
        self.index.add(entry)
        return entry

    def _large(self, entry: Entry, info: os.stat_result, fd: int, segments: Optional[Segments]) -> Optional[Entry]:
        """Write a file while it is read. If it changed, the next attempt supersedes it."""
        if wait_a_tick(info) and not (self._as_read or _held_still(fd, info)):
            return None
        chart = b"" if segments is None else sparse_map(segments, info.st_size)
        ranges = [(0, info.st_size)] if segments is None else segments
        stored = len(chart) + sum(length for _offset, length in ranges)
        self.archive.begin(entry, None if segments is None else stored)
        if chart:
            self.archive.put(chart)
        entry = entry._replace(sparse=is_sparse(segments, info.st_size))
        digest = content_hash(entry.sparse)
        for offset, length in ranges:
            position, end = offset, offset + length
            for data in read_range(fd, offset, length):
                digest.update(position, data)
                self.archive.put(data)
                self._advance(len(data))
                position += len(data)
            while position < end:  # it became shorter: what the header promised must come
                self.archive.put(bytes(min(CHUNK, end - position)))
                position += min(CHUNK, end - position)
        self.archive.pad(stored)
        if not _held_still(fd, info):
            if not self._as_read:
                self.index.add(entry._replace(superseded=True))
                return None
            self._take_changed(entry)
        entry = entry._replace(sha256=digest.hexdigest(info.st_size))
        self.index.add(entry)
        return entry

    def _take_changed(self, entry: Entry) -> None:
        """Write a file as it was read. The tree was not seen in this state."""
        self.changed.append(entry.path)
        self._identity.distrust()

    def _advance(self, count: int) -> None:
        self._done += count
        self._progress.update(self._done)


def _read_all(fd: int, size: int) -> Optional[bytes]:
    """The whole content of a file; None if its size is not the expected one."""
    data = os.pread(fd, size + 1, 0)
    while len(data) < size:
        more = os.pread(fd, size - len(data), len(data))
        if not more:
            return None
        data += more
    return data if len(data) == size else None


def _held_still(fd: int, before: os.stat_result) -> bool:
    return _is_same(os.fstat(fd), before)


def _is_same(now: os.stat_result, before: os.stat_result) -> bool:
    return (
        now.st_ctime_ns == before.st_ctime_ns
        and now.st_mtime_ns == before.st_mtime_ns
        and now.st_size == before.st_size
    )
