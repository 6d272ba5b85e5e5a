# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign keys of tables whose rows are replaced while triggers are disabled."""

# ruff: noqa: S608 names come quoted from the server, or from `identifier`
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..client import identifier

# With partitioned tables, the constraint of the topmost one says all. Those that are not valid promise nothing.
_KEYS = """
WITH given AS (SELECT unnest(%(tables)s::text[])::regclass AS oid),
 wanted AS (SELECT oid FROM given UNION SELECT pg_partition_ancestors(oid) FROM given)
SELECT k.conname::text, k.conrelid::regclass::text, k.confrelid::regclass::text,
 (SELECT array_agg(a.attname::text ORDER BY u.o) FROM unnest(k.conkey) WITH ORDINALITY u(n, o)
  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n),
 (SELECT array_agg(a.attname::text ORDER BY u.o) FROM unnest(k.confkey) WITH ORDINALITY u(n, o)
  JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n),
 (SELECT array_agg(format('OPERATOR(%%I.%%s)', n.nspname, o.oprname) ORDER BY u.o)
  FROM unnest(k.conpfeqop) WITH ORDINALITY u(n, o) JOIN pg_operator o ON o.oid = u.n
  JOIN pg_namespace n ON n.oid = o.oprnamespace),
 pg_get_constraintdef(k.oid)
FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 AND k.convalidated
AND (k.conrelid IN (SELECT oid FROM wanted) OR k.confrelid IN (SELECT oid FROM wanted)) ORDER BY 2, 1
"""
_LEAVES = "SELECT relid::regclass::text FROM pg_partition_tree(%s::regclass) WHERE isleaf ORDER BY 1"


class ForeignKey(NamedTuple):
    """Both tables are quoted names."""

    name: str
    child: str
    parent: str
    columns: Sequence[str]
    keys: Sequence[str]
    equals: Sequence[str]  # an operator may be in the schema of an extension
    definition: str

    def drop(self) -> str:
        return f"ALTER TABLE {self.child} DROP CONSTRAINT {identifier(self.name)}"

    def add(self) -> str:
        return f"ALTER TABLE {self.child} ADD CONSTRAINT {identifier(self.name)} {self.definition}"


def foreign_keys(session: Any, tables: Sequence[str]) -> list[ForeignKey]:
    """Those from and to these tables (quoted names)."""
    return [ForeignKey(*row) for row in session.execute(_KEYS, {"tables": list(tables)}).fetchall()]


def dangling(session: Any, keys: Sequence[ForeignKey], instead: Mapping[str, str]) -> list[str]:
    """The number of rows that refer to missing rows, as text for a message.

    :param instead: other relations to look at, by the names of the tables that they stand for.
    """
    found = []
    for key in keys:
        pairs = zip(key.columns, key.keys, key.equals)
        same = " AND ".join(f"p.{identifier(there)} {equals} c.{identifier(here)}" for here, there, equals in pairs)
        given = " AND ".join(f"c.{identifier(here)} IS NOT NULL" for here in key.columns)
        child = _rows_of(session, key.child, key.columns, instead)
        parent = _rows_of(session, key.parent, key.keys, instead)
        (count,) = session.execute(
            f"SELECT count(*) FROM {child} c WHERE {given} AND NOT EXISTS (SELECT FROM {parent} p WHERE {same})"
        ).fetchone()
        if count:
            rows = "1 row" if count == 1 else f"{count} rows"
            found.append(f"{rows} of {key.child} would refer to missing rows of {key.parent} ({key.name})")
    return found


def _rows_of(session: Any, table: str, columns: Sequence[str], instead: Mapping[str, str]) -> str:
    """What to select a table's rows from. Of a partitioned table, some partitions may have another relation.

    A table that others inherit from stands for itself: foreign keys do not see the others.
    """
    leaves = [leaf for (leaf,) in session.execute(_LEAVES, (table,)).fetchall()]
    if not leaves:
        return f"ONLY {instead.get(table, table)}"
    if not set(leaves) & set(instead):
        return table
    names = ", ".join(identifier(name) for name in columns)
    parts = " UNION ALL ".join(f"SELECT {names} FROM ONLY {instead.get(leaf, leaf)}" for leaf in leaves)
    return f"({parts})"
