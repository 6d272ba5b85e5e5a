# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite as a target whose records are changed while its application writes to it, too."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._core.errors import TargetError, Violation
from ..._core.tagged_json import encode as encode_json
from ..records.editor import Change, assigned, cannot_write, check_one, split
from ..records.model import Field, Info, Record, Refused, key_of
from .file import sqlite3, sqlite_errors
from .read import chunks
from .schema import identifier
from .target import SqliteTarget
from .values import AnyText, encoder


class SqliteEditor(SqliteTarget):
    """A database as a target, whose rules (foreign keys, too) apply to what is changed."""

    def change(self, info: Info, changes: Sequence[Change]) -> list[Record]:
        connection = self._open_writer()
        connection.execute("PRAGMA foreign_keys=ON")
        with self._transaction():
            same, lost = split(info, changes, self._now(connection, info, [one.old for one in changes]))
            for change in same:
                try:
                    self._update(connection, info, change)
                except (Refused, sqlite3.IntegrityError) as exc:
                    raise Violation(f"{cannot_write(info, change, exc)}.") from None
        return lost

    def fault(self, info: Info, change: Change) -> str:
        try:
            _assigned(info, change)
        except Refused as exc:
            return cannot_write(info, change, exc)
        return ""

    def respells(self, field: Field) -> bool:
        return False

    def respelled(self, field: Field, values: Sequence[Any]) -> Sequence[Any]:
        return values

    def find(self, info: Info, records: Sequence[Record]) -> list[Record]:
        connection = self._open_writer()
        with sqlite_errors(TargetError, "Can't read the database", self.path):
            return list(self._now(connection, info, records))

    def _now(self, connection: sqlite3.Connection, info: Info, records: Sequence[Record]) -> Iterator[Record]:
        for record in records:
            condition, values = _condition(info, record)
            for found in chunks(connection, info, condition, parameters=values):
                yield from found

    def _update(self, connection: sqlite3.Connection, info: Info, change: Change) -> None:
        values = _assigned(info, change)
        setting = ", ".join(f"{identifier(column)} = {_mark(value)}" for column, value in values.items())
        condition, key = _condition(info, change.old)
        # OR ABORT: by its own ON CONFLICT, a constraint could remove another row, or keep this one as it is
        cursor = connection.execute(
            f"UPDATE OR ABORT {identifier(info.stored.name)} SET {setting}{condition}", [*values.values(), *key]
        )
        check_one(info, change, cursor.rowcount)


def _assigned(info: Info, change: Change) -> dict[str, Any]:
    return assigned(info, change, lambda field, value: encoder(field)(value), encode_json)


def _condition(info: Info, record: Record) -> tuple[str, list[Any]]:
    """What selects the row of a record, and the values in it."""
    fields = {field.name: field._replace(stored=True, required=False) for field in info.fields}
    values = [encoder(fields[name])(value) for name, value in zip(info.key, key_of(info, record))]
    parts = [
        f"{identifier(name)} {'IS NULL' if value is None else f'= {_mark(value)}'}"
        for name, value in zip(info.stored.key, values)
    ]
    return f" WHERE {' AND '.join(parts)}", [value for value in values if value is not None]


def _mark(value: Any) -> str:
    """The placeholder of a value."""
    return "CAST(? AS TEXT)" if isinstance(value, AnyText) else "?"
