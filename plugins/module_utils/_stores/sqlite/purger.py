# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite as a store from which old records are removed: bursts with its lock, and gaps that let waiting writers in."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import base64
import hashlib
import marshal
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Optional

from ..._core.errors import SourceError, TargetError, Violation
from ..records.as_stored import as_stored
from ..records.model import NO_RIGHTS, Info, Rights
from ..records.purger import Item, Key, Relation, Removed, Row, remove_batch
from .file import connect, rows_of, sqlite3, sqlite_errors
from .read import columns_of, records_reader
from .schema import identifier
from .target import SqliteTarget
from .values import AnyText

_PAGE = 2000  # rows of one reading, so that none is long
_VALUES = 500  # of one statement: SQLite has a limit
_PATIENCE = 60_000  # milliseconds that we wait for the lock of another
_BURST, _GAP = 0.075, 0.03  # seconds with the lock, and without


class SqlitePurger(SqliteTarget):
    """A database from which records are removed.

    SQLite has no queue for its lock: a writer that waits sleeps up to 25 ms at a time as long as it has waited for less
    than 130 ms. A gap that is longer lets it in.
    """

    least_wait = 0.06

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._pager: Optional[sqlite3.Connection] = None
        self._wal = False

    def __exit__(self, *exc: object) -> None:
        if self._pager is not None:
            self._pager.close()
            self._pager = None
        super().__exit__(*exc)

    def collections(self) -> list[Info]:
        infos = super().collections()
        reader = self._open_reader()
        self._wal = reader is not None and reader.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        return infos

    def check_writable(self, infos: Sequence[Info], size: int, rights: Rights = NO_RIGHTS) -> None:
        """Nothing is created but the side files of SQLite."""
        directory = os.path.dirname(os.path.abspath(self.path))
        for place, mode in ((self.path, os.W_OK), (directory, os.W_OK | os.X_OK)):
            if not os.access(place, mode):
                raise TargetError(f"{place} is not writable.", "Run as a user with permission (become: true).")
        if os.statvfs(directory).f_flag & os.ST_RDONLY:
            raise TargetError(f"{self.path} is not writable: its file system is mounted read-only.")
        self._check_statements(infos)

    def _check_statements(self, infos: Sequence[Info]) -> None:
        """Raise what is found when a statement is prepared, such as foreign keys that refer to no key."""
        hint = "Nothing was deleted. Correct the schema."
        with sqlite_errors(TargetError, "Can't delete from", self.path, hint):
            connection = self._read_pages()
            connection.execute("PRAGMA foreign_keys=ON")
            for info in infos:
                connection.execute(f"EXPLAIN DELETE FROM {identifier(info.stored.name)}").fetchall()

    def identity_of(self, info: Info) -> str:
        return f"{self.identity}/{info.stored.name}"

    def foreign(self, info: Info) -> Sequence[str]:
        """None: all tables are known."""
        return ()

    def tells_apart(self, info: Info) -> bool:
        names = [identifier(name) for name in info.stored.key]
        missing = " OR ".join(f"max({name} IS NULL)" for name in names)
        query = (
            f"SELECT 1 FROM {identifier(info.stored.name)} GROUP BY {', '.join(names)} "
            f"HAVING count(*) > 1 OR {missing} LIMIT 1"
        )
        with sqlite_errors(SourceError, f"Can't read the table {info.name} of", self.path):
            return self._read_pages().execute(query).fetchone() is None

    def _read_pages(self) -> sqlite3.Connection:
        """A connection without a transaction: each query is one."""
        if self._pager is None:
            self._pager = connect(self.path, "ro" if self._wal else "rw")  # which rolls back what a killed writer left
            self._pager.execute("PRAGMA query_only=ON")
            self._pager.execute(f"PRAGMA busy_timeout={_PATIENCE}")
        return self._pager

    def pages(self, info: Info) -> Iterator[Sequence[Row]]:
        keys = [identifier(name) for name in info.stored.key]
        order = f" ORDER BY {', '.join(keys)} LIMIT {_PAGE}"
        rows_from = _Rows(info)
        after = ""
        parameters: list[Any] = []
        with sqlite_errors(SourceError, f"Can't read the table {info.name} of", self.path):
            while True:
                found = rows_from.read(self._read_pages(), after + order, parameters)
                yield rows_from.rows([one for one in found if None not in rows_from.key(one)])
                if len(found) < _PAGE:
                    return
                last = rows_from.key(found[-1])
                if None in last:  # SQLite has them first: there are more than a page of rows without a key
                    raise SourceError(f"Too many rows of {info.name} have no key.")
                marks, parameters = _marks(last)
                after = f" WHERE ({', '.join(keys)}) > ({', '.join(marks)})"

    def children(self, relation: Relation, key: Key) -> list[Row]:
        with sqlite_errors(SourceError, f"Can't read the table {relation.child.name} of", self.path):
            return list(_children(self._read_pages(), relation, key))

    def remove(
        self, info: Info, relations: Sequence[Relation], batches: Iterable[Sequence[Item]], action: str, max_wait: float
    ) -> Iterator[Removed]:
        burst = min(_BURST, (max_wait - 0.05) / 2)
        connection, wal = self._ready()
        store = _InTransaction(connection)
        waiting = iter(batches)
        batch = next(waiting, None)
        committing = 0.005
        while batch is not None:
            done, taken = Removed(), 0
            with self._transaction():
                began = time.monotonic()
                while batch is not None:
                    done = done.plus(remove_batch(store, info, relations, batch, action))
                    taken += 1
                    batch = next(waiting, None)
                    passed = time.monotonic() - began
                    if passed + 1.2 * passed / taken + committing > burst:
                        break
                ended = time.monotonic()
            released = time.monotonic()
            committing += 0.5 * (released - ended - committing)
            yield done._replace(held=released - began)
            if wal:  # now, so that no writer has to write our pages when it commits
                with sqlite_errors(TargetError, "Can't write", self.path):
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if batch is not None:
                time.sleep(max(0.0, released + _GAP - time.monotonic()))

    def _ready(self) -> tuple[sqlite3.Connection, bool]:
        """The connection for writing, and whether there is a write-ahead log."""
        connection = self._open_writer()
        with sqlite_errors(TargetError, "Can't write the database", self.path):
            wal = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
            for setting in (
                f"busy_timeout={_PATIENCE}",
                "foreign_keys=ON",  # what we don't know of is refused, and not left dangling
                "wal_autocheckpoint=0",
                "cache_spill=OFF",  # a spill takes the lock that keeps readers out
                "cache_size=-16384",
                f"synchronous={'NORMAL' if wal else 'FULL'}",
            ):
                connection.execute(f"PRAGMA {setting}")
        return connection, wal

    def finish(self, info: Info) -> Sequence[str]:
        """Nothing: SQLite reuses the pages."""
        return ()


class _Rows:
    """Reads rows of a table: the columns of its key, then all that a record is made of."""

    def __init__(self, info: Info) -> None:
        stored = info.stored
        self._width = len(stored.key)
        self._columns = [*stored.key, *columns_of(info)]
        self._table = stored.name
        self._records = records_reader(info)
        exact = as_stored(info)
        same = [field.kind for field in exact.fields] == [field.kind for field in info.fields]
        self._stored = None if same else records_reader(exact)

    def read(
        self, connection: sqlite3.Connection, rest: str, parameters: Sequence[Any], table: str = ""
    ) -> list[tuple[Any, ...]]:
        """:param rest: what follows the name of the table, which is called c, in SELECT."""
        columns = ", ".join(f"c.{identifier(name)}" for name in self._columns)
        query = f"SELECT {columns} FROM {table or identifier(self._table)} AS c{rest}"
        return [row for rows in rows_of(connection, query, _PAGE + 1, parameters) for row in rows]

    def key(self, row: tuple[Any, ...]) -> Key:
        return row[: self._width]

    def tokens(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Key, str]]:
        width = self._width
        return ((row[:width], _token(row[width:])) for row in rows)

    def rows(self, rows: Sequence[tuple[Any, ...]]) -> list[Row]:
        if not rows:
            return []
        values = [row[self._width :] for row in rows]
        records = list(self._records(values))
        stored = self._stored(values) if self._stored else records
        return [Row(*one, record, exact) for one, record, exact in zip(self.tokens(rows), records, stored)]


def _token(values: tuple[Any, ...]) -> str:
    """A digest of the exact values. Later versions of the format look for equal objects."""
    return base64.b64encode(hashlib.blake2b(marshal.dumps(values, 2), digest_size=15).digest()).decode()


class _InTransaction:
    """What is done with the lock of the database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[str, _Rows] = {}

    def current(self, info: Info, keys: Sequence[Key]) -> Mapping[Key, str]:
        if info.name not in self._known:
            self._known[info.name] = _Rows(info)
        rows = self._known[info.name]
        found: dict[Key, str] = {}
        for condition, values in _conditions(info, keys):
            for key, token in rows.tokens(rows.read(self._connection, f" WHERE {condition}", values)):
                found[key] = "" if key in found else token
        return found

    def children(self, relation: Relation, key: Key) -> Mapping[Key, str]:
        found = _children(self._connection, relation, key)
        return {one.key: one.token for one in found}

    def delete(self, info: Info, keys: Sequence[Key]) -> int:
        table, count = identifier(info.stored.name), 0
        for condition, values in _conditions(info, keys):
            count += self._connection.execute(f"DELETE FROM {table} WHERE {condition}", values).rowcount
        if count > len(keys):
            raise Violation(
                f"In {info.name}, the database takes different keys for the same: nothing was deleted of this batch.",
                "Set key to fields whose collation tells all records apart.",
            )
        return count

    def detach(self, relation: Relation, keys: Sequence[Key]) -> None:
        child = relation.child
        setting = ", ".join(f"{identifier(child.columns.get(name, name))} = NULL" for name in relation.key.fields)
        for condition, values in _conditions(child, keys):
            self._connection.execute(f"UPDATE {identifier(child.stored.name)} SET {setting} WHERE {condition}", values)


def _children(connection: sqlite3.Connection, relation: Relation, key: Key) -> list[Row]:
    """The rows that refer to a row of another table."""
    parent, child = relation.parent, relation.child
    to = relation.key.to_fields or parent.key
    same = " AND ".join(
        f"p.{identifier(parent.columns.get(theirs, theirs))} = c.{identifier(child.columns.get(mine, mine))}"
        for mine, theirs in zip(relation.key.fields, to)
    )
    marks, values = _marks(key)
    wanted = " AND ".join(f"p.{identifier(name)} = {mark}" for name, mark in zip(parent.stored.key, marks))
    rows = _Rows(child)
    # in this order, in which SQLite compares by the collation of the parent, too, when it cascades.
    # The row of the parent is known, and its children have an index
    joined = f"{identifier(parent.stored.name)} AS p CROSS JOIN {identifier(child.stored.name)}"
    return rows.rows(rows.read(connection, f" WHERE {wanted} AND {same}", values, joined))


def _conditions(info: Info, keys: Sequence[Key]) -> Iterator[tuple[str, list[Any]]]:
    """What selects the rows with these keys, and the values in it."""
    names = [identifier(name) for name in info.stored.key]
    if len(names) == 1:
        (name,) = names
        if any(field.identity and field.name in info.key for field in info.fields):  # only there are no others between
            low, high = min(keys)[0], max(keys)[0]
            if high - low == len(set(keys)) - 1:
                yield f"{name} BETWEEN ? AND ?", [low, high]
                return
        for start in range(0, len(keys), _VALUES):
            marks, values = _marks([key[0] for key in keys[start : start + _VALUES]])
            yield f"{name} IN ({', '.join(marks)})", values
        return
    for key in keys:
        marks, values = _marks(key)
        yield " AND ".join(f"{name} = {mark}" for name, mark in zip(names, marks)), values


def _marks(values: Sequence[Any]) -> tuple[list[str], list[Any]]:
    """The placeholders of values, and these as SQLite takes them."""
    if all(value.__class__ is int for value in values):
        return ["?"] * len(values), list(values)
    marks: list[str] = []
    given: list[Any] = []
    for value in values:
        odd = isinstance(value, str) and not value.isascii() and _is_odd(value)
        marks.append("CAST(? AS TEXT)" if odd else "?")
        if odd:
            given.append(AnyText(value.encode("utf-8", "surrogateescape")))
        else:  # a work list has infinite numbers as Decimal
            given.append(float(value) if isinstance(value, Decimal) else value)
    return marks, given


def _is_odd(text: str) -> bool:
    """Whether a text has bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
