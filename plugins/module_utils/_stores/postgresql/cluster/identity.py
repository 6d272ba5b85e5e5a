# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the data of a database is: the sums of its rows, its sequences, its large objects.

The sums are equal on servers 13 to 18. They are those of two hashes of 64 bits of each row as text (see row_text.py);
equal rows count as often as they are there, and their order does not matter.
"""

# ruff: noqa: S608 names are quoted by `relation`
from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, Callable, NamedTuple

from ..client import identifier
from .row_text import FIELDS, Column, row_text

Sums = tuple[int, str, str]  # rows (or large objects), and two sums
_BATCH = 50  # small statements in one round trip


class Table(NamedTuple):
    """A table with rows of its own. `condition` is the WHERE under which an extension wants its rows to be dumped."""

    schema: str
    name: str
    persistence: str
    condition: str
    oid: int
    form: str = FIELDS  # of its rows as text

    @property
    def shown(self) -> str:
        """Its name in messages and globs."""
        return f"{self.schema}.{self.name}"


# What pg_dump dumps the rows of: ordinary tables and leaf partitions outside the schemas of the system. A table of an
# extension only if the extension has registered it; those of users in a schema of an extension are theirs. (Foreign
# tables, partitioned tables and views have no rows.)
_HAVE_ROWS = """
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN (SELECT unnest(extconfig) AS oid, unnest(extcondition) AS condition FROM pg_catalog.pg_extension) x
  ON x.oid = c.oid
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND (x.oid IS NOT NULL OR NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND
  d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid))
ORDER BY 1, 2"""
_TABLES = f"""
SELECT n.nspname::text, c.relname::text, c.relpersistence::text, coalesce(x.condition, ''), c.oid::bigint
{_HAVE_ROWS}"""
# Of tables by their names: some of them do not exist when a restore begins.
_COLUMNS = """
SELECT n.number::int, a.attname::text, CASE y.typnamespace WHEN 'pg_catalog'::regnamespace THEN y.typname::text END,
  a.attgenerated <> ''
FROM unnest(%s::text[]) WITH ORDINALITY n(name, number)
JOIN pg_catalog.pg_attribute a ON a.attrelid = n.name::regclass AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type y ON y.oid = a.atttypid ORDER BY n.number, a.attnum"""
_ROWS = "count(*), coalesce(sum(hashtextextended(x, 1)), 0)::text, coalesce(sum(hashtextextended(x, 2)), 0)::text"
# OFFSET '0' keeps the text from being made twice, and the query parallel.
_SUMS = f"SELECT %d, {_ROWS} FROM (SELECT (%s) COLLATE \"C\" AS x FROM ONLY %s t %s OFFSET '0') s"
# Zeros at the end of a page, and pages of zeros, can be left out by the server: what counts is the size of an object.
_PAGES = f"""SELECT {_ROWS.replace("count(*)", "count(*) FILTER (WHERE object)")} FROM (
  SELECT m.oid || ' ' || coalesce(max(l.pageno::bigint * 2048 + octet_length(l.data)), 0) AS x, true AS object
  FROM pg_catalog.pg_largeobject_metadata m LEFT JOIN pg_catalog.pg_largeobject l ON l.loid = m.oid GROUP BY m.oid
  UNION ALL SELECT loid || ' ' || pageno || ' ' || rtrim(encode(data, 'hex'), '0'), false
  FROM pg_catalog.pg_largeobject WHERE rtrim(encode(data, 'hex'), '0') <> '') p"""
_OBJECTS = f"SELECT {_ROWS} FROM (SELECT oid || ' ' || encode(lo_get(oid), 'hex') AS x FROM pg_largeobject_metadata) o"


def relation(schema: str, name: str) -> str:
    """The name of a relation, quoted for SQL."""
    return f"{identifier(schema)}.{identifier(name)}"


def list_tables(connection: Any) -> list[Table]:
    """All tables of the database that a dump has the rows of, in the order of their names."""
    return [Table(*row) for row in connection.execute(_TABLES).fetchall()]


def table_sums(
    connection: Any, tables: Sequence[Table], stopped: Callable[[], bool] = bool
) -> dict[tuple[str, str], Sums]:
    """The sums of each table.

    :param stopped: asked between statements; True ends the work early.
    """
    found: dict[tuple[str, str], Sums] = {}
    for start in range(0, len(tables), _BATCH):
        if stopped():
            break
        batch = tables[start : start + _BATCH]
        parts = [
            _SUMS % (number, row_text(columns, one.form), relation(*one[:2]), one.condition)
            for number, (one, columns) in enumerate(zip(batch, _columns(connection, batch)))
        ]
        for number, rows, first, second in connection.execute(" UNION ALL ".join(parts)):
            found[batch[number].schema, batch[number].name] = (rows, first, second)
    return found


def _columns(connection: Any, tables: Sequence[Table]) -> list[list[Column]]:
    """Those of each table, in their order."""
    found: list[list[Column]] = [[] for _table in tables]
    for number, *column in connection.execute(_COLUMNS, ([relation(*one[:2]) for one in tables],)):
        found[number - 1].append(Column(*column))
    return found


def large_objects(connection: Any) -> Sums:
    """The sums of all large objects: by page for who may read all of them, otherwise of each as a whole."""
    may = "SELECT has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')"
    (all_of_them,) = connection.execute(may).fetchone()
    number, first, second = connection.execute(_PAGES if all_of_them else _OBJECTS).fetchone()
    return number, first, second if all_of_them else ""


def data_digest(sums: Iterable[Sequence[Any]], sequences: Iterable[Sequence[Any]], objects: Sequence[Any]) -> str:
    """Hex digest of all data of a database, from what `details` has of it (see FORMAT.md)."""
    value = [sorted(list(one) for one in sums), sorted(list(one) for one in sequences), list(objects)]
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
