# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes on tables, a comment between the name and the columns of CREATE TABLE, which SQLite keeps; and the table of
checkpoints, which has one."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Optional

from ..._core.tagged_json import encode as encode_json
from ..records import note as collection_note
from ..records.model import CHECKPOINTS, Info
from .file import sqlite3
from .schema import NAME, fold, identifier

# After a column the comment would go with it; here it survives renames, new and dropped columns, VACUUM and .dump.
_COMMENT = re.compile(rf"\s*CREATE\s+TABLE\s+{NAME}\s*/\*\s*(day2 .*?)\s*\*/\s*\(", re.I | re.S)
_CHECKPOINT = 'day2 {"checkpoint": true}'


def says(sql: str) -> dict[str, Any]:
    """The content of the note in a CREATE statement; {} if there is none."""
    match = _COMMENT.match(sql)
    return collection_note.parsed(match[1]) if match else {}


def comment(info: Info) -> str:
    """The note on a new table, as it is written before the columns."""
    text = collection_note.written(info)
    return f" /* {text} */" if text else ""


def checkpoints_table(connection: sqlite3.Connection) -> Optional[str]:
    """The table of checkpoints, which is identified by its note and not by its name; None if there is none."""
    for name, sql in connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%/* ' || ? || ' */%'", (_CHECKPOINT,)
    ):
        if is_checkpoints(sql):
            return str(name)
    return None


def is_checkpoints(sql: str) -> bool:
    """Whether it is the statement of a table of checkpoints."""
    return bool(says(sql).get("checkpoint"))


def make_checkpoints_table(connection: sqlite3.Connection, wanted: AbstractSet[str]) -> str:
    """Create it under the first name that nothing has or will have. Returns the name."""
    taken = {fold(name) for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    name = free_name(CHECKPOINTS, taken | {fold(one) for one in wanted})
    connection.execute(
        f"CREATE TABLE {identifier(name)} /* {_CHECKPOINT} */ (collection TEXT PRIMARY KEY, checkpoint TEXT)"
    )
    return name


def free_name(name: str, taken: AbstractSet[str]) -> str:
    """The name, or the first one derived from it that is not among `taken` (folded names)."""
    while fold(name) in taken:
        name += "_"
    return name


def forget(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    """Remove checkpoints, and their table with the last one."""
    table = checkpoints_table(connection)
    if table is None:
        return
    table = identifier(table)
    connection.executemany(f"DELETE FROM {table} WHERE collection = ?", [(name,) for name in names])
    if not connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
        connection.execute(f"DROP TABLE {table}")


def keep(connection: sqlite3.Connection, collection: str, checkpoint: Any, wanted: AbstractSet[str]) -> None:
    """Replace the checkpoint of a collection, if there is a new one.

    :param wanted: names that tables will have.
    """
    if checkpoint is None:
        return
    table = checkpoints_table(connection) or make_checkpoints_table(connection, wanted)
    connection.execute(
        f"INSERT OR REPLACE INTO {identifier(table)} VALUES (?, ?)", (collection, encode_json(checkpoint))
    )
