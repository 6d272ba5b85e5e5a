# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas of SQLite: the existing one, and the statements that create a collection."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..._core.errors import TargetError
from ..records import note as collection_note
from ..records.model import BOOLEAN, DECIMAL, INTEGER, JSON, TEXT, Field, ForeignKey, Index, Info, Statement, placed
from ..sql.defaults import CLOCK, NOW, TODAY, portable_default
from ..sql.schema import declared_size, size_of
from ..sql.triggers import interferes
from . import notes as sqlite_notes
from .file import sqlite3
from .schema import Table, fold, identifier, tables
from .values import DECLARED, kind

_TIMES = {"datetime('now')": NOW, "date('now')": TODAY, "time('now')": CLOCK}
# What is quoted or a comment, or a word.
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^]]*\]|--[^\n]*|/\*.*?\*/|(\w+)""", re.S)


def describe(connection: sqlite3.Connection) -> tuple[list[Info], list[str]]:
    """All ordinary tables, and notes on what is not migrated."""
    notes = [
        f"The {kind} {name} is not migrated."
        for kind, name in connection.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') ORDER BY 1, 2"
        )
    ]
    infos = []
    counted = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone()
    counters = dict(connection.execute("SELECT name, seq FROM sqlite_sequence")) if counted else {}
    for table in tables(connection):
        if sqlite_notes.is_checkpoints(table.sql):
            continue
        if table.module:
            notes.append(f"The virtual table {table.name} ({table.module}) is not migrated.")
        else:
            infos.append(_info(connection, table, counters.get(table.name)))
    return collection_note.linked(infos), notes


def _info(connection: sqlite3.Connection, table: Table, counter: Any) -> Info:
    columns = connection.execute(f"PRAGMA table_xinfo({identifier(table.name)})").fetchall()
    key = tuple(column[1] for column in sorted((one for one in columns if one[5]), key=lambda one: int(one[5])))
    # the rowid under a name of its own
    identity = len(key) == 1 and any(column[5] and column[2].upper() == "INTEGER" for column in columns)
    fields, dialect_specific = [], []
    for _cid, name, declared, required, default, is_key, hidden in columns:
        if hidden:
            dialect_specific.append(f"the computed column {name}")
            continue
        what = kind(declared)
        portable = portable_default(default, what, _TIMES)
        if default is not None and portable is None:
            dialect_specific.append(f"the default of {name} ({default})")
        fields.append(
            Field(
                name,
                what,
                # SQLite lets other keys be null
                bool(required or (is_key and identity)),
                portable,
                declared,
                bool(is_key and identity),
                counter if is_key and identity and isinstance(counter, int) else 0,
                size_of(declared),
                filled=default is not None and portable is None,
            )
        )
    indexes, statements = _indexes(connection, table.name)
    said = words(table.sql)
    if "CHECK" in said:
        dialect_specific.append("its CHECK constraints")
    dialect_specific += [f"the collation {one}" for one in _collations(table.sql, *(one.sql for one in statements))]
    foreign_keys = _foreign_keys(connection, table.name)
    times = _deferrable(said)
    if times:
        # SQLite does not tell which of them it is
        if len(times) == len(foreign_keys) and len(set(times)) == 1:
            foreign_keys = [one._replace(deferrable=times[0]) for one in foreign_keys]
        else:
            dialect_specific.append("which of its foreign keys are deferrable")
    required_fields = {field.name for field in fields if field.required}
    if _may_be_null(connection, table.name, [name for name in key if name not in required_fields]):
        # which SQLite allows: equal rows are told apart by their row ids, as in a table without a key
        indexes.append(Index(f"day2_{table.name}_former_key", key, True, constraint=True))
        key = ()
    elif not key:
        unique = [one.fields for one in indexes if one.unique and required_fields.issuperset(one.fields)]
        key = unique[0] if unique else ()
    info = Info(
        table.name,
        key,
        tuple(fields),
        tuple(indexes),
        tuple(foreign_keys),
        "sqlite",
        (Statement("table", table.sql), *statements),
        dialect_specific=tuple(dialect_specific),
    )
    return collection_note.noted(info, sqlite_notes.says(table.sql))


def _may_be_null(connection: sqlite3.Connection, table: str, names: Sequence[str]) -> bool:
    """Whether one of these columns is null in some row."""
    condition = " OR ".join(f"{identifier(name)} IS NULL" for name in names)
    query = f"SELECT 1 FROM {identifier(table)} WHERE {condition} LIMIT 1"
    return bool(names) and connection.execute(query).fetchone() is not None


def words(sql: str) -> list[str]:
    """The words of a statement that are neither quoted names nor text, in upper case."""
    return [match[1].upper() for match in _TOKEN.finditer(sql) if match[1]]


def _collations(*statements: str) -> list[str]:
    """The collations that order differently from other databases."""
    found: set[str] = set()
    for statement in statements:
        said = words(statement)
        found.update(name for word, name in zip(said, said[1:]) if word == "COLLATE" and name != "BINARY")
    return sorted(found)


def _deferrable(said: list[str]) -> list[str]:
    """How each of the foreign keys is that is deferrable."""
    return [
        "DEFERRABLE INITIALLY DEFERRED" if said[at + 1 : at + 3] == ["INITIALLY", "DEFERRED"] else "DEFERRABLE"
        for at, word in enumerate(said)
        if word == "DEFERRABLE" and (at == 0 or said[at - 1] != "NOT")
    ]


def _indexes(connection: sqlite3.Connection, table: str) -> tuple[list[Index], list[Statement]]:
    """The indexes that have a meaning elsewhere, and the statements of all."""
    indexes, statements = [], []
    for _seq, name, unique, origin, partial in connection.execute(f"PRAGMA index_list({identifier(table)})").fetchall():
        sql = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (name,)).fetchone()
        columns = [row[2] for row in connection.execute(f"PRAGMA index_info({identifier(name)})")]
        told = ""
        if partial or None in columns:
            told = f"the index {name} on {('some of the rows' if partial else 'an expression')}"
        elif origin != "pk":
            indexes.append(Index(name, tuple(columns), bool(unique), origin == "u"))
        if sql and sql[0]:
            statements.append(Statement("index", sql[0], told, name))
    return indexes, statements


def folded(connection: sqlite3.Connection, table: str) -> set[str]:
    """The columns of a table that have the collation NOCASE in a unique index."""
    query = (
        "SELECT x.name FROM pragma_index_list(?) l, pragma_index_xinfo(l.name) x"
        " WHERE l.\"unique\" AND x.key AND upper(x.coll) = 'NOCASE' AND x.name IS NOT NULL"
    )
    return {name for (name,) in connection.execute(query, (table,))}


def _foreign_keys(connection: sqlite3.Connection, table: str) -> list[ForeignKey]:
    rows: dict[int, list[Any]] = {}
    for row in connection.execute(f"PRAGMA foreign_key_list({identifier(table)})"):
        rows.setdefault(row[0], []).append(row)
    keys = []
    for parts in rows.values():
        parts.sort(key=lambda row: int(row[1]))
        # as the other table spells itself, which SQLite does not insist on
        row = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE", (parts[0][2],)
        ).fetchone()
        other = str(row[0]) if row else parts[0][2]
        columns = connection.execute(f"PRAGMA table_info({identifier(other)})").fetchall()
        if None in [row[4] for row in parts]:  # its primary key
            to = tuple(one[1] for one in sorted((one for one in columns if one[5]), key=lambda one: int(one[5])))
        else:
            spelled = {fold(one[1]): one[1] for one in columns}
            to = tuple(spelled.get(fold(row[4]), row[4]) for row in parts)
        keys.append(ForeignKey(tuple(row[3] for row in parts), other, to, parts[0][6], parts[0][5]))
    return keys


def dangling(connection: sqlite3.Connection, info: Info) -> Iterator[tuple[Any, str]]:
    """The rows that refer to nothing, with the other table; without those of foreign keys that are marked so."""
    table = identifier(info.name)
    broken = {(one.fields, fold(one.to)) for one in info.foreign_keys if not one.valid}
    numbers = dict.fromkeys(row[0] for row in connection.execute(f"PRAGMA foreign_key_list({table})"))
    known = {
        number
        for number, one in zip(numbers, _foreign_keys(connection, info.name))
        if (one.fields, fold(one.to)) in broken
    }
    try:
        rows = connection.execute(f"PRAGMA foreign_key_check({table})").fetchall()
    except sqlite3.OperationalError as exc:  # a key that SQLite itself can't hold to
        if "foreign key mismatch" not in str(exc):
            raise
        return
    yield from ((rowid, parent) for _table, rowid, parent, number in rows if number not in known)


def checked(connection: sqlite3.Connection, info: Info) -> Info:
    """The table with those foreign keys marked that point to nothing in some of its rows."""
    if not info.foreign_keys:
        return info
    table = identifier(info.stored.name)
    numbers = dict.fromkeys(row[0] for row in connection.execute(f"PRAGMA foreign_key_list({table})"))
    try:
        broken = {row[3] for row in connection.execute(f"PRAGMA foreign_key_check({table})")}
    except sqlite3.OperationalError:  # what it points to is no table, or has no such key
        return info
    keys = [one._replace(valid=number not in broken) for number, one in zip(numbers, info.foreign_keys)]
    return info._replace(foreign_keys=tuple(keys))


def create(info: Info) -> list[str]:
    """CREATE TABLE: the original statement if the source is a SQLite database, with the key that it lacks."""
    comment = sqlite_notes.comment(info)
    info = info.stored
    if info.native != "sqlite" or not info.statements:
        return [_create_table(info, comment)]
    own = [one.sql for one in info.statements]
    return [own[0], *(sql for _name, sql in indexes(info) if sql not in own)]


def _create_table(info: Info, comment: str) -> str:
    lines = []
    counted = len(info.key) == 1 and not info.document
    for field in info.fields:
        parts = [identifier(field.name), _declared(info, field)]
        if counted and field.name == info.key[0] and field.kind == INTEGER:
            parts.append("PRIMARY KEY" + (" AUTOINCREMENT" if field.identity else ""))
            counted = False
        if field.required or field.name in info.key:
            parts.append("NOT NULL")
        if field.default is not None:
            parts.append(f"DEFAULT {_default(field)}")
        lines.append(" ".join(parts))
    if info.note.marker:
        lines.append(f"{identifier(info.note.marker)} {DECLARED[JSON]}")
    if info.key and not any("PRIMARY KEY" in line for line in lines):
        lines.append(f"PRIMARY KEY {_listed(info.key)}")
    lines += [f"UNIQUE {_listed(one.fields)}" for one in info.indexes if one.constraint]
    for one in info.foreign_keys:
        lines.append(
            f"FOREIGN KEY {_listed(one.fields)} REFERENCES {identifier(one.to)} {_listed(one.to_fields)} "
            f"ON DELETE {one.on_delete} ON UPDATE {one.on_update} {one.deferrable}"
        )
    joined = ",\n  ".join(lines)
    return f"CREATE TABLE {identifier(info.name)}{comment} (\n  {joined}\n)"


def _declared(info: Info, field: Field) -> str:
    # varchar(20) and character(5) are text to SQLite, too, and come back as what they were
    if info.native == "postgresql" and field.kind == TEXT and field.native.startswith("character"):
        return field.native.upper()
    declared = "VARCHAR" if field.kind == TEXT and field.size else DECLARED[field.kind]
    return declared + declared_size(field) if field.kind in (TEXT, DECIMAL) else declared


def _default(field: Field) -> str:
    literal = field.default or "NULL"
    return {"true": "1", "false": "0"}.get(literal.lower(), literal) if field.kind == BOOLEAN else literal


def indexes(info: Info) -> list[tuple[str, str]]:
    """Names and statements of the indexes."""
    info = info.stored
    own = [(one.name, one.sql) for one in info.statements if info.native == "sqlite" and one.kind == "index"]
    names = {name for name, _statement in own}
    keyed = [(info.key, True)] if info.native != "sqlite" else []  # by the statement of the table
    return own + [
        (
            one.name,
            (
                f"CREATE {('UNIQUE ' if one.unique else '')}INDEX {identifier(one.name)} ON {identifier(info.name)} "
                f"{_listed(one.fields)}"
            ),
        )
        for one in info.indexes
        if not one.constraint and one.name not in names and (one.fields, one.unique) not in keyed
    ]


def interference(connection: sqlite3.Connection, infos: Sequence[Info]) -> list[str]:
    """The triggers of these tables that may change or refuse records."""
    tables = {fold(info.stored.name) for info in infos}
    query = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY 2, 1"
    return [
        f"the trigger {name} of {table}"
        for name, table, sql in connection.execute(query)
        if fold(table) in tables and interferes(sql, tables)
    ]


def check_names(connection: sqlite3.Connection, path: str, infos: Sequence[Info]) -> None:
    """:raises TargetError: a view, an index, or a table that is spelled otherwise, has the name of a table."""
    query = "SELECT name, type FROM sqlite_master WHERE type IN ('view', 'index', 'table')"
    taken = {fold(name): (kind, name) for name, kind in connection.execute(query)}
    wanted = [info.stored.name for info in infos]
    in_the_way = [taken[fold(name)] for name in wanted if taken.get(fold(name), ("table", name)) != ("table", name)]
    if in_the_way:
        listed = ", ".join(map(" ".join, in_the_way))
        raise TargetError(
            f"{path} has the {listed}, so that it can't have a table with that name.",
            "Nothing was changed. Change the source, the target, or the selection (only).",
        )


def count_on(connection: sqlite3.Connection, info: Info) -> None:
    """Keep AUTOINCREMENT of the table from assigning numbers that the source has already assigned."""
    counter = max((field.counter for field in info.fields), default=0)
    found = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE", (info.stored.name,)
    ).fetchone()
    if not counter or found is None or "AUTOINCREMENT" not in words(found[1]):
        return
    kept = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = ?", found[:1]).fetchone()[0]
    if kept is None:
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (found[0], counter))
    elif kept < counter:
        connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (counter, found[0]))


def insert(info: Info, upsert: bool, placeholders: Sequence[str] = ()) -> str:
    """INSERT of one row."""
    info = info.stored
    names = [field.name for field in info.fields]
    if info.note.marker:
        names.append(info.note.marker)
    values = ", ".join(placeholders or "?" * len(names))
    statement = f"INSERT INTO {identifier(info.name)} {_listed(names)} VALUES ({values})"
    if not upsert:
        return statement
    others = [name for name in names if name not in info.key]
    change = ", ".join(f"{identifier(name)} = excluded.{identifier(name)}" for name in others)
    return f"{statement} ON CONFLICT {_listed(info.key)} DO {('UPDATE SET ' + change if others else 'NOTHING')}"


def by_row_id(connection: sqlite3.Connection, info: Info) -> Info:
    """The table with the row ids as its key.

    :raises TargetError: columns have all their names.
    """
    taken = {fold(row[1]) for row in connection.execute(f"PRAGMA table_xinfo({identifier(info.stored.name)})")}
    free = [name for name in ("rowid", "_rowid_", "oid") if name not in taken]
    if not free:
        raise TargetError(
            f"The table {info.name} has no key, and columns called rowid, _rowid_ and oid, so that its rows "
            "can't be identified.",
            "Set a key in primary_keys, or empty the table.",
        )
    return placed(info, [Field(free[0], INTEGER, column=free[0])])


def _listed(names: Any) -> str:
    return f"({', '.join(map(identifier, names))})"
