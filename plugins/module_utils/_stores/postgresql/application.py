# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables that an application has made in a schema of PostgreSQL: columns, keys, foreign keys, triggers, owners."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..sql.triggers import hides, interferes
from .client import identifier
from .column_types import Column
from .ddl import qualified

# Tables in which frameworks keep which version a schema has, and the columns that say so.
VERSION_TABLES: Mapping[str, tuple[str, ...]] = {
    "django_migrations": ("app", "name"),
    "schema_migrations": ("version",),
    "alembic_version": ("version_num",),
    "flyway_schema_history": ("version", "script"),
    "knex_migrations": ("name",),
    "_prisma_migrations": ("migration_name",),
    "__EFMigrationsHistory": ("MigrationId",),
    "goose_db_version": ("version_id",),
    "day2_schema_versions": ("version", "digest"),
}
# Which belong to the database that they are in.
LEFT_ALONE = ("ar_internal_metadata", "knex_migrations_lock")

_COLUMNS = """
SELECT c.relname, a.attname, coalesce(b.typname, t.typname), format_type(a.atttypid, a.atttypmod),
       a.attnotnull OR t.typnotnull, a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
       a.attgenerated <> '', a.attidentity = 'a',
       CASE WHEN b.oid IS NULL THEN a.atttypmod ELSE t.typtypmod END,
       CASE WHEN t.typtype = 'e' OR b.typtype = 'e' THEN (
         SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e
         WHERE e.enumtypid IN (t.oid, b.oid)) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum"""
_TABLES = """
SELECT c.relname, c.relkind = 'r', pg_has_role(c.relowner, 'USAGE'), pg_get_userbyid(c.relowner),
       EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition"""
_KEYS = """
SELECT c.relname, array_agg(a.attname::text ORDER BY u.n)
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN unnest(x.indkey::int2[]) WITH ORDINALITY u(num, n)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.num
WHERE n.nspname = %s AND x.indisunique AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL
  AND x.indimmediate AND u.n <= x.indnkeyatts
GROUP BY c.relname, x.indexrelid, x.indisprimary HAVING bool_and(a.attnotnull)
ORDER BY c.relname, x.indisprimary DESC, x.indexrelid"""
_TRIGGERS = """
SELECT c.relname, t.tgname, t.tgenabled::text
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY 1, 2"""
# What happens by itself when rows are written: when a trigger fires (1: for each row, 2: before it), and its function;
# what refers to rows from other schemas.
_INTERFERENCE = """
SELECT c.relname, 'trigger', t.tgname, t.tgtype & 3 = 3, l.lanname IN ('sql', 'plpgsql'), f.prosrc
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc f ON f.oid = t.tgfoid JOIN pg_language l ON l.oid = f.prolang
WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s) AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
UNION ALL SELECT c.relname, 'rule', r.rulename, true, false, ''
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s) AND r.ev_type <> '1' AND r.ev_enabled IN ('O', 'A')
UNION ALL SELECT format('%%s.%%s', cn.nspname, c.relname), 'foreign key', k.conname, true, false, ''
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace n ON n.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname = %(schema)s AND p.relname = ANY (%(losing)s)
  AND cn.nspname <> n.nspname
ORDER BY 1, 3"""
_NAMES = (
    "(SELECT array_agg(a.attname::text ORDER BY u.n) FROM unnest({}) WITH ORDINALITY u(num, n)"
    " JOIN pg_attribute a ON a.attrelid = {} AND a.attnum = u.num)"
)
_FOREIGN_KEYS = (
    "\nSELECT k.conname, cn.nspname, c.relname, pn.nspname, p.relname, "
    f"{_NAMES.format('k.conkey', 'k.conrelid')}, {_NAMES.format('k.confkey', 'k.confrelid')}, "
    "pg_get_constraintdef(k.oid),\n       obj_description(k.oid, 'pg_constraint'), k.convalidated, "
    "pg_has_role(c.relowner, 'USAGE')\nFROM pg_constraint k\nJOIN pg_class c ON c.oid = k.conrelid "
    "JOIN pg_namespace cn ON cn.oid = c.relnamespace\nJOIN pg_class p ON p.oid = k.confrelid JOIN "
    "pg_namespace pn ON pn.oid = p.relnamespace\nWHERE k.contype = 'f' AND k.conparentid = 0 AND %s "
    "IN (cn.nspname, pn.nspname)\nORDER BY cn.nspname, c.relname, k.conname"
)
_ENABLE = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


class Trigger(NamedTuple):
    """`mode`: when it fires, as the catalog has it."""

    name: str
    mode: str

    @property
    def disable(self) -> str:
        """What ALTER TABLE takes."""
        return f"DISABLE TRIGGER {identifier(self.name)}"

    @property
    def enable(self) -> str:
        """What ALTER TABLE takes to have it fire as before."""
        return f"{_ENABLE[self.mode]} TRIGGER {identifier(self.name)}"


class Table(NamedTuple):
    """A table of the application.

    :param keys: unique, never null; the primary key first.
    :param plain: it has no partitions.
    :param owned: the role may change it.
    :param rules: it has rewrite rules.
    """

    schema: str
    name: str
    columns: Mapping[str, Column]
    keys: tuple[tuple[str, ...], ...] = ()
    triggers: tuple[Trigger, ...] = ()
    plain: bool = True
    owned: bool = True
    owner: str = ""
    rules: bool = False

    @property
    def sql(self) -> str:
        """Its name, quoted."""
        return qualified(self.schema, self.name)


class Reference(NamedTuple):
    """A foreign key; `table` and `to` with their schemas, quoted."""

    name: str
    table: str
    child: str
    to: str
    parent: str
    fields: tuple[str, ...]
    to_fields: tuple[str, ...]
    definition: str
    comment: str
    valid: bool
    owned: bool


def tables(connection: Any, schema: str) -> dict[str, Table]:
    """All tables of a schema by name."""
    columns: dict[str, dict[str, Column]] = {}
    for table, name, kind, native, required, filled, generated, always, modifier, labels in connection.execute(
        _COLUMNS, (schema,)
    ):
        size, precision = _limits(kind, modifier)
        columns.setdefault(table, {})[name] = Column(
            *(name, kind, native, required, not required or filled or generated, generated, always, size, precision),
            labels=None if labels is None else tuple(labels),
        )
    keys: dict[str, list[tuple[str, ...]]] = {}
    for table, names in connection.execute(_KEYS, (schema,)):
        keys.setdefault(table, []).append(tuple(names))
    triggers: dict[str, list[Trigger]] = {}
    for table, name, mode in connection.execute(_TRIGGERS, (schema,)):
        triggers.setdefault(table, []).append(Trigger(name, mode))
    return {
        name: Table(
            *(schema, name, columns.get(name, {}), tuple(keys.get(name, ())), tuple(triggers.get(name, ()))),
            *(plain, owned, owner, rules),
        )
        for name, plain, owned, owner, rules in connection.execute(_TABLES, (schema,)).fetchall()
    }


def _limits(kind: str, modifier: int) -> tuple[tuple[int, ...], int]:
    """The size and precision that a type modifier stands for."""
    if modifier < 0:
        return (), 6
    if kind == "numeric":
        behind = (modifier - 4) & 0x7FF
        return ((modifier - 4) >> 16 & 0xFFFF, (behind ^ 1024) - 1024), 6
    if kind in ("varchar", "bpchar"):
        return (modifier - 4,), 6
    return (), modifier if kind in ("timestamp", "timestamptz", "time") else 6


def references(connection: Any, schema: str) -> list[Reference]:
    """The foreign keys from and to the tables of a schema."""
    return [
        Reference(
            name,
            qualified(child_schema, child),
            child if child_schema == schema else qualified(child_schema, child),
            qualified(parent_schema, parent),
            parent if parent_schema == schema else qualified(parent_schema, parent),
            tuple(fields),
            tuple(to_fields),
            definition,
            comment or "",
            valid,
            owned,
        )
        for name, child_schema, child, parent_schema, parent, fields, to_fields, *rest in connection.execute(
            _FOREIGN_KEYS, (schema,)
        )
        for definition, comment, valid, owned in [rest]
    ]


def interference(
    connection: Any, schema: str, names: Sequence[str], losing: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The triggers and rules of these tables that may change or refuse rows, in words, and the triggers of which this
    can't be told, as they run dynamic SQL or other functions, or are written in another language.

    :param losing: those that lose rows; foreign keys of other schemas that refer to them are told, too.
    """
    rows = connection.execute(_INTERFERENCE, {"schema": schema, "tables": list(names), "losing": list(losing)})
    lower = {name.lower() for name in names}
    certain, hidden = [], []
    for table, what, name, surely, is_readable, body in rows:
        if surely or (is_readable and interferes(body, lower)):
            certain.append(f"the {what} {name} of {table}")
        elif not is_readable or hides(body):
            hidden.append(f"the {what} {name} of {table}")
    return certain, hidden


def versions(connection: Any, table: Table, names: tuple[str, ...]) -> set[tuple[str, ...]]:
    """What a table says of the schema's version."""
    query = f"SELECT {', '.join(f'{identifier(name)}::text' for name in names)} FROM {table.sql}"
    return {tuple(row) for row in connection.execute(query)}
