# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a SQLite table as lines of JSON that SQLite itself writes: half of the time that Python takes.

Whether it does depends on the row alone, so that a row that is read again has the same line. It does not for rows with
values that it has no JSON for, or with a real number in a column for integers: SQLite would round it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ..records.as_stored import NUMERIC, as_stored
from ..records.lines import MOST, PLAIN_NAME, with_members
from ..records.model import INTEGER, REAL, TEXT, Field, Info
from .file import sqlite3
from .read import writes_as_we_do
from .schema import identifier

_ODD = {TEXT: "c.{0} >= x''", INTEGER: "typeof(c.{0}) IN ('real', 'text', 'blob')"}  # no text is above a blob


class LineWriter:
    """How the lines of a table are written.

    `selected`: what a query on the table `c` selects. The last of these columns is null if SQLite can't write the row.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        written = [field for field in fields if field.kind in _ODD]
        loose = [field for field in fields if field.kind not in _ODD]
        members = ", ".join(f"'{one.name}', c.{_column(one)}" for one in written)
        odd = " OR ".join(_ODD[one.kind].format(_column(one)) for one in written)
        whole = f"json_object({members})"
        self.selected = [*(f"c.{_column(one)}" for one in loose), f"CASE WHEN {odd} THEN NULL ELSE {whole} END"]
        self._loose = [one.name for one in loose]

    def lines(self, columns: Sequence[Sequence[Any]]) -> list[Optional[str]]:
        """The lines of rows, of which these are the selected columns; None of one that SQLite can't write."""
        return with_members(columns[-1], self._loose, columns)


def line_writer(connection: sqlite3.Connection, info: Info) -> Optional[LineWriter]:
    """How SQLite writes the lines of this table, with the values of `as_stored`; None if it can't."""
    fields = as_stored(info).fields
    written = [field for field in fields if field.kind in _ODD]
    if (
        info.document
        or info.note.marker
        or info.note.absent
        or not 0 < len(written) <= MOST
        or not all(PLAIN_NAME.fullmatch(field.name) and field.kind in (*_ODD, REAL, NUMERIC) for field in fields)
        or not writes_as_we_do(connection)
    ):
        return None
    return LineWriter(fields)


def _column(field: Field) -> str:
    return identifier(field.column or field.name)
