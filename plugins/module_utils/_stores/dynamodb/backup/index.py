# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the items of a table differ from those of a backup, of any size: digests of both in an SQLite file."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Optional

from ...._core.errors import NoSpace
from ..values import KeyField
from .items import Line, line_of

# What is known of an item of the backup. Items of the table that are not in the backup have no row.
_MISSING, _EQUAL, _OTHER = 0, 1, 2
_MANY = 10_000
_numbers = itertools.count(1)  # of files: one can be in use when a table is read back


class Differences(NamedTuple):
    """Numbers of items: only in the backup, in both with other content, only in the table."""

    missing: int
    other: int
    surplus: int


class Index:
    """The items of one collection of a backup, and what is known of them in the table. A context manager."""

    def __init__(self, scratch: str, lines: Iterable[bytes], key: Sequence[KeyField]) -> None:
        """
        :param lines: the items of the backup as JSON.
        :raises NoSpace: there is none in scratch.
        """
        self._path = os.path.join(scratch, f"items-{next(_numbers)}.db")
        self._database = sqlite3.connect(self._path, isolation_level=None)
        try:
            with self._spaced():
                self._fill(lines, key)
        except BaseException:
            self.close()
            raise

    def _fill(self, lines: Iterable[bytes], key: Sequence[KeyField]) -> None:
        for statement in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-16000", "temp_store=MEMORY"):
            self._database.execute(f"PRAGMA {statement}")
        self._database.execute(
            "CREATE TABLE items (key BLOB PRIMARY KEY, digest BLOB NOT NULL, state INTEGER NOT NULL) WITHOUT ROWID"
        )
        rows = ((one.key, one.digest, _MISSING) for one in (line_of(text, json.loads(text), key) for text in lines))
        self._database.execute("BEGIN")
        # the last one of two lines with one key is what loading them would leave
        self._database.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the file."""
        self._database.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def compare(self, table: Iterable[Line]) -> Iterator[tuple[Line, bool]]:
        """The items of the table that are not as in the backup, each with whether the backup has its key.

        :raises NoSpace: there is none in scratch.
        """
        self._database.execute("BEGIN")
        self._database.execute("UPDATE items SET state = ? WHERE state != ?", [_MISSING, _MISSING])
        found: list[tuple[int, bytes]] = []  # without the items, which can be large
        for line in table:
            row = self._database.execute("SELECT digest FROM items WHERE key = ?", [line.key]).fetchone()
            equal = row is not None and row[0] == line.digest
            if row is not None:
                found.append((_EQUAL if equal else _OTHER, line.key))
            if not equal:
                yield line, row is not None
            if len(found) == _MANY:
                self._note(found)
                found = []
        self._note(found)
        self._database.execute("COMMIT")

    def _note(self, found: Sequence[tuple[int, bytes]]) -> None:
        with self._spaced():
            self._database.executemany("UPDATE items SET state = ? WHERE key = ?", found)

    def count(self, table: Iterable[Line]) -> Differences:
        """The same in numbers."""
        surplus = sum(not known for _line, known in self.compare(table))
        return Differences(self._having(_MISSING), self._having(_OTHER), surplus)

    def is_missing(self, key: bytes) -> bool:
        """Whether the table had no such item when it was last compared."""
        return self._state(key) == _MISSING

    def is_equal(self, key: bytes) -> bool:
        """Whether the table had that item as in the backup."""
        return self._state(key) == _EQUAL

    def _having(self, state: int) -> int:
        count: int = self._database.execute("SELECT count(*) FROM items WHERE state = ?", [state]).fetchone()[0]
        return count

    def _state(self, key: bytes) -> Optional[int]:
        row = self._database.execute("SELECT state FROM items WHERE key = ?", [key]).fetchone()
        return row[0] if row else None

    @contextlib.contextmanager
    def _spaced(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as exc:
            raise NoSpace(f"Can't write {self._path}: {exc}.", "Free some space there and run again.") from None
