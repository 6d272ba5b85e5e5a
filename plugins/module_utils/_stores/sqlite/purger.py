# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite as a store from which old records are removed: bursts with its lock, and gaps that let waiting writers in."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import SourceError, TargetError, Violation
from ..._core.workers import usual_number
from ..records.model import NO_RIGHTS, Info, Rights
from ..records.purger import Batch, Key, Page, Relation, Removed, Row, Singly, digest_of, remove_batch, tokens_of
from .eager import EagerConnection
from .file import connect, sqlite3, sqlite_errors
from .purge_rows import PAGE, KeyConditions, Rows, is_numbered, marks_of, reader_of
from .read import extremes
from .schema import identifier
from .schema_watch import SchemaWatch
from .second_reader import SecondReader
from .target import SqliteTarget

_LEAST, _MOST = -(2**63), 2**63  # of integers
_FEW, _PARTS = 20_000, 5000  # keys that are not worth a process; and of how many ranges of others
_SOME = 4  # batches that are worth a process
_BURST, _GAP = 0.1, 0.03  # seconds with the lock, and without
_SLEEPS = ((0.12, _GAP), (0.22, 0.055))  # after so many seconds with the lock, and at most so many without; then:
_LONGEST_SLEEP = 0.105


class SqlitePurger(SqliteTarget):
    """A database from which records are removed.

    SQLite has no queue for its lock: a writer that waits sleeps up to 25 ms at a time as long as it has waited for less
    than 128 ms, then up to 50 ms, and 100 ms from 228 ms on. A gap that is longer lets it in.
    """

    least_wait = 0.06
    _connections = EagerConnection

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
        self._wal = reader is not None and _is_wal(reader)
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
            mode = "ro" if self._wal else "rw"  # which rolls back what a killed writer left
            self._pager = connect(self.path, mode, factory=EagerConnection)
            self._pager.execute("PRAGMA query_only=ON")
            self._pager.execute("PRAGMA busy_timeout=0")
        return self._pager

    def parts(self, info: Info) -> Sequence[Optional[range]]:
        """Ranges of a key of integers."""
        parts: list[Optional[range]] = [None]
        if not info.document and is_numbered(info):
            (name,) = (identifier(one) for one in info.stored.key)
            with sqlite_errors(SourceError, f"Can't read the table {info.name} of", self.path):
                low, high = extremes(self._read_pages(), identifier(info.stored.name), name)
            if low is not None and high - low > _FEW:
                size = max(PAGE, (high - low) // _PARTS)
                bounds = [_LEAST, *range(low + size, high, size), _MOST]
                parts = list(map(range, bounds, bounds[1:]))
        if self._writer is None:
            self._end_pages()  # processes must not share what SQLite knows of its locks
            self.end_reading()
        return parts if self._writer is None else [None]

    def pages(self, info: Info, wanted: Collection[str], part: Optional[range] = None) -> Iterator[Page]:
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
                page, last = reader.page(after + until + order, parameters + limit)
                yield page
                if last is None:
                    return
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
        touched = [info, *(one.child for one in relations)]
        if any(map(self._has_triggers, touched)):  # deleting a record may then change the next one
            batches = Singly(batches)
        waiting = iter(batches)
        ready = deque(itertools.islice(waiting, _SOME))  # what was read before the lock is taken
        worth = len(ready) == _SOME and not relations and not isinstance(batches, Singly)
        burst, committing = min(_BURST, (max_wait - 0.05) * 2 / 3), 0.005
        with contextlib.ExitStack() as stack:
            second = self._second_reader(info, batches if worth else ())
            if second is not None:
                stack.callback(second.close)
            connection = self._ready()
            store = _InTransaction(connection, second)
            while ready:
                done, taken = Removed(), 0
                with self._transaction():
                    began = time.monotonic()
                    self._begin(store, info)
                    while ready:
                        done = done.plus(remove_batch(store, info, relations, ready.popleft(), action))
                        taken += 1
                        store.number += 1
                        ready.extend(itertools.islice(waiting, 0 if ready else 1))
                        passed = time.monotonic() - began
                        if passed + 1.2 * passed / taken + committing > burst:
                            break
                    if store.second is not None:
                        store.second.end()
                    ended = time.monotonic()
                released = time.monotonic()
                committing += 0.5 * (released - ended - committing)
                until = released + _gap(released - began)
                yield done._replace(held=released - began)
                if self._wal:  # now, so that no writer has to write our pages when it commits
                    with sqlite_errors(TargetError, "Can't write", self.path):
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                for batch in itertools.islice(waiting, max(0, taken + 1 - len(ready))):
                    ready.append(batch)
                    if time.monotonic() > until:
                        break
                if ready:
                    time.sleep(max(0.0, until - time.monotonic()))

    def _begin(self, store: _InTransaction, info: Info) -> None:
        """What is to be done first with the lock."""
        if self._watch is not None:
            self._watch.check(store.connection, info.name)
        if _is_wal(store.connection) != self._wal:  # others have changed that: it reads what nobody writes any more
            store.second = None
        if store.second is not None:
            store.second.begin(store.number)

    def _second_reader(self, info: Info, batches: Iterable[Batch]) -> Optional[SecondReader]:
        """A process that reads these batches, too; None if there are none, or no core for it."""
        if not batches or self._writer is not None or usual_number() < 2:
            return None
        self._end_pages()  # processes must not share what SQLite knows of its locks
        self.end_reading()
        try:
            return SecondReader(batches, _Committed(self.path, info, self._wal))
        except OSError:  # no more processes
            return None

    def _has_triggers(self, info: Info) -> bool:
        """Deleting may then change records whose turn comes later."""
        query = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE LIMIT 1"
        with sqlite_errors(SourceError, "Can't read the schema of", self.path):
            return self._read_pages().execute(query, (info.stored.name,)).fetchone() is not None

    def _ready(self) -> sqlite3.Connection:
        """The connection for writing."""
        connection = self._open_writer()
        with sqlite_errors(TargetError, "Can't write the database", self.path):
            for setting in (
                "busy_timeout=0",  # it waits itself
                "foreign_keys=ON",  # what we don't know of is refused, and not left dangling
                "wal_autocheckpoint=0",
                "cache_spill=OFF",  # a spill takes the lock that keeps readers out
                "cache_size=-16384",
                f"synchronous={'NORMAL' if self._wal else 'FULL'}",
            ):
                connection.execute(f"PRAGMA {setting}")
        return connection

    def finish(self, info: Info) -> Sequence[str]:
        """Nothing: SQLite reuses the pages."""
        return ()


def _is_wal(connection: sqlite3.Connection) -> bool:
    """Whether there is a write-ahead log."""
    return bool(connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal")


def _gap(held: float) -> float:
    """The seconds after which a writer has tried again that has waited for as long as the lock was held."""
    return next((gap for limit, gap in _SLEEPS if held < limit), _LONGEST_SLEEP)


class _Table(NamedTuple):
    """How rows of a table are found. `name` and `order` (by its key): as SQL."""

    name: str
    order: str
    keys: KeyConditions
    rows: Rows


class _InTransaction:
    """What is done with the lock of the database.

    :param second: knows the digests of batches, of which `number` is the next one.
    """

    def __init__(self, connection: sqlite3.Connection, second: Optional[SecondReader] = None) -> None:
        self.number = 0
        self.second = second
        self.connection = connection
        self._known: dict[str, _Table] = {}

    def current(self, info: Info, keys: Sequence[Key]) -> Mapping[Key, str]:
        found: dict[Key, str] = {}
        table = self._table(info)
        for condition, values in table.keys.of(keys):
            page, _last = table.rows.page(f" WHERE {condition}", values)
            for key, token in zip(page.keys, tokens_of(page.lines).split(",")):
                found[key] = "" if key in found else token
        return found

    def digest(self, info: Info, keys: Sequence[Key]) -> str:
        known = self.second.digest(self.number) if self.second is not None else None
        return self._digest(info, keys) if known is None else known

    def _digest(self, info: Info, keys: Sequence[Key]) -> str:
        found = list(self._contents(info, keys))
        if [key for these, _contents in found for key in these] != keys:
            return ""
        if len(found) == 1:
            return digest_of(found[0][1])
        return digest_of([tuple(itertools.chain(*parts)) for parts in zip(*(contents for _keys, contents in found))])

    def _contents(self, info: Info, keys: Sequence[Key]) -> Iterator[tuple[Sequence[Key], Sequence[Sequence[Any]]]]:
        table = self._table(info)
        for condition, values in table.keys.of(keys):
            yield table.rows.contents(f" WHERE {condition} ORDER BY {table.order}", values)

    def _table(self, info: Info) -> _Table:
        if info.name not in self._known:
            stored = info.stored
            order = ", ".join(map(identifier, stored.key))
            rows = reader_of(self.connection, info)
            self._known[info.name] = _Table(identifier(stored.name), order, KeyConditions(info), rows)
        return self._known[info.name]

    def children(self, relation: Relation, key: Key) -> Mapping[Key, str]:
        found = _children(self.connection, relation, key)
        return {one.key: one.token for one in found}

    def delete(self, info: Info, keys: Sequence[Key]) -> int:
        table, count = self._table(info), 0
        for condition, values in table.keys.of(keys):
            count += self.connection.execute(f"DELETE FROM {table.name} WHERE {condition}", values).rowcount
        if count > len(keys):
            raise Violation(
                f"In {info.name}, the database considers different keys equal. Nothing in this batch was deleted.",
                "Set key to fields whose collation distinguishes all records.",
            )
        return count

    def detach(self, relation: Relation, keys: Sequence[Key]) -> None:
        child = relation.child
        setting = ", ".join(f"{identifier(child.columns.get(name, name))} = NULL" for name in relation.key.fields)
        table = self._table(child)
        for condition, values in table.keys.of(keys):
            self.connection.execute(f"UPDATE {table.name} SET {setting} WHERE {condition}", values)


class _Committed:
    """What was committed last, for a process that reads while another one has the lock.

    Without a write-ahead log, this is what the file contains until the other one commits. It is read without a lock: a
    reader that waits for a core would keep the other one from committing. What it reads too late is of no use.
    """

    def __init__(self, path: str, info: Info, wal: bool) -> None:
        self._path, self._info, self._wal = path, info, wal
        self._connection: Optional[sqlite3.Connection] = None

    def end(self) -> None:
        """Forget what was read."""
        if self._connection is not None and self._wal:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        elif self._connection is not None:
            self._connection.close()
            self._connection = None

    def digest(self, batch: Batch) -> str:
        """The digest of what the table has of a batch, as it was committed before the first call since `end`."""
        if self._connection is None:
            self._connection = connect(self._path, "ro", immutable=not self._wal)
            self._table = _InTransaction(self._connection)
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
        try:
            return self._table.digest(self._info, batch.keys)
        except sqlite3.DatabaseError:  # it is being written
            return ""


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
