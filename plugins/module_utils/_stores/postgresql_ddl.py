# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas of PostgreSQL: what is there, and the statements that make a collection."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Optional

from .postgresql_client import identifier
from .record_store import (
    BOOLEAN,
    BYTES,
    DATE,
    DECIMAL,
    INTEGER,
    JSON,
    POSITIONS,
    REAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Field,
    ForeignKey,
    Index,
    Info,
)
from .sql_defaults import CLOCK, MOMENTS, NOW, TODAY, portable_default
from .sql_schema import DOCUMENT, declared_size, size_of

_DECLARED = {
    INTEGER: "bigint",
    REAL: "double precision",
    DECIMAL: "numeric",
    TEXT: "text",
    BYTES: "bytea",
    BOOLEAN: "boolean",
    TIMESTAMP: "timestamp",
    TIMESTAMPTZ: "timestamptz",
    DATE: "date",
    JSON: "jsonb",
}
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
SELECT c.relname, a.attname, t.typname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid),
       a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%%', false),
       pg_sequence_last_value(
         pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname)
       ),
       a.attgenerated <> ''
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum"""
_NAMES = (
    "(SELECT array_agg(a.attname::text ORDER BY u.n) FROM unnest({}) WITH ORDINALITY u(num, n)"
    " JOIN pg_attribute a ON a.attrelid = {} AND a.attnum = u.num)"
)
_CONSTRAINTS = """
SELECT c.relname, k.contype::text, k.conname, %s, f.relname, %s, k.confdeltype::text, k.confupdtype::text
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class f ON f.oid = k.confrelid
WHERE n.nspname = %%s AND k.contype IN ('p', 'u', 'f') ORDER BY c.relname, k.conname""" % (
    _NAMES.format("k.conkey", "k.conrelid"),
    _NAMES.format("k.confkey", "k.confrelid"),
)
_INDEXES = """
SELECT c.relname, i.relname, x.indisunique, %s, x.indexprs IS NOT NULL OR x.indpred IS NOT NULL, pg_get_indexdef(i.oid)
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %%s
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY c.relname, i.relname""" % _NAMES.format("x.indkey::int2[]", "x.indrelid")
_CHECKS = """
SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND k.contype IN ('c', 'x') ORDER BY c.relname, k.conname"""
_OTHERS = """
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind IN ('v', 'm', 'f')
UNION ALL SELECT 'trigger', t.tgname
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND NOT t.tgisinternal ORDER BY 1, 2"""
# What an index is called, and (after its table) what it is on.
_IDENTIFIER = r'(?:"(?:[^"]|"")*"|[^" .]+)'
_INDEX = re.compile(f"(CREATE (?:UNIQUE )?INDEX {_IDENTIFIER}) ON (?:ONLY )?(?:{_IDENTIFIER}[.]?)+ USING (.*)", re.S)
# Times as text, as SQLite writes them.
_AS_TEXT = {
    name: "to_char((now() AT TIME ZONE 'UTC'::text), '%s'::text)" % form
    for name, form in ((NOW, "YYYY-MM-DD HH24:MI:SS"), (TODAY, "YYYY-MM-DD"), (CLOCK, "HH24:MI:SS"))
}
_TIMES = {
    "now()": NOW,
    "transaction_timestamp()": NOW,
    "statement_timestamp()": NOW,
    "clock_timestamp()": NOW,
    "localtimestamp": NOW,
    "(now()attimezone'utc'::text)": NOW,
    **{text.replace(" ", "").lower(): name for name, text in _AS_TEXT.items()},
}
# as PostgreSQL before 14 has it
_TIMES.update(
    {text.replace("(now()attimezone'utc'::text)", "timezone('utc'::text,now())"): _TIMES[text] for text in list(_TIMES)}
)
_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def describe(connection: Any, schema: str) -> list[Info]:
    """All tables of a schema."""
    special = _Special()
    fields = _fields(connection, schema, special)
    for table, name, definition in connection.execute(_CHECKS, (schema,)):
        special.add(table, "ADD CONSTRAINT %s %s" % (identifier(name), definition), "the constraint %s" % name)
    keys: dict[str, tuple[str, ...]] = {}
    indexes: dict[str, list[Index]] = {}
    foreign: dict[str, list[ForeignKey]] = {}
    for table, kind, name, names, to, to_names, on_delete, on_update in connection.execute(_CONSTRAINTS, (schema,)):
        if kind == "p":
            keys[table] = tuple(names)
        elif kind == "u":
            indexes.setdefault(table, []).append(Index(name, tuple(names), True, True))
        else:
            one = ForeignKey(tuple(names), to, tuple(to_names), _ACTIONS[on_delete], _ACTIONS[on_update])
            foreign.setdefault(table, []).append(one)
    for table, name, unique, names, partly, definition in connection.execute(_INDEXES, (schema,)):
        if partly:
            special.add(table, definition, "the index %s on some rows or on an expression" % name)
        else:
            indexes.setdefault(table, []).append(Index(name, tuple(names), unique))
    infos = []
    for table, columns in fields.items():
        if table == POSITIONS:
            continue
        own = indexes.get(table, [])
        required = {field.name for field in columns if field.required}
        unique = [one.fields for one in own if one.unique and required.issuperset(one.fields)]
        key = keys.get(table) or (unique[0] if unique else ())
        document = columns[-1][:3] == (DOCUMENT, JSON, True) and key == tuple(one.name for one in columns[:-1])
        infos.append(
            Info(
                *(table, key, tuple(columns), tuple(own), tuple(foreign.get(table, [])), "postgresql"),
                statements=tuple(special.statements.get(table, ())),
                document=document,
                peculiar=tuple(special.words.get(table, ())),
            )
        )
    return infos


def _fields(connection: Any, schema: str, special: _Special) -> dict[str, list[Field]]:
    """The columns of each table, without those that are computed."""
    fields: dict[str, list[Field]] = {}
    for table, name, type_name, native, required, default, identity, counter, computed in connection.execute(
        _COLUMNS, (schema,)
    ):
        kind = _KINDS.get(type_name, TEXT)
        if computed:
            column = "ADD COLUMN %s %s GENERATED ALWAYS AS (%s) STORED" % (identifier(name), native, default)
            special.add(table, column, "the computed column %s" % name)
            continue
        literal = None if identity else portable_default(default, kind, _TIMES)
        if default is not None and not identity and (literal is None or literal in MOMENTS):
            change = "ALTER COLUMN %s SET DEFAULT %s" % (identifier(name), default)
            special.add(table, change, "" if literal else "the default of %s (%s)" % (name, default))
        fields.setdefault(table, []).append(
            Field(name, kind, required, literal, native, identity, counter or 0, size_of(native))
        )
    return fields


class _Special:
    """What only PostgreSQL understands of each table: in its language, and in words."""

    def __init__(self) -> None:
        self.statements: dict[str, list[str]] = {}
        self.words: dict[str, list[str]] = {}

    def add(self, table: str, statement: str, words: str) -> None:
        """`words`: "" for what others understand, if not to the letter."""
        self.statements.setdefault(table, []).append(statement)
        if words:
            self.words.setdefault(table, []).append(words)


def others(connection: Any, schema: str) -> list[str]:
    """Notes on what of a schema is not migrated."""
    return ["The %s %s is not migrated." % row for row in connection.execute(_OTHERS, (schema, schema))]


def create_table(info: Info, schema: str) -> str:
    """CREATE TABLE with its keys and constraints; foreign keys and indexes come after the data."""
    lines = []
    for field in info.fields:
        native = field.native if info.native == "postgresql" else ""
        words = [identifier(field.name), native or _declared(field)]
        if field.identity and field.kind == INTEGER:
            words.append("GENERATED BY DEFAULT AS IDENTITY")
        elif field.default is not None and not (native and field.default in MOMENTS):  # those have their statement
            text = _AS_TEXT.get(field.default) if field.kind == TEXT else None
            words.append("DEFAULT %s" % (text or field.default))
        if field.required:
            words.append("NOT NULL")
        lines.append(" ".join(words))
    lines.append("PRIMARY KEY %s" % listed(info.key))
    lines += ["UNIQUE %s" % listed(one.fields) for one in info.indexes if one.constraint]
    table = qualified(schema, info.name)
    changes = [one for one in _own_statements(info) if not _INDEX.match(one)]
    return "; ".join(
        ["CREATE TABLE %s (%s)" % (table, ", ".join(lines)), *("ALTER TABLE %s %s" % (table, one) for one in changes)]
    )


def _declared(field: Field) -> str:
    declared = "varchar" if field.kind == TEXT and field.size else _DECLARED[field.kind]
    return declared + declared_size(field) if field.kind in (TEXT, DECIMAL) else declared


def _own_statements(info: Info) -> Sequence[str]:
    return info.statements if info.native == "postgresql" else ()


def after_data(info: Info, schema: str, there: Optional[Info], present: Sequence[str]) -> list[str]:
    """What is still missing of a collection's indexes, foreign keys and counters."""
    table = qualified(schema, info.name)
    own = there or info
    have_on = [(info.key, True), *((one.fields, one.unique) for one in own.indexes)]
    statements = [
        "CREATE %sINDEX %s ON %s %s"
        % ("UNIQUE " if one.unique else "", identifier(one.name), table, listed(one.fields))
        for one in info.indexes
        if not one.constraint and (one.fields, one.unique) not in have_on
    ]
    for one in info.foreign_keys:
        if one.to in present and (one.fields, one.to) not in [(have.fields, have.to) for have in own.foreign_keys]:
            statements.append(
                "ALTER TABLE %s ADD FOREIGN KEY %s REFERENCES %s %s ON DELETE %s ON UPDATE %s"
                % (
                    table,
                    listed(one.fields),
                    qualified(schema, one.to),
                    listed(one.to_fields),
                    one.on_delete,
                    one.on_update,
                )
            )
    have_of = [parts[2] for parts in map(_INDEX.match, own.statements) if parts]
    for parts in map(_INDEX.match, _own_statements(info)):
        if parts and parts[2] not in have_of:
            statements.append("%s ON %s USING %s" % (parts[1], table, parts[2]))
    given = {field.name: field.counter for field in info.fields}
    for field in own.fields:
        if field.identity:
            counter = max(field.counter, given.get(field.name, 0))
            statements.append(
                "SELECT setval(pg_get_serial_sequence('{table}', '{name}'), greatest(max({column}), {counter}, 1),"
                " max({column}) IS NOT NULL OR {counter} > 0) FROM {of}".format(
                    table=table.replace("'", "''"),
                    name=field.name.replace("'", "''"),
                    column=identifier(field.name),
                    counter=counter,
                    of=table,
                )
            )
    return statements


def qualified(schema: str, table: str) -> str:
    """The table's name with its schema."""
    return "%s.%s" % (identifier(schema), identifier(table))


def listed(names: Sequence[str]) -> str:
    """Names in parentheses."""
    return "(%s)" % ", ".join(map(identifier, names))
