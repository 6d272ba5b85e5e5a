# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads files of a snapshot: one with each call, or the pieces of one after another with a single call."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import time
from typing import IO, BinaryIO, Callable, Optional, cast

from .._core.compression.base import CorruptStream
from .._core.errors import RepositoryError
from .._core.programs import wide_pipe
from .._core.restic import Restic, is_busy, is_gone, memory_file, stop

_PATIENCE = 60.0  # seconds to wait for one that is alone in the repository


class Dump(io.RawIOBase):
    """A file of a snapshot that is read from its beginning. Its end is trusted only if restic exits with status 0.

    While it is read, the lock of restic keeps others from pruning, where this user may write it.

    :param renamed: what the snapshot is called now, if it is not there any more.
    """

    def __init__(self, restic: Restic, snapshot: str, path: str, renamed: Optional[Callable[[], str]] = None) -> None:
        super().__init__()
        self._renamed = renamed
        self._restic = restic
        self._words = ["dump", "--quiet", snapshot, f"/{path}"]
        self._until = time.monotonic() + _PATIENCE
        self._began = False
        self._begin()

    def readable(self) -> bool:
        return True

    def _begin(self) -> None:
        self._said = memory_file(b"")
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": self._said}
        with self._restic.start(*self._words, **streams) as self._process:
            wide_pipe(self._process.stdout)

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        while True:
            data: bytes = self._process.stdout.read(size)  # type: ignore[union-attr]
            if data or not self._process.wait():
                self._began = True
                return data
            self._said.seek(0)
            said = self._said.read().decode(errors="replace")
            if self._began or not self._can_begin_again(said):
                self._restic.fail("read", said)
            self._end()
            self._begin()

    def _can_begin_again(self, said: str) -> bool:
        """Whether only the lock was in the way."""
        if is_busy(said):
            time.sleep(1)
            return time.monotonic() < self._until
        if is_gone(said) and self._renamed is not None:
            self._words[2], self._renamed = self._renamed(), None
            return True
        if "--no-lock" in self._words or "lock" not in said:
            return False
        self._words.append("--no-lock")
        return True

    def _end(self) -> None:
        self._process.stdout.close()  # type: ignore[union-attr]
        stop(self._process)
        self._said.close()

    def close(self) -> None:
        if not self.closed:
            self._end()
            super().close()


class Series:
    """The files of a directory, which are read in the order of their names: restic is started once for all of them."""

    def __init__(self, restic: Restic) -> None:
        self._restic = restic
        self._place = ("", "")  # snapshot and directory
        self._at = ""
        self._dump: Optional[Dump] = None
        self._tar: Optional[tarfile.TarFile] = None

    def open(self, snapshot: str, path: str, last: str, renamed: Optional[Callable[[], str]] = None) -> BinaryIO:
        """A file. After the last one, the call ends."""
        directory, _slash, name = path.rpartition("/")
        if self._tar is None or self._place != (snapshot, directory) or name <= self._at:
            self.close()
            self._begin(snapshot, directory, renamed)
        try:
            while self._at != name:
                member = cast(tarfile.TarFile, self._tar).next()
                if member is None:
                    raise RepositoryError(f"{path} is missing in {self._restic.location}.")
                self._tar.members = []  # type: ignore[union-attr]  # it would remember all
                if member.isreg():
                    self._at = os.path.basename(member.name)
            handle = cast(tarfile.TarFile, self._tar).extractfile(cast(tarfile.TarInfo, member))
        except (tarfile.TarError, EOFError, CorruptStream) as exc:
            raise RepositoryError(f"restic can't read {path} ({exc}).") from exc
        return cast(BinaryIO, _Member(cast("IO[bytes]", handle), self.close if path == last else None))

    def _begin(self, snapshot: str, directory: str, renamed: Optional[Callable[[], str]]) -> None:
        self._dump = Dump(self._restic, snapshot, directory, renamed)
        self._place, self._at = (snapshot, directory), ""
        try:
            self._tar = tarfile.open(fileobj=self._dump, mode="r|", bufsize=1 << 20, errors="surrogateescape")  # noqa: SIM115
        except (tarfile.TarError, CorruptStream) as exc:
            raise RepositoryError(f"restic can't read {directory} ({exc}).") from exc

    def close(self) -> None:
        """End the call."""
        self._tar = None
        if self._dump is not None:
            self._dump.close()
            self._dump = None


class _Member(io.RawIOBase):
    def __init__(self, handle: IO[bytes], ended: Optional[Callable[[], None]]) -> None:
        super().__init__()
        self._handle = handle
        self._ended = ended

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return self._handle.read(size)
        except tarfile.TarError as exc:
            raise CorruptStream(f"restic can't read it ({exc})") from exc

    def close(self) -> None:
        if not self.closed:
            super().close()
            if self._ended is not None:
                self._ended()
