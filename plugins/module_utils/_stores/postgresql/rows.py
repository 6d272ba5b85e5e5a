# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converts records to rows that the server accepts: column by column if all are certain, otherwise one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Optional

from ..._core.record_batches import CopyLines
from ..records import gaps
from ..records.model import Info, Record, Refusals, Refused, Reject, sort_out
from .ddl import listed
from .row_rules import RowRules
from .values import converter, copy_lines, encoding_of, is_wide, lines, usual_lines

_RowOf = Callable[[Mapping[str, Any]], tuple[Any, ...]]
_Part = tuple[str, bytes]


class Rows:
    """The rows for one connection."""

    def __init__(self, schema: str, connected: Callable[[], Any], tables: Callable[[], Sequence[Info]]) -> None:
        self._schema, self._connected, self._tables = schema, connected, tables
        self._existing: Optional[dict[str, Info]] = None  # by the names of tables, before the migration
        self._rules: dict[str, RowRules] = {}
        self._refusals = Refusals(self._row_of)

    def expect(self, infos: Sequence[Info]) -> None:
        """These collections will be written, and will have these indexes in the end. Called before one of them is
        created.
        """
        for info in infos:
            self._rules_of(info)

    def refuses(self, info: Info, record: Mapping[str, Any]) -> str:
        return self._refusals.why(info, record)

    def doubts(self) -> list[str]:
        return [one.unknown for one in self._rules.values() if one.unknown]

    def parts(self, info: Info, records: Sequence[Record], size: int, rejects: list[Reject]) -> Iterable[_Part]:
        """The columns and options of COPY, and the data, for `size` records at a time. Refused records are added to the
        rejects.

        Records are converted one by one only if the server need not be asked, as a connection in COPY cannot answer.
        """
        rules = self._rules_of(info)
        pieces = [records[start : start + size] for start in range(0, len(records), size)]
        certain = [rules.surely_fit(piece) for piece in pieces]
        made = (self._part(info, piece, sure, rejects) for piece, sure in zip(pieces, certain))
        return made if all(certain) else list(made)

    def _part(self, info: Info, records: Sequence[Record], certain: bool, rejects: list[Reject]) -> _Part:
        """:param certain: whether the server need not be asked about any of the records."""
        one_by_one = bool(self._encoding()) or is_wide(info) or not certain
        if isinstance(records, CopyLines) and not one_by_one:
            text = copy_lines(info, records)
            if text is not None:
                return f"{listed([info.columns[name] for name in records.kinds])} FROM STDIN", text
        data = None if one_by_one else usual_lines(info, records)
        if data is None:
            row_of = converter(info, self._encoding()) if certain else self._row_of(info)
            _taken, rows, refused = sort_out(info, records, row_of)
            rejects += refused
            data = lines(rows)
        return f"{listed(gaps.selected(info))} FROM STDIN", data

    def _rules_of(self, info: Info) -> RowRules:
        if self._existing is None:
            self._existing = {one.stored.name: one for one in self._tables()}
        if info.name not in self._rules:
            self._rules[info.name] = RowRules(self._schema, info, self._existing.get(info.stored.name))
        return self._rules[info.name]

    def _row_of(self, info: Info) -> _RowOf:
        """A function that converts a record to a row, and raises Refused."""
        convert, rules = converter(info, self._encoding()), self._rules_of(info)
        if not rules.matter:
            return convert
        columns = gaps.selected(info)

        def row(record: Mapping[str, Any]) -> tuple[Any, ...]:
            found = convert(record)
            reason = rules.refusal(self._connected(), columns, found)
            if reason:
                raise Refused(reason)
            return found

        return row

    def _encoding(self) -> str:
        """The Python name of the encoding of the database; "" for one that accepts any text."""
        return encoding_of(self._connected().info.parameter_status("server_encoding") or "")
