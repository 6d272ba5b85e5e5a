# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads rows of a SQLite table that may be removed: their keys, exact values, and lines in an export."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import hashlib
import marshal
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Optional, Union

from ..records.as_stored import as_stored
from ..records.model import Info, Record
from ..records.purger import Key, Row
from .ddl import words
from .file import rows_of, sqlite3
from .lines import LineWriter, line_writer
from .read import columns_of, records_reader
from .schema import identifier
from .values import AnyText

PAGE = 2000  # rows of one reading, so that none is long
GONE = ""  # instead of the line of a row that was gone when it was read in the other way
_VALUES = 500  # of one statement: SQLite has a limit


class Rows:
    """Reads rows of a table: the columns of its key, then all that a record is made of."""

    def __init__(self, connection: sqlite3.Connection, info: Info) -> None:
        stored = info.stored
        self._connection, self._table = connection, stored.name
        self._width = len(stored.key)
        self._columns = [f"c.{identifier(name)}" for name in (*stored.key, *columns_of(info))]
        self._records = records_reader(info)
        exact = as_stored(info)
        same = [field.kind for field in exact.fields] == [field.kind for field in info.fields]
        self._stored = None if same else records_reader(exact)

    def _read(self, rest: str, parameters: Sequence[Any], table: str = "") -> list[tuple[Any, ...]]:
        query = f"SELECT {', '.join(self._columns)} FROM {table or identifier(self._table)} AS c{rest}"
        return [row for rows in rows_of(self._connection, query, PAGE + 1, parameters) for row in rows]

    def contents(self, rest: str, parameters: Sequence[Any]) -> list[tuple[Key, bytes]]:
        """The keys and exact values. The parameters are those of `rows`."""
        width = self._width
        return [(row[:width], _content(row)) for row in self._read(rest, parameters)]

    def rows(self, rest: str, parameters: Sequence[Any], table: str = "") -> list[Row]:
        """The rows.

        :param rest: what follows the name of the table, which is called c, in SELECT.
        :param table: instead of the name of the table.
        """
        found = self._read(rest, parameters, table)
        if not found:
            return []
        width = self._width
        values = [row[width:] for row in found]
        records = list(self._records(values))
        stored = self._stored(values) if self._stored else records
        return _rows([row[:width] for row in found], map(_content, found), records, stored)


class _Lines(Rows):
    """Reads rows whose lines SQLite writes. Those that it does not write are read in the other way, by their key."""

    def __init__(
        self, connection: sqlite3.Connection, info: Info, wanted: Optional[Collection[str]], writer: LineWriter
    ) -> None:
        super().__init__(connection, info)
        self._info, self._writer, self._other = info, writer, Rows(connection, info)
        names = {*info.key, *(wanted or ())}
        some = info._replace(fields=tuple(one for one in info.fields if one.name in names))
        self._some = records_reader(some)
        self._end = self._width + len(writer.selected)
        self._columns = [*self._columns[: self._width], *writer.selected]
        if wanted is not None:
            self._columns += [f"c.{identifier(name)}" for name in columns_of(some)]

    def contents(self, rest: str, parameters: Sequence[Any]) -> list[tuple[Key, bytes]]:
        found, width = self._read(rest, parameters), self._width
        pairs = [(row[:width], _content(row)) for row in found]
        if any(row[-1] is None for row in found):
            others: dict[Key, bytes] = {}
            for condition, values in self._unwritten(found, -1):
                others.update(self._other.contents(f" WHERE {condition}", values))
            pairs = [(key, others.get(key, content)) for key, content in pairs]
        return pairs

    def rows(self, rest: str, parameters: Sequence[Any], table: str = "") -> list[Row]:
        found, width, end = self._read(rest, parameters, table), self._width, self._end
        if not found:
            return []
        lines = self._writer.lines(list(zip(*found))[width:end])
        records = self._some([row[end:] for row in found])
        contents = [_content(row[:end]) for row in found]
        rows = _rows([row[:width] for row in found], contents, records, lines)
        if GONE not in lines:
            return rows
        others: dict[Key, Row] = {}
        for condition, values in self._unwritten(found, end - 1):  # with records as old as their lines
            others.update((one.key, one) for one in self._other.rows(f" WHERE {condition}", values))
        return [others.get(row.key, row) if row.stored == GONE else row for row in rows]

    def _unwritten(self, found: Sequence[tuple[Any, ...]], place: int) -> Iterator[tuple[str, list[Any]]]:
        keys = [row[: self._width] for row in found if row[place] is None]
        return conditions(self._info, [key for key in keys if None not in key])


def reader_of(connection: sqlite3.Connection, info: Info, wanted: Optional[Collection[str]] = None) -> Rows:
    """:param wanted: fields of the records of `rows`. None: only `tokens` are asked for."""
    writer = line_writer(connection, info)
    return Rows(connection, info) if writer is None else _Lines(connection, info, wanted, writer)


def _content(row: tuple[Any, ...]) -> bytes:
    return marshal.dumps(row, 2)  # later versions of the format look for equal objects


def token_of(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=15).hexdigest()


def _rows(
    keys: Sequence[Key], contents: Iterable[bytes], records: Iterable[Record], stored: Iterable[Union[Record, str]]
) -> list[Row]:
    return [
        Row(key, token_of(content), record, line, content)
        for key, content, record, line in zip(keys, contents, records, stored)
    ]


def is_numbered(info: Info) -> bool:
    """Whether the key consists of one column, which contains integers only: the row id. Without that, or with DESC, a
    key that is declared as INTEGER PRIMARY KEY may contain anything.
    """
    if len(info.key) != 1 or not any(field.identity and field.name in info.key for field in info.fields):
        return False
    said = [words(one.sql) for one in info.statements if one.kind == "table"]
    return bool(said) and not {"WITHOUT", "DESC"} & set(said[0])


def conditions(info: Info, keys: Sequence[Key]) -> Iterator[tuple[str, list[Any]]]:
    """What selects the rows with these keys, and the values in it."""
    names = [identifier(name) for name in info.stored.key]
    if len(names) == 1:
        (name,) = names
        if is_numbered(info):  # only there are no others between
            low, high = min(keys)[0], max(keys)[0]
            if high - low == len(set(keys)) - 1:
                yield f"{name} BETWEEN ? AND ?", [low, high]
                return
        for start in range(0, len(keys), _VALUES):
            marks, values = marks_of([key[0] for key in keys[start : start + _VALUES]])
            yield f"{name} IN ({', '.join(marks)})", values
        return
    for key in keys:
        marks, values = marks_of(key)
        yield " AND ".join(f"{name} = {mark}" for name, mark in zip(names, marks)), values


def marks_of(values: Sequence[Any]) -> tuple[list[str], list[Any]]:
    """The placeholders of values, and these as SQLite takes them."""
    if all(value.__class__ is int for value in values):
        return ["?"] * len(values), list(values)
    marks: list[str] = []
    given: list[Any] = []
    for value in values:
        odd = isinstance(value, str) and not value.isascii() and _is_odd(value)
        marks.append("CAST(? AS TEXT)" if odd else "?")
        if odd:
            given.append(AnyText(value.encode("utf-8", "surrogateescape")))
        else:  # a work list has infinite numbers as Decimal
            given.append(float(value) if isinstance(value, Decimal) else value)
    return marks, given


def _is_odd(text: str) -> bool:
    """Whether a text has bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
