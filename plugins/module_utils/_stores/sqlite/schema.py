# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a SQLite database as users see them: virtual tables without the tables that they consist of."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import re
from typing import NamedTuple, Optional

from .file import sqlite3

# The tables that a virtual table's module makes for itself (PRAGMA table_list tells them only from SQLite 3.37 on).
_FTS4 = ("docsize", "content", "segments", "segdir", "stat")
_RTREE = ("node", "rowid", "parent")
_SHADOWS = {
    "fts3": _FTS4,
    "fts4": _FTS4,
    "fts5": ("docsize", "content", "data", "idx", "config"),
    "rtree": _RTREE,
    "rtree_i32": _RTREE,
    "geopoly": _RTREE,
}

# A name as it is written in a statement.
NAME = r"""(?:"(?:[^"]|"")*"|`(?:[^`]|``)*`|'(?:[^']|'')*'|\[[^\]]*\]|[^\s"'`\[(),]+)"""
_VIRTUAL = re.compile(
    rf"\s*CREATE\s+VIRTUAL\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{NAME}\s*USING\s+({NAME})(.*)", re.I | re.S
)
_CONTENT = re.compile(rf"[(,]\s*content\s*=\s*({NAME}|(?=[,)]))", re.I)


class Table(NamedTuple):
    """An ordinary or virtual table. `sql` is its CREATE statement as SQLite stores it.

    `module` (lower case) and `shadows` are those of a virtual table. A virtual table of an unknown module has no
    shadows: the tables that it consists of are listed like others. `content` is the external table (or view) of a
    full-text index.
    """

    name: str
    sql: str
    module: str = ""
    shadows: tuple[str, ...] = ()
    content: Optional[str] = None


def identifier(name: str) -> str:
    """The name, quoted for SQL."""
    return '"{}"'.format(name.replace('"', '""'))


def tables(connection: sqlite3.Connection, schema: str = "main") -> list[Table]:
    """All tables by name, without those of SQLite itself and without the shadow tables of known modules."""
    found: dict[str, Table] = {}
    for name, sql in connection.execute(
        f"SELECT name, sql FROM {identifier(schema)}.sqlite_master WHERE type = 'table' ORDER BY name"
    ):
        if not fold(name).startswith("sqlite_"):  # SQLite's own
            found[name] = _table(name, sql or "")
    by_folded = {fold(name): name for name in found}
    shadows = {by_folded.get(fold(shadow)) for table in found.values() for shadow in table.shadows}
    return [
        table._replace(shadows=tuple(by_folded[fold(one)] for one in table.shadows if fold(one) in by_folded))
        for table in found.values()
        if table.name not in shadows and _is_text(table.name)
    ]


def _is_text(name: str) -> bool:
    """Whether a name is UTF-8: others cannot be queried."""
    return name == name.encode("utf-8", "replace").decode("utf-8")


def _table(name: str, sql: str) -> Table:
    match = _VIRTUAL.match(sql)
    if match is None:
        return Table(name, sql)
    module = _unquoted(match[1]).lower()
    content = _CONTENT.search(match[2]) if module in ("fts4", "fts5") else None
    shadows = tuple(f"{name}_{one}" for one in _SHADOWS.get(module, ()) if content is None or one != "content")
    return Table(name, sql, module, shadows, _unquoted(content[1]) or None if content else None)


def _unquoted(name: str) -> str:
    if name[:1] == "[":
        return name[1:-1]
    if name[:1] in ('"', "'", "`"):
        return name[1:-1].replace(name[0] * 2, name[0])
    return name


def fold(name: str) -> str:
    """The name with ASCII letters in lower case: SQLite ignores the case of these, and only of these."""
    return "".join(char.lower() if char.isascii() else char for char in name)
