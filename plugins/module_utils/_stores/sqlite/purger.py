# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite as a store from which old records are removed: bursts with its lock, and gaps that let waiting writers in."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import collections
import itertools
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._core.errors import SourceError, TargetError, Violation
from ..records.model import NO_RIGHTS, Info, Rights
from ..records.purger import Batch, Key, Relation, Removed, Row, digest_of, remove_batch
from .file import connect, sqlite3, sqlite_errors
from .purge_rows import GONE, PAGE, Rows, conditions, is_numbered, marks_of, reader_of, token_of
from .schema import identifier
from .schema_watch import SchemaWatch
from .target import SqliteTarget

_LEAST, _MOST = -(2**63), 2**63  # of integers
_FEW, _PARTS = 20_000, 5000  # keys that are not worth a process; and of how many ranges of others
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
        self._watch: Optional[SchemaWatch] = None

    def __exit__(self, *exc: object) -> None:
        self._end_pages()
        super().__exit__(*exc)

    def _end_pages(self) -> None:
        if self._pager is not None:
            self._pager.close()
            self._pager = None

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
        reader = self._open_reader()
        if reader is not None:  # in the transaction in which they were described
            with sqlite_errors(SourceError, "Can't read the database", self.path):
                self._watch = SchemaWatch(reader, [info.stored.name for info in infos])

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

    def parts(self, info: Info) -> Sequence[Optional[range]]:
        """Ranges of a key of integers. Without a log, a reader that waits for a core would keep writers waiting."""
        parts: list[Optional[range]] = [None]
        if self._wal and not info.document and is_numbered(info):
            (name,) = (identifier(one) for one in info.stored.key)
            with sqlite_errors(SourceError, f"Can't read the table {info.name} of", self.path):
                low, high = (
                    self._read_pages().execute(f"SELECT min({name}), max({name}) FROM {identifier(info.stored.name)}")
                ).fetchone()
            if low is not None and high - low > _FEW:
                size = max(PAGE, (high - low) // _PARTS)
                bounds = [_LEAST, *range(low + size, high, size), _MOST]
                parts = list(map(range, bounds, bounds[1:]))
        if self._writer is None:
            self._end_pages()  # processes must not share what SQLite knows of its locks
            self.end_reading()
        return parts if self._writer is None else [None]

    def pages(self, info: Info, wanted: Collection[str], part: Optional[range] = None) -> Iterator[Sequence[Row]]:
        keys = [identifier(name) for name in info.stored.key]
        order = f" ORDER BY {', '.join(keys)} LIMIT {PAGE}"
        after, until = "", ""
        parameters: list[Any] = []
        limit: list[Any] = []
        if part is not None:
            after, parameters = f" WHERE {keys[0]} >= ?", [part.start]
            until, limit = f" AND {keys[0]} <= ?", [part.stop - 1]
        with sqlite_errors(SourceError, f"Can't read the table {info.name} of", self.path):
            reader = reader_of(self._read_pages(), info, wanted)
            while True:
                found = reader.rows(after + until + order, parameters + limit)
                yield [one for one in found if None not in one.key and one.stored != GONE]
                if len(found) < PAGE:
                    return
                last = found[-1].key
                if None in last:  # SQLite has them first: there are more than a page of rows without a key
                    raise SourceError(f"Too many rows of {info.name} have no key.")
                marks, parameters = marks_of(last)
                after = f" WHERE ({', '.join(keys)}) > ({', '.join(marks)})"

    def children(self, relation: Relation, key: Key) -> list[Row]:
        with sqlite_errors(SourceError, f"Can't read the table {relation.child.name} of", self.path):
            return list(_children(self._read_pages(), relation, key))

    def remove(
        self, info: Info, relations: Sequence[Relation], batches: Iterable[Batch], action: str, max_wait: float
    ) -> Iterator[Removed]:
        burst = min(_BURST, (max_wait - 0.05) / 2)
        connection, wal = self._ready()
        store = _InTransaction(connection)
        waiting = iter(batches)
        ready = collections.deque(itertools.islice(waiting, 1))  # what was read before the lock is taken
        committing = 0.005
        while ready:
            done, taken = Removed(), 0
            with self._transaction():
                began = time.monotonic()
                if self._watch is not None:
                    self._watch.check(connection, info.name)
                while ready:
                    done = done.plus(remove_batch(store, info, relations, ready.popleft(), action))
                    taken += 1
                    ready.extend(itertools.islice(waiting, 0 if ready else 1))
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
            for batch in itertools.islice(waiting, max(0, taken + 1 - len(ready))):
                ready.append(batch)
                if time.monotonic() > released + _GAP:
                    break
            if ready:
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


class _InTransaction:
    """What is done with the lock of the database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[str, Rows] = {}

    def current(self, info: Info, keys: Sequence[Key]) -> Mapping[Key, str]:
        found: dict[Key, str] = {}
        for key, content in self._contents(info, keys):
            found[key] = "" if key in found else token_of(content)
        return found

    def digest(self, info: Info, keys: Sequence[Key]) -> str:
        found = list(self._contents(info, keys))
        return digest_of([content for _key, content in found]) if [key for key, _content in found] == keys else ""

    def _contents(self, info: Info, keys: Sequence[Key]) -> Iterator[tuple[Key, bytes]]:
        if info.name not in self._known:
            self._known[info.name] = reader_of(self._connection, info)
        order = ", ".join(identifier(name) for name in info.stored.key)
        for condition, values in conditions(info, keys):
            yield from self._known[info.name].contents(f" WHERE {condition} ORDER BY {order}", values)

    def children(self, relation: Relation, key: Key) -> Mapping[Key, str]:
        found = _children(self._connection, relation, key)
        return {one.key: one.token for one in found}

    def delete(self, info: Info, keys: Sequence[Key]) -> int:
        table, count = identifier(info.stored.name), 0
        for condition, values in conditions(info, keys):
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
        for condition, values in conditions(child, keys):
            self._connection.execute(f"UPDATE {identifier(child.stored.name)} SET {setting} WHERE {condition}", values)


def _children(connection: sqlite3.Connection, relation: Relation, key: Key) -> list[Row]:
    """The rows that refer to a row of another table."""
    parent, child = relation.parent, relation.child
    to = relation.key.to_fields or parent.key
    same = " AND ".join(
        f"p.{identifier(parent.columns.get(theirs, theirs))} = c.{identifier(child.columns.get(mine, mine))}"
        for mine, theirs in zip(relation.key.fields, to)
    )
    marks, values = marks_of(key)
    wanted = " AND ".join(f"p.{identifier(name)} = {mark}" for name, mark in zip(parent.stored.key, marks))
    # in this order, in which SQLite compares by the collation of the parent, too, when it cascades.
    # The row of the parent is known, and its children have an index
    joined = f"{identifier(parent.stored.name)} AS p CROSS JOIN {identifier(child.stored.name)}"
    return Rows(connection, child).rows(f" WHERE {wanted} AND {same}", values, joined)
