# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as a target whose records are changed while its application writes to it, too."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..._core.errors import SourceError, TargetError, Violation
from ..._core.record_batches import batches
from ..._core.tagged_json import encode as encode_json
from ..records import gaps
from ..records.editor import Change, assigned, cannot_write, check_one, split
from ..records.model import JSON, NO_RIGHTS, TEXT, Field, Info, Record, Refused, Rights, key_of
from .client import errors, identifier, with_values
from .source import selected
from .target import PostgresqlTarget
from .values import converted

_TEXTS = ("text", "character", "name", '"char"', "xml", "citext")  # types without another spelling of a text
_PAGE = 200  # records that one statement looks for
_PATIENCE = "30s"  # for rows that the application has locked


class PostgresqlEditor(PostgresqlTarget):
    """The tables of a schema as a target."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._refused: dict[tuple[str, str], str] = {}  # by field and text, why it is no value of the column

    def check_writable(self, infos: Sequence[Info], size: int, rights: Rights = NO_RIGHTS) -> None:
        """Nothing is created, so that the right to change the tables is enough."""
        with errors(TargetError, f"Can't read the schema {self._schema}"):
            (standby,) = self._read().execute("SELECT pg_is_in_recovery()").fetchone()
        if standby:
            raise TargetError(f"{self.location} is not writable: the server is a standby.")
        self._check_privileges(infos, rights)

    def change(self, info: Info, changes: Sequence[Change]) -> list[Record]:
        with self._transaction(f"Can't write the table {info.name}") as writer:
            writer.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
            same, lost = split(info, changes, self._now(writer, info, [one.old for one in changes], " FOR UPDATE"))
            for change in same:
                try:
                    self._update(writer, info, change)
                except Refused as exc:
                    raise Violation(f"{cannot_write(info, change, exc)}.") from None
        return lost

    def fault(self, info: Info, change: Change) -> str:
        try:
            assigned(info, change, converted, encode_json)
        except Refused as exc:
            return cannot_write(info, change, exc)
        if self._refused:
            pairs = [(name, str(value)) for name, value in change.new.items() if value != change.old.get(name)]
            return next((cannot_write(info, change, self._refused[one]) for one in pairs if one in self._refused), "")
        return ""

    def respells(self, field: Field) -> bool:
        """Not those of text, which would be cut by a cast."""
        return field.native == "real" or (field.kind == TEXT and not field.native.startswith(_TEXTS))

    def respelled(self, field: Field, values: Sequence[Any]) -> Sequence[Any]:
        kind = (int, float) if field.native == "real" else str
        texts = [str(value) for value in values if isinstance(value, kind) and not isinstance(value, bool)]
        found = self._spelled(field, list(dict.fromkeys(texts)))
        return [found.get(str(value), value) if isinstance(value, kind) else value for value in values]

    def _spelled(self, field: Field, texts: Sequence[str]) -> dict[str, Any]:
        """The values of these texts, by text. Those that are no values of the field are missing."""
        kind = with_values(field.native)
        back = "real" if field.native == "real" else "text"
        query = f"SELECT given, given::{kind}::{back} FROM unnest(%s::text[]) AS given"
        try:
            with errors(TargetError, f"the field {field.name}"):
                return dict(self._connected().execute(query, [list(texts)]).fetchall())
        except Violation as exc:
            if len(texts) == 1:
                self._refused[field.name, texts[0]] = exc.message.rstrip(".")
                return {}
            halves = (texts[: len(texts) // 2], texts[len(texts) // 2 :])
            return {text: value for half in halves for text, value in self._spelled(field, half).items()}

    def find(self, info: Info, records: Sequence[Record]) -> list[Record]:
        with errors(SourceError, f"Can't read the table {info.name}"):
            return list(self._now(self._connected(), info, records))

    def _now(self, connection: Any, info: Info, records: Sequence[Record], lock: str = "") -> Iterator[Record]:
        """The records with the keys of these."""
        fields = info.fields[-1:] if info.document else info.fields
        if info.note.marker:
            fields = (*fields, Field(info.note.marker, JSON))
        columns, records_of = with_values(", ".join(map(selected, fields))), gaps.reader(info)
        for some in batches(records, _PAGE):
            condition, values = _conditions(info, some)
            query = f"SELECT {columns} FROM {with_values(self._own_rows(info))} WHERE {condition}{lock}"
            rows = connection.execute(query, values).fetchall()
            yield from [row[0] for row in rows] if info.document else records_of(rows)

    def _update(self, writer: Any, info: Info, change: Change) -> None:
        values = assigned(info, change, converted, encode_json)
        setting = ", ".join(f"{with_values(identifier(column))} = %s" for column in values)
        condition, key = _conditions(info, [change.old])
        cursor = writer.execute(
            f"UPDATE {with_values(self._own_rows(info))} SET {setting} WHERE {condition}", [*values.values(), *key]
        )
        check_one(info, change, cursor.rowcount)


def _conditions(info: Info, records: Sequence[Record]) -> tuple[str, list[Any]]:
    """What selects the rows of these records, and the values in it."""
    fields = {field.name: field for field in info.fields}
    keys = [fields[name] for name in info.key]
    names = [with_values(identifier(name)) for name in info.stored.key]
    marks = ["%s::real" if field.native == "real" else "%s" for field in keys]  # else a real is compared as a double
    conditions, values = [], []
    for record in records:
        key = [converted(field, value) for field, value in zip(keys, key_of(info, record))]
        one = " AND ".join(
            f"{name} {'IS NULL' if value is None else f'= {mark}'}" for name, mark, value in zip(names, marks, key)
        )
        conditions.append(f"({one})")
        values += [value for value in key if value is not None]
    return " OR ".join(conditions), values
