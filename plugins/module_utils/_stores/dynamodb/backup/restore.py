# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings tables to their state in a backup: creates those that are missing, and in others changes what differs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...._core.errors import InvalidRequest, NoSpace, TargetError, TaskEnded
from ...._core.files import os_errors
from ...base import Change, Copy, Restoration
from .restore_table import CreatedTable, ExistingTable, Part, TableRestoration

if TYPE_CHECKING:
    from .store import DynamodbStore


class TablesRestoration:
    """The backup was read and verified, and compared with what exists.

    A table can't be replaced in one step: items are put and deleted one by one, and what they replace is kept in
    scratch until the end.
    """

    damage = ""

    def __init__(self, store: DynamodbStore, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> None:
        if "tables" not in copy.details:
            raise TargetError(
                "This backup contains records that a migration or an update has replaced, but no settings of tables.",
                "Restore them with state=reverted of the module that made the backup.",
            )
        names = _chosen(store, copy, only)
        self._dry = dry
        self.tables: list[TableRestoration] = []
        for number, name in enumerate(names):
            own = os.path.join(scratch, f"table-{number}")
            with os_errors(NoSpace, "Can't create", own):
                os.mkdir(own, 0o700)
            part = Part(store, copy, name, own)
            part.verify()
            self.tables.append(_table(part))
        self.replaces = any(one.replaces for one in self.tables)
        store.replaced = [one.part.name for one in self.tables if one.replaces]
        changed = [one for one in self.tables if one.changed]
        self.changed = bool(changed)
        self.changes: tuple[Change, ...] = tuple(Change(one.part.name, one.before, one.part.items) for one in changed)
        self.differences: tuple[tuple[str, str], ...] = tuple(
            (f"{one.part.name}: {what}", "added") for one in changed for what in one.added
        )
        self.notes: tuple[str, ...] = tuple(note for one in self.tables for note in one.notes)

    def __enter__(self) -> Restoration:
        return self

    def __exit__(self, *_exc: object) -> None:
        for one in self.tables:
            one.close()

    def apply(self) -> None:
        began: list[TableRestoration] = []
        try:
            for one in self.tables:
                if one.changed:
                    began.append(one)
                    one.apply()
        except BaseException as exc:
            problem = _undo(began)
            if isinstance(exc, TaskEnded):
                hint = exc.hint if not problem or isinstance(exc, TargetError) else ""
                raise TargetError(f"{exc.message} {problem or _UNDONE}", hint, exc.details) from exc
            raise
        self.notes = tuple(note for one in self.tables for note in one.notes)

    def undo(self) -> None:
        problem = _undo([one for one in self.tables if one.changed])
        if problem:
            raise TargetError(problem)


_UNDONE = "The changes of this run were undone."


def _undo(tables: Sequence[TableRestoration]) -> str:
    """Take back what was written, table by table. Returns what could not be, as a sentence."""
    problems = []
    for one in reversed(tables):
        try:
            one.undo()
        except TaskEnded as exc:
            problems.append(f"The DynamoDB table {one.part.table_name} may contain a part of the backup: {exc.message}")
    return " ".join(problems)


def _table(part: Part) -> TableRestoration:
    existing = part.find()
    return CreatedTable(part) if existing is None else ExistingTable(part, existing)


def _chosen(store: DynamodbStore, copy: Copy, only: Sequence[str]) -> list[str]:
    """The collections of the backup to restore."""
    has = {one.name for one in copy.collections}
    unknown = sorted(set(only) - has)
    if unknown:
        raise InvalidRequest(
            f"The backup has no table {', '.join(unknown)}.",
            f"It has: {', '.join(sorted(has))} (without their prefix).",
        )
    names = store.selection.of(only or has)
    if not names:
        raise InvalidRequest(
            "The backup contains none of the tables that the option tables selects.",
            f"It has: {', '.join(sorted(has))}.",
        )
    return names
