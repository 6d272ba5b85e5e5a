# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that a store returns in another spelling than it was given, such as a uuid in capital letters: they have to be
compared in its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._core.records import canonical
from ..._stores.records.editor import Editor
from ..._stores.records.model import Field, Info, Record
from ..._stores.records.store import TargetStore

_COMPARING = ("is", "is_not", "in", "not_in")  # operators that take values of a field


class Spelling:
    """How a store spells the values of a collection."""

    def __init__(self, store: TargetStore, info: Info) -> None:
        self._store = store if isinstance(store, Editor) else None
        fields = () if self._store is None or info.document else info.fields
        self._fields = {field.name: field for field in fields if self._store and self._store.respells(field)}

    def value(self, name: str, value: Any) -> Any:
        """The value of a field as the store returns it. What the store can't hold is unchanged."""
        field = self._fields.get(name)
        return value if field is None else self._all(field, [value])[0]

    def records(self, made: Sequence[Record], known: Sequence[Record]) -> Sequence[Record]:
        """Records as the store returns them once it has stored them.

        :param known: others, with values that the store has returned.
        """
        for name, field in self._fields.items():
            there = {canonical(record.get(name)) for record in known}
            new = [record for record in made if name in record and canonical(record[name]) not in there]
            for record, value in zip(new, self._all(field, [record[name] for record in new])):
                record[name] = value
        return made

    def conditions(self, given: Any) -> Any:
        """The conditions of a user with the values as the store returns them."""
        if not self._fields:
            return given
        if isinstance(given, (list, tuple)):
            return [self.conditions(one) for one in given]
        if not isinstance(given, Mapping):
            return given
        field = given.get("field") if isinstance(given.get("field"), str) else None
        return {operator: self._operand(field, operator, value) for operator, value in given.items()}

    def _operand(self, field: Any, operator: Any, value: Any) -> Any:
        if operator in ("any", "all", "not"):
            return self.conditions(value)
        if field is None or operator not in _COMPARING:
            return value
        return (
            [self.value(field, one) for one in value] if isinstance(value, (list, tuple)) else self.value(field, value)
        )

    def _all(self, field: Field, values: Sequence[Any]) -> Sequence[Any]:
        return self._store.respelled(field, values) if self._store is not None and values else values
