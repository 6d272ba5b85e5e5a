# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as a source: each table of a schema is a collection, read with COPY."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._core.errors import SourceError
from ..._core.record_batches import BATCH, batch, batches
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
    Field,
    Info,
    Record,
)
from . import digest as postgresql_digest
from .arrays import as_lists, is_array
from .catalog import describe, others, partitioned
from .client import connect, errors, identifier, server_and_database
from .ddl import qualified

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


class PostgresqlSource:
    """The tables of a schema as a source."""

    type = "postgresql"
    typed = True
    deterministic_order = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._schema: str = options.get("schema") or "public"
        self.location = f"postgresql:{options.get('host') or ''}/{options.get('database') or ''}/{self._schema}"
        self.notes: list[str] = []
        self.lists = False  # arrays are read and written as lists, not as their text
        self._identity = ""
        self._reader: Any = None
        self._fresh = False  # the reader sees what was written
        self._first = "SELECT 1"  # statement of its transaction, which decides what state it sees
        self._partitioned: set[str] = set()  # of the tables that were described

    @property
    def identity(self) -> str:
        if not self._identity:
            self._identity = f"postgresql:{server_and_database(self._read(), self._options)}/{self._schema}"
        return self._identity

    def __enter__(self) -> PostgresqlSource:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read(self) -> Any:
        """A connection with one transaction, which shows one state."""
        if self._reader is None:
            self._reader = connect(self._options)
            self._fresh = False
        if not self._fresh:
            with errors(SourceError, "Can't read from PostgreSQL"):
                if self._reader.info.transaction_status.name != "IDLE":
                    self._reader.execute("ROLLBACK")
                self._reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                self._reader.execute(self._first)
            self._fresh = True
        return self._reader

    def release(self) -> None:
        """Release the locks of earlier readings."""
        if self._fresh:
            with errors(SourceError, "Can't read from PostgreSQL"):
                self._reader.execute("ROLLBACK")
            self._fresh = False

    def end_reading(self) -> bool:
        """Nothing to end: the snapshot belongs to the server."""
        return False

    def collections(self) -> list[Info]:
        with errors(SourceError, "Can't read the schema"):
            self.notes = others(self._read(), self._schema)
            self._partitioned = partitioned(self._read(), self._schema)
            found = describe(self._read(), self._schema)
        return list(map(as_lists, found)) if self.lists else found

    def read(self, info: Info) -> Iterator[Record]:
        return itertools.chain.from_iterable(self.chunks(info))

    def chunks(self, info: Info, ordered: bool = True, copy_lines: bool = False) -> Iterator[Sequence[Record]]:
        place = (info.note.key,) if info.note.shape == LIST and info.note.key else ()
        columns = [identifier(info.columns[name]) for name in (*place, *info.key)]
        order = f" ORDER BY {', '.join(columns) or 'tableoid, ctid'}" if ordered else ""
        records_of = gaps.reader(info)
        for rows in batches(self._rows(info, order), BATCH):
            yield batch([row[0] for row in rows]) if info.document else records_of(rows)

    def _rows(self, info: Info, order: str) -> Iterator[Sequence[Any]]:
        fields = info.fields[-1:] if info.document else info.fields
        if info.note.marker:
            fields = (*fields, Field(info.note.marker, JSON))
        query = f"COPY (SELECT {', '.join(map(selected, fields))} FROM {self._own_rows(info)}{order}) TO STDOUT"
        connection = self._read()
        with errors(SourceError, f"Can't read the table {info.name} of {self.location}"):
            with connection.cursor() as cursor, cursor.copy(query) as copy:
                copy.set_types([_TYPES[field.kind] for field in fields])
                yield from copy.rows()

    def summary(self, info: Info) -> Optional[Summary]:
        connection = self._read()
        with errors(SourceError, f"Can't read the table {info.name} of {self.location}"):
            return postgresql_digest.summary(connection, self._own_rows(info), info)

    def _own_rows(self, info: Info) -> str:
        """The table in SQL, without the rows of tables that inherit from it, which are collections of their own."""
        name = info.stored.name
        table = qualified(self._schema, name)
        return table if name in self._partitioned else "ONLY " + table

    def holding_constraints(self, info: Info) -> Info:
        """The collection: the server enforces its constraints."""
        return info

    def bytes_of(self, info: Info) -> int:
        name = qualified(self._schema, info.stored.name)
        with errors(SourceError, f"Can't read the table {info.name} of {self.location}"):
            row = self._read().execute("SELECT pg_table_size(%s::regclass)", (name,)).fetchone()
        return int(row[0]) if row else 0

    def cautions(self) -> list[str]:
        """Writers of a table do not wait for readers."""
        return []

    def check_unchanged(self) -> None:
        """Nothing to check: one transaction shows one state."""


def selected(field: Field) -> str:
    """A column for SELECT: types that the model lacks as text, and a real as its 64 bits."""
    column = identifier(field.column or field.name)
    if field.kind == JSON and is_array(field):
        return f"to_jsonb({column})"
    if field.kind == TEXT:
        return f"{column}::text"
    return f"{column}::text::float8" if field.native == "real" else column
