# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the files of a log, including rotated and compressed ones, and reads them in blocks of whole lines."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import resource
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from .._core.compression import by_suffix
from .._core.compression.base import CorruptStream, Readable
from .._core.errors import SourceError
from .._core.files import open_regular, resolve
from .._core.progress import Progress
from .._core.sparse import data_ranges

_MAGIC = "*?["
_OTHERS = 64  # descriptors of the interpreter, and for decompression
_BLOCK = 1 << 19  # the data made from a block should stay in the cache
_LONGEST_LINE = 4 << 20  # bytes; a longer line is skipped and counts as unparsable


class LogFile(NamedTuple):
    """An open file: it remains the same if it is rotated meanwhile. `size` is as stored.

    `mtime` is when it was last written, in seconds since the epoch.
    """

    path: str
    fd: int
    size: int
    mtime: float


class Block(NamedTuple):
    """Whole lines, each preceded by a newline, with one after the last.

    Not `whole`: the beginning of a line that is too long to be read.
    """

    data: bytes
    whole: bool = True


class Found(NamedTuple):
    """The files that paths and patterns match, without duplicates, and the directories that could not be searched."""

    files: list[str]
    hidden: list[str]


def find(paths: Sequence[str]) -> Found:
    """Find the files. A path that is no pattern is one, whether it exists or not.

    Raises SourceError when a pattern matches none.
    """
    found: dict[str, None] = {}
    hidden: dict[str, None] = {}
    for path in paths:
        is_pattern = any(char in path for char in _MAGIC) and not os.path.lexists(path)
        matched, unsearched = _expand(path) if is_pattern else ([path], [])
        if not matched:
            _refuse_nothing(path, unsearched)
        found.update(dict.fromkeys(matched))
        hidden.update(dict.fromkeys(unsearched))
    return Found(list(found), list(hidden))


def _expand(pattern: str) -> tuple[list[str], list[str]]:
    """The regular files that match a pattern, and the directories that this user cannot list or enter.

    `glob` skips those silently.
    """
    *above, last = pattern.split("/")[1:]
    directories = ["/"]
    hidden: list[str] = []
    for part in above:
        directories = [one for one in _entries(directories, part, hidden) if os.path.isdir(one)]
    files = _entries(directories, last, hidden)
    # The target of a link such as "current" is matched by the pattern anyway; a FIFO is not a log.
    return sorted(one for one in files if not os.path.islink(one) and os.path.isfile(one)), hidden


def _entries(directories: Sequence[str], pattern: str, hidden: list[str]) -> list[str]:
    """The entries of directories that one part of a pattern matches."""
    listed = any(char in pattern for char in _MAGIC)
    found = []
    for directory in directories:
        if not os.access(directory, os.R_OK | os.X_OK if listed else os.X_OK, effective_ids=True):
            hidden.append(directory)
            continue
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # removed in the meantime
            names = sorted(os.listdir(directory)) if listed else [pattern]
            found += [os.path.join(directory, name) for name in names if not listed or _fits(name, pattern)]
    return found


def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith("."))


def _refuse_nothing(path: str, hidden: Sequence[str]) -> None:
    if hidden:
        raise SourceError(f"No log file matches {path}, and {hidden[0]} can't be searched: Permission denied.")
    raise SourceError(f"No log file matches {path}.", "Set it to a file, or to a pattern such as /var/log/app.log*.")


class Opened(NamedTuple):
    """The files, and the paths of those last written before the window, which contain nothing newer.

    `problems` have the `path` and `problem` of files that can't be opened.
    """

    files: list[LogFile]
    old: list[str]
    problems: list[dict[str, str]]


@contextlib.contextmanager
def opened(paths: Sequence[str], since: Optional[float]) -> Iterator[Opened]:
    """All files, open before the first is read, so that a rotation meanwhile neither hides nor duplicates lines."""
    _allow_open_files(len(paths))
    with contextlib.ExitStack() as stack:
        found = Opened([], [], [])
        seen = set()
        for path in paths:
            try:
                fd = open_regular(resolve(path, SourceError), SourceError)
            except SourceError as exc:
                found.problems.append({"path": path, "problem": str(exc)})
                continue
            stack.callback(os.close, fd)
            info = os.fstat(fd)
            if (info.st_dev, info.st_ino) in seen:
                continue
            seen.add((info.st_dev, info.st_ino))
            if since is not None and info.st_mtime < since:
                found.old.append(path)
            else:
                found.files.append(LogFile(path, fd, info.st_size, info.st_mtime))
        yield found


def _allow_open_files(number: int) -> None:
    """Raise the soft limit if it is too low for this many more descriptors, up to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number + _OTHERS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        highest = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))


class _Source:
    """The bytes of a file, without its holes. Reading them updates the progress.

    Holes are zeros, which are left out of the lines: a log that was truncated while its writer kept its place begins
    with one, and reading 8 TiB of it takes hours.
    """

    def __init__(self, file: LogFile, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        # Lines that are written while we read belong to the next report.
        self._ranges = data_ranges(file.fd, 0, file.size)
        self._at = self._end = 0

    def read(self, size: int) -> bytes:
        while self._at >= self._end:
            found = next(self._ranges, None)
            if found is None:
                return b""
            self._go_to(found[0])
            self._end = found[1]
        data = os.pread(self._file.fd, min(size, self._end - self._at), self._at)
        self._go_to(self._at + len(data) if data else self._end)
        return data

    def _go_to(self, position: int) -> None:
        self._progress.advance(position - self._at)
        self._at = position


def blocks(file: LogFile, progress: Progress) -> Iterator[Block]:
    """The lines of a file. Raises SourceError when it can't be decompressed."""
    compression, _name = by_suffix(os.path.basename(file.path))
    try:
        with compression.reader(_Source(file, progress)) as stream:
            yield from _lines(stream)
    except CorruptStream as exc:
        raise SourceError(f"{file.path} can't be read: {exc.message}.", "Exclude it, or repair it.") from exc
    except OSError as exc:
        raise SourceError(f"{file.path} can't be read: {exc.strerror or exc}.") from exc


def _lines(stream: Readable) -> Iterator[Block]:
    rest, skipping = b"\n", False
    while True:
        data = stream.read(_BLOCK)
        if not data:
            break
        data = rest + data
        end = data.rfind(b"\n")
        if end > 0:
            # A skipped line ends with the first line of the rest.
            start = data.index(b"\n", 1) if skipping else 0
            skipping = False
            yield Block(data[start : end + 1])
            rest = data[end:]
        elif len(data) > _LONGEST_LINE:
            if not skipping:
                yield Block(data[:200] + b"\n", whole=False)
            rest, skipping = b"\nx", True
        else:
            rest = data
    if len(rest) > 1 and not skipping:
        yield Block(rest + b"\n")
