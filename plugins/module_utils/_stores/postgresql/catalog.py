# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a schema of PostgreSQL has: its tables, and what of them only another PostgreSQL understands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Optional

from ..records import note as collection_note
from ..records.model import (
    BOOLEAN,
    BYTES,
    CHECKPOINTS,
    DATE,
    DECIMAL,
    INTEGER,
    JSON,
    REAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Field,
    ForeignKey,
    Index,
    Info,
    Statement,
)
from ..sql.defaults import MOMENTS, portable_default
from ..sql.schema import size_of
from .client import identifier
from .ddl import TIMES
from .values import PADDED

_KINDS = {
    **dict.fromkeys(("int2", "int4", "int8"), INTEGER),
    **dict.fromkeys(("float4", "float8"), REAL),
    **dict.fromkeys(("json", "jsonb"), JSON),
    "numeric": DECIMAL,
    "bytea": BYTES,
    "bool": BOOLEAN,
    "timestamp": TIMESTAMP,
    "timestamptz": TIMESTAMPTZ,
    "date": DATE,
}
_COLUMNS = """
SELECT c.relname, a.attname, coalesce(b.typname, t.typname), format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid),
       a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%%', false),
       pg_sequence_last_value(s.seqrelid),
       CASE a.attgenerated WHEN 's' THEN 'STORED' WHEN 'v' THEN 'VIRTUAL' END,
       CASE WHEN a.attcollation <> t.typcollation THEN l.collname END,
       CASE WHEN a.attidentity = 'a' THEN ' SET GENERATED ALWAYS' ELSE '' END
         || CASE WHEN (s.seqincrement, s.seqstart, s.seqmin, s.seqcycle, s.seqcache) <> (1, 1, 1, false, 1) THEN format(
           ' SET INCREMENT BY %%s SET MINVALUE %%s SET MAXVALUE %%s SET START WITH %%s SET CACHE %%s SET %%s RESTART',
           s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache,
           CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END
         ) ELSE '' END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype LEFT JOIN pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_sequence s ON s.seqrelid = coalesce(
  pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname)::regclass,
  -- one that is not the column's own
  (SELECT o.refobjid FROM pg_depend o JOIN pg_class q ON q.oid = o.refobjid AND q.relkind = 'S'
   WHERE o.classid = 'pg_attrdef'::regclass AND o.objid = d.oid AND o.refclassid = 'pg_class'::regclass LIMIT 1)
)
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum"""
# The types that a schema has for the columns of its tables, or for what is in their arrays.
_OWN_TYPES = """
SELECT DISTINCT c.relname, t.typname, CASE t.typtype WHEN 'e' THEN
  format('TYPE %%I AS ENUM (%%s)', t.typname, (
    SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
    FROM pg_enum e WHERE e.enumtypid = t.oid
  ))
ELSE
  format('DOMAIN %%I AS %%s%%s%%s%%s', t.typname, format_type(t.typbasetype, t.typtypmod),
    coalesce(' DEFAULT ' || t.typdefault, ''), CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END, (
    SELECT coalesce(string_agg(format(' CONSTRAINT %%I %%s', k.conname, pg_get_constraintdef(k.oid)), ''), '')
    FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'
  ))
END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_type own ON own.oid = a.atttypid
JOIN pg_type t ON t.oid IN (own.oid, own.typelem) AND t.typnamespace = n.oid AND t.typtype IN ('e', 'd')
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY 1, 2"""
_NAMES = (
    "(SELECT array_agg(a.attname::text ORDER BY u.n) FROM unnest({}) WITH ORDINALITY u(num, n)"
    " JOIN pg_attribute a ON a.attrelid = {} AND a.attnum = u.num)"
)
_CONSTRAINTS = (
    f"\nSELECT c.relname, k.contype::text, k.conname, {_NAMES.format('k.conkey', 'k.conrelid')}, "
    f"pg_get_constraintdef(k.oid),\n       f.relname, {_NAMES.format('k.confkey', 'k.confrelid')}, "
    "k.confdeltype::text, k.confupdtype::text, f.relnamespace <> c.relnamespace,\n       "
    "k.condeferrable, k.condeferred, k.confmatchtype = 'f', k.convalidated\nFROM pg_constraint k JOIN "
    "pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace\nLEFT JOIN "
    "pg_class f ON f.oid = k.confrelid\nWHERE n.nspname = %s AND k.contype IN ('p', 'u', 'f') AND "
    "k.conparentid = 0 ORDER BY c.relname, k.conname"
)
_INDEXES = """
SELECT c.relname, i.relname, x.indisunique, {}, CASE
         WHEN x.indexprs IS NOT NULL OR x.indpred IS NOT NULL THEN 'on some rows or on an expression'
         WHEN m.amname NOT IN ('btree', 'hash', 'brin') THEN 'by ' || m.amname
       END, pg_get_indexdef(i.oid)
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = i.relam
WHERE n.nspname = %s AND x.indisvalid
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY c.relname, i.relname""".format(_NAMES.format("(x.indkey::int2[])[0 : x.indnkeyatts - 1]", "x.indrelid"))
_CHECKS = """
SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND k.contype IN ('c', 'x') AND k.conparentid = 0 ORDER BY c.relname, k.conname"""
_OTHERS = """
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind IN ('v', 'm', 'f')
UNION ALL SELECT 'trigger', t.tgname
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND NOT t.tgisinternal
UNION ALL SELECT 'partitioning of the table', c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind = 'p' AND NOT c.relispartition
UNION ALL SELECT 'table without columns of its own', c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT EXISTS (
  SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
UNION ALL SELECT 'row security of the table', c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relrowsecurity AND NOT c.relispartition
-- of its own: each column that it numbers gets a counter, which goes on from where it is
UNION ALL SELECT 'sequence', c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind = 'S'
  AND NOT EXISTS (SELECT FROM pg_depend o WHERE o.objid = c.oid AND o.deptype IN ('a', 'i') AND o.refobjsubid > 0)
ORDER BY 1, 2"""
# Tables of a schema that inherit (partitions do not count), or from which tables do; with the schema of each child.
_INHERITED = """
SELECT c.relname, p.relname, CASE WHEN cn.nspname <> %(schema)s THEN cn.nspname END,
       CASE WHEN pn.nspname <> %(schema)s THEN pn.nspname END
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace cn ON cn.oid = c.relnamespace JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE c.relkind = 'r' AND NOT c.relispartition AND %(schema)s IN (cn.nspname, pn.nspname)
ORDER BY 1, 2"""
_PARTITIONED = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind = 'p' AND NOT c.relispartition"""
_TABLE_COMMENTS = """
SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND obj_description(c.oid, 'pg_class') LIKE '%%day2 {%%'"""
_CHECKPOINT = 'day2 {"checkpoint": true}'
# What an index is on, after the name of its table.
_IDENTIFIER = r'(?:"(?:[^"]|"")*"|[^" .]+)'
_INDEX = re.compile(f"CREATE (?:UNIQUE )?INDEX {_IDENTIFIER} ON (?:ONLY )?(?:{_IDENTIFIER}[.]?)+ USING (.*)", re.S)
_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def describe(connection: Any, schema: str) -> list[Info]:
    """All tables of a schema."""
    special = _Special()
    notes = {
        table: collection_note.parsed(comment) for table, comment in connection.execute(_TABLE_COMMENTS, (schema,))
    }
    fields = _fields(connection, schema, special)
    for table, name, definition in connection.execute(_OWN_TYPES, (schema,)):
        special.add(table, Statement("type", "CREATE " + definition, f"the type {name}"))
    for table, name, definition in connection.execute(_CHECKS, (schema,)):
        change = f"ADD CONSTRAINT {identifier(name)} {definition}"
        special.add(table, Statement("change", change, f"the constraint {name}"))
    keys: dict[str, Index] = {}
    indexes: dict[str, list[Index]] = {}
    foreign: dict[str, list[ForeignKey]] = {}
    for table, kind, name, names, definition, *reference in connection.execute(_CONSTRAINTS, (schema,)):
        if kind == "p":
            keys[table] = Index(name, tuple(names), True, True, definition)
        elif kind == "u":
            indexes.setdefault(table, []).append(Index(name, tuple(names), True, True, definition))
            special.nulls(table, name, definition)
        elif reference[4]:
            change = f"ADD CONSTRAINT {identifier(name)} {definition}"
            special.add(table, Statement("change", change, f"the foreign key {name} to another schema"))
        else:
            foreign.setdefault(table, []).append(_foreign_key(name, names, *reference))
    for table, name, unique, names, beyond, definition in connection.execute(_INDEXES, (schema,)):
        using = index_method(definition)
        if beyond:
            kind = "unique index" if unique else "index"
            special.add(table, Statement(kind, using, f"the index {name} {beyond}", name))
        else:
            indexes.setdefault(table, []).append(Index(name, tuple(names), unique, definition=using))
            special.nulls(table, name, definition)
    infos = []
    for table, columns in fields.items():
        says = notes.get(table, {})
        if says.get("checkpoint"):
            continue
        key, key_definition, own = _identified(columns, keys.get(table), indexes.get(table, []))
        info = Info(
            *(table, key, tuple(columns), tuple(own), tuple(foreign.get(table, [])), "postgresql"),
            statements=tuple(special.statements.get(table, ())),
            dialect_specific=tuple(special.words.get(table, ())),
            key_definition=key_definition,
        )
        infos.append(collection_note.noted(info, says))
    return collection_note.linked(infos)


def _identified(
    columns: Sequence[Field], primary: Optional[Index], indexes: Sequence[Index]
) -> tuple[tuple[str, ...], str, Sequence[Index]]:
    """The key of a table, the definition of its primary key, and its indexes."""
    required = {field.name for field in columns if field.required}
    if primary is not None and required.issuperset(primary.fields):
        return primary.fields, f"CONSTRAINT {identifier(primary.name)} {primary.definition}", indexes
    unique = [one.fields for one in indexes if one.unique and required.issuperset(one.fields)]
    # a primary key with a computed column, which is no field of a record, is a constraint like others
    return unique[0] if unique else (), "", [*([primary] if primary is not None else []), *indexes]


def index_method(definition: str) -> str:
    """What follows the name of the table in the statement of an index; "" if this is not known."""
    parts = _INDEX.match(definition)
    return "USING " + parts[1] if parts else ""


def _foreign_key(name: str, names: Sequence[str], *reference: Any) -> ForeignKey:
    """From what _CONSTRAINTS has of it."""
    to, to_names, on_delete, on_update, _elsewhere, deferrable, deferred, full, valid = reference
    return ForeignKey(
        *(tuple(names), to, tuple(to_names), _ACTIONS[on_delete], _ACTIONS[on_update], name),
        deferrable="DEFERRABLE" + " INITIALLY DEFERRED" * deferred if deferrable else "",
        full=full,
        valid=valid,
    )


def _fields(connection: Any, schema: str, special: _Special) -> dict[str, list[Field]]:
    """The columns of each table. Those that are computed are statements."""
    fields: dict[str, list[Field]] = {}
    for table, name, type_name, native, required, default, identity, counter, computed, *more in connection.execute(
        _COLUMNS, (schema,)
    ):
        collation, numbering = more
        kind = _KINDS.get(type_name, TEXT)
        if computed:
            words = [identifier(name), native, *([f"COLLATE {identifier(collation)}"] if collation else [])]
            words += [f"GENERATED ALWAYS AS ({default}) {computed}", *["NOT NULL"] * required]
            before = fields[table][-1].name if fields.get(table) else ""
            special.add(table, Statement("column", " ".join(words), f"the computed column {name}", before))
            continue
        literal = None if identity else portable_default(default, kind, TIMES)
        if default is not None and not identity and (literal is None or literal in MOMENTS):
            change = f"ALTER COLUMN {identifier(name)} SET DEFAULT {default}"
            told = "" if literal else f"the default of {name} ({default})"
            special.add(table, Statement("change", change, told))
        if collation:
            change = f"ALTER COLUMN {identifier(name)} TYPE {native} COLLATE {identifier(collation)}"
            # these are the order that other databases have
            told = "" if collation in ("C", "POSIX") else f"the collation {collation}"
            special.add(table, Statement("change", change, told))
        if identity and numbering:
            special.add(table, Statement("change", f"ALTER COLUMN {identifier(name)}{numbering}"))
        size, declared = size_of(native), _narrower(native)
        filled = default is not None and literal is None
        fields.setdefault(table, []).append(
            Field(name, kind, required, literal, native, identity, counter or 0, size, declared, filled=filled)
        )
    return fields


class _Special:
    """What only PostgreSQL understands of each table: statements, and what has none, in words."""

    def __init__(self) -> None:
        self.statements: dict[str, list[Statement]] = {}
        self.words: dict[str, list[str]] = {}

    def add(self, table: str, statement: Statement) -> None:
        """Something that has a statement."""
        self.statements.setdefault(table, []).append(statement)

    def nulls(self, table: str, name: str, definition: str) -> None:
        """Elsewhere nulls are never the same."""
        if "NULLS NOT DISTINCT" in definition:
            self.words.setdefault(table, []).append(f"that {name} treats nulls as equal")


def _narrower(native: str) -> str:
    """A type that holds less than its kind says; "" for others."""
    return native if native in ("smallint", "integer") or native.startswith(("timestamp(", PADDED)) else ""


def names_in(connection: Any, schema: str) -> set[str]:
    """Names of tables, indexes and other objects."""
    query = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s"
    return {name for (name,) in connection.execute(query, (schema,))}


def others(connection: Any, schema: str) -> list[str]:
    """Notes on what of a schema is not migrated."""
    notes = [f"The {kind} {name} is not migrated." for kind, name in connection.execute(_OTHERS, [schema] * 6)]
    return notes + [_inheritance(*row) for row in connection.execute(_INHERITED, {"schema": schema})]


def _inheritance(child: str, parent: str, child_schema: Optional[str], parent_schema: Optional[str]) -> str:
    if child_schema is not None:
        child = f"{child_schema}.{child}"
        return f"The table {child}, which inherits from {parent}, is in another schema and is not migrated."
    parent = f"{parent_schema}.{parent}" if parent_schema is not None else parent
    return (
        f"The inheritance of the table {child} from {parent} is not migrated: in the target it is a separate "
        f"table, and a query of {parent} does not return its records."
    )


def checkpoints_table(connection: Any, schema: str) -> Optional[str]:
    """The table of checkpoints, which is known by its note and not by its name; None where there is none."""
    found = dict(connection.execute(_TABLE_COMMENTS, (schema,)).fetchall())
    return next((table for table, text in found.items() if collection_note.parsed(text).get("checkpoint")), None)


def make_checkpoints_table(connection: Any, schema: str, wanted: AbstractSet[str]) -> str:
    """Make it, under the first name that nothing has or will have. Returns the name."""
    name = CHECKPOINTS
    while name in wanted or name in names_in(connection, schema):
        name += "_"
    table = f"{identifier(schema)}.{identifier(name)}"
    connection.execute(f"CREATE TABLE {table} (collection text PRIMARY KEY, checkpoint jsonb)")
    connection.execute(f"COMMENT ON TABLE {table} IS '{_CHECKPOINT}'")
    return name


def partitioned(connection: Any, schema: str) -> set[str]:
    """The tables whose records are in their partitions alone."""
    return {name for (name,) in connection.execute(_PARTITIONED, (schema,))}
