# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves the files of a dump into a sink while pg_dump is writing them, so that they take little additional space."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tarfile
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Optional

from ...._core.errors import SourceError
from ...._core.files import os_errors
from ...._core.processes import Process
from ...._core.system_calls import fallocate
from ...base import HashedWriter, Sink

SMALL = 1 << 20  # files up to this size share one tar: a compressor for each of them would take longest
_LARGE = 8 << 20  # files beyond this are read while they grow
_BLOCK = 1 << 20
_AT_ONCE = 16 << 20  # bytes of one file, before the others get their turn
_KEEP_SIZE, _PUNCH_HOLE = 1, 2


class Pack:
    """The tar of the small files."""

    def __init__(self, target: AbstractContextManager[HashedWriter]) -> None:
        self._stack = contextlib.ExitStack()
        self._writer = self._stack.enter_context(target)

    def add(self, path: str, name: str) -> None:
        """Add a file that is complete."""
        with open(path, "rb") as handle:
            member = tarfile.TarInfo(name)
            member.size = os.fstat(handle.fileno()).st_size
            member.mode = 0o600
            self._writer.write(member.tobuf(tarfile.PAX_FORMAT))
            shutil.copyfileobj(handle, self._writer, _BLOCK)
            self._writer.write(bytes(-member.size % tarfile.BLOCKSIZE))

    def finish(self) -> None:
        """The tar is whole."""
        self._writer.write(bytes(2 * tarfile.BLOCKSIZE))
        self._stack.close()

    def give_up(self, *exc: object) -> None:
        """It is not."""
        with contextlib.suppress(BaseException):
            self._stack.__exit__(*exc)  # type: ignore[arg-type]


class _Growing:
    """A file that is being moved into the sink."""

    def __init__(self, path: str, target: AbstractContextManager[HashedWriter]) -> None:
        self._path = path
        self._stack = contextlib.ExitStack()
        self._handle = self._stack.enter_context(open(path, "r+b", buffering=0))  # noqa: SIM115 closed in `finish`
        self._writer = self._stack.enter_context(target)
        self._read = self._freed = 0

    def advance(self) -> int:
        """Pass on the available data, up to a limit, and free its space. Returns the number of bytes."""
        start = self._read
        while self._read - start < _AT_ONCE:
            data = self._handle.read(_BLOCK)
            if not data:
                break
            self._writer.write(data)
            self._read += len(data)
        if self._read - self._freed >= _LARGE:
            with contextlib.suppress(OSError):  # a file system without holes: then it takes space until the end
                length = self._read - self._freed
                fallocate(self._handle.fileno(), _PUNCH_HOLE | _KEEP_SIZE, self._freed, length)
            self._freed = self._read
        return self._read - start

    def finish(self) -> None:
        self._stack.close()
        os.unlink(self._path)

    def give_up(self, *exc: object) -> None:
        with contextlib.suppress(BaseException):
            self._stack.__exit__(*exc)  # type: ignore[arg-type]


class Follower:
    """The files of a dump in the directory format, on their way into a sink.

    toc.dat and the lists of large objects stay where they are until `finish`: pg_restore is to read them.
    """

    def __init__(self, directory: str, sink: Sink, prefix: str, written: list[str]) -> None:
        """
        :param written: the names of all files started in the sink are added to it.
        """
        self.directory = os.path.realpath(directory)
        self.sink = sink
        self._prefix = prefix
        self._written = written
        self._growing: dict[str, _Growing] = {}
        self.pack = Pack(self._file("small.tar"))

    def __enter__(self) -> Follower:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], exc: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if kind is not None:
            for one in self._growing.values():
                one.give_up(kind, exc, trace)
            self.pack.give_up(kind, exc, trace)

    def take(self, process: subprocess.Popen[bytes], ended: bool) -> int:
        """Pass on new data. Returns the number of bytes and files, 0 if there was none.

        :param ended: whether the program had already ended before this call.
        """
        with os_errors(SourceError, "Can't read the dump", self.directory):
            names = [name for name in _listed(self.directory) if name.endswith(".dat") and name != "toc.dat"]
            # Asked after the names: what is not open now was completed, as pg_dump opens each file once.
            open_now = frozenset() if ended else _open_files(process.pid)
            return sum(self._take(name, open_now) for name in names)

    def finish(self) -> None:
        """Everything is passed on except the lists; add these, and complete the tar."""
        with os_errors(SourceError, "Can't read the dump", self.directory):
            for name in _listed(self.directory):
                self.pack.add(os.path.join(self.directory, name), name)
        self.pack.finish()

    def _file(self, name: str) -> AbstractContextManager[HashedWriter]:
        self._written.append(f"{self._prefix}/{name}")
        return self.sink.file(self._written[-1])

    def _take(self, name: str, open_now: Optional[frozenset[str]]) -> int:
        path = os.path.join(self.directory, name)
        complete = open_now is not None and path not in open_now
        growing = self._growing.get(name)
        if growing is None:
            size = os.stat(path).st_size
            if complete and size <= SMALL:
                self.pack.add(path, name)
                os.unlink(path)
                return 1
            if not complete and size <= _LARGE:
                return 0
            growing = self._growing[name] = _Growing(path, self._file(name))
        moved = growing.advance()
        if complete and not moved:
            growing.finish()
            del self._growing[name]
            return 1
        return moved


def _listed(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:  # pg_dump has not made it yet
        return []


def _open_files(pid: int) -> Optional[frozenset[str]]:
    """The paths of the files that a program and its workers have open; None if they cannot be determined."""
    found = set()
    try:
        leader = Process(pid)
        workers = [int(one) for one in leader.read(f"task/{pid}/children").split()]
        for process in [leader, *map(Process, workers)]:
            for descriptor in process.descriptors():
                with contextlib.suppress(FileNotFoundError):
                    found.add(os.readlink(descriptor))
    except OSError:
        return None
    return frozenset(found)
