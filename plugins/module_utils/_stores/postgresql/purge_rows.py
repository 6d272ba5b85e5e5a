# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a purge reads rows of a table: their keys, their lines in an export, and what decides about them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Optional

from ..._core.record_batches import Batch as Records
from ..._core.record_batches import batch as records_of
from ..._core.tagged_json import decode as decode_json
from ..._core.tagged_json import encode
from ..records import gaps
from ..records.as_stored import as_stored
from ..records.lines import PLAIN_NAME, LineWriter
from ..records.model import INTEGER, JSON, TEXT, Field, Info, Record
from ..records.purger import Page, Row
from .client import identifier, psycopg
from .source import selected

_PAGE = 2000  # rows that are fetched at once


def fetched(cursor: Any) -> Iterator[Sequence[Sequence[Any]]]:
    """The rows of a query, a page at a time."""
    found = None
    while found is None or len(found) == _PAGE:
        found = cursor.fetchmany(_PAGE)
        if found:
            yield found


class Rows:
    """Rows of a table as records: the columns of the key as text, xmin, then all that a record is made of."""

    def __init__(self, info: Info) -> None:
        exact = as_stored(info)
        fields = exact.fields[-1:] if info.document else exact.fields
        if info.note.marker:
            fields = (*fields, Field(info.note.marker, JSON))
        self._width = len(info.key)
        self.columns = ", ".join(
            [*(f"{identifier(name)}::text" for name in info.stored.key), "c.xmin::text", *map(selected, fields)]
        )
        self._document, self._records = info.document, gaps.reader(info)
        # as_stored has JSON as text
        self._parsed = [] if info.document else [field.name for field in info.fields if field.kind == JSON]

    def prepare(self, cursor: Any) -> None:
        """Before the query: nothing is to be done."""

    def rows(self, found: Sequence[Sequence[Any]]) -> list[Row]:
        page = self.page(found)
        return list(map(Row, page.keys, page.tokens, page.lines))

    def page(self, found: Sequence[Sequence[Any]]) -> Page:
        width = self._width
        values = [row[width + 1 :] for row in found]
        stored = list(records_of([one[0] for one in values]) if self._document else self._records(values))
        keys, tokens = [tuple(row[:width]) for row in found], [row[width] for row in found]
        return Page(keys, list(map(encode, stored)), list(map(self._record, stored)), (), tokens)

    def _record(self, stored: Record) -> Record:
        if not self._parsed:
            return stored
        parsed = {name: decode_json(stored[name]) for name in self._parsed if isinstance(stored.get(name), str)}
        return {**stored, **parsed}


class Columns:
    """Rows whose lines are written here, column by column: xmin, the columns, and what keys and the wanted
    fields are made of, unless it is one of the columns.

    The server takes four times as long to write the lines as to send the columns. It sends integers as texts, as they
    are in lines and keys.
    """

    def __init__(self, info: Info, wanted: Collection[str]) -> None:
        written = as_stored(info).fields
        some = [field for field in info.fields if field.name in {*info.key, *wanted}]
        columns = ["c.xmin", *map(selected, written)]

        def place_of(column: str) -> int:
            if column not in columns:
                columns.append(column)
            return columns.index(column)

        as_text = {field.name: selected(field) for field in written if field.kind in (TEXT, INTEGER)}
        self._keys = [place_of(as_text.get(one) or f"{identifier(info.columns[one])}::text") for one in info.key]
        self._some = [(place_of(selected(field)), field.kind == INTEGER) for field in some]
        self._lines = LineWriter([(field.name, field.kind) for field in written])
        self._names, self.columns = tuple(field.name for field in some), ", ".join(columns)

    def prepare(self, cursor: Any) -> None:
        """Before the query: the connection leaves integers as the texts that the server sends."""
        for kind in ("int2", "int4", "int8"):
            cursor.adapters.register_loader(kind, psycopg.types.string.TextLoader)

    def page(self, found: Sequence[Sequence[Any]]) -> Page:
        columns = list(zip(*found))
        keys = list(zip(*[columns[place] for place in self._keys]))
        some = [_integers(columns[place]) if integer else columns[place] for place, integer in self._some]
        return Page(keys, self._lines.lines(columns[1:]), Records(self._names, some), (), columns[0])


def _integers(texts: Sequence[Optional[str]]) -> Sequence[Optional[int]]:
    return [None if one is None else int(one) for one in texts]


def are_in_columns(info: Info) -> bool:
    """Whether the lines of this table can be written column by column."""
    special = info.document or info.note.marker or info.note.absent
    return not special and all(PLAIN_NAME.fullmatch(field.name) for field in info.fields)
