# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Protocol of a target whose records are changed one batch at a time while its application writes to it, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Callable, NamedTuple, Protocol, runtime_checkable

from ..._core.errors import TargetError, Violation
from ..._core.records import canonical
from . import gaps
from .model import Field, Info, Record, key_of


class Change(NamedTuple):
    """A record as it was read, and as it should be. Both have the same key.

    `absent`: fields that it lacks, and has to lack still.
    """

    old: Record
    new: Record
    absent: frozenset[str] = frozenset()


class Incomplete(TargetError):
    """A batch that failed in a store without transactions. `left`: the changes that were not made."""

    def __init__(self, message: str, left: Sequence[Change]) -> None:
        super().__init__(message)
        self.left = left


@runtime_checkable
class Editor(Protocol):
    """A `TargetStore` without `replaces_atomically` has these methods, too."""

    def change(self, info: Info, changes: Sequence[Change]) -> list[Record]:
        """Change those records that still are as they were read: all or none of them, if the store has transactions.

        :returns: as they were read, the records that someone else has changed or removed.
        :raises TargetError: a record cannot be stored as it should be, or a rule of the store refuses it.
        :raises Incomplete: the same, after others have been changed.
        :raises RolledBack: nothing was changed, and the same can be tried again.
        """

    def fault(self, info: Info, change: Change) -> str:
        """Why the store can't hold the record as it should be, or "". What its rules refuse is known only by trying."""

    def respells(self, field: Field) -> bool:
        """Whether the type of a field has values with several spellings, of which the store returns one."""

    def respelled(self, field: Field, values: Sequence[Any]) -> Sequence[Any]:
        """The values of a field as the store returns them. What it can't hold is unchanged."""

    def find(self, info: Info, records: Sequence[Record]) -> list[Record]:
        """The records with the same keys, as they are now. Those that are gone are missing."""


def split(info: Info, changes: Iterable[Change], now: Iterable[Record]) -> tuple[list[Change], list[Record]]:
    """The changes of records that are as they were read, and the others as they were read.

    :param now: the records with these keys, as they are.
    :raises Violation: two of them have the same key.
    """
    current: dict[bytes, bytes] = {}
    for one in now:
        key = canonical(key_of(info, one))
        if key in current:
            raise Violation(f"The collection {info.name} has several records {words_of_key(info, one)}.")
        current[key] = canonical(one)
    same, lost = [], []
    for change in changes:
        if current.get(canonical(key_of(info, change.old))) == canonical(change.old):
            same.append(change)
        else:
            lost.append(change.old)
    return same, lost


def assigned(
    info: Info, change: Change, encode: Callable[[Field, Any], Any], document: Callable[[Record], Any]
) -> dict[str, Any]:
    """The columns of a table that a change assigns, and their values.

    :param encode: converts the value of a field.
    :param document: converts a whole record, for a table with a column for it.
    """
    old, new = change.old, change.new
    if info.document:
        return {info.stored.fields[-1].name: document(new)}
    columns = info.columns
    found = {
        columns[field.name]: encode(field, new.get(field.name)) for field in info.fields if _differs(field, change)
    }
    if info.note.marker and tuple(old) != tuple(new):
        found[info.note.marker] = gaps.marker(info)(tuple(new))
    return found


def _differs(field: Field, change: Change) -> bool:
    return canonical(change.old.get(field.name)) != canonical(change.new.get(field.name))


def cannot_write(info: Info, change: Change, why: object) -> str:
    """The message that a record can't be written."""
    return f"The record {words_of_key(info, change.old)} can't be written: {why}"


def check_one(info: Info, change: Change, count: int) -> None:
    """Raise Violation unless a statement has changed one row."""
    if count > 1:
        raise Violation(f"{cannot_write(info, change, f'the database considers the keys of {count} records equal')}.")
    if count < 1:
        raise Violation(f"{cannot_write(info, change, 'a trigger or rule of the database has prevented it')}.")


def words_of_key(info: Info, record: Record) -> str:
    """The key of a record for a message."""
    return ", ".join(f"{name}={value}" for name, value in zip(info.key, key_of(info, record)))
