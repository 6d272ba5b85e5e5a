# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Null and missing values of records in the rows of a table: the meaning of NULL according to the note on the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Callable, Optional

from ..._core.record_batches import batch_of_rows
from .model import Info, Record

Rows = Sequence[Sequence[Any]]


def selected(info: Info) -> list[str]:
    """The columns of the records of a table: those of its fields and, at the end, the marker."""
    columns = list(info.columns.values())
    return [*columns, info.note.marker] if info.note.marker else columns


def reader(info: Info) -> Callable[[Rows], Sequence[Record]]:
    """A function that converts rows of the `selected` columns, with the values of records, to records."""
    names = tuple(field.name for field in info.fields)
    absent = frozenset(info.note.absent)
    if not info.note.marker:
        return lambda rows: batch_of_rows(names, rows, absent)
    fields = {column: name for name, column in info.columns.items()}
    known: dict[Any, Optional[frozenset[str]]] = {None: None}  # one parse for each kind of marker, not for each row

    def marked(rows: Rows) -> Sequence[Record]:
        marks = []
        for row in rows:
            mark = row[-1] if row[-1] is None or isinstance(row[-1], str) else json.dumps(row[-1])
            if mark not in known:
                known[mark] = _parsed(str(mark), fields)
            marks.append(known[mark])
        return batch_of_rows(names, [row[:-1] for row in rows], absent, marks)

    return marked


def _parsed(text: str, fields: dict[str, str]) -> Optional[frozenset[str]]:
    try:
        found = json.loads(text)
    except ValueError:  # the application's own
        return None
    return frozenset(fields[one] for one in found if one in fields) if isinstance(found, list) else None


def marker(info: Info) -> Callable[[Sequence[str]], Optional[str]]:
    """The marker of records with these fields, for a table that has one: a JSON list, or None if nothing is missing."""
    settled = {*info.note.absent, *info.key}
    candidates = {name: column for name, column in info.columns.items() if name not in settled}
    known: dict[tuple[str, ...], Optional[str]] = {}

    def text(names: Sequence[str]) -> Optional[str]:
        layout = tuple(names)
        if layout not in known:
            missing = [column for name, column in candidates.items() if name not in layout]
            known[layout] = json.dumps(missing, ensure_ascii=False) if missing else None
        return known[layout]

    return text
