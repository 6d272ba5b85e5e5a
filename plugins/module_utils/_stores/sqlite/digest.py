# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is determined by reading the rows of a SQLite table: their number, their digest, and the kinds of their values.

SQLite itself writes the canonical JSON (`_core/records.py`) of a table whose columns contain only text, or only
integers: one string for many values takes a fraction of the time. Any other table is read: letting SQLite write the
columns of these kinds as well made a migration 1.05 times as fast, which was not worth its code.
"""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

from ..._core.record_batches import BATCH, batches, digest_of, digest_sum, layouts
from ..records.kinds import Kinds, Summary
from ..records.model import INTEGER, TEXT, Field, Info, is_unicode
from .file import rows_of, sqlite3
from .read import chunks, writes_as_we_do
from .schema import identifier
from .values import decoder

_TOGETHER = 40  # columns in one call; a function of SQLite takes at least 100 arguments
_MOST = 300  # columns; conditions of more would be too deep for SQLite
_NAME = re.compile(r"\w+", re.ASCII)  # one that is in JSON what it is, and can't be taken for anything else
_BLOB = "{0} >= x''"  # no text is
_NO_INTEGER = "(typeof({0}) <> 'integer' AND {0} IS NOT NULL)"
_NOT_EXACT = "{0} NOT BETWEEN -9007199254740992 AND 9007199254740992"  # as a float
_TESTS = {TEXT: (_BLOB,), INTEGER: (_NO_INTEGER, _NOT_EXACT)}  # of what is not plain; and of what is large
_EXACT, _LARGE = 0, 2**53 + 1  # stand for the integers of a column


def summary(connection: sqlite3.Connection, info: Info, where: str = "") -> Optional[Summary]:
    """The summary of the rows that `where` (including the keyword) selects. None if a key is null, which is reported
    elsewhere.
    """
    rows = f"{identifier(info.stored.name)}{where}"
    if not _may_be_plain(info) or not writes_as_we_do(connection):
        return _by_values(connection, info, where)
    missing = " OR ".join(f"{identifier(info.columns[name])} IS NULL" for name in info.key)
    if missing and _any(connection, rows, missing):
        return None
    kinds = _kinds(connection, info.fields, rows)
    if kinds is None:
        return _by_values(connection, info, where)
    gaps = frozenset(info.note.absent)
    ordered = sorted(info.fields, key=lambda field: field.name)
    pieces = [_Piece(some, gaps & {field.name for field in some}) for some in batches(ordered, _TOGETHER)]
    query = f"SELECT {', '.join([piece.selected for piece in pieces])} FROM {rows}"
    records, digest, plain = 0, 0, True
    for some in rows_of(connection, query, BATCH):
        lines = _lines(pieces, list(zip(*some)))
        text = "".join(lines)
        if not _is_usual(text):  # SQLite has written it otherwise
            return _by_values(connection, info, where)
        plain = plain and _without_escapes(text)
        digest += digest_of(lines)
        records += len(some)
    return Summary(records, digest, kinds, plain)


def _may_be_plain(info: Info) -> bool:
    return (
        not info.document
        and not info.note.marker
        and 0 < len(info.fields) <= _MOST
        and all(
            field.kind in _TESTS and decoder(field) is None and _NAME.fullmatch(field.name) for field in info.fields
        )
    )


def _is_usual(text: str) -> bool:
    """Whether no text has a NUL, or bytes that are not UTF-8."""
    return is_unicode(text) and "\\u0000" not in text


def _without_escapes(text: str) -> bool:
    """Whether the JSON has no escapes except those of quotes."""
    return "\\" not in text or text.count("\\") == text.count('\\"')


def _by_values(connection: sqlite3.Connection, info: Info, where: str) -> Optional[Summary]:
    records, digest, kinds = 0, 0, Kinds()
    for chunk in chunks(connection, info, where):
        found = layouts(chunk)
        if not all(
            name in names and None not in columns[names.index(name)] for names, columns in found for name in info.key
        ):
            return None
        records += len(chunk)
        digest += digest_sum(found)
        kinds.see(found)
    return Summary(records, digest, kinds)


def _kinds(connection: sqlite3.Connection, fields: Sequence[Field], rows: str) -> Optional[Kinds]:
    """The kinds of the columns that contain, apart from nulls, only text or only integers; None for others.

    A column for text contains text or blobs. The JSON functions of SQLite refuse blobs or, from 3.45 on, take them for
    JSON.
    """
    kinds = Kinds()
    tests = {field.name: [test.format(_column(field)) for test in _TESTS[field.kind]] for field in fields}
    # Mostly one reading suffices. SQLite takes longer for the same tests in the order of the columns.
    ordered = sorted(fields, key=lambda field: list(_TESTS).index(field.kind))
    every = [test for number in range(2) for field in ordered for test in tests[field.name][number : number + 1]]
    doubtful = _any(connection, rows, " OR ".join(every))
    for field in fields:
        other, *large = [doubtful and _any(connection, rows, test) for test in tests[field.name]]
        if other:
            return None
        if _any(connection, rows, f"{_column(field)} IS NOT NULL"):
            seen = [""] if field.kind == TEXT else [_EXACT, _LARGE] if any(large) else [_EXACT]
            kinds.see([((field.name,), [seen])])
    return kinds


def _column(field: Field) -> str:
    return identifier(field.column or field.name)


def _any(connection: sqlite3.Connection, rows: str, condition: str) -> bool:
    """Whether there is such a row."""
    query = f"SELECT 1 FROM (SELECT * FROM {rows}) WHERE {condition} LIMIT 1"
    return connection.execute(query).fetchone() is not None


class _Piece(NamedTuple):
    """Columns that SQLite writes. `gaps` are the names of those in which NULL means that the member is missing."""

    fields: Sequence[Field]
    gaps: frozenset[str]

    @property
    def selected(self) -> str:
        members = (f"'{one.name}', {identifier(one.column or one.name)}" for one in self.fields)
        return f"json_object({', '.join(members)})"

    def objects(self, column: Sequence[str]) -> Sequence[str]:
        """The JSON objects of the column, without the missing members."""
        # A quote within text is escaped: what looks like a member is one.
        if not self.gaps or ":null" not in "".join(column):
            return column
        names = "|".join(sorted(self.gaps, reverse=True))
        null = re.compile(rf',"(?:{names})":null')
        return [f"{{{null.sub('', ',' + text[1:-1])[1:]}}}" if ":null" in text else text for text in column]


def _lines(pieces: Sequence[_Piece], columns: Sequence[Sequence[str]]) -> Sequence[str]:
    """The canonical JSON of rows."""
    objects = [piece.objects(column) for piece, column in zip(pieces, columns)]
    if len(objects) == 1:
        return objects[0]
    return [f"{{{','.join(filter(None, [one[1:-1] for one in row]))}}}" for row in zip(*objects)]
