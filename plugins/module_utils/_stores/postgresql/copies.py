# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Empty temporary copies of tables, for testing whether rows satisfy the constraints.

A column with a constant default gets it in the copy as well. Other defaults may use a sequence, or do anything else:
such columns are null in the copy, and only the table itself can check what it requires of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .client import identifier

# Of the columns that are not given, those that are filled or required: (name, default, is it computed?).
_FILLED = """
SELECT a.attname, pg_get_expr(d.adbin, d.adrelid), a.attgenerated <> ''
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.attname = ANY (%s)
  AND (a.attnotnull OR a.attidentity <> '' OR d.adbin IS NOT NULL)"""
# Keys in which nulls are not permitted, or are the same.
_KEYS = """
SELECT x.indexrelid::regclass::text, quote_ident(k.conname), pg_get_indexdef(x.indexrelid)
FROM pg_index x LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u')
WHERE x.indrelid = %s::regclass AND (x.indisprimary OR to_jsonb(x) ->> 'indnullsnotdistinct' = 'true')
  AND EXISTS (SELECT FROM pg_attribute a
    WHERE a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey::int2[]) AND a.attname = ANY (%s))"""
_CHECKS = """
SELECT quote_ident(k.conname) FROM pg_constraint k
WHERE k.conrelid = %s::regclass AND k.contype = 'c' AND EXISTS (SELECT FROM pg_attribute a
  WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND a.attname = ANY (%s))"""
_IN_KEY = """
SELECT FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey::int2[])
WHERE x.indrelid = %s::regclass AND x.indisprimary AND a.attname = %s"""
_NOT_VALID = """
SELECT quote_ident(k.conname), pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_constraint c ON c.conname = k.conname AND c.contype = k.contype
WHERE k.conrelid = %s::regclass AND c.conrelid = %s::regclass AND k.contype = 'c' AND NOT k.convalidated"""
_CONSTANT = re.compile(r"\(?(?:'(?:[^']|'')*'|-?[0-9][0-9.]*|true|false)\)?(?:::[\w\s\".,()\[\]]+)?")


_ALL = "INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING GENERATED"


def create(
    connection: Any, copy: str, real: str, given: Sequence[str], *, ending: str = "", including: str = _ALL
) -> None:
    """Create the copy.

    :param copy: its name in SQL.
    :param real: the name of the table in SQL.
    :param given: the columns that get their own values.
    :param ending: of the statement.
    :param including: what the copy has beside the columns.
    """
    connection.execute(f"CREATE TEMP TABLE {copy} (LIKE {real} {including}) {ending}")
    others: list[str] = []
    computed: list[str] = []
    for name, default, is_computed in connection.execute(_FILLED, (real, list(given))).fetchall():
        if is_computed:
            computed.append(name)
        elif default is not None and _CONSTANT.fullmatch(default):
            connection.execute(f"ALTER TABLE {copy} ALTER COLUMN {identifier(name)} SET DEFAULT {default}")
        else:
            others.append(name)
    if others:
        _loosen(connection, copy, others)
        _let_be_null(connection, copy, [*others, *computed])  # may be computed from them


def _loosen(connection: Any, copy: str, names: Sequence[str]) -> None:
    """Require nothing of these columns. Keys with them stay indexed, as the size of their entries still counts."""
    for index, constraint, definition in connection.execute(_KEYS, (copy, list(names))).fetchall():
        connection.execute(f"ALTER TABLE {copy} DROP CONSTRAINT {constraint}" if constraint else f"DROP INDEX {index}")
        connection.execute(
            definition.replace("CREATE UNIQUE INDEX", "CREATE INDEX", 1).replace(" NULLS NOT DISTINCT", "")
        )
    for (constraint,) in connection.execute(_CHECKS, (copy, list(names))).fetchall():
        connection.execute(f"ALTER TABLE {copy} DROP CONSTRAINT {constraint}")


def _let_be_null(connection: Any, copy: str, names: Sequence[str]) -> None:
    for name in names:
        if not connection.execute(_IN_KEY, (copy, name)).fetchone():
            connection.execute(f"ALTER TABLE {copy} ALTER COLUMN {identifier(name)} DROP NOT NULL")


def fill(connection: Any, copy: str, real: str, insert: str) -> None:
    """Copy the rows of the table into the copy. Rows that existed before a check (NOT VALID) need not satisfy it there
    either.

    :param insert: the statement.
    """
    later = connection.execute(_NOT_VALID, (real, copy)).fetchall()
    for name, _definition in later:
        connection.execute(f"ALTER TABLE {copy} DROP CONSTRAINT {name}")
    connection.execute(insert)
    for name, definition in later:
        connection.execute(f"ALTER TABLE {copy} ADD CONSTRAINT {name} {definition}")


def unknown(table: str, exc: Any) -> str:
    """The sentence for the user if no copy can be created."""
    words = re.sub(r"\s+", " ", exc.diag.message_primary or str(exc)).strip(". ")
    return (
        f"Whether the table {table} accepts all records is only known when they are written, as no temporary copy of "
        f"it can be created for a test: {words}."
    )
