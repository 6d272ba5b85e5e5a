# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes on tables: a comment between the name and the columns of CREATE TABLE, which SQLite keeps."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Any, Optional

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
