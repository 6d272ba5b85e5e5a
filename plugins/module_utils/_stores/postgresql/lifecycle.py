# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of a state machine in PostgreSQL."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ..._core.errors import SourceError, TargetError, Violation
from ..sql.lifecycle import LifecycleTables
from .client import connect, errors, identifier, with_values
from .ddl import qualified

_PATIENCE = "30s"  # for what others have locked


class PostgresqlLifecycle(LifecycleTables):
    """The tables of a schema."""

    mark = "%s"
    counter = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"

    def __init__(self, options: Mapping[str, Any], machine: str, history: str, *, write: bool) -> None:
        self._schema: str = options.get("schema") or "public"
        self.location = f"postgresql:{options.get('host') or ''}/{options.get('database') or ''}/{self._schema}"
        super().__init__(machine, history)
        self._types: dict[tuple[str, str], str] = {}
        self._locking = False
        self._connection = connect(options)
        with errors(SourceError, "Can't set up the connection"):
            self._connection.execute(f"SET lock_timeout = '{_PATIENCE}'")
            if not write:
                self._connection.execute("SET default_transaction_read_only = on")

    def __enter__(self) -> PostgresqlLifecycle:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()

    def identifier(self, name: str) -> str:
        return with_values(identifier(name))

    def table(self, name: str) -> str:
        return with_values(qualified(self._schema, name))

    def columns(self, table: str) -> Collection[str]:
        rows = self.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass(%s)"
            " AND attnum > 0 AND NOT attisdropped",
            [qualified(self._schema, table)],
        )
        self._types.update({(table, name): kind for name, kind in rows})
        return [name for name, _kind in rows]

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with errors(TargetError, "Can't use the database"):
            cursor = self._connection.execute(statement, list(values))
            return cursor.fetchall() if cursor.description else []

    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> int:
        with errors(TargetError, "Can't use the database"), self._connection.cursor() as cursor:
            cursor.executemany(statement, rows)
            return int(cursor.rowcount)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self._locking = True
        try:
            with errors(TargetError, "Can't write to the database"), self._connection.transaction():
                yield
        finally:
            self._locking = False

    def found(self, table: str, key: str, columns: str, subjects: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        kind = self._types[table, key]
        lock = " ORDER BY 1 FOR UPDATE" if self._locking else ""
        query = f"SELECT {columns} FROM {self.table(table)} WHERE {self.identifier(key)} = ANY(%s::text[]::{kind}[])"
        try:
            with self._connection.transaction():
                rows = self.execute(query + lock, [list(subjects)])
        except Violation:  # one of them is no value of this type, so that there is no such record
            for half in _halves(subjects):
                yield from self.found(table, key, columns, half)
            return
        padded = kind.startswith("character(")
        yield from [(row[0].rstrip(" "), *row[1:]) for row in rows] if padded else rows

    def stored_key(self, table: str, key: str, subject: str) -> str:
        kind = self._types[table, key]
        if kind.startswith("character"):  # a cast would cut it
            return subject
        try:
            with self._connection.transaction():
                return str(self.execute(f"SELECT %s::text::{kind}::text", [subject])[0][0])
        except Violation:
            return subject

    def assign(self, table: str, key: str, subjects: Sequence[str], values: Mapping[str, Any]) -> None:
        setting = ", ".join(f"{self.identifier(name)} = %s" for name in values)
        kind = self._types[table, key]
        count = self.execute_many(
            f"UPDATE {self.table(table)} SET {setting} WHERE {self.identifier(key)} = ANY(%s::text[]::{kind}[])",
            [[*values.values(), list(subjects)]],
        )
        self.check_changed(table, key, len(subjects), count)

    def insert_rows(self, table: str, rows: Sequence[tuple[Any, ...]], fields: Sequence[str]) -> None:
        """One statement for all rows: `executemany` takes a round trip for each in older versions."""
        if not rows:
            return
        names = ", ".join(("machine", *fields))
        columns = [*zip(*rows)]
        kinds = ["double precision" if field == "began" else "text" for field in fields]
        unnested = ", ".join(f"%s::{kind}[]" for kind in kinds)
        self.execute(
            f"INSERT INTO {table} ({names}) SELECT %s, found.* FROM unnest({unnested}) AS found",
            [self._machine, *map(list, columns)],
        )


def _halves(subjects: Sequence[str]) -> list[Sequence[str]]:
    """Both halves; none of a single subject."""
    middle = len(subjects) // 2
    return [subjects[:middle], subjects[middle:]] if middle else []
