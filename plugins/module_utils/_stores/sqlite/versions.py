# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of the schema of a SQLite database."""

# ruff: noqa: S608 the table's name is a constant
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from ..._core.errors import TargetError
from ..._core.units import format_time
from ..records.versions import COLUMNS, TABLE, Step, shown
from .file import sqlite3


def read_versions(connection: sqlite3.Connection) -> dict[int, str]:
    """The digests of the steps that were applied, by version (`Versioned.versions`)."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (TABLE,)).fetchone():
        return {}
    return dict(connection.execute(f"SELECT version, digest FROM {TABLE}"))


def take_step(connection: sqlite3.Connection, path: str, step: Step, statements: Sequence[str]) -> bool:
    """Apply a step (`Versioned.take_step`). The caller has begun the transaction, with foreign keys off."""
    if step.version in read_versions(connection):
        return False
    dangling = _dangling(connection)
    for statement in statements:
        try:
            connection.execute(statement)
        except (sqlite3.Error, sqlite3.Warning) as exc:  # the latter, before Python 3.12: two statements in one
            raise TargetError(
                f"Version {step.version} of the schema of {path}: {exc} ({shown(statement)}).",
                "Nothing of this version was applied. Correct the statement and run again.",
            ) from exc
    if _dangling(connection) > dangling:
        raise TargetError(
            f"Version {step.version} of the schema of {path} leaves rows with dangling foreign keys.",
            "Nothing of this version was applied. Add statements to it that correct them.",
        )
    moment = format_time(datetime.now(timezone.utc))
    connection.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} ({COLUMNS})")
    connection.execute(f"INSERT INTO {TABLE} VALUES (?, ?, ?)", (step.version, step.digest, moment))
    return True


def _dangling(connection: sqlite3.Connection) -> int:
    try:
        return sum(1 for _row in connection.execute("PRAGMA foreign_key_check"))
    except sqlite3.OperationalError:  # a key that refers to what is no key: SQLite itself can't check it
        return 0
