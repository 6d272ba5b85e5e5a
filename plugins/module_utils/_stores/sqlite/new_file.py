# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores a database as a new file: if there is none, or if SQLite cannot open the existing one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional

from ..._core import files
from ..._core.errors import TargetError
from ..._core.fingerprint import attributes
from ..._core.owners import Owner, take_after
from ..base import Change, Copy
from .file import SIDE_FILES, lstat, set_wal


class NewFileRestoration:
    """Puts a prepared file in the place of the target. The old file, and the files that belong to it, are moved aside.

    A WAL or journal beside a missing database would be replayed into the new one.
    """

    changed = True

    def __init__(self, path: str, prepared: str, copy: Copy, notes: tuple[str, ...]) -> None:
        self.changes = tuple(Change(one.name, None, one.records) for one in copy.collections)
        self.differences: tuple[tuple[str, str], ...] = ()
        self.notes = notes
        self._path = path
        self._progress = copy.progress
        self._prepared = prepared
        self._old = lstat(path)
        self.damage = f"SQLite can't open {path}." if self._old else ""
        directory, name = os.path.split(path)
        self._aside = os.path.join(directory, files.prepared_name(name))
        self._side = {path + one: os.path.join(directory, files.prepared_name(name + one)) for one in SIDE_FILES}

    def apply(self) -> None:
        now = lstat(self._path)
        if (now and attributes(now)) != (self._old and attributes(self._old)):
            raise TargetError(f"{self._path} was changed while its restore was prepared.", "Run again.")
        with self._progress.critical(), files.os_errors(TargetError, "Can't replace", self._path):
            try:
                for name, aside in self._side.items():
                    _move(name, aside)
                if self._old:
                    os.link(self._path, self._aside)
                os.rename(self._prepared, self._path)
                files.fsync_directory(os.path.dirname(self._path))
            except OSError:
                self.undo()
                raise

    def undo(self) -> None:
        with self._progress.critical(), files.os_errors(TargetError, "Can't put back", self._path):
            if lstat(self._prepared) is None:  # it is in the target's place
                for name in self._side:  # of connections to the new file
                    files.remove(name)
                if self._old:
                    os.rename(self._aside, self._path)
                else:
                    files.remove(self._path)
            for name, aside in self._side.items():
                _move(aside, name)
            files.fsync_directory(os.path.dirname(self._path))

    def __enter__(self) -> NewFileRestoration:
        return self

    def __exit__(self, *exc: object) -> None:
        for name in (self._prepared, self._aside, *self._side.values()):
            self.notes += tuple(files.discard(name))


def dress(fd: int, path: str, details: Mapping[str, Any], old: Optional[os.stat_result]) -> tuple[str, ...]:
    """Set the journal mode, mode and owner of a new, closed database. Returns sentences for the user.

    They are those of the file that it replaces, otherwise those of the backup. If the backup has none (a copy made by
    hand), the file gets the owner of the directory and mode 0600.
    """
    if details.get("journal_mode") == "wal":
        set_wal(fd)
    if old is not None:
        take_after(fd, old, path)
        return ()
    return tuple(Owner.recorded(details, os.path.dirname(path), 0o600).give(fd))


def _move(name: str, to: str) -> None:
    if lstat(name) is not None:
        os.rename(name, to)
