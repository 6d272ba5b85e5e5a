# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tar archive in pieces, so that what has not changed in it is the same piece again.

restic finds equal parts of a file by itself, but none that are much smaller than 1 MiB: in an archive, each file that
is added or changed would cost as much. So it is cut between its entries, at places that depend on their names and
sizes.
"""

from __future__ import annotations

import contextlib
import os
import tarfile
import threading
import zlib
from collections.abc import Sequence
from typing import IO, Optional

from .._core.files import CREATE_FILE
from .upload_pipe import upload_pipe

SUFFIX = ".d"  # of the directory that the pieces of an archive lie in
_BLOCK = 1 << 20
_HEADER = tarfile.BLOCKSIZE
_EXTENSIONS = (b"x", b"g", b"L", b"K")  # of the entry that follows
# Bytes of a piece, from how many pieces on: the manifest lists all of them
_SIZES = ((0, 64 << 10), (20_000, 1 << 20), (60_000, 64 << 20))


class Cutter:
    """Writes what comes through its pipe as pieces into a directory, or as one file if it is not cut.

    :param path: of the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._error: Optional[Exception] = None
        self._target: Optional[IO[bytes]] = None
        self._size = 0  # of the entries before, as far as they count for the next cut
        self.pieces: list[str] = []
        reading, self.handle = upload_pipe(self.finish)
        os.mkdir(path + SUFFIX, 0o700)
        self._thread = threading.Thread(target=self._run, args=(reading,), daemon=True)
        self._thread.start()

    def _run(self, fd: int) -> None:
        try:
            with os.fdopen(fd, "rb", buffering=_BLOCK) as source, contextlib.ExitStack() as stack:
                stack.callback(self._end)
                self._next()
                while self._entry(source):
                    pass
                while data := source.read(_BLOCK):
                    self._write(data)
        except Exception as exc:  # whatever it is, the thread that writes is to hear of it
            self._error = exc

    def _entry(self, source: IO[bytes]) -> bool:
        """Pass an entry on. False: this is not one."""
        before = b""
        while True:
            header = source.read(_HEADER)
            size = _size_of(header)
            if size is None or (header[156:157] in _EXTENSIONS and size > _BLOCK):
                self._write(before + header)
                return False
            if header[156:157] not in _EXTENSIONS:
                break
            before += header + source.read(size)
        whole = len(before) + _HEADER + size
        self._cut_before(header, whole)
        self._write(before + header)
        while size:
            data = source.read(min(size, _BLOCK))
            if not data:
                return False
            self._write(data)
            size -= len(data)
        self._size = whole
        return True

    def _cut_before(self, header: bytes, whole: int) -> None:
        wanted = next(size for least, size in reversed(_SIZES) if len(self.pieces) >= least)
        # the larger an entry, the more probable; one that is large enough is a piece of its own
        chance = zlib.crc32(header[:100] + header[345:500]) / 2**32
        if self._size and (chance < whole / wanted or self._size >= wanted):
            self._next()

    def _next(self) -> None:
        self._end()
        self.pieces.append(f"{len(self.pieces) + 1:06d}")
        path = os.path.join(self._path + SUFFIX, self.pieces[-1])
        self._target = os.fdopen(os.open(path, CREATE_FILE, 0o600), "wb")

    def _write(self, data: bytes) -> None:
        if self._target is not None:
            self._target.write(data)

    def _end(self) -> None:
        if self._target is not None:
            self._target.close()

    def finish(self) -> None:
        """Wait until all is written."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        if len(self.pieces) == 1:
            os.rename(os.path.join(self._path + SUFFIX, self.pieces[0]), self._path)
            os.rmdir(self._path + SUFFIX)

    def names(self, path: str) -> Sequence[str]:
        """The pieces, by the path that the file has in the backup."""
        return [path] if len(self.pieces) == 1 else [f"{path}{SUFFIX}/{piece}" for piece in self.pieces]


def _size_of(header: bytes) -> Optional[int]:
    """The bytes that follow a header, with those that fill the last block; None: it is not a header."""
    if len(header) < _HEADER or not header[0]:
        return None
    try:
        size = tarfile.nti(header[124:136])  # type: ignore[attr-defined]
    except tarfile.TarError:
        return None
    # links, directories and devices have none, whatever their size says
    kept = 0 if header[156:157] in (b"1", b"2", b"3", b"4", b"5", b"6") else int(size)
    return None if kept < 0 else -(-kept // _HEADER) * _HEADER
