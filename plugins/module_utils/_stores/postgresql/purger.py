# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as a store from which old records are removed, by key and `xmin`: a row that was written has another one.

`xmin` survives VACUUM and freezing.
"""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional

from ..._core.ahead import ahead, short_turns
from ..._core.errors import Day2Error, SourceError, TargetError
from ..._core.workers import usual_number
from ..records.model import NO_RIGHTS, Field, Info, Rights
from ..records.purger import Batch, Key, Page, Relation, Removed, Row, Waiting, remove_batch
from .client import errors, identifier, with_values
from .ddl import qualified
from .editor import PostgresqlEditor
from .purge_rows import Columns, Rows, are_in_columns, fetched

_BLOCKS, _PARTS = 64, 20_000  # blocks of a part, unless there would be more parts
_FEW = 4  # parts that are not worth processes
_TID_RANGES = 140_000  # the version from which on they are scanned
_PATIENCE = "5s"  # for rows that the application has locked
_IN_USE = ("55P03", "40P01")  # rows that stay locked, and a deadlock
_FORBIDDEN = "42501"  # to lock a row requires the right to update it
_BURST = 0.1  # seconds of a transaction; only writers of the same rows wait for it
_LEAST, _MOST = 100, 20_000  # rows of a transaction
# Rows of a batch are found by the index of the key, if there is one. By default, the planner reads a table of a few
# hundred thousand rows as a whole for each batch.
_BY_INDEX = ("random_page_cost = 1", "seq_page_cost = 4", "enable_mergejoin = off")
_REFERRING = """
SELECT n.nspname || '.' || c.relname || ' (' || k.conname || ')' FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.confrelid = %s::regclass AND n.nspname <> %s AND k.conparentid = 0 ORDER BY 1"""
# What others may change meanwhile: columns, triggers, and foreign keys that refer to these tables.
_SCHEMA = """ARRAY(
WITH t AS (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = ANY(%s))
SELECT ROW('column', attrelid, attnum, attname, format_type(atttypid, atttypmod))::text FROM pg_attribute
    WHERE attrelid IN (SELECT oid FROM t) AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT ROW('key', confrelid, oid, conname, conrelid)::text FROM pg_constraint
    WHERE contype = 'f' AND confrelid IN (SELECT oid FROM t)
UNION ALL SELECT ROW('trigger', tgrelid, oid, tgname)::text FROM pg_trigger
    WHERE NOT tgisinternal AND tgrelid IN (SELECT oid FROM t)
ORDER BY 1)"""

_TableOf = Callable[[Info], str]


class _Part(NamedTuple):
    """Blocks of a table, as it was in a snapshot: those from `start` on, and before `end`."""

    snapshot: str
    start: int
    end: int


class PostgresqlPurger(PostgresqlEditor):
    """The tables of a schema from which records are removed."""

    least_wait = 0.0
    _shared: Any = None  # the connection whose state other processes see, too
    _touched: Sequence[str] = ()
    _known_schema: Sequence[str] = ()

    def check_writable(self, infos: Sequence[Info], size: int, rights: Rights = NO_RIGHTS) -> None:
        super().check_writable(infos, size, rights)
        self._touched = [info.stored.name for info in infos]
        with errors(SourceError, f"Can't read the schema {self._schema}"):
            self._known_schema = self._schema_now(self._read())
        for info in infos:
            if info.name in self._partitioned:
                raise TargetError(
                    f"The table {info.name} is partitioned: remove its old records by dropping partitions.",
                    "Drop them, or set collection to a partition.",
                )

    def identity_of(self, info: Info) -> str:
        with errors(SourceError, f"Can't read the table {info.name}"):
            name = qualified(self._schema, info.stored.name)
            (oid,) = self._read().execute("SELECT %s::regclass::oid", (name,)).fetchone()
        return f"{self.identity}/{oid}"

    def foreign(self, info: Info) -> Sequence[str]:
        with errors(SourceError, f"Can't read the table {info.name}"):
            name = qualified(self._schema, info.stored.name)
            return [row[0] for row in self._read().execute(_REFERRING, (name, self._schema)).fetchall()]

    def tells_apart(self, info: Info) -> bool:
        names = [with_values(identifier(name)) for name in info.stored.key]
        missing = " OR ".join(f"bool_or({name} IS NULL)" for name in names)
        query = (
            f"SELECT 1 FROM {with_values(self._own_rows(info))} GROUP BY {', '.join(names)} "
            f"HAVING count(*) > 1 OR {missing} LIMIT 1"
        )
        with errors(SourceError, f"Can't read the table {info.name}"):
            return self._read().execute(query, ()).fetchone() is None

    def parts(self, info: Info) -> Sequence[Optional[_Part]]:
        """Ranges of the blocks of a large table, from servers that find the rows in them."""
        with errors(SourceError, f"Can't read the table {info.name}"):
            reader = self._read()
            name = qualified(self._schema, info.stored.name)
            query = "SELECT pg_relation_size(%s::regclass) / current_setting('block_size')::int"
            blocks = int(reader.execute(query, (name,)).fetchone()[0])
            size = max(_BLOCKS, blocks // _PARTS)
            if usual_number() < 2 or blocks < _FEW * size or reader.info.server_version < _TID_RANGES:
                return [None]
            (snapshot,) = reader.execute("SELECT pg_export_snapshot()").fetchone()
        self._shared, self._reader, self._fresh = reader, None, False
        bounds = range(0, blocks + size, size)
        return [_Part(snapshot, *part) for part in zip(bounds, bounds[1:])]

    def release(self) -> None:
        super().release()
        self._end_sharing()

    def __exit__(self, *exc: object) -> None:
        self._end_sharing()
        super().__exit__(*exc)

    def _end_sharing(self) -> None:
        if self._shared is not None:
            self._shared.close()
            self._shared = None

    def pages(self, info: Info, wanted: Collection[str], part: Optional[_Part] = None) -> Iterator[Page]:
        rows = Columns(info, wanted) if are_in_columns(info) else Rows(info)
        query = f"SELECT {rows.columns} FROM {self._own_rows(info)} AS c"
        if part is None:
            query += f" ORDER BY {', '.join(f'c.{identifier(name)}' for name in info.stored.key)}"
        else:
            self._first = f"SET TRANSACTION SNAPSHOT '{part.snapshot}'"
            query += f" WHERE c.ctid >= '({part.start},0)' AND c.ctid < '({part.end},0)'"
        with errors(SourceError, f"Can't read the table {info.name}"):
            with self._read().cursor(name="day2_purge") as cursor:
                rows.prepare(cursor)
                cursor.execute(query)
                if part is None:
                    # The server sends the next rows while these are handled.
                    with short_turns(), contextlib.closing(ahead(fetched(cursor))) as pages:
                        yield from map(rows.page, pages)
                else:
                    yield from map(rows.page, fetched(cursor))

    def children(self, relation: Relation, key: Key) -> list[Row]:
        with errors(SourceError, f"Can't read the table {relation.child.name}"):
            return _children(self._read(), self._own_rows, relation, key)

    def remove(
        self, info: Info, relations: Sequence[Relation], batches: Iterable[Batch], action: str, max_wait: float
    ) -> Iterator[Removed]:
        """`max_wait` is not needed: only writers of the same rows wait."""
        waiting, size = Waiting(batches), _LEAST
        # deleting a record may then change another one after it was compared
        singly = bool(relations) and any(one.startswith("(trigger,") for one in self._known_schema)
        doing, writer = f"Can't delete from the table {info.name}", self._connected()
        with errors(TargetError, doing):
            self.release()
            writer.execute(f"SET lock_timeout = '{_PATIENCE}'")
            writer.execute("SET synchronous_commit = off")  # until `finish`: what a crash brings back is in the export
            for setting in _BY_INDEX:
                writer.execute(f"SET {setting}")
        store = _InTransaction(writer, self._own_rows)
        while True:
            batch = waiting.take(1 if singly else size)
            if batch is None:
                return
            began = time.monotonic()
            done = self._remove(store, info, relations, batch, action)
            passed = time.monotonic() - began
            size = max(_LEAST, min(_MOST, int(size * max(0.5, min(2.0, _BURST / max(passed, 0.001))))))
            yield done._replace(held=passed)

    def _remove(
        self, store: _InTransaction, info: Info, relations: Sequence[Relation], batch: Batch, action: str
    ) -> Removed:
        """Remove a batch. Without relations, rows that others keep locked are left."""

        def attempt(skip: bool) -> Removed:
            with errors(TargetError, f"Can't delete from the table {info.name}"):
                if not relations:
                    return self._delete_unchanged(info, batch, skip)
                with self._connected().transaction():
                    removed = remove_batch(store, info, relations, batch, action)
                    self._check_schema(info)  # which nobody can change any more before the commit
                    return removed

        try:
            return attempt(False)
        except TargetError as exc:
            if relations or _state(exc) not in _IN_USE:
                raise
            locked = exc
        try:
            return attempt(True)
        except TargetError as exc:
            raise locked if _state(exc) == _FORBIDDEN else exc from None

    def _delete_unchanged(self, info: Info, batch: Batch, skip: bool) -> Removed:
        """Delete the rows that are as they were read, and none if the schema is not, in one statement: on a machine
        with much to do, each of its own costs the wait for a core, here and in the server.

        :param skip: leave those that other transactions have locked.
        """
        listed, columns = _listed(info, token=True)
        table, writer = f"{with_values(self._own_rows(info))} AS c", self._connected()
        given = [*map(_array, zip(*batch.keys)), f"{{{batch.tokens}}}"]
        # the schema is looked at once the table is locked: nobody can change it any more before the commit
        same = f"{columns} AND c.xmin = w.x AND {_SCHEMA} = %s::text[]"
        if skip:
            free = f"SELECT c.ctid FROM {table}, {listed} WHERE {same} FOR UPDATE OF c SKIP LOCKED"
            statement = f"DELETE FROM {table} USING ({free}) AS w WHERE c.ctid = w.ctid"
        else:
            statement = f"DELETE FROM {table} USING {listed} WHERE {same}"
        schema = [self._schema, self._touched, self._known_schema]
        deleted = int(writer.execute(statement, [*given, *schema]).rowcount)
        there, count = deleted, len(batch.keys)
        if not deleted:  # otherwise it was the known one, and what was deleted is to be reported
            self._check_schema(info)
        if deleted < count:
            listed, columns = _listed(info)
            query = f"SELECT count(*) FROM {table}, {listed} WHERE {columns}"
            there += int(writer.execute(query, given[:-1]).fetchone()[0])
        return Removed(deleted, 0, there - deleted, count - there, count)

    def _schema_now(self, connection: Any) -> Sequence[str]:
        found: Sequence[str] = connection.execute(f"SELECT {_SCHEMA}", (self._schema, self._touched)).fetchone()[0]
        return found

    def _check_schema(self, info: Info) -> None:
        """Raise TargetError if it has changed since the records were read."""
        if self._schema_now(self._connected()) != self._known_schema:
            raise TargetError(
                f"The schema of {info.name}, or of tables that refer to it, has changed since its records were read.",
                "Nothing more was deleted. Run again: the records that are left are exported again.",
            )

    def finish(self, info: Info) -> Sequence[str]:
        """Make durable what was committed, and let new rows use the space."""
        writer = self._connected()
        with errors(TargetError, f"Can't delete from the table {info.name}"):
            writer.execute("SET synchronous_commit = on")
            writer.execute("SELECT txid_current()")  # a commit that waits until those before it are on the disk
        try:
            with errors(TargetError, f"Can't vacuum the table {info.name}"):
                # truncating would take a lock that all wait for
                writer.execute(f"VACUUM (TRUNCATE false) {qualified(self._schema, info.stored.name)}")
        except Day2Error as exc:
            return [f"{exc.message} The next autovacuum will do it."]
        return ()


class _InTransaction:
    """What is done in a transaction, which locks the rows that it looks at."""

    def __init__(self, writer: Any, table_of: _TableOf) -> None:
        self._writer = writer
        self._table_of = table_of

    def current(self, info: Info, keys: Sequence[Key]) -> Mapping[Key, str]:
        columns = ", ".join(f"c.{identifier(name)}::text" for name in info.stored.key)
        head = f"SELECT {columns}, c.xmin::text FROM {self._table_of(info)} AS c"
        found: dict[Key, str] = {}
        for *key, token in self._execute(info, f"{head},", keys, " FOR UPDATE OF c").fetchall():
            found[tuple(key)] = "" if tuple(key) in found else token
        return found

    def digest(self, info: Info, keys: Sequence[Key]) -> str:
        """Not known: `xmin` says what was written."""
        return ""

    def children(self, relation: Relation, key: Key) -> Mapping[Key, str]:
        found = _children(self._writer, self._table_of, relation, key, " FOR UPDATE OF c")
        return {one.key: one.token for one in found}

    def delete(self, info: Info, keys: Sequence[Key]) -> int:
        return int(self._execute(info, f"DELETE FROM {self._table_of(info)} AS c USING", keys).rowcount)

    def detach(self, relation: Relation, keys: Sequence[Key]) -> None:
        child = relation.child
        setting = ", ".join(f"{identifier(child.columns.get(name, name))} = NULL" for name in relation.key.fields)
        self._execute(child, f"UPDATE {self._table_of(child)} AS c SET {setting} FROM", keys)

    def _execute(self, info: Info, head: str, keys: Sequence[Key], rest: str = "") -> Any:
        """A statement on the rows with these keys."""
        listed, columns = _listed(info)
        given = list(map(_array, zip(*keys)))
        return self._writer.execute(f"{with_values(head)} {listed} WHERE {columns}{rest}", given)


def _listed(info: Info, token: bool = False) -> tuple[str, str]:
    """Keys that are given as one list of texts for each column, as a table, and what selects the rows with them."""
    natives = {field.name: field.native for field in info.fields}
    types = [*(with_values(natives[name]) for name in info.key), *(["xid"] if token else [])]
    names = [f"k{number}" for number in range(len(info.key))]
    columns = [*names, "x"] if token else names
    same = [f"c.{with_values(identifier(name))} = w.{ours}" for name, ours in zip(info.stored.key, names)]
    lists = ", ".join(f"%s::{one}[]" for one in types)
    return f"unnest({lists}) AS w({', '.join(columns)})", " AND ".join(same)


def _array(texts: Sequence[str]) -> str:
    """The texts as PostgreSQL writes an array of them."""
    joined = '","'.join(texts)
    if "\\" in joined or joined.count('"') != 2 * (len(texts) - 1):
        joined = '","'.join([one.replace("\\", r"\\").replace('"', r"\"") for one in texts])
    return f'{{"{joined}"}}'


def _children(connection: Any, table_of: _TableOf, relation: Relation, key: Key, lock: str = "") -> list[Row]:
    """The rows that refer to a row of another table."""
    parent, child = relation.parent, relation.child
    mine = [identifier(child.columns.get(name, name)) for name in relation.key.fields]
    theirs = [identifier(parent.columns.get(name, name)) for name in relation.key.to_fields or parent.key]
    rows = Rows(child)
    wanted = " AND ".join(
        f"{with_values(identifier(name))} = %s::text::{with_values(field.native)}"
        for name, field in zip(parent.stored.key, (_field(parent, one) for one in parent.key))
    )
    referred = f"SELECT {', '.join(theirs)} FROM {table_of(parent)} AS p"
    query = f"SELECT {rows.columns} FROM {table_of(child)} AS c WHERE ({', '.join(mine)}) IN ({referred}"
    return rows.rows(connection.execute(f"{with_values(query)} WHERE {wanted}){lock}", list(key)).fetchall())


def _state(exc: Day2Error) -> str:
    """The error code of PostgreSQL."""
    return str(getattr(exc.__cause__, "sqlstate", ""))


def _field(info: Info, name: str) -> Field:
    return next(field for field in info.fields if field.name == name)
