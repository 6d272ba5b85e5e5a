# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores some tables of a live database in one transaction, exactly as they are in the backup.

Rows keep their row ids and storage classes. AUTOINCREMENT continues where it was, triggers do not fire, and foreign
keys have no effect, but a row that would have a dangling reference stops the restore. Full-text and R*Tree indexes are
restored as the tables that they consist of. The whole restore is first tried on a private copy and rolled back, so that
errors are found before the target is touched, also in check mode.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import NamedTuple, Optional

from ..._core.errors import InvalidRequest, TargetError
from ..._core.progress import Progress
from ..base import Change, Copy, Restoration
from .file import PATIENCE, connect, persist, sqlite3, sqlite_errors, uri
from .foreign_keys import ForeignKeys
from .live import LiveRestoration, find_present
from .restore import unpack
from .rows import BACKUP, WHOLE, belongings, check_same, differ, replace_rows
from .schema import Table, fold, identifier, tables


class Outcome(NamedTuple):
    changed: bool
    notes: tuple[str, ...]


def prepare_tables(path: str, copy: Copy, only: Sequence[str], scratch: str, patience: float) -> Restoration:
    """Prepare the restore of some tables (`Store.prepare`). Nothing is prepared beside the target, so check mode does
    the same.
    """
    known = [one.name for one in copy.collections]
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise InvalidRequest(
            f"The backup has no table {', '.join(repr(name) for name in unknown)}.",
            f"Its tables are: {', '.join(known) or 'none'}.",
        )
    present = find_present(path, scratch, copy.progress, patience)
    if present is None:
        raise TargetError(
            f"{path} does not exist, or SQLite can't open it, so that single tables can't be restored into it.",
            "Restore the whole database (omit only).",
        )
    new = os.path.join(scratch, "new.db")
    unpack(copy, new)
    names = sorted(set(only))
    before = dict(present.counts())
    after = dict(copy.collections)
    trial = put_tables(present.native, new, names, copy.progress, keep=False)

    def put(source: str) -> Sequence[str]:
        # what was there is put back whatever now points to it
        return put_tables(path, source, names, copy.progress, patience, force=source != new).notes

    changes = [Change(name, before.get(name), after[name]) for name in names]
    return LiveRestoration(present, new, put, changed=trial.changed, changes=changes, notes=trial.notes)


def put_tables(
    path: str,
    source: str,
    names: Sequence[str],
    progress: Progress,
    patience: float = PATIENCE,
    *,
    keep: bool = True,
    force: bool = False,
) -> Outcome:
    """Make tables of a live database equal to those in `source` (a private file), in one transaction.

    A table that the source does not have is dropped.

    :param keep: if False, roll back at the end.
    :param force: do not check references of other tables.
    :raises TargetError: the database stays locked, the schemas differ, or references would be dangling. Nothing was
        changed.
    """
    progress.start(f"Restoring tables of {path}")
    with sqlite_errors(TargetError, "Can't restore tables into", path), contextlib.closing(connect(path, "rw")) as live:
        live.execute("PRAGMA foreign_keys=OFF")
        live.execute("PRAGMA ignore_check_constraints=ON")
        live.execute(f"PRAGMA synchronous={('FULL' if keep else 'OFF')}")
        live.execute("PRAGMA cache_size=-8000")  # KiB: four times the default
        live.execute(f"ATTACH ? AS {BACKUP}", (uri(source, "ro", immutable=True),))
        live.set_progress_handler(progress.check, 1_000_000)
        persist(lambda: live.execute("BEGIN IMMEDIATE"), path, TargetError, progress, patience)
        keys = None if force else ForeignKeys(live, names)
        outcome = _restore(live, names)
        if keys is not None:
            keys.check()
        if keep and outcome.changed:
            persist(lambda: live.execute("COMMIT"), path, TargetError, progress, patience)
        else:
            live.execute("ROLLBACK")
    return outcome


def _restore(live: sqlite3.Connection, names: Sequence[str]) -> Outcome:
    ours = {fold(table.name): table for table in tables(live)}
    theirs = {fold(table.name): table for table in tables(live, BACKUP)}
    notes: list[str] = []
    changed = [name for name in names if _restore_table(live, ours.get(fold(name)), theirs.get(fold(name)), notes)]
    selected = {fold(name) for name in names}
    for index in ours.values():
        # an index over a table whose rows have changed, and that is not restored for itself
        if index.content and fold(index.content) in map(fold, changed) and fold(index.name) not in selected:
            other = theirs.get(fold(index.name))
            if other is not None and other.sql == index.sql:
                _restore_table(live, index, other, notes)
                notes.append(f"The full-text index {index.name} of {index.content} was restored with it.")
            else:
                name = identifier(index.name)
                live.execute(f"INSERT INTO main.{name}({name}) VALUES('rebuild')")
                notes.append(f"The full-text index {index.name} of {index.content} was rebuilt.")
    return Outcome(bool(changed), tuple(notes))


def _restore_table(live: sqlite3.Connection, ours: Optional[Table], theirs: Optional[Table], notes: list[str]) -> bool:
    """Make one table equal to the other. Returns whether anything has changed."""
    if theirs is None:
        if ours is not None:
            live.execute(f"DROP TABLE main.{identifier(ours.name)}")
        return ours is not None
    if theirs.module and not theirs.shadows:
        raise TargetError(f"{theirs.name} is a virtual table of a kind that can't be restored separately.", WHOLE)
    if ours is None:
        live.execute(theirs.sql)
    parts = theirs.shadows or (theirs.name,)
    changed = ours is None
    for name in sorted({theirs.name, *parts}):
        check_same(live, name)
    for name in parts:
        if differ(live, name):
            changed = True
            notes += [f"Trigger {one} of {name} did not fire." for one in replace_rows(live, name)]
    if ours is None:
        for kind in ("index", "trigger"):
            for _name, statement in belongings(live, BACKUP, kind, theirs.name):
                live.execute(statement)
    return changed
