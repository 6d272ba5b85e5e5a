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
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Optional, Union

from .._core.record_batches import BATCH, batches, digest_of, digest_sum, layouts
from .._core.records import canonical, written
from .record_kinds import Kinds, Summary
from .record_store import INTEGER, TEXT, Field, Info
from .sqlite_file import rows_of, sqlite3
from .sqlite_read import chunks, writes_as_we_do
from .sqlite_schema import identifier
from .sqlite_values import decoder

_TOGETHER = 40  # columns in one call; a function of SQLite takes at least 100 arguments
_MOST = 1000  # columns of a query; there may be 2,000
_NAME = re.compile(r"\w+", re.ASCII)  # one that is in JSON what it is, and can't be taken for anything else
_NULL = re.compile(r',"\w+":null', re.ASCII)


def summary(connection: sqlite3.Connection, info: Info, where: str = "") -> Optional[Summary]:
    """Of the rows that `where` (with its keyword) selects; None where a key is null, which is told elsewhere."""
    rows = "%s%s" % (identifier(info.name), where)
    if info.document or len(info.fields) > _MOST or not writes_as_we_do(connection):
        return _by_values(connection, info, where)
    missing = " OR ".join("%s IS NULL" % identifier(name) for name in info.key)
    if missing and connection.execute("SELECT 1 FROM (SELECT * FROM %s) WHERE %s" % (rows, missing)).fetchone():
        return None
    kinds = Kinds()
    plain = _plain(connection, info.fields, rows, kinds)
    pieces = list(_pieces(info.fields, plain))
    query = "SELECT %s FROM %s" % (", ".join([piece.selected for piece in pieces]), rows)
    records, digest = 0, 0
    try:
        for some in rows_of(connection, query, BATCH):
            members = [piece.members(column, kinds) for piece, column in zip(pieces, zip(*some))]
            digest += digest_of(["{%s}" % "".join(one)[1:] for one in zip(*members)])
            records += len(some)
    except RecursionError:  # which is told there
        return _by_values(connection, info, where)
    return Summary(records, digest, kinds)


def _by_values(connection: sqlite3.Connection, info: Info, where: str) -> Optional[Summary]:
    records, digest, kinds = 0, 0, Kinds()
    for chunk in chunks(connection, info, where):
        found = layouts(chunk)
        if not all(set(info.key).issubset(names) for names, _columns in found):
            return None
        records += len(chunk)
        digest += digest_sum(found)
        kinds.see(found)
    return Summary(records, digest, kinds)


def _plain(connection: sqlite3.Connection, fields: Sequence[Field], rows: str, kinds: Kinds) -> set[str]:
    """The names of columns that hold, beside nulls, either nothing but text or nothing but integers."""
    candidates = [
        field
        for field in fields
        if field.kind in (TEXT, INTEGER) and decoder(field) is None and _NAME.fullmatch(field.name)
    ]
    if not candidates:
        return set()
    # Whatever else is in such a column makes another row.
    types = ", ".join(
        "typeof(ifnull(%s, %s))" % (identifier(one.name), "0" if one.kind == INTEGER else "''") for one in candidates
    )
    seen = [set(column) for column in zip(*connection.execute("SELECT DISTINCT %s FROM %s" % (types, rows)))]
    wanted = {INTEGER: {"integer"}, TEXT: {"text"}}
    found = [field for field, held in zip(candidates, seen) if held == wanted[field.kind]]
    if found:
        bounds = ", ".join(
            "min(%s), max(%s)" % (identifier(one.name), identifier(one.name))
            if one.kind == INTEGER
            else "CASE WHEN count(%s) THEN '' END, ''" % identifier(one.name)
            for one in found
        )
        values = connection.execute("SELECT %s FROM %s" % (bounds, rows)).fetchone()
        for field, column in zip(found, zip(values[::2], values[1::2])):
            if None not in column:
                kinds.see([((field.name,), [column])])
    return {field.name for field in found}


class _Together(NamedTuple):
    """Columns that SQLite writes."""

    fields: Sequence[Field]

    @property
    def selected(self) -> str:
        return "json_object(%s)" % ", ".join("'%s', %s" % (one.name, identifier(one.name)) for one in self.fields)

    def members(self, column: Sequence[str], _kinds: Kinds) -> Iterable[str]:
        # A quote within text is escaped: what looks like a member is one.
        return [_NULL.sub("", "," + text[1:-1]) if ":null" in text else "," + text[1:-1] for text in column]


class _Alone(NamedTuple):
    """A column that is written here."""

    field: Field

    @property
    def selected(self) -> str:
        return identifier(self.field.name)

    def members(self, column: Sequence[Any], kinds: Kinds) -> Iterable[str]:
        decode = decoder(self.field)
        values = column if decode is None else list(map(decode, column))
        there = [value for value in values if value is not None]
        kinds.see([((self.field.name,), [there])] if there else [])
        name = "," + canonical({self.field.name: None})[1:-6].decode() + ":"
        texts = iter(written(there) if there else ())
        return ["" if value is None else name + next(texts) for value in values]


Piece = Union[_Together, _Alone]


def _pieces(fields: Sequence[Field], plain: set[str]) -> Iterator[Piece]:
    """The columns in the order of canonical JSON."""
    for together, group in itertools.groupby(sorted(fields, key=lambda one: one.name), lambda one: one.name in plain):
        if together:
            yield from map(_Together, batches(group, _TOGETHER))
        else:
            yield from map(_Alone, group)
