# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as a store of records: each table of a schema is a collection, read and written by COPY."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._core.errors import SourceError, TargetError
from ..._core.record_batches import BATCH, batch, batches
from ..._core.tagged_json import encode as encode_json
from ..records import gaps
from ..records.kinds import Summary
from ..records.model import (
    BOOLEAN,
    BYTES,
    DATE,
    DECIMAL,
    INTEGER,
    JSON,
    LIST,
    REAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Account,
    Field,
    Info,
    Record,
    Reject,
    Start,
    placed,
)
from ..records.versions import Step
from ..sql import schema as sql_schema
from . import ddl as postgresql_ddl
from . import digest as postgresql_digest
from . import rehearsal as postgresql_rehearsal
from .arrays import as_lists, is_array
from .catalog import checkpoints_table, describe, make_checkpoints_table, names_in, others, partitioned
from .client import connect, errors, identifier, server_and_database
from .ddl import listed, qualified
from .rows import Rows
from .schema import SchemaTransaction
from .values import converted
from .versions import read_versions, take_step

_TYPES = {
    INTEGER: "int8",
    REAL: "float8",
    DECIMAL: "numeric",
    TEXT: "text",
    BYTES: "bytea",
    BOOLEAN: "bool",
    TIMESTAMP: "timestamp",
    TIMESTAMPTZ: "timestamptz",
    DATE: "date",
    JSON: "jsonb",
}
_PLACES = (Field("tableoid", TEXT, column="tableoid"), Field("ctid", TEXT, column="ctid"))
_PART = 500  # records that are on their way while the next ones are converted


def _same(name: str) -> str:
    """Quoted names are as they are written."""
    return name


class PostgresqlRecords:
    """See `TargetStore`."""

    type = "postgresql"
    consistent = True
    typed = True
    deterministic_order = True
    replaces_atomically = False
    columns = True
    takes_copy_lines = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._schema: str = options.get("schema") or "public"
        self.location = "postgresql:%s/%s/%s" % (options.get("host") or "", options.get("database") or "", self._schema)
        self.notes: list[str] = []
        self.lists = False  # arrays are read and written as lists, not as their text
        self._identity = ""
        self._reader: Any = None
        self._writer: Any = None
        self._as_rows = Rows(self._schema, self._connected)
        self._fresh = False  # the reader sees what was written
        self._wanted: set[str] = set()  # names that tables will have
        self._partitioned: set[str] = set()  # of the tables that were described

    @property
    def identity(self) -> str:
        """See `TargetStore`."""
        if not self._identity:
            self._identity = "postgresql:%s/%s" % (server_and_database(self._read(), self._options), self._schema)
        return self._identity

    def __enter__(self) -> PostgresqlRecords:
        return self

    def __exit__(self, *exc: object) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    def _read(self) -> Any:
        """A connection with one transaction that shows one state, with all that we have written."""
        if self._reader is None:
            self._reader = connect(self._options)
            self._fresh = False
        if not self._fresh:
            with errors(SourceError, "Can't read from PostgreSQL"):
                if self._reader.info.transaction_status.name != "IDLE":
                    self._reader.execute("ROLLBACK")
                self._reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                self._reader.execute("SELECT 1")
            self._fresh = True
        return self._reader

    @contextlib.contextmanager
    def _transaction(self, doing: str) -> Iterator[Any]:
        writer = self._connected()
        with errors(TargetError, doing):
            self.release()  # its locks would hold up our own changes of tables
            with writer.transaction():
                yield writer

    def _connected(self) -> Any:
        """The connection for writing."""
        if self._writer is None:
            self._writer = connect(self._options)
        return self._writer

    def release(self) -> None:
        """Let go of the locks that reading has taken."""
        if self._fresh:
            with errors(SourceError, "Can't read from PostgreSQL"):
                self._reader.execute("ROLLBACK")
            self._fresh = False

    def schema_transaction(self, *, rehearsal: bool, merge: bool) -> SchemaTransaction:
        """For writing into the tables that are there; see there."""
        return SchemaTransaction(self._options, self._schema, rehearsal=rehearsal, merge=merge)

    def check_state(self) -> None:
        """All of it is in the database."""

    def lock(self) -> bool:
        """See `TargetStore`."""
        with errors(TargetError, "Can't lock the schema %s" % self._schema):
            # the server's, for as long as this connection lasts
            taken: bool = (
                self._connected()
                .execute("SELECT pg_try_advisory_lock(hashtext('day2 migration'), hashtext(%s))", (self._schema,))
                .fetchone()[0]
            )
        return taken

    def recover(self) -> None:
        """What was not committed is gone."""

    def end_reading(self) -> bool:
        """Its snapshot is the server's."""
        return False

    def collections(self) -> list[Info]:
        """See `TargetStore`."""
        with errors(SourceError, "Can't read the schema"):
            self.notes = others(self._read(), self._schema)
            self._partitioned = partitioned(self._read(), self._schema)
            found = describe(self._read(), self._schema)
        return list(map(as_lists, found)) if self.lists else found

    def read(self, info: Info) -> Iterator[Record]:
        """See `TargetStore`."""
        return itertools.chain.from_iterable(self.chunks(info))

    def chunks(self, info: Info, ordered: bool = True, text: bool = False) -> Iterator[Sequence[Record]]:
        """See `TargetStore`."""
        place = (info.note.key,) if info.note.shape == LIST and info.note.key else ()
        columns = [identifier(info.columns[name]) for name in (*place, *info.key)]
        order = " ORDER BY %s" % (", ".join(columns) or "tableoid, ctid") if ordered else ""
        records_of = gaps.reader(info)
        for rows in batches(self._rows(info, order), BATCH):
            yield batch([row[0] for row in rows]) if info.document else records_of(rows)

    def _rows(self, info: Info, order: str) -> Iterator[Sequence[Any]]:
        fields = info.fields[-1:] if info.document else info.fields
        if info.note.marker:
            fields = (*fields, Field(info.note.marker, JSON))
        query = "COPY (SELECT %s FROM %s%s) TO STDOUT" % (
            ", ".join(map(_selected, fields)),
            self._own_rows(info),
            order,
        )
        connection = self._read()
        with errors(SourceError, "Can't read the table %s" % info.name):
            with connection.cursor() as cursor, cursor.copy(query) as copy:
                copy.set_types([_TYPES[field.kind] for field in fields])
                yield from copy.rows()

    def summary(self, info: Info) -> Optional[Summary]:
        """See `TargetStore`."""
        connection = self._read()
        with errors(SourceError, "Can't read the table %s" % info.name):
            return postgresql_digest.summary(connection, self._own_rows(info), info)

    def _own_rows(self, info: Info) -> str:
        """The table in SQL, without the rows of tables that inherit from it: they are collections of their own."""
        name = info.stored.name
        table = qualified(self._schema, name)
        return table if name in self._partitioned else "ONLY " + table

    def kept(self, info: Info) -> Info:
        """The server sees to it."""
        return info

    def bytes_of(self, info: Info) -> int:
        """See `TargetStore`."""
        name = qualified(self._schema, info.stored.name)
        with errors(SourceError, "Can't look at the table %s" % info.name):
            row = self._read().execute("SELECT pg_table_size(%s::regclass)", (name,)).fetchone()
        return int(row[0]) if row else 0

    def check_unchanged(self) -> None:
        """One transaction shows one state."""

    def check_writable(self, infos: Sequence[Info], size: int) -> None:
        """See `TargetStore`. How much room a server has is not for its users to know."""
        sql_schema.check_collisions(infos, _same, 63)
        self._wanted = {info.stored.name for info in infos}
        self._as_rows.expect(infos)
        with errors(TargetError, "Can't look at the schema %s" % self._schema):
            row = (
                self._read()
                .execute(
                    "SELECT has_schema_privilege(oid, 'CREATE') AND NOT pg_is_in_recovery()"
                    " FROM pg_namespace WHERE nspname = %s",
                    (self._schema,),
                )
                .fetchone()
            )
        if row is None or not row[0]:
            raise TargetError(
                "The schema %s of %s %s." % (self._schema, self.location, "can't be written" if row else "is not there")
            )
        with errors(TargetError, "The schema %s can't be written" % self._schema):
            found = postgresql_rehearsal.problems(self._connected(), self._schema, infos)
        if found:
            raise TargetError(
                "%s can't have the tables as they are: %s." % (self.location, "; ".join(found)),
                "Nothing was changed. Change the source, the target, or what is migrated (only).",
                {"problems": found},
            )

    def refuses(self, info: Info, record: Mapping[str, Any]) -> str:
        """See `TargetStore`."""
        with errors(TargetError, "Can't look at the table %s" % info.name):
            return self._as_rows.refuses(info, record)

    def checkpoints(self, names: Sequence[str]) -> dict[str, Any]:
        """See `TargetStore`."""
        with errors(SourceError, "Can't read the checkpoints"):
            table = checkpoints_table(self._read(), self._schema)
            if table is None:
                return {}
            query = "SELECT collection, checkpoint FROM %s" % qualified(self._schema, table)
            rows = self._read().execute(query).fetchall()
        return {name: checkpoint for name, checkpoint in rows if name in names}

    def _keep(self, connection: Any, collection: str, checkpoint: Any) -> None:
        if checkpoint is None:
            return
        name = checkpoints_table(connection, self._schema)
        if name is None:
            name = make_checkpoints_table(connection, self._schema, self._wanted)
        connection.execute(
            "INSERT INTO %s VALUES (%%s, %%s) ON CONFLICT (collection) DO UPDATE SET checkpoint = excluded.checkpoint"
            % qualified(self._schema, name),
            (collection, encode_json(checkpoint)),
        )

    def versions(self) -> dict[int, str]:
        """See `Versioned`."""
        with errors(SourceError, "Can't read the versions of the schema"):
            return read_versions(self._read(), self._schema)

    def take_step(self, step: Step, statements: Sequence[str]) -> bool:
        """See `Versioned`."""
        with self._transaction("Can't change the schema %s" % self._schema) as connection:
            return take_step(connection, self._schema, step, statements)

    def begin(self, starts: Sequence[Start]) -> None:
        """See `TargetStore`."""
        with self._transaction("Can't make the tables") as connection:
            existing = {one.stored.name: one for one in describe(connection, self._schema)}
            for info, _clear, _checkpoint in starts:
                found = existing.get(info.stored.name)
                if found is not None:
                    sql_schema.check_fits(info.stored, found.stored, _same)
                else:
                    connection.execute(postgresql_ddl.create_table(info, self._schema))
            for info, _clear, checkpoint in starts:
                self._keep(connection, info.name, checkpoint)

    def write(self, info: Info, records: Sequence[Record], account: Account, upsert: bool) -> None:
        """See `TargetStore`."""
        rejects: list[Reject] = []
        table = qualified(self._schema, info.stored.name)
        with self._transaction("Can't write the collection %s" % info.name) as connection:
            if upsert:
                connection.execute("CREATE TEMP TABLE day2_batch ON COMMIT DROP AS SELECT * FROM %s LIMIT 0" % table)
            parts = (
                self._as_rows.part(info, records[start : start + _PART], rejects)
                for start in range(0, len(records), _PART)
            )
            for form, same in itertools.groupby(parts, lambda part: part[0]):
                copying = "COPY %s %s" % ("day2_batch" if upsert else table, form)
                with connection.cursor() as cursor, cursor.copy(copying) as copy:
                    for _form, data in same:
                        copy.write(data)
            checkpoint = account(rejects)
            # What a crash of the server takes of the last batches it takes with their checkpoint: they come again.
            connection.execute("SET LOCAL synchronous_commit = off")
            if upsert:
                connection.execute(_upsert(table, info))
            self._keep(connection, info.name, checkpoint)

    def by_place(self, info: Info) -> Info:
        """See `TargetStore`: by where a row is in the files of the table, or of which partition."""
        return placed(info, _PLACES)

    def delete(self, info: Info, wanted: Sequence[tuple[Any, ...]], checkpoint: Any = None) -> None:
        """See `TargetStore`."""
        fields = {field.name: field for field in info.fields}
        where = " AND ".join("%s = %%s" % identifier(name) for name in info.stored.key)
        with (
            self._transaction("Can't delete from the table %s" % info.name) as connection,
            connection.cursor() as cursor,
        ):
            cursor.executemany(
                "DELETE FROM %s WHERE %s" % (self._own_rows(info), where),
                [[converted(fields[name], value) for name, value in zip(info.key, key)] for key in wanted],
            )
            self._keep(connection, info.name, checkpoint)

    def drop(self, infos: Sequence[Info]) -> None:
        """See `TargetStore`."""
        names = ", ".join(qualified(self._schema, info.stored.name) for info in infos)
        with self._transaction("Can't drop the tables") as connection:
            connection.execute("DROP TABLE %s" % names)

    def undo(self, infos: Sequence[Info]) -> None:
        """See `TargetStore`."""
        self.drop(infos)
        self.commit([info.name for info in infos])

    def build_indexes(self, infos: Sequence[Info]) -> None:
        """See `TargetStore`."""
        with self._transaction("Can't complete the schema") as connection:
            existing = {one.stored.name: one for one in describe(connection, self._schema)}
            taken = names_in(connection, self._schema)
            for info in infos:
                found = existing.get(info.stored.name)
                for statement in postgresql_ddl.after_data(info, self._schema, found, list(existing), taken):
                    connection.execute(statement)

    def commit(self, names: Sequence[str]) -> None:
        """See `TargetStore`."""
        with self._transaction("Can't remove the checkpoints") as connection:
            name = checkpoints_table(connection, self._schema)
            if name is None:
                return
            table = qualified(self._schema, name)
            connection.execute("DELETE FROM %s WHERE collection = ANY (%%s)" % table, (list(names),))
            if not connection.execute("SELECT 1 FROM %s LIMIT 1" % table).fetchone():
                connection.execute("DROP TABLE %s" % table)


def _selected(field: Field) -> str:
    """A type that the model lacks is read as its text; a real as what it is in 64 bits."""
    column = identifier(field.column or field.name)
    if field.kind == JSON and is_array(field):
        return "to_jsonb(%s)" % column
    if field.kind == TEXT:
        return "%s::text" % column
    return "%s::text::float8" % column if field.native == "real" else column


def _upsert(table: str, info: Info) -> str:
    names, key = gaps.selected(info), info.stored.key
    others = [name for name in names if name not in key]
    change = ", ".join("{0} = excluded.{0}".format(identifier(name)) for name in others)
    return "INSERT INTO %s %s OVERRIDING SYSTEM VALUE SELECT %s FROM day2_batch ON CONFLICT %s DO %s" % (
        table,
        listed(names),
        ", ".join(map(identifier, names)),
        listed(key),
        "UPDATE SET " + change if others else "NOTHING",
    )
