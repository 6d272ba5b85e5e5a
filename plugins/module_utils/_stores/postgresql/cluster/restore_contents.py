# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one database in a backup: the pack, unpacked, and the larger ones, which are read from the backup."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, Callable

from ...._core import tar_members
from ...._core.errors import DamagedBackup, TargetError
from ...._core.files import CREATE_FILE, os_errors
from ...base import Copy, Reader
from .databases import folder

_BLOCK = 1 << 20
_END = b"\\.\n\n\n"  # of the rows of a table, as pg_dump writes it
_MEMBER = re.compile(r"toc\.dat|blobs(_\d+)?\.toc|\d+\.dat|blob_\d+\.dat|sums\.json")
_TOC = re.compile(r"blobs(_\d+)?\.toc")


class Contents:
    """An archive of pg_dump in directory format, of which only what is small lies in `directory`.

    :param database: its name in the backup.
    """

    def __init__(self, copy: Copy, database: str, directory: str) -> None:
        self._copy = copy
        self.database = database
        self.directory = directory
        self._prefix = folder(database) + "/"
        self._stored = {name for name in copy.names() if name.startswith(self._prefix)}
        with os_errors(TargetError, "Can't create", directory):
            os.mkdir(directory, 0o700)
        self._unpack()

    def _unpack(self) -> None:
        name = self._prefix + "small.tar"
        if name not in self._stored:
            raise self.damaged("small.tar", "it is missing")
        with self._copy.open(name) as reader:
            try:
                with tar_members.opened(reader, "r|") as tar:
                    for info in tar_members.members(tar):
                        if not info.isreg() or not _MEMBER.fullmatch(info.name):
                            raise ValueError(f"it contains {info.name!r}")
                        self._write(info.name, tar.extractfile(info))
            except tar_members.ERRORS as exc:
                _read_to_end(reader)  # damage of the file itself is the better reason
                raise self.damaged("small.tar", str(exc)) from exc
            _read_to_end(reader)
        if not os.path.exists(self.path("toc.dat")):
            raise self.damaged("small.tar", "it lacks toc.dat")

    def _write(self, name: str, source: Any) -> None:
        path = self.path(name)
        with os_errors(TargetError, "Can't write", path), os.fdopen(os.open(path, CREATE_FILE, 0o600), "wb") as handle:
            while data := source.read(_BLOCK):
                handle.write(data)

    def path(self, name: str) -> str:
        """Where a file of the pack lies."""
        return os.path.join(self.directory, name)

    def damaged(self, name: str, problem: str) -> DamagedBackup:
        return DamagedBackup("of PostgreSQL", [{"path": self._prefix + name, "problem": problem}])

    def is_large(self, name: str) -> bool:
        """Whether it is a separate file in the backup."""
        return self._prefix + name in self._stored

    def blocks(self, name: str) -> Iterator[bytes]:
        """The content of a file. Raises DamagedBackup at the latest instead of its end."""
        if self.is_large(name):
            with self._copy.open(self._prefix + name) as reader:
                yield from _blocks(reader.read)
            return
        if not os.path.exists(self.path(name)):
            raise self.damaged(name, "it is missing")
        with os_errors(TargetError, "Can't read", self.path(name)), open(self.path(name), "rb", buffering=0) as handle:
            yield from _blocks(handle.read)

    def rows(self, name: str) -> Iterator[bytes]:
        """The rows of a table as text of COPY, without the mark of their end, which must be there."""
        held = b""
        for data in self.blocks(name):
            if len(data) < len(_END):
                held += data
                continue
            yield held
            yield data[: -len(_END)]
            held = data[-len(_END) :]
        if not held.endswith(_END):
            raise self.damaged(name, "it lacks the mark of the end of its rows")
        yield held[: -len(_END)]

    def large_objects(self) -> list[tuple[int, str]]:
        """(number, file) of each large object."""
        found = []
        for name in sorted(os.listdir(self.directory)):
            if _TOC.fullmatch(name):
                with open(self.path(name), encoding="ascii") as lines:
                    found += [(int(number), file) for number, file in (line.split() for line in lines)]
        return found

    def verify(self) -> None:
        """Read all files that were not unpacked. Raises DamagedBackup."""
        for name in sorted(self._stored):
            if not name.endswith("/small.tar"):
                with self._copy.open(name) as reader:
                    _read_to_end(reader)


def _blocks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while data := read(_BLOCK):
        yield data


def _read_to_end(reader: Reader) -> None:
    while reader.read(_BLOCK):
        pass
