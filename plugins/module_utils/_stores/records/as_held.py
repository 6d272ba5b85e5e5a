# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source as an existing table will return its records, if the table cannot distinguish null from missing.

Digests and comparison then apply to what the table will contain, and need not consider nulls.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.record_batches import batch
from .kinds import Summary
from .model import Info, Record
from .null_or_gap import Holes, mixed_up
from .store import SourceStore


class _Rule(NamedTuple):
    """`nulls`: fields in which NULL of the table is null. `filled`: fields that are null if they are missing."""

    nulls: frozenset[str]
    filled: tuple[str, ...]


class HeldSource:
    """Reads a source as a table will return it. Everything but reading is left to the source."""

    def __init__(self, inner: SourceStore) -> None:
        self._inner = inner
        self._rules: dict[str, _Rule] = {}
        self._lost: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def notes(self) -> list[str]:
        return [*self._inner.notes, *self._lost.values()]

    def hold(
        self, info: Info, table: Optional[Info], fields: Collection[str] = (), holes: Optional[Holes] = None
    ) -> None:
        """From now on, read the collection as this table returns it or, without a table, as it is.

        :param fields: of its records.
        :param holes: of its records, too.
        """
        self._lost.pop(info.name, None)
        if table is None:
            self._rules.pop(info.name, None)
            return
        # a table that was made from documents returns what they had, which no other does
        if table.note.shape and holes is not None and (info.document or not info.native):
            self._lost[info.name] = (
                f"The table {info.name} of the target does not distinguish null from missing in "
                f"{', '.join(sorted(mixed_up(table, holes)))}."
            )
        nulls = frozenset(field.name for field in table.fields) - frozenset(table.note.absent)
        filled = () if table.note.marker else tuple(sorted(nulls.intersection(fields) - set(info.key)))
        self._rules[info.name] = _Rule(nulls, filled)

    def read(self, info: Info) -> Iterator[Record]:
        return itertools.chain.from_iterable(self.chunks(info))

    def chunks(self, info: Info, ordered: bool = True, copy_lines: bool = False) -> Iterator[Sequence[Record]]:
        rule = self._rules.get(info.name)
        if rule is None:
            return self._inner.chunks(info, ordered, copy_lines)
        return (batch([_held(record, rule) for record in chunk]) for chunk in self._inner.chunks(info, ordered))

    def summary(self, info: Info) -> Optional[Summary]:
        return None if info.name in self._rules else self._inner.summary(info)


def _held(record: Record, rule: _Rule) -> Record:
    held = {name: value for name, value in record.items() if value is not None or name in rule.nulls}
    for name in rule.filled:
        held.setdefault(name, None)
    return held
