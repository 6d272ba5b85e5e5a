# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite as a source: each table is a collection."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Optional

from ..._core import files
from ..._core.ahead import ahead
from ..._core.errors import SourceError
from ..._core.progress import Progress
from ..records.kinds import Kinds, Summary
from ..records.model import LIST, Info, Record
from . import ddl as sqlite_ddl
from . import shared as sqlite_shared
from . import sizes as sqlite_sizes
from .ddl import describe
from .file import check_installed, connect, is_wal, sqlite3, sqlite_errors
from .file_copy import copy_database
from .read import chunks
from .schema import identifier


class SqliteSource:
    """A database as a source.

    :param ordered: read by key, not in the order of insertion.
    """

    type = "sqlite"
    typed = False
    deterministic_order = True

    def __init__(self, path: str, ordered: bool = True, workers: int = 1) -> None:
        check_installed()
        self.path = self.location = path
        self.identity = f"sqlite:{os.path.realpath(path)}"
        self._ordered = ordered
        self._workers = workers
        self._file = path  # that is read, see `read_copy`
        self._reader: Optional[sqlite3.Connection] = None
        self.notes: list[str] = []
        # Of tables that were read whole in the reader's transaction, and can be read again as text.
        self._kinds: dict[str, Kinds] = {}

    def __enter__(self) -> SqliteSource:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def end_reading(self) -> bool:
        if self._reader is None:
            return False
        self._reader.close()
        self._reader = None
        self._kinds = {}
        return True

    def _open_reader(self) -> Optional[sqlite3.Connection]:
        """A connection with a read transaction; None if there is no database."""
        if self._reader is None:
            info = files.look(self._file, SourceError)
            if info is None or (not info.st_size and files.look(self._file + "-wal", SourceError) is None):
                return None
            with sqlite_errors(SourceError, "Can't read the database", self.path):
                # The journal of a killed writer must be rolled back, as every reader does that may.
                crashed = os.path.exists(self._file + "-journal") and os.access(self._file, os.W_OK)
                self._reader = connect(self._file, "rw" if crashed else "ro")
                self._reader.execute("PRAGMA query_only=ON")
                self._reader.execute("BEGIN")
                self._reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return self._reader

    def read_copy(self, directory: str, progress: Progress) -> list[str]:
        """Read a private copy from now on, if the application would otherwise have to wait until the reading ends.

        :param directory: an empty directory, for this store only.
        :returns: a sentence for the user if there is not enough space for it.
        """
        cautions = self.cautions()
        if not cautions:
            return []
        self.end_reading()
        if files.free_bytes(directory) < os.path.getsize(self.path) + files.LEAST:
            return [*cautions, f"Not enough free space for a copy in {directory}. Set TMPDIR to another disk."]
        copy = os.path.join(directory, "copy.db")
        copy_database(self.path, copy, progress)
        self._file = copy
        return []

    def collections(self) -> list[Info]:
        connection = self._open_reader()
        if connection is None:
            return []
        with sqlite_errors(SourceError, "Can't read the database", self.path):
            infos, self.notes = describe(connection)
        return infos

    def read(self, info: Info) -> Iterator[Record]:
        return itertools.chain.from_iterable(self.chunks(info))

    def chunks(self, info: Info, ordered: bool = True, copy_lines: bool = False) -> Iterator[Sequence[Record]]:
        connection = self._open_reader()
        if connection is None:
            return
        order = ""
        if ordered:
            order = f" ORDER BY {self._order(info)}"
        with sqlite_errors(SourceError, f"Can't read the table {info.name} of", self.path):
            kinds = self._kinds.get(info.name) if copy_lines else None
            with contextlib.closing(chunks(connection, info, order, kinds)) as found:
                # SQLite makes the text while the target works on the rows before it
                yield from ahead(found) if kinds is not None else found

    def _order(self, info: Info) -> str:
        """The position in a list, the key, or the order of insertion."""
        place = [info.note.key] if info.note.shape == LIST and info.note.key else []
        columns = [identifier(info.columns[name]) for name in (place + list(info.key) if self._ordered else place)]
        return ", ".join(columns) or "rowid"

    def summary(self, info: Info) -> Optional[Summary]:
        connection = self._open_reader()
        if connection is None:
            return None
        with sqlite_errors(SourceError, f"Can't read the table {info.name} of", self.path):
            known = sqlite_shared.summary(connection, self._file, info, self._workers)
        if known is not None and known.plain and connection is self._reader:
            self._kinds[info.name] = known.kinds
        return known

    def holding_constraints(self, info: Info) -> Info:
        """The collection, without sizes that its values exceed, and with dangling foreign keys marked. SQLite ignores
        sizes, and checks foreign keys only on request.
        """
        connection = self._open_reader()
        if connection is None:
            return info
        with sqlite_errors(SourceError, f"Can't read the table {info.name} of", self.path):
            return sqlite_ddl.checked(connection, sqlite_sizes.sized(connection, info))

    def bytes_of(self, info: Info) -> int:
        connection = self._open_reader()
        if connection is None:
            return 0
        try:
            row = connection.execute("SELECT sum(pgsize) FROM dbstat WHERE name = ?", (info.stored.name,)).fetchone()
        except sqlite3.OperationalError:  # not every SQLite has this table
            return 0
        return int(row[0] or 0)

    def cautions(self) -> list[str]:
        if self._file != self.path:
            return []
        if self._reader is None and self._lacks_log():
            return [f"{self.location} can't be read in place: SQLite can't create its log in a read-only directory."]
        connection = self._open_reader()
        if connection is None:
            return []
        with sqlite_errors(SourceError, "Can't read the database", self.path):
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                return []
        return [f"{self.location} is not in WAL mode: while it is read, its application can't commit and may time out."]

    def _lacks_log(self) -> bool:
        """Whether nobody has it open, it is in WAL mode, and we can't write to its directory, as in a sandbox."""
        if files.look(self.path, SourceError) is None or files.look(self.path + "-wal", SourceError) is not None:
            return False
        with files.os_errors(SourceError, "Can't read", self.path), open(self.path, "rb") as handle:
            header = handle.read(100)
        return len(header) == 100 and is_wal(header) and not os.access(os.path.dirname(self.path) or ".", os.W_OK)

    def check_unchanged(self) -> None:
        """Nothing to check: a read transaction shows one state."""
