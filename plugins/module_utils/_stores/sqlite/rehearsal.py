# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries whether tables can be created and written, without doing it.

SQLite is asked, as for PostgreSQL the server: an application may have used functions and collations that it defines
itself, in constraints, indexes and triggers, or features of a later version.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from typing import Optional

from ..records.model import Info
from . import ddl as sqlite_ddl
from .file import sqlite3

_LACKING = ("no such function", "no such collation", "unknown function")


def problems(connection: Optional[sqlite3.Connection], infos: Sequence[Info], written: Collection[str]) -> list[str]:
    """The reasons why these tables cannot be created or written.

    :param connection: to the database, if it exists.
    :param written: the collections that are written to existing tables.
    """
    found = []
    for info in infos:
        existing = _existing(connection, info) if connection is not None else []
        if not existing:
            words = _refusal(_created(info), info)
        elif info.name in written:
            words = _refusal(existing, info)
            words = words if words.startswith(_LACKING) else ""  # columns are compared elsewhere
        else:
            continue
        found += [f"{info.name}: {words}"] if words else []
    return found


def _existing(connection: sqlite3.Connection, info: Info) -> list[str]:
    """The statements of a table and its indexes, table first. Triggers need other tables, and are judged elsewhere."""
    query = (
        "SELECT sql FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE AND type IN ('table', 'index')"
        " AND sql IS NOT NULL ORDER BY type DESC"
    )
    return [sql for (sql,) in connection.execute(query, (info.stored.name,))]


def _created(info: Info) -> list[str]:
    statements = sqlite_ddl.create(info)
    return statements + [statement for _name, statement in sqlite_ddl.indexes(info) if statement not in statements]


def _refusal(statements: Sequence[str], info: Info) -> str:
    """Why no row can be written after these statements, in an empty database; "" if one can."""
    into, _values, _row = sqlite_ddl.insert(info, False).rpartition(" VALUES (")
    nulls = ", ".join(["NULL"] * (len(info.stored.fields) + bool(info.stored.note.marker)))
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        try:
            for statement in statements:
                memory.execute(statement)
            memory.execute(f"{into} SELECT {nulls} WHERE 0")  # EXPLAIN would not ask for functions
        except sqlite3.Error as exc:
            return str(exc)
    return ""
