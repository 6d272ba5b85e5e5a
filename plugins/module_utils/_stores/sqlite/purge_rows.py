# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads rows of a SQLite table that may be removed: their keys, exact values, and lines in an export."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from typing import Any, Optional

from ..._core.tagged_json import encode
from ..records.as_stored import as_stored
from ..records.model import Info
from ..records.purger import Key, Page, Row, tokens_of
from .ddl import words
from .file import rows_of, sqlite3
from .lines import LineWriter, line_writer
from .read import columns_of, records_reader
from .schema import identifier
from .values import AnyText

PAGE = 2000  # rows of one reading, so that none is long
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
        self._stored = self._records if same else records_reader(exact)

    def _read(self, rest: str, parameters: Sequence[Any], table: str = "") -> list[tuple[Any, ...]]:
        query = f"SELECT {', '.join(self._columns)} FROM {table or identifier(self._table)} AS c{rest}"
        return [row for rows in rows_of(self._connection, query, PAGE + 1, parameters) for row in rows]

    def contents(self, rest: str, parameters: Sequence[Any]) -> tuple[list[Key], list[tuple[Any, ...]]]:
        """The keys, and columns with the exact values. The parameters are those of `rows`."""
        columns = list(zip(*self._read(rest, parameters)))
        return list(zip(*columns[: self._width])), columns

    def rows(self, rest: str, parameters: Sequence[Any], table: str = "") -> list[Row]:
        """The rows.

        :param rest: what follows the name of the table, which is called c, in SELECT.
        :param table: instead of the name of the table.
        """
        page = self._page(self._read(rest, parameters, table))
        return list(map(Row, page.keys, tokens_of(page.lines).split(","), page.lines))

    def page(self, rest: str, parameters: Sequence[Any]) -> tuple[Page, Optional[Key]]:
        """The rows that have a key, and the key of the last row of a full page."""
        found = self._read(rest, parameters)
        width = self._width
        last = found[-1][:width] if len(found) == PAGE else None
        return self._page([row for row in found if None not in row[:width]]), last

    def _page(self, found: Sequence[tuple[Any, ...]]) -> Page:
        if not found:
            return Page([], [], [])
        width, columns = self._width, list(zip(*found))
        values = [row[width:] for row in found]
        lines = list(map(encode, self._stored(values)))
        return Page(list(zip(*columns[:width])), lines, self._records(values), columns)


class _Lines(Rows):
    """Reads rows whose lines SQLite writes. Those that it does not write are read in the other way, by their key."""

    def __init__(
        self, connection: sqlite3.Connection, info: Info, wanted: Optional[Collection[str]], writer: LineWriter
    ) -> None:
        super().__init__(connection, info)
        self._keys, self._writer, self._other = KeyConditions(info), writer, Rows(connection, info)
        names = {*info.key, *(wanted or ())}
        some = info._replace(fields=tuple(one for one in info.fields if one.name in names))
        self._some = records_reader(some)
        self._end = self._width + len(writer.selected)
        self._columns = [*self._columns[: self._width], *writer.selected]
        if wanted is not None:
            self._columns += [f"c.{identifier(name)}" for name in columns_of(some)]

    def contents(self, rest: str, parameters: Sequence[Any]) -> tuple[list[Key], list[tuple[Any, ...]]]:
        keys, columns = super().contents(rest, parameters)
        if columns and None in columns[-1]:
            others: dict[Key, tuple[Any, ...]] = {}
            for condition, values in self._unwritten(keys, columns[-1]):
                again, contents = self._other.contents(f" WHERE {condition}", values)
                others.update(zip(again, zip(*contents)))
            columns[-1] = tuple(others.get(key) if line is None else line for key, line in zip(keys, columns[-1]))
        return keys, columns

    def _page(self, found: Sequence[tuple[Any, ...]]) -> Page:
        if not found:
            return Page([], [], [])
        width, end, columns = self._width, self._end, list(zip(*found))
        keys, contents = list(zip(*columns[:width])), columns[:end]
        lines: Sequence[Any] = self._writer.lines(columns[width:end])
        records = self._some([row[end:] for row in found]) if len(columns) > end else [{}] * len(found)
        if None not in contents[-1]:
            return Page(keys, lines, records, contents)
        others: dict[Key, tuple[Any, ...]] = {}  # records as old as their lines
        for condition, values in self._unwritten(keys, contents[-1]):
            page = self._other.page(f" WHERE {condition}", values)[0]
            others.update(zip(page.keys, zip(page.lines, page.records, zip(*page.contents))))
        rows: list[tuple[Any, ...]] = []
        for row in zip(keys, lines, records, zip(*contents)):
            key, content = row[0], row[-1]
            if content[-1] is not None:
                rows.append(row)
            elif key in others:  # else it is gone
                *seen, whole = others[key]
                rows.append((key, *seen, (*content[:-1], whole)))
        if not rows:
            return Page([], [], [])
        keys, lines, records, rest = map(list, zip(*rows))
        return Page(keys, lines, records, list(zip(*rest)))

    def _unwritten(self, keys: Sequence[Key], lines: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
        lacking = [key for key, line in zip(keys, lines) if line is None]
        return self._keys.of([key for key in lacking if None not in key])


def reader_of(connection: sqlite3.Connection, info: Info, wanted: Optional[Collection[str]] = None) -> Rows:
    """:param wanted: fields of the records of `page`. None: nobody looks at them."""
    writer = line_writer(connection, info)
    return Rows(connection, info) if writer is None else _Lines(connection, info, wanted, writer)


def is_numbered(info: Info) -> bool:
    """Whether the key consists of one column, which contains integers only: the row id. Without that, or with DESC, a
    key that is declared as INTEGER PRIMARY KEY may contain anything.
    """
    if len(info.key) != 1 or not any(field.identity and field.name in info.key for field in info.fields):
        return False
    said = [one.sql for one in info.statements if one.kind == "table"]
    return bool(said) and _has_row_ids(said[0])


@functools.lru_cache(maxsize=16)
def _has_row_ids(sql: str) -> bool:
    return not {"WITHOUT", "DESC"} & set(words(sql))


class KeyConditions:
    """Selects rows of a table by their keys."""

    def __init__(self, info: Info) -> None:
        self._names = [identifier(name) for name in info.stored.key]
        self._numbered = is_numbered(info)

    def of(self, keys: Sequence[Key]) -> Iterator[tuple[str, list[Any]]]:
        """What selects the rows with these keys, and the values in it."""
        if len(self._names) == 1:
            (name,) = self._names
            if keys and self._numbered:  # only there are no others between
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
            yield " AND ".join(f"{name} = {mark}" for name, mark in zip(self._names, marks)), values


def marks_of(values: Sequence[Any]) -> tuple[list[str], list[Any]]:
    """The placeholders of values, and these as SQLite takes them."""
    if set(map(type, values)) == {int}:
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
