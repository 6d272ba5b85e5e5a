# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CHECK constraints and strict types of a table: rows are tried on an empty copy of it in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Optional

from ..records.model import Info
from .ddl import insert, words
from .file import sqlite3
from .schema import identifier
from .values import by_placeholders


def rules(sql: str, info: Info) -> Optional[RowRules]:
    """The rules of a table; None if it has none that its columns do not have already, or if SQLite does not know them
    without the application (as functions of its own).

    :param sql: its CREATE statement.
    """
    if not {"CHECK", "STRICT"}.intersection(words(sql)):
        return None
    with contextlib.suppress(sqlite3.Error):
        return RowRules(sql, info)
    return None


class RowRules:
    """Of one table."""

    def __init__(self, sql: str, info: Info) -> None:
        self._info = info
        self._copy = sqlite3.connect(":memory:", isolation_level=None)
        try:
            self._copy.execute(sql)
        except sqlite3.Error:
            self._copy.close()
            raise
        self._empty = f"DELETE FROM {identifier(info.stored.name)}"  # noqa: S608

    def close(self) -> None:
        """Give the memory back."""
        self._copy.close()

    def refusal(self, row: Sequence[Any]) -> str:
        """Why the table does not take a row, whatever else it has; "" if it does."""
        try:
            for some, placeholders in by_placeholders([row]):
                self._copy.execute(insert(self._info, False, placeholders), some[0])
        except sqlite3.IntegrityError as exc:
            return f"SQLite rejects it: {exc}"
        self._copy.execute(self._empty)
        return ""
