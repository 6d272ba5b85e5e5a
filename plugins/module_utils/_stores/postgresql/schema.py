# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes to tables that an application has created in PostgreSQL, in one transaction.

Foreign keys are dropped and added again, which checks each with one join: this takes a seventh of the time of checking
each row, and any order of tables and rows is possible. User triggers do not fire. This needs no superuser, but the
owner of the tables.
"""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple

from ..._core.errors import LockTimeout, TargetError
from ..._core.units import plural
from ..records.model import Odd, Record
from . import client as postgresql_client
from . import privileges
from . import staging as postgresql_staging
from .application import VERSION_TABLES, Reference, Table, references, tables, versions
from .client import connect, errors, identifier
from .column_types import Codec, Column
from .copies import unknown
from .ddl import count_on
from .staging import Difference, Staged

_LOCK_TIMEOUT, _NOT_NULL, _CHECK = "55P03", "23502", "23514"


class Put(NamedTuple):
    """What was done to put rows in place, and the violations of constraints (then nothing may be committed)."""

    foreign_keys: tuple[str, ...] = ()  # dropped and added again
    triggers: tuple[str, ...] = ()  # that did not fire
    problems: tuple[str, ...] = ()


class SchemaTransaction:
    """One transaction on the tables of a schema. Leaving the block without `commit` changes nothing.

    :param doubts: receives sentences on what a rehearsal cannot find out.
    :param rehearsal: rows are written to temporary copies of the tables, and nothing is committed.
    :param merge: rows whose key is not staged are kept.
    """

    def __init__(
        self, options: Mapping[str, Any], schema: str, doubts: list[str], *, rehearsal: bool, merge: bool
    ) -> None:
        self._options = options
        self._schema = schema
        self._connection: Any = None
        self._doubts = doubts
        self._unfilled: set[str] = set()  # copies of a rehearsal
        self._rehearsal = rehearsal
        self._merge = merge
        self._staged: dict[str, Staged] = {}
        self.tables: Mapping[str, Table] = {}
        self.references: Sequence[Reference] = ()
        self.lacking = ""  # the privilege without which nothing can be staged

    def __enter__(self) -> SchemaTransaction:
        self._connection = connect(self._options)
        with errors(TargetError, f"Can't read the schema {self._schema}"):
            self._connection.execute("BEGIN")
            self._connection.execute("SET LOCAL row_security = off")
            self.tables = tables(self._connection, self._schema)
            self.references = references(self._connection, self._schema)
            self.lacking = privileges.temporary(self._connection)
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()  # which rolls back what is not committed

    def versions(self, name: str) -> set[tuple[str, ...]]:
        """The schema versions in a table, one of VERSION_TABLES."""
        with errors(TargetError, f"Can't read the table {name}"):
            return versions(self._connection, self.tables[name], VERSION_TABLES[name])

    def stage(
        self,
        table: Table,
        columns: Sequence[tuple[Column, Codec, Codec]],
        chunks: Iterable[Sequence[Record]],
        odd: Callable[[Record, Sequence[Odd]], None],
    ) -> Staged:
        """Convert records into a temporary table.

        :param columns: each with how it is written and how it is read.
        :param odd: called with each record that the table cannot store, which is omitted.
        """
        names = {column.name for column, _write, _read in columns}
        key = next((one for one in table.keys if names.issuperset(one)), ())
        staged = Staged(
            *(table, len(self._staged), tuple(one[0] for one in columns)),
            *(tuple(one[1] for one in columns), tuple(one[2] for one in columns), key),
        )
        with errors(TargetError, f"Can't convert the records of {table.name}"):
            postgresql_staging.create_stage(self._connection, staged)
            with self._connection.cursor() as cursor, cursor.copy(f"COPY {staged.stage} FROM STDIN") as copy:
                for chunk in chunks:
                    rows, lines = postgresql_staging.split(staged, chunk, odd)
                    copy.write(lines)
                    total = staged.digest + postgresql_staging.digest(staged, rows)
                    staged = staged._replace(records=staged.records + len(rows), digest=total)
            self._connection.execute(f"ANALYZE {staged.stage}")
        self._staged[table.name] = staged
        return staged

    def difference(self, name: str) -> Difference:
        """How the table differs from the rows that are staged for it."""
        with errors(TargetError, f"Can't compare the table {name}"):
            found = postgresql_staging.difference(self._connection, self._staged[name])
        return found._replace(left=found.left + found.removed, removed=0) if self._merge else found

    def referring(self, name: str) -> list[str]:
        """The tables of this role that are not staged and have rows that refer to this one."""
        found = []
        with errors(TargetError, f"Can't read the tables that refer to {name}"):
            for one in self.references:
                if one.owned and one.parent == name and one.child not in self._staged:
                    given = " AND ".join(f"{identifier(field)} IS NOT NULL" for field in one.fields)
                    query = f"SELECT 1 FROM {one.table} WHERE {given} LIMIT 1"
                    if self._connection.execute(query).fetchone():
                        found.append(one.child)
        return found

    def lock(self, names: Sequence[str], timeout: float) -> None:
        """Keep others from writing these tables until the transaction ends. Reading remains possible.

        :raises LockTimeout: someone has been writing for longer than `timeout` seconds.
        """
        with self._waiting(timeout):
            self._connection.execute(f"SET LOCAL lock_timeout = {max(int(timeout * 1000), 1)}")
            listed = ", ".join(self.tables[name].sql for name in sorted(names))
            self._connection.execute(f"LOCK TABLE {listed} IN SHARE ROW EXCLUSIVE MODE")

    @contextlib.contextmanager
    def _waiting(self, timeout: float) -> Iterator[None]:
        try:
            with errors(TargetError, f"Can't write the tables of the schema {self._schema}"):
                yield
        except TargetError as exc:
            if getattr(exc.__cause__, "sqlstate", None) != _LOCK_TIMEOUT:
                raise
            raise LockTimeout(
                f"The tables of the schema {self._schema} are in use.",
                f"Stop the application, or increase lock_timeout (now {timeout:g} s).",
            ) from exc

    def put(self, names: Sequence[str], timeout: float) -> Put:
        """Put the staged rows of these tables in place, including foreign keys."""
        concerned = [one for one in self.references if one.child in names or one.parent in names]
        disabled: list[str] = []
        problems: list[str] = []
        with self._waiting(timeout):
            if not self._rehearsal:
                with self._connection.transaction() as block:
                    disabled = self._prepare(names, concerned)
                    problems = [*self._write(names)] or [*self._refer(concerned, names)]
                    if problems:
                        raise postgresql_client.psycopg.Rollback(block)
                    self._enable(names)
        if self._rehearsal or problems:
            problems = self.violations(names, timeout) or problems
        return Put(tuple(f"{one.child}.{one.name}" for one in concerned), tuple(disabled), tuple(problems))

    def violations(self, names: Sequence[str], timeout: float, incomplete: Collection[str] = ()) -> list[str]:
        """All violations of constraints, found with temporary copies of these tables. Nothing can be committed
        afterwards.

        :param incomplete: tables of which not all rows are staged, so that references to them are not known.
        """
        self._rehearsal = True
        # those of other roles, whose tables may not even be readable, stand in the way in any case
        concerned = [one for one in self.references if one.owned and (one.child in names or one.parent in names)]
        known = [one for one in concerned if not {one.child, one.parent}.intersection(incomplete)]
        with self._waiting(timeout):
            return [*(said for name in names for said in self._tried(self._staged[name])), *self._refer(known, names)]

    def _tried(self, staged: Staged) -> Iterator[str]:
        """The violations of constraints of one table: whatever is violated is dropped from the copy, which is filled
        again.
        """
        name = staged.table.name
        if not self._copied(staged):
            return
        while True:
            try:
                with self._connection.transaction():
                    postgresql_staging.put(self._connection, staged, True, self._merge)
                return
            except postgresql_client.psycopg.errors.IntegrityError as exc:
                yield _violation(name, exc.diag)
                if not self._dropped(staged, exc.diag):
                    self._unfilled.add(name)
                    return

    def _dropped(self, staged: Staged, diag: Any) -> bool:
        """Drop what is violated from the copy. Returns False if this is not possible, as for a rule of a type."""
        for statement in postgresql_staging.without(staged, diag.column_name, diag.constraint_name):
            try:
                with self._connection.transaction():
                    self._connection.execute(statement)
                return True
            except postgresql_client.psycopg.OperationalError:
                raise
            except postgresql_client.psycopg.Error:
                continue
        return False

    def _prepare(self, names: Sequence[str], concerned: Sequence[Reference]) -> list[str]:
        self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for one in concerned:
            self._connection.execute(f"ALTER TABLE {one.table} DROP CONSTRAINT {identifier(one.name)}")
        disabled = []
        for name in names:
            for trigger in self.tables[name].triggers:
                self._connection.execute(f"ALTER TABLE {self.tables[name].sql} {trigger.disable}")
                disabled.append(f"{name}.{trigger.name}")
        return disabled

    def _enable(self, names: Sequence[str]) -> None:
        for name in names:
            for trigger in self.tables[name].triggers:
                self._connection.execute(f"ALTER TABLE {self.tables[name].sql} {trigger.enable}")

    def _write(self, names: Sequence[str]) -> Iterator[str]:
        """The violations of constraints of single tables."""
        for name in names:
            try:
                with self._connection.transaction():
                    postgresql_staging.put(self._connection, self._staged[name], False, self._merge)
            except postgresql_client.psycopg.errors.IntegrityError as exc:
                yield _violation(name, exc.diag)

    def _copied(self, staged: Staged) -> bool:
        """Create the copy. Returns False if it cannot be created, and only the run will know."""
        try:
            with self._connection.transaction():
                postgresql_staging.make_copy(self._connection, staged)
        except postgresql_client.psycopg.OperationalError:
            raise
        except postgresql_client.psycopg.Error as exc:
            self._unfilled.add(staged.table.name)
            self._doubts.append(unknown(staged.table.name, exc))
            return False
        return True

    def _refer(self, concerned: Sequence[Reference], names: Sequence[str]) -> Iterator[str]:
        """The violations of foreign keys."""
        for one in concerned:
            if self._unfilled.intersection((one.child, one.parent)):
                continue
            if one.valid and (self._rehearsal or not self._add(one)):
                child = self._place(one.child, names) or one.table
                parent = self._place(one.parent, names) or one.to
                count, value = postgresql_staging.dangling(self._connection, one, child, parent)
                if count:
                    yield (
                        f"{one.child}: {plural(count, 'record')} with a reference to {one.parent} that does not exist "
                        f"({', '.join(one.fields)} = {value})"
                    )
            elif not self._rehearsal and not one.valid:
                self._add(one)

    def _place(self, name: str, names: Sequence[str]) -> str:
        return self._staged[name].copy if self._rehearsal and name in names else ""

    def _add(self, one: Reference) -> bool:
        """Add a foreign key again. Returns False if some rows violate it."""
        name = identifier(one.name)
        try:
            with self._connection.transaction():
                self._connection.execute(f"ALTER TABLE {one.table} ADD CONSTRAINT {name} {one.definition}")
        except postgresql_client.psycopg.errors.ForeignKeyViolation:
            return False
        if one.comment:
            text = one.comment.replace("'", "''")
            self._connection.execute(f"COMMENT ON CONSTRAINT {name} ON {one.table} IS '{text}'")
        return True

    def differs(self, name: str) -> bool:
        """Read the table back. Returns whether it contains anything else than what was staged for it."""
        if name in self._unfilled:
            return False
        staged = self._staged[name]
        with errors(TargetError, f"Can't read back the table {name}"):
            count, total = postgresql_staging.read_back(self._connection, staged, self._rehearsal, self._merge)
        return (count, total) != (staged.records, staged.digest)

    def commit(self, counters: Mapping[tuple[str, str], int]) -> dict[str, int]:
        """Set the sequences after the highest number, and commit.

        :param counters: by table and column, the highest number that the source has ever assigned (0: unknown).
        :return: by "table.column", the highest number in use.
        """
        result: dict[str, int] = {}
        with errors(TargetError, f"Can't commit to the schema {self._schema}"):
            for (table, column), highest in counters.items():
                statement = count_on(self._schema, table, column, [highest] if highest else [])
                row = self._connection.execute(statement).fetchone()
                if row is not None:
                    result[f"{table}.{column}"] = row[0]
            self._connection.execute("COMMIT")
        return result


def _violation(table: str, diag: Any) -> str:
    """The violation in words that are the same for the table and its copy, without the other columns of the row."""
    if diag.sqlstate == _NOT_NULL:
        return f"{table}.{diag.column_name} is null in some records, but a value is required"
    if diag.sqlstate == _CHECK:
        return f"{table}: some records violate the constraint {diag.constraint_name}"
    said = diag.message_detail or diag.message_primary or ""
    return f"{table}: {said.strip('. ')}"
