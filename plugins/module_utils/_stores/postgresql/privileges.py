# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The privileges that a role lacks for writing existing tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

_MISSING = """
WITH wanted AS (
  SELECT c.oid, c.relname, w.privilege
  FROM unnest(%(tables)s::text[], %(privileges)s::text[]) w (name, privilege)
  JOIN pg_class c ON c.relname = w.name JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p')
)
SELECT privilege || ' on the table ' || relname FROM wanted w
WHERE NOT has_table_privilege(oid, privilege) AND (privilege = 'DELETE' OR NOT (
  SELECT bool_and(has_column_privilege(w.oid, a.attnum, w.privilege))
  FROM pg_attribute a WHERE a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped))
UNION
-- whose next value is set
SELECT 'UPDATE on the sequence ' || q.relname FROM wanted w
JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = w.oid AND d.deptype IN ('a', 'i')
JOIN pg_class q ON d.classid = 'pg_class'::regclass AND q.oid = d.objid AND q.relkind = 'S'
WHERE CASE q.relkind WHEN 'S' THEN NOT has_sequence_privilege(q.oid, 'UPDATE') END
UNION
SELECT 'TEMPORARY on the database ' || current_database() FROM wanted
WHERE privilege = 'UPDATE' AND NOT has_database_privilege(current_database(), 'TEMPORARY')
ORDER BY 1"""


def missing(connection: Any, schema: str, wanted: Mapping[str, Collection[str]]) -> list[str]:
    """What the role may not do, in words.

    :param wanted: by table, which of INSERT, UPDATE (which takes a temporary table) and DELETE are done.
    """
    pairs = [(table, privilege) for table, privileges in wanted.items() for privilege in privileges]
    values = {
        "schema": schema,
        "tables": [table for table, _privilege in pairs],
        "privileges": [privilege for _table, privilege in pairs],
    }
    return [words for (words,) in connection.execute(_MISSING, values)]


def temporary(connection: Any) -> str:
    """The database in which the role may not create temporary tables, in words; "" if it may."""
    query = "SELECT has_database_privilege(current_database(), 'TEMPORARY'), current_database()"
    allowed, database = connection.execute(query).fetchone()
    return "" if allowed else f"TEMPORARY on the database {database}"
