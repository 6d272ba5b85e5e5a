# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the rows of a SQLite table as records."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, Callable, Optional

from ..._core.record_batches import BATCH, CopyLines, batch
from ..._core.records import canonical
from ..._core.tagged_json import decode as decode_json
from ..records import gaps
from ..records.gaps import Rows
from ..records.kinds import Kinds
from ..records.model import Info, Record
from .file import rows_of, sqlite3
from .schema import identifier
from .values import decoder

_MOST = 99  # columns; with the format, as many arguments as a function takes, whatever the version
_LINES = 5 * BATCH  # rows that are read as text at once, beside the work on as many others
_CHARACTERS = "".join(map(chr, range(1, 0x180))) + "\u2028\ufffd\U0001f600"


def chunks(
    connection: sqlite3.Connection,
    info: Info,
    rest: str,
    kinds: Optional[Kinds] = None,
    parameters: Sequence[Any] = (),
) -> Generator[Sequence[Record], None, None]:
    """The records of a table, many at a time.

    :param rest: what follows the name of the table in SELECT.
    :param kinds: of all records, if `CopyLines` may be returned.
    :param parameters: of `rest`.
    """
    columns = _as_text(connection, info, kinds) if kinds is not None else None
    if columns is not None:
        values = [f"coalesce({identifier(column)}, '\\N')" for column in info.columns.values()]
        form = f"printf('{chr(9).join(['%s'] * len(columns))}', {', '.join(values)})"
        query = f"SELECT {form} FROM {identifier(info.stored.name)}{rest}"
        absent = frozenset(info.note.absent)
        yield from (
            CopyLines(columns, [line for (line,) in lines], absent) for lines in rows_of(connection, query, _LINES)
        )
        return
    records_of = gaps.reader(info)
    for rows in _rows(connection, info, rest, parameters):
        yield batch([decode_json(text) for (text,) in rows]) if info.document else records_of(rows)


def _as_text(connection: sqlite3.Connection, info: Info, kinds: Kinds) -> Optional[dict[str, str]]:
    """The kinds of all columns; None if SQLite does not write one of them as text in our way."""
    fields = info.fields
    if info.document or info.note.marker or len(fields) > _MOST or any(map(decoder, fields)):
        return None
    by_name = {field.name: kinds.sole(field.name) for field in fields}
    columns = {name: kind for name, kind in by_name.items() if kind is not None}
    return columns if len(columns) == len(fields) else None


def extremes(connection: sqlite3.Connection, table: str, column: str) -> tuple[Any, Any]:
    """The lowest and the highest value of a column, null in an empty table.

    Each by a query of its own, which goes straight to one end of an index: a query for both reads all rows.

    :param table: as SQL, like the column.
    """
    found: tuple[Any, Any] = connection.execute(
        f"SELECT (SELECT min({column}) FROM {table}), (SELECT max({column}) FROM {table})"
    ).fetchone()
    return found


def writes_as_we_do(connection: sqlite3.Connection) -> bool:
    """Whether this SQLite has JSON functions, and writes text in JSON as we do."""
    given = _CHARACTERS.encode() + b"\0\xff end"
    try:
        (found,) = connection.execute("SELECT json_object('k', CAST(? AS TEXT))", (given,)).fetchone()
    except sqlite3.OperationalError:  # built without
        return False
    wanted: bytes = canonical({"k": given.decode("utf-8", "surrogateescape")})
    return bool(found.encode("utf-8", "backslashreplace") == wanted)


def _rows(connection: sqlite3.Connection, info: Info, rest: str, parameters: Sequence[Any]) -> Iterator[Rows]:
    """The rows, with the values of records."""
    columns = columns_of(info)
    query = f"SELECT {', '.join(map(identifier, columns))} FROM {identifier(info.stored.name)}{rest}"
    return map(_decoded(info), rows_of(connection, query, BATCH, parameters))


def columns_of(info: Info) -> list[str]:
    """The columns that the records of a table are made of."""
    return [info.stored.fields[-1].name] if info.document else gaps.selected(info)


def records_reader(info: Info) -> Callable[[Rows], Sequence[Record]]:
    """A function that makes records of rows of these columns, as they were read."""
    if info.document:
        return lambda rows: batch([decode_json(text) for (text,) in rows])
    decoded, records_of = _decoded(info), gaps.reader(info)
    return lambda rows: records_of(decoded(rows))


def _decoded(info: Info) -> Callable[[Rows], Rows]:
    """A function that makes values of records of those of SQLite."""
    decoders = [] if info.document else [decoder(field) for field in info.fields]
    if not any(decoders):
        return lambda rows: rows
    decoders += [None] * (len(columns_of(info)) - len(decoders))  # the marker is read as it is

    def decoded(rows: Rows) -> Rows:
        values = [map(decode, column) if decode else column for decode, column in zip(decoders, zip(*rows))]
        return list(zip(*values))

    return decoded
