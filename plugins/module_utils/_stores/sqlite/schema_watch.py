# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices that others change the schema while records are exported and deleted: an application that is upgraded.

What a new column contains, and what refers to the records by a new foreign key, is in no export.
"""

from __future__ import annotations

from collections.abc import Collection

from ..._core.errors import TargetError
from .file import sqlite3
from .schema import fold, identifier, tables

_QUERY = "SELECT type, name, sql, tbl_name FROM sqlite_master WHERE type IN ('table', 'trigger') ORDER BY 1, 2"


class SchemaWatch:
    """The schema of tables as it is now, with their triggers and the tables that refer to them.

    :param names: the names of the tables.
    """

    def __init__(self, connection: sqlite3.Connection, names: Collection[str]) -> None:
        self._names = {fold(name) for name in names}
        self._version = _version(connection)
        self._schema = self._read(connection)

    def check(self, connection: sqlite3.Connection, name: str) -> None:
        """Raise TargetError if it has changed. The connection is in a transaction.

        :param name: of the collection, for the message.
        """
        version = _version(connection)
        if version == self._version:
            return
        if self._read(connection) != self._schema:
            raise TargetError(
                f"The schema of {name}, or of tables that refer to it, has changed since its records were read.",
                "Nothing more was deleted. Run again: the records that are left are exported again.",
            )
        self._version = version

    def _read(self, connection: sqlite3.Connection) -> list[tuple[str, ...]]:
        referring = {fold(one.name) for one in tables(connection) if self._refers(connection, one.name)}
        watched = self._names | referring
        return [
            (kind, name, sql)
            for kind, name, sql, table in connection.execute(_QUERY)
            if fold(table) in (watched if kind == "table" else self._names)
        ]

    def _refers(self, connection: sqlite3.Connection, table: str) -> bool:
        keys = connection.execute(f"PRAGMA foreign_key_list({identifier(table)})").fetchall()
        return any(fold(key[2]) in self._names for key in keys)


def _version(connection: sqlite3.Connection) -> int:
    """Another one once anybody has changed any schema in the database."""
    return int(connection.execute("PRAGMA schema_version").fetchone()[0])
