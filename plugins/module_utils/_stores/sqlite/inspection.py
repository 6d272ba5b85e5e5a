# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of an SQLite database. Each one is read separately, so that no writer waits for all of them."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core import files
from ..._core.errors import InvalidRequest, SourceError
from ..._core.progress import Progress
from ..records.inspection import OF_COLLECTION, OF_INDEX, Figures, file_figures, listed, percent
from ..records.versions import TABLE as VERSIONS
from .file import MAGIC, check_installed, check_magic, connect, sqlite3, sqlite_errors
from .schema import Table, fold, identifier, tables
from .versions import read_versions

_PATIENCE = 30_000  # milliseconds to wait for writers
_STEPS = 100_000  # of SQLite, after which it is looked for a cancellation
NOT_RECORDED = "SQLite does not record it"
SHALLOW = "only known with deep=true, which reads every page"
NO_DBSTAT = "this SQLite library was built without dbstat"
_DIRECTORY = "the path is a directory: name one of its files to see more"
_HINT = (
    "If its application was killed, its journal has to be rolled back first: start it, or open the file with sqlite3."
)


class Pages(NamedTuple):
    """The pages of a table or index: their bytes, and how many of these are not used."""

    bytes: int
    unused: int


class SqliteInspection:
    """A database, or a directory with several."""

    type = "sqlite"

    def __init__(self, options: Mapping[str, Any]) -> None:
        check_installed()
        self.location = self._path = files.resolve(options["path"], InvalidRequest)
        self._connection: Any = None

    def __enter__(self) -> SqliteInspection:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def figures(self, deep: bool, progress: Progress) -> Figures:
        info = files.look(self._path, SourceError)
        if info is None:
            raise SourceError(f"{self._path} does not exist.", "Check the path of store.")
        if stat.S_ISDIR(info.st_mode):
            return self._directory()
        self._check_file()
        with sqlite_errors(SourceError, "Can't read the database", self._path, _HINT):
            self._connection = connect(self._path, "ro")
            self._connection.execute(f"PRAGMA busy_timeout={_PATIENCE}")
            self._connection.execute("PRAGMA query_only=ON")
            self._connection.set_progress_handler(progress.check, _STEPS)
            return self._database(info, deep, progress)

    def _check_file(self) -> None:
        """Tell what is no database before SQLite does, in fewer words."""
        fd = files.open_regular(self._path, SourceError)
        try:
            # an empty file beside a write-ahead log is refused by `connect`
            if os.fstat(fd).st_size or not os.path.lexists(self._path + "-wal"):
                check_magic(fd, self._path)
        finally:
            os.close(fd)

    def _directory(self) -> Figures:
        figures = Figures()
        found = []
        for one in listed(self._path, _kind_of):
            database = file_figures(one.name, one.path, one.info, ("-wal",))
            if one.note != _DATABASE:
                database.unknown("type", one.note)
            else:
                database.know("type", "sqlite", "first bytes of the file")
            found.append(database)
        figures.know("databases", found, "files of the directory")
        figures.know("bytes", sum(one.get("bytes") for one in found), "sizes of its databases and their logs")
        for name in ("free_bytes", "free_percent", "schema_version", "journal_mode", "collections", "indexes"):
            figures.unknown(name, _DIRECTORY)
        for name in ("unused_indexes", "invalid_indexes", "foreign_keys_without_index"):
            figures.unknown(name, _DIRECTORY)
        return figures

    def _database(self, info: os.stat_result, deep: bool, progress: Progress) -> Figures:
        connection = self._connection
        figures = Figures()
        name = os.path.basename(self._path)
        figures.know("databases", [file_figures(name, self._path, info, ("-wal",))], "the file")
        page_size, count = pragma(connection, "page_size"), pragma(connection, "page_count")
        figures.know("bytes", page_size * count, "page_count times page_size")
        figures.know(
            "free_page_bytes", page_size * pragma(connection, "freelist_count"), "freelist_count times page_size"
        )
        figures.know("wal_bytes", self._log_bytes(), "size of the -wal file")
        self._settings(figures)
        pages = self._pages(figures, deep, progress)
        found = tables(connection)
        collections = []
        for number, table in enumerate(found):
            progress.start(f"Counting the records of {table.name}", len(found), "tables")
            progress.update(number)
            collections.append(self._collection(table, pages))
        figures.know("collections", collections, "sqlite_master")
        figures.know("indexes", list(self._indexes(pages)), "sqlite_master")
        figures.unknown("unused_indexes", "SQLite does not count the uses of an index")
        figures.know("invalid_indexes", [], "SQLite completes an index or does not create it")
        missing = [one for table in found if not table.module for one in unindexed(connection, table.name)]
        figures.know("foreign_keys_without_index", missing, "foreign_key_list and index_list")
        return figures

    def _log_bytes(self) -> int:
        info = files.look(self._path + "-wal", SourceError)
        return info.st_size if info is not None else 0

    def _settings(self, figures: Figures) -> None:
        connection = self._connection
        figures.know("journal_mode", str(pragma(connection, "journal_mode")), "PRAGMA journal_mode")
        modes = ("none", "full", "incremental")
        figures.know("auto_vacuum", modes[pragma(connection, "auto_vacuum")], "PRAGMA auto_vacuum")
        for name in ("page_size", "encoding", "application_id"):
            figures.know(name, pragma(connection, name), f"PRAGMA {name}")
        steps = read_versions(connection)
        if steps:
            figures.know("schema_version", max(steps), f"table {VERSIONS}")
        else:
            figures.know("schema_version", pragma(connection, "user_version"), "PRAGMA user_version")

    def _pages(self, figures: Figures, deep: bool, progress: Progress) -> Optional[dict[str, Pages]]:
        """The pages of each table and index; None if they were not looked at."""
        reason = SHALLOW
        if deep:
            progress.start(f"Reading the pages of {self._path}")
            pages = pages_of(self._connection)
            if pages is not None:
                free = figures.get("free_page_bytes") + sum(one.unused for one in pages.values())
                figures.know("free_bytes", free, "free pages, and the unused bytes of dbstat")
                share = percent(free, figures.get("bytes"))
                figures.know("free_percent", share if share is not None else 0.0, "free_bytes of bytes")
                return pages
            reason = NO_DBSTAT
        figures.unknown("free_bytes", reason)
        figures.unknown("free_percent", reason)
        return None

    def _collection(self, table: Table, pages: Optional[Mapping[str, Pages]]) -> Figures:
        figures = Figures(name=table.name)
        counted = next((one for one in table.shadows if one.endswith(("_docsize", "_content", "_rowid"))), table.name)
        try:
            (records,) = self._connection.execute(f"SELECT count(*) FROM {identifier(counted)}").fetchone()
            figures.know("records", records, "count(*)")
        except sqlite3.OperationalError as exc:
            if not table.module:
                raise
            figures.unknown("records", f"the module {table.module} of the virtual table is not available: {exc}")
        if pages is not None:
            own = [pages.get(one, Pages(0, 0)) for one in (table.name, *table.shadows)]
            indexes = [pages.get(one, Pages(0, 0)) for one in self._index_names(table.name)]
            size, free = sum(one.bytes for one in own), sum(one.unused for one in own)
            figures.know("bytes", size, "dbstat")
            figures.know("index_bytes", sum(one.bytes for one in indexes), "dbstat")
            figures.know("free_bytes", free, "unused bytes of dbstat, without indexes")
            figures.know("free_percent", percent(free, size), "free_bytes of bytes")
        for name in ("dead_rows", "dead_percent"):
            figures.unknown(name, "SQLite has no dead rows: see free_bytes")
        figures.unknown("last_vacuum", NOT_RECORDED)
        analyzed = has_table(self._connection, "sqlite_stat1") and self._analyzed(table.name)
        figures.unknown("last_analyze", NOT_RECORDED if analyzed else "ANALYZE has not been run")
        figures.know("analyzed", analyzed, "sqlite_stat1")
        figures.complete(OF_COLLECTION, SHALLOW if pages is None else NOT_RECORDED)
        return figures

    def _analyzed(self, table: str) -> bool:
        query = "SELECT 1 FROM sqlite_stat1 WHERE tbl = ? LIMIT 1"
        return self._connection.execute(query, (table,)).fetchone() is not None

    def _index_names(self, table: str) -> list[str]:
        query = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? COLLATE NOCASE"
        return [name for (name,) in self._connection.execute(query, (table,))]

    def _indexes(self, pages: Optional[Mapping[str, Pages]]) -> Iterator[Figures]:
        query = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' ORDER BY tbl_name, name"
        for name, table in self._connection.execute(query).fetchall():
            figures = Figures(name=name, collection=table)
            if pages is not None:
                figures.know("bytes", pages.get(name, Pages(0, 0)).bytes, "dbstat")
            else:
                figures.unknown("bytes", SHALLOW)
            figures.unknown("scans", "SQLite does not count them")
            figures.complete(OF_INDEX, NOT_RECORDED)
            yield figures


_DATABASE = "database"


def _kind_of(path: str) -> str:
    """What a file of a directory is; "" if it is not a database."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    except OSError as exc:
        return f"can't be read: {exc.strerror}"
    try:
        return _DATABASE if os.pread(fd, len(MAGIC), 0) == MAGIC else ""
    finally:
        os.close(fd)


def pragma(connection: sqlite3.Connection, name: str) -> Any:
    """The value of a PRAGMA."""
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def pages_of(connection: sqlite3.Connection) -> Optional[dict[str, Pages]]:
    """The pages of each table and index by name, from dbstat; None if this SQLite lacks it. It reads every page."""
    try:
        rows = connection.execute("SELECT name, sum(pgsize), sum(unused) FROM dbstat GROUP BY name").fetchall()
    except sqlite3.OperationalError as exc:
        if "no such table: dbstat" not in str(exc):
            raise
        return None
    return {name: Pages(size, unused) for name, size, unused in rows}


def unindexed(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    """The foreign keys of a table that no index helps with: each deletion of a parent then reads the whole table."""
    keys: dict[int, list[Sequence[Any]]] = {}
    for row in connection.execute(f"PRAGMA foreign_key_list({identifier(table)})"):
        keys.setdefault(row[0], []).append(row)
    if not keys:
        return []
    leading = list(_indexed(connection, table))
    found = []
    for rows in keys.values():
        fields = {fold(row[3]) for row in rows}
        if not any(fields == set(columns[: len(fields)]) for columns in leading):
            found.append({"collection": table, "fields": [row[3] for row in rows], "references": rows[0][2]})
    return found


def _indexed(connection: sqlite3.Connection, table: str) -> Iterator[list[str]]:
    """The columns of each index of all rows, and of the row ID."""
    for row in connection.execute(f"PRAGMA index_list({identifier(table)})").fetchall():
        if not row[4]:  # not partial
            columns = connection.execute(f"PRAGMA index_info({identifier(row[1])})").fetchall()
            yield [fold(one[2]) if one[2] is not None else "" for one in columns]
    columns = connection.execute(f"PRAGMA table_info({identifier(table)})").fetchall()
    key = [one for one in columns if one[5]]
    if len(key) == 1 and key[0][2].upper() == "INTEGER":
        yield [fold(key[0][1])]
