# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a directory store, as they were read: on disk, as there may be millions."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from ..._core.collection import Collection
from ..._core.errors import Day2Error, SourceError
from ..._core.files import prepared_name

# Each is named in the manifest and in results.
MOST_COLLECTIONS = 100_000


class Row(NamedTuple):
    """A file or, if the name ends in "/", the directory of a collection."""

    name: str  # relative to the store
    collection: str
    attributes: str  # whatever changes when the file does
    mode: int
    uid: int
    gid: int
    mtime: int
    position: int = 0  # in the spool
    size: int = 0
    sha256: str = ""
    records: Optional[int] = 0  # None: not a valid document
    listed: int = 0  # the listing that it was last found in
    stale: int = 1  # not read as it is now


class Index:
    """Rows by name. It is a context manager."""

    def __init__(self, directory: str) -> None:
        self._listings = 0
        self._path = os.path.join(directory, prepared_name("index"))
        self._db = sqlite3.connect(self._path, isolation_level=None)
        for statement in (
            "PRAGMA synchronous=OFF",
            "PRAGMA journal_mode=OFF",
            f"CREATE TABLE file ({', '.join(Row._fields)}, PRIMARY KEY (name)) WITHOUT ROWID",
            "CREATE INDEX stale ON file (name) WHERE stale",
            "BEGIN",
        ):
            self._db.execute(statement)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *exc: object) -> None:
        self._db.close()
        os.unlink(self._path)

    def start_listing(self) -> None:
        """Begin a listing: rows that are not passed to `see` until `end_listing` are removed."""
        self._listings += 1

    def see(self, row: Row) -> None:
        """A row of the listing. It is stale unless it was read with the same attributes."""
        old = self._db.execute("SELECT attributes, stale FROM file WHERE name = ?", (row.name,)).fetchone()
        if old == (row.attributes, 0):
            self._db.execute("UPDATE file SET listed = ? WHERE name = ?", (self._listings, row.name))
        else:
            self.put(row._replace(listed=self._listings))

    def end_listing(self) -> bool:
        """Remove the rows that were not listed. Returns whether everything is as it was read."""
        gone = self._db.execute("DELETE FROM file WHERE listed < ?", (self._listings,)).rowcount
        return not gone and not self.stale(1)

    def put(self, row: Row) -> None:
        """Add or replace a row."""
        self._db.execute("INSERT OR REPLACE INTO file VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", row)

    def stale(self, most: int, after: str = "") -> list[Row]:
        """The next rows that must be read, at most `most`."""
        rows = self._db.execute("SELECT * FROM file WHERE stale AND name > ? ORDER BY name LIMIT ?", (after, most))
        return [Row(*row) for row in rows]

    def get(self, name: str) -> Optional[Row]:
        """The row with this name."""
        row = self._db.execute("SELECT * FROM file WHERE name = ?", (name,)).fetchone()
        return None if row is None else Row(*row)

    def forget(self, name: str) -> None:
        """Remove a row."""
        self._db.execute("DELETE FROM file WHERE name = ?", (name,))

    def rows(self, only: Sequence[str] = ()) -> Iterator[Row]:
        """All rows, or those of some collections, ordered by name."""
        wanted = frozenset(only)
        for values in self._db.execute("SELECT * FROM file ORDER BY name"):
            row = Row(*values)
            if not wanted or row.collection in wanted:
                yield row

    def digest(self, only: Sequence[str] = ()) -> str:
        """SHA-256 over the names and the digests of the contents."""
        digest = hashlib.sha256()
        for row in self.rows(only):
            digest.update(row.sha256.encode() + b"  " + row.name.encode() + b"\0")
        return digest.hexdigest()

    def collections(self) -> dict[str, Optional[int]]:
        """The numbers of records by collection; None if a document is not valid.

        :raises SourceError: there are too many collections.
        """
        rows = self._db.execute(
            "SELECT collection, CASE WHEN COUNT(*) = COUNT(records) THEN SUM(records) END FROM file"
            " GROUP BY collection ORDER BY collection LIMIT ?",
            (MOST_COLLECTIONS + 1,),
        ).fetchall()
        if len(rows) > MOST_COLLECTIONS:
            raise SourceError(
                f"There are more than {MOST_COLLECTIONS} collections.",
                "If each file contains one record, set layout to file_per_record and path to the directory above.",
            )
        return dict(rows)

    def counted(self) -> tuple[Collection, ...]:
        """The collections with their numbers of records, for a manifest."""
        return tuple(Collection(name, records or 0) for name, records in self.collections().items())

    def totals(self) -> tuple[int, int]:
        """The number of files, and their size in bytes."""
        count, size = self._db.execute("SELECT COUNT(*), SUM(size) FROM file WHERE name NOT LIKE '%/'").fetchone()
        return count, size or 0


@contextlib.contextmanager
def index_errors(kind: type[Day2Error], doing: str) -> Iterator[None]:
    """Raise `kind` when the index cannot be written, most likely because the disk is full."""
    try:
        yield
    except sqlite3.Error as exc:
        raise kind(f"{doing}: the index in the scratch directory can't be written: {exc}.") from exc
