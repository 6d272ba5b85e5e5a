# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reading the rows of a SQLite table tells: how many, their digest, the kinds of their values.

SQLite itself writes the canonical JSON (`_core/records.py`) of columns that hold nothing but text, or nothing but
integers: one string for many of them costs a fraction of a value for each. The other columns are written here.
"""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional, Union

from ..._core.record_batches import BATCH, batches, digest_of, digest_sum, layouts
from ..._core.records import canonical, written
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
    """Of the rows that `where` (with its keyword) selects; None where a key is null, which is told elsewhere."""
    rows = "%s%s" % (identifier(info.stored.name), where)
    columns = info.columns
    if info.document or info.note.marker or len(info.fields) > _MOST or not writes_as_we_do(connection):
        return _by_values(connection, info, where)
    missing = " OR ".join("%s IS NULL" % identifier(columns[name]) for name in info.key)
    if missing and _any(connection, rows, missing):
        return None
    kinds = Kinds()
    together = _plain(connection, info.fields, rows, kinds)
    pieces = list(_pieces(info.fields, together, frozenset(info.note.absent)))
    query = "SELECT %s FROM %s" % (", ".join([piece.selected for piece in pieces]), rows)
    records, digest, plain, usual = 0, 0, True, True
    try:
        for some in rows_of(connection, query, BATCH):
            lines = _lines(pieces, list(zip(*some)), kinds)
            plain = plain and _without_escapes(lines)
            usual = usual and _is_usual(lines)
            digest += digest_of(lines)
            records += len(some)
    except RecursionError:  # which is told there
        return _by_values(connection, info, where)
    if not usual:
        _see_texts(connection, [one for one in info.fields if one.name in together and one.kind == TEXT], rows, kinds)
    return Summary(records, digest, kinds, plain)


def _is_usual(lines: Sequence[str]) -> bool:
    """Has no text a NUL, or bytes that are not UTF-8?"""
    text = "".join(lines)
    return is_unicode(text) and "\\u0000" not in text


def _see_texts(connection: sqlite3.Connection, fields: Sequence[Field], rows: str, kinds: Kinds) -> None:
    """Look at texts that SQLite has written otherwise."""
    for field in fields:
        query = "SELECT %s FROM %s" % (identifier(field.column or field.name), rows)
        for some in rows_of(connection, query, BATCH):
            kinds.see_column(field.name, [value for (value,) in some if value is not None])


def _without_escapes(lines: Sequence[str]) -> bool:
    """Has JSON no escapes but those of quotes?"""
    text = "".join(lines)
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


def _plain(connection: sqlite3.Connection, fields: Sequence[Field], rows: str, kinds: Kinds) -> set[str]:
    """The names of columns that hold, beside nulls, either nothing but text or nothing but integers.

    What a column for text holds is text or a blob. SQLite's JSON refuses blobs, or (from 3.45 on) takes them for JSON.
    """
    candidates = {
        field.name: field.kind
        for field in fields
        if field.kind in _TESTS and decoder(field) is None and _NAME.fullmatch(field.name)
    }
    columns = {field.name: field.column or field.name for field in fields}
    # Mostly one reading suffices. SQLite takes longer for the same tests in the order of the columns.
    every = [
        test.format(identifier(columns[name]))
        for kind, tests in _TESTS.items()
        for test in tests
        for name in candidates
        if candidates[name] == kind
    ]
    doubtful = bool(every) and _any(connection, rows, " OR ".join(every))
    found = set()
    for name, kind in candidates.items():
        column = identifier(columns[name])
        other, *large = [doubtful and _any(connection, rows, test.format(column)) for test in _TESTS[kind]]
        if other:
            continue
        found.add(name)
        if _any(connection, rows, "%s IS NOT NULL" % column):
            kinds.see([((name,), [[""] if kind == TEXT else [_EXACT, _LARGE] if any(large) else [_EXACT]])])
    return found


def _any(connection: sqlite3.Connection, rows: str, condition: str) -> bool:
    """Is there such a row?"""
    query = "SELECT 1 FROM (SELECT * FROM %s) WHERE %s LIMIT 1" % (rows, condition)
    return connection.execute(query).fetchone() is not None


class _Together(NamedTuple):
    """Columns that SQLite writes. `gaps`: those of their names whose null is no member."""

    fields: Sequence[Field]
    gaps: frozenset[str]

    @property
    def selected(self) -> str:
        columns = ((one.name, identifier(one.column or one.name)) for one in self.fields)
        return "json_object(%s)" % ", ".join("'%s', %s" % pair for pair in columns)

    def objects(self, column: Sequence[str]) -> Sequence[str]:
        """The column without gaps."""
        # A quote within text is escaped: what looks like a member is one.
        if not self.gaps or ":null" not in "".join(column):
            return column
        null = re.compile(r',"(?:%s)":null' % "|".join(sorted(self.gaps, reverse=True)))
        return ["{%s}" % null.sub("", "," + text[1:-1])[1:] if ":null" in text else text for text in column]

    def members(self, column: Sequence[str], _kinds: Kinds) -> list[str]:
        """What is between the braces; "" where there is nothing."""
        return [text[1:-1] for text in self.objects(column)]


class _Alone(NamedTuple):
    """A column that is written here. `gap`: its null is no member."""

    field: Field
    gap: bool

    @property
    def selected(self) -> str:
        return identifier(self.field.column or self.field.name)

    def members(self, column: Sequence[Any], kinds: Kinds) -> list[str]:
        """The name and the value; "" where there is none."""
        decode = decoder(self.field)
        values = column if decode is None else list(map(decode, column))
        present = [value for value in values if value is not None] if self.gap and None in values else values
        kinds.see([((self.field.name,), [present])] if present else [])
        name = canonical({self.field.name: None})[1:-5].decode()
        texts = [name + text for text in written(present)] if present else []
        if len(present) == len(values):
            return texts
        following = iter(texts)
        return ["" if value is None else next(following) for value in values]


Piece = Union[_Together, _Alone]


def _pieces(fields: Sequence[Field], plain: set[str], gaps: frozenset[str]) -> Iterator[Piece]:
    """The columns in the order of canonical JSON."""
    for together, group in itertools.groupby(sorted(fields, key=lambda one: one.name), lambda one: one.name in plain):
        if together:
            for some in batches(group, _TOGETHER):
                yield _Together(some, gaps & {one.name for one in some})
        else:
            yield from (_Alone(one, one.name in gaps) for one in group)


def _lines(pieces: Sequence[Piece], columns: Sequence[Sequence[Any]], kinds: Kinds) -> Sequence[str]:
    """The canonical JSON of rows."""
    if len(pieces) == 1 and isinstance(pieces[0], _Together):
        return pieces[0].objects(columns[0])
    members = [piece.members(column, kinds) for piece, column in zip(pieces, columns)]
    if not any("" in column for column in members):
        return list(map("{%s}".__mod__, map(",".join, zip(*members))))
    return ["{%s}" % ",".join(filter(None, one)) for one in zip(*members)]
