# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Determines what an update of records would change: outside any transaction, and before anything is written."""

from __future__ import annotations

import os
import pickle
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Optional

from ..._core.conditions import Where
from ..._core.plain_json import encode, plain
from ..._core.record_batches import batches
from ..._core.records import canonical
from ..._stores.records.editor import Change, Editor, cannot_write
from ..._stores.records.model import Info, Record
from .collection import Selected, shown_key
from .outcome import Outcome, TooManyErrors
from .schemas import Validator
from .transform import BadBatch, Transform


class Recipe(NamedTuple):
    """How new records are made of old ones.

    :param validator: of the schema that new records must fit.
    :param over: is set when nobody waits for `transform` any more, which then ends.
    """

    transform: Transform
    validator: Optional[Validator]
    batch_size: int
    workers: int
    retries: int
    over: threading.Event


class Spool:
    """Batches in a private file, so that any number of them can be kept.

    :param directory: private.
    """

    def __init__(self, directory: str, name: str) -> None:
        self.count = 0  # of what is in the batches
        self.size = 0  # of the file in bytes
        self._path = os.path.join(directory, name)

    def add(self, batch: Sequence[Any]) -> None:
        """Append a batch."""
        with open(self._path, "ab") as file:
            pickle.dump(list(batch), file)
            self.size = file.tell()
        self.count += len(batch)

    def __iter__(self) -> Iterator[list[Any]]:
        if not self.count:
            return
        with open(self._path, "rb") as file:
            while file.tell() < self.size:
                yield pickle.load(file)  # noqa: S301 written by this run


def read(selected: Selected, size: int, directory: str) -> Spool:
    """The selected records in batches. A database is not read any more then, so that nobody waits for a command. A
    document stays open, so that it is noticed if another one takes its place.
    """
    records = Spool(directory, "records")
    for batch in batches(selected, size):
        records.add(batch)
    if not selected.source.replaces_atomically:
        selected.source.end_reading()
    return records


def plan(records: Spool, selected: Selected, recipe: Recipe, directory: str, outcome: Outcome) -> Spool:
    """The changes of each batch. A batch that can't be transformed, or that the store can't hold, is an error of its
    own. If too many are, none is left to be written.
    """
    info = selected.info
    planned = Spool(directory, "changes")
    outcome.total = records.count
    try:
        for batch, made in _transformed(records, recipe):
            outcome.batches += 1
            selected.progress.advance(len(batch))
            if isinstance(made, BadBatch):
                outcome.failed(info, batch, str(made))
                continue
            changes = changes_of(batch, made, selected.where)
            fault = first_fault(info, recipe.validator, changes) or _unstorable(selected, changes)
            if fault:
                outcome.failed(info, batch, fault)
                continue
            outcome.unchanged += len(batch) - len(changes)
            outcome.updated += len(changes)
            outcome.show(info, changes)
            if changes:
                planned.add(changes)
    except TooManyErrors:
        outcome.give_up()
        return Spool(directory, "nothing")
    return planned


def _transformed(parts: Iterable[list[Record]], recipe: Recipe) -> Iterator[tuple[list[Record], Any]]:
    """Each batch, and the new records or the error; in order, at most two for each worker at the same time."""

    def attempt(records: Sequence[Record]) -> Any:
        try:
            return recipe.transform(records)
        except BadBatch as exc:
            return exc

    pending: deque[tuple[list[Record], Future[Any]]] = deque()
    with ThreadPoolExecutor(recipe.workers) as pool:
        try:
            for records in parts:
                pending.append((records, pool.submit(attempt, records)))
                if len(pending) >= 2 * recipe.workers:
                    first, future = pending.popleft()
                    yield first, future.result()
            for first, future in pending:
                yield first, future.result()
        except BaseException:  # of what nobody waits for any more, nothing is begun, and what runs is ended
            for _first, future in pending:
                future.cancel()
            recipe.over.set()  # last: whoever ends by it would begin with the next
            raise


def changes_of(records: Sequence[Record], made: Sequence[Record], where: Where) -> list[Change]:
    """The records that differ. They are changed only while they lack the fields that `where` did not find."""
    looked_at = where.fields | {name.partition(".")[0] for name in where.fields}
    return [
        Change(old, new, frozenset(looked_at.difference(old)))
        for old, new in zip(records, made)
        if canonical(old) != canonical(new)
    ]


def _unstorable(selected: Selected, changes: Sequence[Change]) -> str:
    """Why the store can't hold one of the new records, or ""."""
    store, info = selected.source, selected.info
    fault = store.fault if isinstance(store, Editor) else _no_json
    return next(filter(None, (fault(info, one) for one in changes)), "")


def _no_json(info: Info, change: Change) -> str:
    try:
        encode(change.new)
    except TypeError:
        return cannot_write(info, change, "JSON has no bytes and no times, only text for them")
    return ""


def first_fault(info: Info, validator: Optional[Validator], changes: Sequence[Change]) -> str:
    """What the schema says against the first of the new records that is invalid, or ""."""
    for _old, new, _absent in changes if validator is not None else ():
        for fault in validator.faults(plain(new)):  # type: ignore[union-attr]
            return f"{shown_key(info, new)} would be invalid: {fault.path or 'the record'}: {fault.message}"
    return ""
