# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the changes of records that were planned, and nothing over what others have written meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from ..._core.errors import Cancelled, RolledBack, SourceError, TargetError
from ..._core.progress import Progress
from ..._core.units import plural
from ..._stores.records.editor import Change, Editor, Incomplete
from ..._stores.records.model import Info, Record
from ..._stores.records.store import TargetStore
from .collection import Selected
from .outcome import Outcome, TooManyErrors
from .plan import Recipe, Spool, changes_of, first_fault
from .transform import BadBatch


class Changing:
    """How a batch is changed, and changed again if its records were written meanwhile."""

    def __init__(self, editor: Editor, selected: Selected, recipe: Recipe) -> None:
        self._editor = editor
        self._selected = selected
        self._recipe = recipe

    def change(self, changes: Sequence[Change], outcome: Outcome, progress: Progress) -> None:
        """Change the records of a batch; one that fails is an error of its own.

        Only writing is completed if the task is cancelled: a command that makes records again is ended.
        """
        info = self._selected.info
        for attempt in range(self._recipe.retries + 1):
            try:
                with progress.critical():
                    lost = self._editor.change(info, changes)
                    outcome.updated += len(changes) - len(lost)
                if not lost:
                    return
                if attempt == self._recipe.retries:
                    outcome.conflicts += len(lost)
                    outcome.failed(info, lost, f"other programs have written to them {plural(attempt + 1, 'time')}")
                    return
                changes = self._again(lost, outcome)
            except (TargetError, SourceError, BadBatch) as exc:
                if isinstance(exc, RolledBack) and attempt < self._recipe.retries:
                    continue
                words = exc.message if isinstance(exc, (TargetError, SourceError)) else str(exc)
                left = exc.left if isinstance(exc, Incomplete) else changes
                outcome.updated += len(changes) - len(left)
                outcome.failed(info, [one.old for one in left], words)
                return
            if not changes:
                return

    def _again(self, lost: Sequence[Record], outcome: Outcome) -> list[Change]:
        """The changes of records as they are now. Those that are gone or no longer meet the conditions stay."""
        found = [
            record for record in self._editor.find(self._selected.info, lost) if self._selected.where.holds(record)
        ]
        outcome.gone += len(lost) - len(found)
        changes = changes_of(found, self._recipe.transform(found), self._selected.where) if found else []
        fault = first_fault(self._selected.info, self._recipe.validator, changes)
        if fault:
            raise BadBatch(fault)
        outcome.unchanged += len(found) - len(changes)
        outcome.retried += len(changes)
        return changes


def change(changing: Changing, planned: Spool, outcome: Outcome, progress: Progress) -> None:
    """Change records batch by batch, until too many have failed.

    :raises Cancelled: with the result so far in `details`.
    """
    tried = 0
    try:
        for changes in planned:
            tried += len(changes)
            changing.change(changes, outcome, progress)
            progress.advance(len(changes))
    except TooManyErrors:
        outcome.not_tried = planned.count - tried
    except Cancelled as exc:
        raise outcome.stopped(exc) from exc


def replace(target: TargetStore, info: Info, planned: Spool, outcome: Outcome, progress: Progress) -> None:
    """Write a new document with the changed records, which replaces the old one atomically.

    :raises Overtaken: someone else has written the document meanwhile. It was not changed.
    """
    target.begin([(info, False, None)])
    for changes in planned:
        target.write(info, [one.new for one in changes], lambda rejects: None, True)
        outcome.updated += len(changes)
        progress.advance(len(changes))
    target.build_indexes([info])
    try:
        with progress.critical():
            target.commit([info.name])
    except Cancelled as exc:  # raised once it is committed
        raise outcome.stopped(exc) from exc
