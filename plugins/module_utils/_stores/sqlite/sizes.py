# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of columns: VARCHAR(20), NUMERIC(10, 2). SQLite ignores them; other databases do not."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

from ..records.model import DECIMAL, INTEGER, REAL, TEXT, Field, Info
from .file import sqlite3
from .schema import identifier

_EXACT = 15  # digits that a float has, whatever they are
_LONGER = "length({0}) > {1}"
# Of numbers, and of decimals that are kept as text.
_LARGER = """({0} IS NOT NULL AND CASE typeof({0})
  WHEN 'integer' THEN {0} <= -1e{1} OR {0} >= 1e{1}
  WHEN 'real' THEN {3} OR abs({0}) >= 1e{1} OR round({0}, {2}) <> {0}
  WHEN 'text' THEN {0} GLOB '*[^-0-9.]*' OR abs(CAST({0} AS REAL)) >= 1e{1}
    OR (instr({0}, '.') > 0 AND length({0}) - instr({0}, '.') > {2})
  ELSE 1 END)"""


def sized(connection: sqlite3.Connection, info: Info) -> Info:
    """The collection, without sizes that not all values respect (`SourceStore.holding_constraints`)."""
    return info._replace(fields=tuple(_sized(connection, info.stored.name, field) for field in info.fields))


def _sized(connection: sqlite3.Connection, table: str, field: Field) -> Field:
    if not field.size:
        return field
    column = identifier(field.column or field.name)
    if field.kind == TEXT and len(field.size) == 1:
        larger = _LONGER.format(column, *field.size)
    elif field.kind in (INTEGER, REAL, DECIMAL, "numeric") and len(field.size) == 2:
        digits, behind = field.size
        larger = _LARGER.format(column, digits - behind, behind, int(digits > _EXACT))
    else:
        return field._replace(size=())
    if connection.execute(f"SELECT 1 FROM {identifier(table)} WHERE {larger} LIMIT 1").fetchone():
        return field._replace(size=())
    return field if field.kind == TEXT else field._replace(kind=DECIMAL)
