# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores into a live database, so that open connections remain valid and see the restored data."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from typing import Callable, Optional

from ..._core import files
from ..._core.collection import Collection
from ..._core.errors import SourceError, TargetError, TaskEnded
from ..._core.fingerprint import attributes
from ..._core.progress import Progress
from ..base import Change
from .check import count_rows
from .file import (
    Header,
    Unreadable,
    connect,
    holders,
    locked,
    lstat,
    normalise_file,
    open_in,
    persist,
    sqlite3,
    sqlite_errors,
)
from .file_copy import copy_database, fingerprint

_BUSY = (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED; sqlite3 has the names from Python 3.11 on

Put = Callable[[str], Sequence[str]]


class Present:
    """The database at the target, and a private copy of it, to compare with and to put back.

    :raises Unreadable: SQLite cannot open it.
    :raises TargetError: it stays locked, or cannot be read.
    """

    def __init__(self, path: str, scratch: str, progress: Progress, patience: float) -> None:
        self.path = path
        self.progress = progress
        self.patience = patience
        self.native = os.path.join(scratch, "old.db")
        self.journal_mode = ""
        self.header = self._read()

    def refresh(self) -> None:
        """Renew the private copy if the database has changed since."""
        if self._seen is None or self._seen != fingerprint(self.path):
            self.header = self._read()

    def counts(self) -> tuple[Collection, ...]:
        try:
            with contextlib.closing(connect(self.native, "ro", immutable=True)) as connection:
                return count_rows(connection)
        except sqlite3.Error:  # damaged inside; it is about to be replaced
            return ()

    def _read(self) -> Header:
        before = fingerprint(self.path)
        try:
            self.journal_mode = copy_database(self.path, self.native, self.progress, self.patience)
            header = normalise_file(self.native, self.path)
        except Unreadable:
            raise
        except SourceError as exc:
            raise TargetError(exc.message, exc.hint, exc.details) from exc
        self._seen = before if before == fingerprint(self.path) else None
        return header


class LiveRestoration:
    """Changes a database in one transaction.

    :param put: makes the target equal to the given private file, completely or not at all, and returns sentences for
        the user.
    """

    def __init__(
        self, present: Present, new: str, put: Put, *, changed: bool, changes: Iterable[Change], notes: Iterable[str]
    ) -> None:
        if changed:
            files.check_changeable(present.path)
        self.changed = changed
        self.damage = ""
        self.changes = tuple(changes)
        self.differences: tuple[tuple[str, str], ...] = ()
        self.notes = tuple(notes)
        self._present = present
        self._new = new
        self._put = put

    def apply(self) -> None:
        self._present.refresh()
        path = self._present.path
        before = attributes(os.stat(path))
        with self._present.progress.critical():
            try:
                self.notes += tuple(note for note in self._put(self._new) if note not in self.notes)
            except TaskEnded:
                # SQLite can fail after its commit, when it makes the file shorter
                if attributes(os.stat(path)) != before:
                    self._put(self._present.native)
                raise

    def undo(self) -> None:
        with self._present.progress.critical():
            self._put(self._present.native)

    def __enter__(self) -> LiveRestoration:
        return self

    def __exit__(self, *exc: object) -> None:
        files.discard(self._present.native)
        files.discard(self._new)


def find_present(path: str, scratch: str, progress: Progress, patience: float) -> Optional[Present]:
    """The database at the target; None if there is none that SQLite can open."""
    if lstat(path) is None:
        return None
    try:
        return Present(path, scratch, progress, patience)
    except Unreadable:
        return None


def put_whole(path: str, source: str, progress: Progress, patience: float) -> Sequence[str]:
    """Replace the content of a live database in one transaction. Its journal mode is kept.

    :raises TargetError: it stays locked, or cannot be written.
    """
    notes = []
    deadline = time.monotonic() + patience

    def give_up(status: int, remaining: int, total: int) -> None:
        if status in _BUSY and time.monotonic() >= deadline:
            raise locked(path, TargetError, patience, "it is locked")

    with sqlite_errors(TargetError, "Can't restore into", path):
        with contextlib.closing(connect(path, "rw")) as live, contextlib.closing(connect(source, "ro", True)) as new:
            live.execute("PRAGMA synchronous=FULL")
            mode = persist(lambda: _pragma(live, "journal_mode"), path, TargetError, progress, patience)
            switch = mode == "wal" and _pragma(live, "page_size") != _pragma(new, "page_size")
            if switch:
                _leave_wal(live, path)
            progress.start(f"Restoring {path}")
            new.backup(live, pages=-1, progress=give_up, sleep=0.05)
            # the content is in place and durable; what follows is tidying
            try:
                if switch:
                    live.execute("PRAGMA journal_mode=WAL").fetchone()
                elif mode == "wal":
                    live.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError as exc:
                notes.append(f"After restoring {path}, its write-ahead log could not be removed: {exc}.")
    return notes


def _pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _leave_wal(live: sqlite3.Connection, path: str) -> None:
    try:
        live.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as exc:
        raise TargetError(
            f"{path} has another page size than the backup: in WAL mode, this can only change while no process "
            f"has it open. {open_in(holders(path))}.",
            "Nothing was changed. Stop that application and run again.",
        ) from exc
