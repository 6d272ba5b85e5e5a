# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a row, of which digests are made: equal for equal rows, on all servers, and different for all others.

Values are as the server shows them, without the quoting of records, which takes a third of the time. Instead, texts
have their lengths before them, and no other value has a comma outside of brackets and quotes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

from ..client import identifier

FIELDS = "fields"  # as above
RECORD = "record"  # the text of the record, in older backups
WHOLE = "whole"  # the same with generated columns, in the oldest

_NUMBERS = ("bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric")
_TIMES = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")
_PLAIN = frozenset((*_NUMBERS, *_TIMES, "uuid", "bytea", "json", "jsonb"))
_MEASURED = frozenset(("text", "varchar", "bpchar"))
_AT_ONCE = 40  # columns: a function takes 100 arguments


class Column(NamedTuple):
    """A column of a table. `type` is the name of a built-in type, and None for all others."""

    name: str
    type: Optional[str]
    generated: bool


def row_text(columns: Sequence[Column], form: str) -> str:
    """The SQL of the text of a row of a table called `t`.

    :param columns: all of them, in their order.
    """
    counted = [one for one in columns if form == WHOLE or not one.generated]
    return _fields(counted) if form == FIELDS else _record(counted)


def _fields(columns: Sequence[Column]) -> str:
    """In the order of names, as a restore can put inherited columns in another one."""
    ordered = sorted(columns)
    alone = [one for one in ordered if one.type in _PLAIN or one.type in _MEASURED]
    others = [one for one in ordered if one not in alone]
    parts = [_joined(alone[start : start + _AT_ONCE]) for start in range(0, len(alone), _AT_ONCE)]
    return " || ',' || ".join([*parts, *([_record(others)] if others else [])]) or "''::text"


def _joined(columns: Sequence[Column]) -> str:
    """Which values are NULL, if any are, as `concat_ws` leaves them out; lengths; and values."""
    names = [_name(one) for one in columns]
    nulls = ", ".join(f"{name} IS NULL" for name in names)
    marks = f"CASE WHEN num_nulls({', '.join(names)}) > 0 THEN concat('?', {nulls}) END"
    lengths = [f"octet_length({_name(one)})" for one in columns if one.type in _MEASURED]
    return f"concat_ws(',', {', '.join([marks, *lengths, *names])})"


def _record(columns: Sequence[Column]) -> str:
    """Not a cast, as the owner of a table can define one."""
    return f"textin(record_out(ROW({', '.join(map(_name, columns))})))"


def _name(column: Column) -> str:
    return f"t.{identifier(column.name)}"
