# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a SQLite table as records."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

from .._core.record_batches import BATCH, batch, batch_of_rows
from .._core.tagged_json import decode as decode_json
from .record_store import Info, Record
from .sql_schema import DOCUMENT
from .sqlite_file import rows_of, sqlite3
from .sqlite_schema import identifier
from .sqlite_values import decoder


def chunks(connection: sqlite3.Connection, info: Info, rest: str) -> Generator[Sequence[Record], None, None]:
    """The records of a table, many at a time.

    :param rest: what follows the name of the table in SELECT.
    """
    names, found = _rows(connection, info, rest)
    for rows in found:
        yield batch([decode_json(text) for (text,) in rows]) if info.document else batch_of_rows(names, rows)


def _rows(
    connection: sqlite3.Connection, info: Info, order: str
) -> tuple[tuple[str, ...], Iterator[Sequence[tuple[Any, ...]]]]:
    """The names of the columns, and the rows with their values as they are in records."""
    names = (DOCUMENT,) if info.document else tuple(field.name for field in info.fields)
    query = "SELECT %s FROM %s%s" % (", ".join(map(identifier, names)), identifier(info.name), order)
    decoders = [] if info.document else [decoder(field) for field in info.fields]
    if not any(decoders):
        return names, rows_of(connection, query, BATCH)

    def decoded(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        columns = [map(decode, column) if decode else column for decode, column in zip(decoders, zip(*rows))]
        return list(zip(*columns))

    return names, map(decoded, rows_of(connection, query, BATCH))
