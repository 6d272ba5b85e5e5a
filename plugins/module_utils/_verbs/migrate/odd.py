# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that their columns cannot store: how many, of what kind, and the first of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._core.tagged_json import encode as encode_json
from ..._core.units import plural
from ..._stores.records.model import Info, Odd, Record, Reject, key_of

_SHOWN = 40  # characters of a value


class Oddities:
    """The values of one table that its columns cannot store."""

    def __init__(self, info: Info, most: int) -> None:
        self._info = info
        self._most = most
        self._seen: dict[tuple[str, str], int] = {}
        self._first: dict[tuple[str, str], str] = {}
        self.rejects: list[Reject] = []
        self.count = 0

    def add(self, record: Record, wrong: Sequence[Odd]) -> None:
        """Add the values of a record."""
        self.count += 1
        key = key_of(self._info, record)
        label = f", key {shown(key)}" if key else ""
        for one in wrong:
            place = one.column, one.reason
            self._seen[place] = self._seen.get(place, 0) + 1
            self._first.setdefault(place, shown(one.value) + label)
        if self.count <= self._most:
            reason = "; ".join(f"{one.column} {one.reason}" for one in wrong)
            self.rejects.append(Reject(self._info.name, key, reason, record))

    def columns(self) -> set[str]:
        """The columns with such values."""
        return {column for column, _reason in self._seen}

    def problems(self) -> list[str]:
        """Sentences, one for each kind of problem."""
        return [
            f"{self._info.name}.{field} {problem} in {plural(count, 'record')} ({self._first[field, problem]})"
            for (field, problem), count in self._seen.items()
        ]


def shown(value: Any) -> str:
    """A value as JSON, shortened for messages."""
    try:
        text = encode_json(list(value) if isinstance(value, tuple) else value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
