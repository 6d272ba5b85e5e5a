# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite as a target."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional

from ..._core import files
from ..._core.errors import SourceError, TargetError, Violation
from ..._core.file_lock import FileLock
from ..._core.records import canonical
from ..._core.tagged_json import decode as decode_json
from ..._core.tagged_json import encode as encode_json
from ..records import gaps
from ..records.model import (
    NO_RIGHTS,
    Account,
    Clashes,
    Info,
    Record,
    Refusals,
    Refused,
    Reject,
    Rights,
    Start,
    appeared,
    key_of,
    not_alone,
    sort_out,
)
from ..records.versions import Step
from ..sql import schema as sql_schema
from . import clashes as sqlite_clashes
from . import ddl as sqlite_ddl
from . import notes as sqlite_notes
from . import rehearsal as sqlite_rehearsal
from .ddl import describe
from .file import connect, holders, sqlite3, sqlite_errors
from .row_rules import RowRules, rules
from .schema import fold, identifier
from .source import SqliteSource
from .values import by_placeholders, encoder, usual_rows
from .versions import read_versions, take_step


class SqliteTarget(SqliteSource):
    """A database as a target."""

    replaces_atomically = False
    columns = True
    takes_copy_lines = False
    undoes = True

    _connections: Optional[type[sqlite3.Connection]] = None  # the class of those that write

    def check_state(self) -> None:
        self._lock.check(TargetError)

    def __init__(self, path: str, ordered: bool = True, workers: int = 1) -> None:
        super().__init__(path, ordered, workers)
        self._writer: Optional[sqlite3.Connection] = None
        self._lock = FileLock(path)
        self._made = False  # the file, by this run
        self._created: set[str] = set()  # tables, by this run
        self._version = -1  # of the data when the first of them was made: only others change it
        self._wanted: set[str] = set()  # names that tables will have
        self._judges: dict[str, tuple[Info, Optional[RowRules]]] = {}
        self._open = contextlib.ExitStack()  # until the end
        self._refusals = Refusals(self._judged)

    def __enter__(self) -> SqliteTarget:
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._open.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._lock.release()

    def lock(self) -> bool:
        with files.os_errors(TargetError, "Can't lock", self.path):
            return self._lock.take()

    def recover(self) -> None:
        """Nothing to do: SQLite itself rolls back what was not committed."""

    def _open_reader(self) -> Optional[sqlite3.Connection]:
        """What is written is read by who writes it."""
        return self._writer or super()._open_reader()

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            self.end_reading()
            if files.look(self.path, TargetError) is None:
                self._make()
            with sqlite_errors(TargetError, "Can't write the database", self.path):
                self._writer = connect(self.path, "rwc", factory=self._connections)
                self._writer.execute("PRAGMA busy_timeout=60000")
                self._writer.execute("PRAGMA foreign_keys=OFF")
        return self._writer

    def _make(self) -> None:
        """SQLite would make it readable for all, and the task's user's; its side files take after it."""
        with files.os_errors(TargetError, "Can't create", self.path):
            fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
            with contextlib.closing(os.fdopen(fd, "wb")):
                files.give_to_owner_of(os.path.dirname(self.path), fd)
        self._made = True

    @contextlib.contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        connection = self._open_writer()
        try:
            with sqlite_errors(TargetError, "Can't write the database", self.path):
                connection.execute(f"BEGIN {kind}")
                yield connection
                connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def check_writable(self, infos: Sequence[Info], size: int, rights: Rights = NO_RIGHTS) -> None:
        files.check_writable_parent(self.path)
        if os.path.exists(self.path) and not os.access(self.path, os.W_OK):
            raise TargetError(f"{self.path} is not writable.")
        files.need_space(os.path.dirname(self.path), max(size, files.LEAST), f"Writing to {self.path}")
        sql_schema.check_collisions(infos, fold)
        connection = self._open_reader()
        if connection is not None:
            with sqlite_errors(SourceError, "Can't read the database", self.path):
                sqlite_ddl.check_names(connection, self.path, infos)
        with sqlite_errors(SourceError, "Can't read the database", self.path):
            found = sqlite_rehearsal.problems(connection, infos, rights)
        if found:
            raise TargetError(
                f"The tables can't be created or written in {self.path}: {'; '.join(found)}.",
                "Nothing was changed. Change the source, the target, or the selection (only).",
                {"problems": found},
            )
        self._wanted = {info.stored.name for info in infos}

    def _row_of(self, info: Info) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        encoders = [(field.name, encoder(field)) for field in info.fields]
        if info.document:
            encoders.pop()

            def document(record: Mapping[str, Any]) -> tuple[Any, ...]:
                return (*[encode(record.get(name)) for name, encode in encoders], encode_json(record))

            return document
        known = frozenset(name for name, _encode in encoders)
        mark = gaps.marker(info) if info.note.marker else None

        def row(record: Mapping[str, Any]) -> tuple[Any, ...]:
            if not known.issuperset(record):
                raise Refused(f"the target has no column {', '.join(sorted(set(record) - known))}")
            values = tuple([encode(record.get(name)) for name, encode in encoders])
            return (*values, mark(tuple(record))) if mark else values

        return row

    def _judged(self, info: Info) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        """As `_row_of`, but it also raises Refused for what the constraints of the table refuse."""
        row_of = self._row_of(info)
        if info.name not in self._judges or self._judges[info.name][0] is not info:
            self._judges[info.name] = info, self._rules(info)
        judge = self._judges[info.name][1]
        if judge is None:
            return row_of

        def row(record: Mapping[str, Any]) -> tuple[Any, ...]:
            found = row_of(record)
            reason = judge.refusal(found)
            if reason:
                raise Refused(reason)
            return found

        return row

    def _rules(self, info: Info) -> Optional[RowRules]:
        """Of a table as it is, or will be."""
        connection, found = self._open_reader(), None
        if connection is not None:
            query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"
            with sqlite_errors(SourceError, "Can't read the database", self.path):
                found = connection.execute(query, (info.stored.name,)).fetchone()
        known = rules(found[0] if found is not None else sqlite_ddl.create(info)[0], info)
        if known is not None:
            self._open.callback(known.close)
        return known

    def refuses(self, info: Info, record: Mapping[str, Any]) -> str:
        return self._refusals.why(info, record)

    def interference(self, infos: Sequence[Info], removing: Collection[str]) -> list[str]:
        connection = self._open_reader()
        if connection is None:
            return []
        with sqlite_errors(SourceError, "Can't read the database", self.path):
            return sqlite_ddl.interference(connection, infos)

    def folded(self, info: Info) -> Collection[str]:
        """Those with the collation NOCASE in a unique index, the key's included."""
        connection = self._open_reader()
        if connection is None:
            return ()
        with sqlite_errors(SourceError, "Can't read the database", self.path):
            columns = sqlite_ddl.folded(connection, info.stored.name)
        return [name for name, column in info.columns.items() if column in columns]

    def clashes(self, info: Info, existing: Info, chunks: Iterable[Sequence[Record]], scratch: str) -> Clashes:
        connection, row_of = self._open_reader(), self._row_of(info)
        if connection is None:
            return Clashes()
        rows = (row for records in chunks for row in sort_out(info, records, row_of)[1])
        with sqlite_errors(SourceError, "Can't read the database", self.path):
            return sqlite_clashes.clashes(connection, info, rows, scratch)

    def doubts(self) -> list[str]:
        """None: the rules of SQLite are known."""
        return []

    def checkpoints(self, names: Sequence[str]) -> dict[str, Any]:
        connection = self._open_reader()
        if connection is None:
            return {}
        with sqlite_errors(SourceError, "Can't read the database", self.path):
            table = sqlite_notes.checkpoints_table(connection)
            if table is None:
                return {}
            rows = connection.execute(f"SELECT collection, checkpoint FROM {identifier(table)}")
            return {name: decode_json(text) for name, text in rows if name in names}

    def versions(self) -> dict[int, str]:
        connection = self._open_reader()
        if connection is None:
            return {}
        with sqlite_errors(SourceError, "Can't read the database", self.path):
            return read_versions(connection)

    def take_step(self, step: Step, statements: Sequence[str]) -> bool:
        with self._transaction() as connection:
            return take_step(connection, self.path, step, statements)

    def keep(self, checkpoints: Sequence[tuple[str, Any]]) -> None:
        """Commit checkpoints alone."""
        with self._transaction() as connection:
            for collection, checkpoint in checkpoints:
                sqlite_notes.keep(connection, collection, checkpoint, self._wanted)

    def forget(self, names: Sequence[str], more: Sequence[str] = ()) -> bool:
        """Drop tables and their checkpoints, and the checkpoints of `more`. Returns whether any checkpoint is left."""
        with self._transaction() as connection:
            for name in names:
                connection.execute(f"DROP TABLE IF EXISTS {identifier(name)}")
            sqlite_notes.forget(connection, [*names, *more])
            return sqlite_notes.checkpoints_table(connection) is not None

    def begin(self, starts: Sequence[Start], new: Collection[str] = ()) -> None:
        created = set()
        with self._transaction() as connection:
            existing = {fold(one.stored.name): one for one in describe(connection)[0]}
            for info, _clear, _checkpoint in starts:
                found = existing.get(fold(info.stored.name))
                if found is not None:
                    if info.name in new:
                        raise appeared(info.name, self.path)
                    sql_schema.check_fits(info.stored, found.stored, fold)
                    continue
                created.add(info.name)
                for statement in sqlite_ddl.create(info):
                    connection.execute(statement)
            for info, _clear, checkpoint in starts:
                sqlite_notes.keep(connection, info.name, checkpoint, self._wanted)
            if not self._created:
                self._version = _data_version(connection)
        self._created |= created

    def write(self, info: Info, records: Sequence[Record], account: Account, upsert: bool) -> None:
        rows = None if info.document else usual_rows(info, records)
        batch = _Rows(records, rows, []) if rows is not None else _Rows(*sort_out(info, records, self._row_of(info)))
        with self._transaction() as connection:
            try:
                _insert(connection, info, batch, upsert)
            except sqlite3.IntegrityError:
                connection.execute("ROLLBACK")
                connection.execute("BEGIN IMMEDIATE")
                batch = _Rows(*sort_out(info, records, self._judged(info)))
                try:
                    _insert(connection, info, batch, upsert)
                except sqlite3.IntegrityError as exc:
                    raise _violation(connection, info, batch, upsert, exc) from exc
            sqlite_notes.keep(connection, info.name, account(batch.rejects), self._wanted)

    def by_place(self, info: Info) -> Info:
        """The collection with the row ids as its key."""
        return sqlite_ddl.by_row_id(self._open_writer(), info)

    def delete(self, info: Info, wanted: Sequence[tuple[Any, ...]], checkpoint: Any = None) -> None:
        fields = {field.name: field for field in info.fields}
        encoders = [encoder(fields[name]) for name in info.key]
        where = " AND ".join(f"{identifier(name)} = ?" for name in info.stored.key)
        rows = [[encode(value) for encode, value in zip(encoders, key)] for key in wanted]
        with self._transaction() as connection:
            connection.executemany(f"DELETE FROM {identifier(info.stored.name)} WHERE {where}", rows)
            sqlite_notes.keep(connection, info.name, checkpoint, self._wanted)

    def drop(self, infos: Sequence[Info]) -> None:
        with self._transaction() as connection:
            for info in infos:
                connection.execute(f"DROP TABLE {identifier(info.stored.name)}")

    def undo(self, infos: Sequence[Info]) -> None:
        """Remove the collections, and the file if it was created for them."""
        connection = self._open_writer()
        with self._transaction("EXCLUSIVE"):
            if not self._created.issuperset(info.name for info in infos) or _data_version(connection) != self._version:
                raise not_alone(self.path)
            gone = self._made and not holders(self.path)  # who might wait for the lock, to write into what is gone
            if gone:
                os.unlink(self.path)
            for info in infos if not gone else ():
                connection.execute(f"DROP TABLE {identifier(info.stored.name)}")
            if not gone:
                sqlite_notes.forget(connection, [info.name for info in infos])
        if gone:
            connection.close()
            self._writer = None

    def build_indexes(self, infos: Sequence[Info]) -> None:
        with self._transaction() as connection:
            present = {fold(name) for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            for info in infos:
                sqlite_ddl.count_on(connection, info)
                for name, statement in sqlite_ddl.indexes(info):
                    if fold(name) not in present:
                        connection.execute(statement)
            for info in infos:
                for rowid, parent in sqlite_ddl.dangling(connection, info.stored):
                    if fold(parent) not in present:  # which was not to be migrated
                        continue
                    raise Violation(
                        f"The row {rowid} of the table {info.name} refers to a record of {parent} that does not exist.",
                        "Correct the source, and run again.",
                    )

    def commit(self, names: Sequence[str]) -> None:
        if not self.checkpoints(names):
            return
        with self._transaction() as connection:
            sqlite_notes.forget(connection, names)


def _data_version(connection: sqlite3.Connection) -> int:
    """A number that changes with each commit of another connection, but not with those of this one."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


class _Rows(NamedTuple):
    """The records of a batch that the table can hold, as rows, and the others."""

    records: Sequence[Record]
    rows: Sequence[tuple[Any, ...]]
    rejects: list[Reject]


def _insert(connection: sqlite3.Connection, info: Info, batch: _Rows, upsert: bool) -> None:
    stored = any(field.stored for field in info.fields)
    for some, placeholders in by_placeholders(batch.rows) if stored else [(batch.rows, ())]:
        connection.executemany(sqlite_ddl.insert(info, upsert, placeholders), some)


def _violation(connection: sqlite3.Connection, info: Info, batch: _Rows, upsert: bool, exc: Exception) -> TargetError:
    """Name the record of a batch that a constraint of the table refuses."""
    connection.execute("ROLLBACK")
    connection.execute("BEGIN IMMEDIATE")
    statement = sqlite_ddl.insert(info, upsert)
    for record, row in zip(batch.records, batch.rows):
        try:
            connection.execute(statement, row)
        except sqlite3.IntegrityError as failure:
            key = canonical(list(key_of(info, record)) if info.key else record).decode()
            return Violation(
                f"The record {key} of the collection {info.name} can't be written: {failure}.",
                "Check for a duplicate key, or a unique value that another record of the target has.",
            )
    return Violation(f"The collection {info.name} can't be written: {exc}.")
