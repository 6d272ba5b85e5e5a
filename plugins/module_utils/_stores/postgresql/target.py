# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as a target."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..._core.errors import SourceError, TargetError
from ..._core.tagged_json import encode as encode_json
from ..records import gaps
from ..records.model import (
    NO_RIGHTS,
    TEXT,
    Account,
    Clashes,
    Field,
    Info,
    Record,
    Reject,
    Rights,
    Start,
    appeared,
    not_alone,
    placed,
)
from ..records.versions import Step
from ..sql import schema as sql_schema
from . import clashes as postgresql_clashes
from . import ddl as postgresql_ddl
from . import privileges
from . import rehearsal as postgresql_rehearsal
from .application import interference
from .catalog import checkpoints_table, describe, make_checkpoints_table, names_in
from .client import connect, errors, identifier, with_values
from .ddl import listed, qualified
from .rows import Rows
from .schema import SchemaTransaction
from .source import PostgresqlSource
from .values import converted
from .versions import read_versions, take_step

_PLACES = (Field("tableoid", TEXT, column="tableoid"), Field("ctid", TEXT, column="ctid"))
_PART = 500  # records that are on their way while the next ones are converted


class PostgresqlTarget(PostgresqlSource):
    """The tables of a schema as a target."""

    replaces_atomically = False
    columns = True
    takes_copy_lines = True
    undoes = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._writer: Any = None
        self._as_rows = Rows(self._schema, self._connected, self.collections)
        self._doubts: list[str] = []
        self._wanted: set[str] = set()  # names that tables will have
        self._created: dict[str, int] = {}  # tables that this run has made, and what the server knows them by
        self._own: list[str] = []  # its transactions that have written into them

    def __enter__(self) -> PostgresqlTarget:
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        if self._writer is not None:
            self._writer.close()
            self._writer = None

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

    def schema_transaction(self, *, rehearsal: bool, merge: bool) -> SchemaTransaction:
        """For writing to existing tables."""
        return SchemaTransaction(self._options, self._schema, self._doubts, rehearsal=rehearsal, merge=merge)

    def check_state(self) -> None:
        """All of it is in the database."""

    def lock(self) -> bool:
        with errors(TargetError, f"Can't lock the schema {self._schema}"):
            # the server's, for as long as this connection lasts
            taken: bool = (
                self._connected()
                .execute("SELECT pg_try_advisory_lock(hashtext('day2 migration'), hashtext(%s))", (self._schema,))
                .fetchone()[0]
            )
        return taken

    def recover(self) -> None:
        """Uncommitted changes have been rolled back."""

    def check_writable(self, infos: Sequence[Info], size: int, rights: Rights = NO_RIGHTS) -> None:
        """How much free space a server has is not for its users to know."""
        sql_schema.check_collisions(infos, _same, 63)
        self._wanted = {info.stored.name for info in infos}
        self._as_rows.expect(infos)
        with errors(TargetError, f"Can't read the schema {self._schema}"):
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
                f"The schema {self._schema} of {self.location} {'is not writable' if row else 'does not exist'}."
            )
        self._check_privileges(infos, rights)
        with errors(TargetError, f"The schema {self._schema} is not writable"):
            found = postgresql_rehearsal.problems(self._connected(), self._schema, infos)
        if found:
            raise TargetError(
                f"The tables can't be created in {self.location}: {'; '.join(found)}.",
                "Nothing was changed. Change the source, the target, or the selection (only).",
                {"problems": found},
            )

    def _check_privileges(self, infos: Sequence[Info], rights: Rights) -> None:
        wanted = {info.stored.name: rights[info.name] for info in infos if info.name in rights}
        with errors(TargetError, f"Can't read the schema {self._schema}"):
            lacking = privileges.missing(self._read(), self._schema, wanted)
        if lacking:
            raise TargetError(
                f"In {self.location}, the role does not have the privileges {', '.join(lacking)}.",
                "Nothing was changed. Grant them to the role, or connect as another role.",
                {"problems": lacking},
            )

    def refuses(self, info: Info, record: Mapping[str, Any]) -> str:
        with errors(TargetError, f"Can't read the table {info.name} of {self.location}"):
            return self._as_rows.refuses(info, record)

    def interference(self, infos: Sequence[Info], removing: Collection[str]) -> list[str]:
        with errors(SourceError, f"Can't read the schema {self._schema}"):
            tables = [info.stored.name for info in infos]
            losing = [info.stored.name for info in infos if info.name in removing]
            certain, hidden = interference(self._read(), self._schema, tables, losing)
        self._doubts += [
            f"Whether {one} changes or refuses records can't be foreseen, as it runs dynamic SQL, other functions, or "
            "code in another language."
            for one in hidden
        ]
        return certain

    def folded(self, info: Info) -> Collection[str]:
        """None: the server itself compares with collations."""
        return ()

    def clashes(self, info: Info, existing: Info, chunks: Iterable[Sequence[Record]], scratch: str) -> Clashes:
        real = qualified(self._schema, info.stored.name)
        connection = self._connected()
        with errors(TargetError, f"Can't compare the records of {info.name} with its table"):
            parts = (part for one in chunks for part in list(self._as_rows.parts(info, one, _PART, [])))
            return postgresql_clashes.clashes(connection, real, self._own_rows(info), info, parts)

    def doubts(self) -> list[str]:
        return [*self._doubts, *self._as_rows.doubts()]

    def checkpoints(self, names: Sequence[str]) -> dict[str, Any]:
        with errors(SourceError, "Can't read the checkpoints"):
            table = checkpoints_table(self._read(), self._schema)
            if table is None:
                return {}
            query = f"SELECT collection, checkpoint FROM {qualified(self._schema, table)}"
            rows = self._read().execute(query).fetchall()
        return {name: checkpoint for name, checkpoint in rows if name in names}

    def _keep(self, connection: Any, collection: str, checkpoint: Any) -> None:
        if checkpoint is None:
            return
        name = checkpoints_table(connection, self._schema)
        if name is None:
            name = make_checkpoints_table(connection, self._schema, self._wanted)
        table = with_values(qualified(self._schema, name))
        connection.execute(
            f"INSERT INTO {table} VALUES (%s, %s) ON CONFLICT (collection) DO UPDATE SET "
            "checkpoint = excluded.checkpoint",
            (collection, encode_json(checkpoint)),
        )

    def versions(self) -> dict[int, str]:
        with errors(SourceError, "Can't read the versions of the schema"):
            return read_versions(self._read(), self._schema)

    def take_step(self, step: Step, statements: Sequence[str]) -> bool:
        with self._transaction(f"Can't change the schema {self._schema}") as connection:
            return take_step(connection, self._schema, step, statements)

    def begin(self, starts: Sequence[Start], new: Collection[str] = ()) -> None:
        created = {}
        with self._transaction("Can't create the tables") as connection:
            existing = {one.stored.name: one for one in describe(connection, self._schema)}
            for info, _clear, _checkpoint in starts:
                found = existing.get(info.stored.name)
                if found is not None:
                    if info.name in new:
                        raise appeared(info.name, self.location)
                    sql_schema.check_fits(info.stored, found.stored, _same)
                else:
                    connection.execute(postgresql_ddl.create_table(info, self._schema))
                    created[info.name] = self._oid(connection, info)
            for info, _clear, checkpoint in starts:
                self._keep(connection, info.name, checkpoint)
        self._created.update(created)

    def _oid(self, connection: Any, info: Info) -> int:
        table = qualified(self._schema, info.stored.name)
        return int(connection.execute("SELECT %s::regclass::oid", (table,)).fetchone()[0])

    def write(self, info: Info, records: Sequence[Record], account: Account, upsert: bool) -> None:
        rejects: list[Reject] = []
        table = qualified(self._schema, info.stored.name)
        with self._transaction(f"Can't write the collection {info.name}") as connection:
            if upsert:
                connection.execute(f"CREATE TEMP TABLE day2_batch ON COMMIT DROP AS SELECT * FROM {table} LIMIT 0")
            parts = self._as_rows.parts(info, records, _PART, rejects)
            for form, same in itertools.groupby(parts, lambda part: part[0]):
                copying = f"COPY {('day2_batch' if upsert else table)} {form}"
                with connection.cursor() as cursor, cursor.copy(copying) as copy:
                    for _form, data in same:
                        copy.write(data)
            checkpoint = account(rejects)
            # What a crash of the server takes of the last batches it takes with their checkpoint: they come again.
            connection.execute("SET LOCAL synchronous_commit = off")
            if upsert:
                connection.execute(_upsert(table, info))
            self._keep(connection, info.name, checkpoint)
            if info.name in self._created:
                self._own += connection.execute("SELECT (txid_current() & 4294967295)::text").fetchone()

    def by_place(self, info: Info) -> Info:
        """By where a row is in the files of the table, or of which partition."""
        return placed(info, _PLACES)

    def delete(self, info: Info, wanted: Sequence[tuple[Any, ...]], checkpoint: Any = None) -> None:
        fields = {field.name: field for field in info.fields}
        where = " AND ".join(f"{with_values(identifier(name))} = %s" for name in info.stored.key)
        with (
            self._transaction(f"Can't delete from the table {info.name}") as connection,
            connection.cursor() as cursor,
        ):
            cursor.executemany(
                f"DELETE FROM {with_values(self._own_rows(info))} WHERE {where}",
                [[converted(fields[name], value) for name, value in zip(info.key, key)] for key in wanted],
            )
            self._keep(connection, info.name, checkpoint)

    def drop(self, infos: Sequence[Info]) -> None:
        names = ", ".join(qualified(self._schema, info.stored.name) for info in infos)
        with self._transaction("Can't drop the tables") as connection:
            connection.execute(f"DROP TABLE {names}")

    def undo(self, infos: Sequence[Info]) -> None:
        with self._transaction("Can't drop the tables") as connection:
            for info in infos:
                table = qualified(self._schema, info.stored.name)
                connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                # rows that others have written, or locked when this run has put its own over them
                others = f"SELECT 1 FROM {with_values(table)} WHERE xmin::text <> ALL (%s) OR xmax::text <> '0' LIMIT 1"
                made = self._created.get(info.name) == self._oid(connection, info)
                if not made or connection.execute(others, (self._own,)).fetchone():
                    raise not_alone(self.location)
            connection.execute(f"DROP TABLE {', '.join(qualified(self._schema, info.stored.name) for info in infos)}")
            self._forget(connection, [info.name for info in infos])

    def build_indexes(self, infos: Sequence[Info]) -> None:
        with self._transaction("Can't complete the schema") as connection:
            existing = {one.stored.name: one for one in describe(connection, self._schema)}
            taken = names_in(connection, self._schema)
            for info in infos:
                found = existing.get(info.stored.name)
                for statement in postgresql_ddl.after_data(info, self._schema, found, list(existing), taken):
                    connection.execute(statement)

    def commit(self, names: Sequence[str]) -> None:
        with self._transaction("Can't remove the checkpoints") as connection:
            self._forget(connection, names)

    def _forget(self, connection: Any, names: Sequence[str]) -> None:
        """Remove checkpoints, and their table with the last one."""
        name = checkpoints_table(connection, self._schema)
        if name is None:
            return
        table = qualified(self._schema, name)
        connection.execute(f"DELETE FROM {with_values(table)} WHERE collection = ANY (%s)", (list(names),))
        if not connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
            connection.execute(f"DROP TABLE {table}")


def _same(name: str) -> str:
    """Quoted names are as they are written."""
    return name


def _upsert(table: str, info: Info) -> str:
    names, key = gaps.selected(info), info.stored.key
    others = [name for name in names if name not in key]
    change = ", ".join(f"{identifier(name)} = excluded.{identifier(name)}" for name in others)
    return (
        f"INSERT INTO {table} {listed(names)} OVERRIDING SYSTEM VALUE SELECT "
        f"{', '.join(map(identifier, names))} FROM day2_batch ON CONFLICT {listed(key)} DO "
        f"{('UPDATE SET ' + change if others else 'NOTHING')}"
    )
