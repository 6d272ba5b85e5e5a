# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a table, computed by the server from its rows: several times as fast as reading them.

The server itself writes the canonical JSON (`_core/records.py`) of each row, if the text of all values is the same in
both.
"""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ..._core.records import canonical
from ..records.kinds import Kinds, Summary
from ..records.model import BOOLEAN, BYTES, DECIMAL, INTEGER, REAL, TEXT, Field, Info
from .client import identifier

_ARGUMENTS = 90  # a function takes at most 100
_NUMBERS = 130_000  # the version that knows trim_scale
# Each fits into a bigint; a sum of bigints is a numeric. (First bit, number of bits), from the left.
_PARTS = ((1, 60), (61, 60), (121, 60), (181, 60), (241, 16))


def summary(connection: Any, table: str, info: Info) -> Optional[Summary]:
    """Count and digest of all rows; None if the server writes a value or type differently.

    :param table: its quoted name.
    """
    values = [_value(field, connection.info.server_version) for field in info.fields]
    if info.document or None in values or not info.fields or _encoding(connection) != "UTF8":
        return None
    line = f"coalesce({_plain(info.fields, values)}, '{{' || substr({_members(info, values)}, 2) || '}}')"
    sums = [f"sum(substring(digest FROM {start} FOR {length})::bigint)" for start, length in _PARTS]
    query = (
        f"SELECT count(*), coalesce(bool_or(unusual), false), {', '.join(sums)} FROM (SELECT "
        f"('x' || encode(sha256(convert_to({line}, 'UTF8')), 'hex'))::bit(256) AS digest, "
        f"{_unusual(info.fields)} AS unusual FROM {table}"
        # not to be computed once for each part; 0 as a number would keep it from being shared out to processes
        " OFFSET '0') AS rows"
    )
    count, unusual, *parts = connection.execute(query).fetchone()
    if unusual:
        return None
    total = sum(int(part or 0) << (257 - start - length) for (start, length), part in zip(_PARTS, parts))
    return Summary(count, total, Kinds())


def _plain(fields: Sequence[Field], values: Sequence[Optional[str]]) -> str:
    """The canonical JSON of a row without nulls whose texts need no escapes, like most rows; null for others."""
    before, parts = "{", []
    for field, value in sorted(zip(fields, values)):
        quote = '"' if field.kind == TEXT else ""
        parts += [_literal(before + _name(field.name) + ":" + quote), _text(field) if quote else str(value)]
        before = quote + ","
    line = " || ".join([*parts, _literal(before[:-1] + "}")])
    texts = [_text(field) for field in fields if field.kind == TEXT]
    if not texts:
        return line
    return f"""CASE WHEN ({" || ".join(texts)}) COLLATE "C" !~ '[\\x01-\\x1f"\\\\]' THEN {line} END"""


def _members(info: Info, values: Sequence[Optional[str]]) -> str:
    """Name and value of all members that are not missing, in the order of canonical JSON, each after a comma."""
    by_name = sorted(zip([field.name for field in info.fields], values))
    return _concat([_member(info, name, str(value)) for name, value in by_name])


def _member(info: Info, name: str, value: str) -> str:
    """A member; null if it is missing."""
    before = _literal(f",{_name(name)}:")
    if name in info.note.absent:
        return f"{before} || {value}"
    member = f"{before} || coalesce({value}, 'null')"
    if not info.note.marker or name in info.key:
        return member
    column = info.columns[name]
    missing = f"{identifier(column)} IS NULL AND {identifier(info.note.marker)} ? {_literal(column)}"
    return f"CASE WHEN {missing} THEN NULL ELSE {member} END"


def _concat(values: Sequence[str]) -> str:
    """The concatenation of all values that are not null."""
    parts = [values[start : start + _ARGUMENTS] for start in range(0, len(values), _ARGUMENTS)]
    return "(" + " || ".join(f"concat({', '.join(part)})" for part in parts) + ")"


def _encoding(connection: Any) -> str:
    encoding: str = connection.info.parameter_status("server_encoding") or ""
    return encoding


def _value(field: Field, version: int) -> Optional[str]:
    """An expression for the value in canonical JSON."""
    column = identifier(field.column or field.name)
    if field.kind in (INTEGER, BOOLEAN):
        return column + "::text"
    if field.kind == TEXT:
        return f"to_json({_text(field)})::text"
    if field.kind in (REAL, DECIMAL) and version >= _NUMBERS:
        return f"CASE WHEN {_beyond(field)} THEN '' ELSE trim_scale({_number(field)})::text END"
    if field.kind == BYTES:
        return f"""'{{"$bytes":"' || translate(encode({column}, 'base64'), E'\\n', '') || '"}}'"""
    return None


def _text(field: Field) -> str:
    return f"{identifier(field.column or field.name)}::text"


def _number(field: Field) -> str:
    """A float has the value of its shortest text."""
    column = identifier(field.column or field.name)
    return column + "::text::numeric" if field.kind == REAL else column


def _beyond(field: Field) -> str:
    """Whether a number is NaN, infinite, or so large or small that canonical JSON may write it differently."""
    column = identifier(field.column or field.name)
    if field.kind == REAL:  # of 1e23 PostgreSQL has the text 9.999999999999999e+22; below 2**53 all are ours
        return f"NOT abs({column}) < 1e15"
    return f"({column} >= 1e300 OR {column} <= -1e300 OR scale({column}) > 300)"


def _unusual(fields: Sequence[Field]) -> str:
    beyond = [f"coalesce({_beyond(one)}, false)" for one in fields if one.kind in (REAL, DECIMAL)]
    return " OR ".join(beyond) or "false"


def _name(name: str) -> str:
    """The name in canonical JSON."""
    return canonical("$" + name if name.startswith("$") else name).decode()


def _literal(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
