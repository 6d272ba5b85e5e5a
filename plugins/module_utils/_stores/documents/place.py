# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a restored document, or a directory of documents, in its place."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Callable

from ..._core import files
from ..._core.errors import TargetError
from ..._core.exchange import Exchange
from ..._core.owners import check_replaceable, take_after
from ..._core.progress import Progress
from ..base import Change


def ready(path: str, dry: bool) -> list[str]:
    """Check that the directory of the target can take a restore, and remove leftovers. Returns sentences for the user.

    :raises TargetError: it cannot.
    """
    files.check_writable_parent(path)
    if dry:
        return []
    directory, name = os.path.split(path)
    with files.os_errors(TargetError, "Can't clean up", directory):
        return files.remove_prepared(directory, name)


def resemble(fd: int, old: int, path: str) -> None:
    """Give a new file or directory the owner, mode and extended attributes of the one that it replaces.

    :raises TargetError: the new one cannot have that owner.
    :raises OSError: the system refuses.
    """
    take_after(fd, os.fstat(old), path)
    try:
        names = os.listxattr(old)
    except OSError as exc:
        if exc.errno != errno.EOPNOTSUPP:
            raise
        return
    for name in names:
        value = os.getxattr(old, name)
        if name not in os.listxattr(fd) or os.getxattr(fd, name) != value:
            os.setxattr(fd, name, value)


class Swap:
    """A `Restoration` that exchanges the target with what was prepared beside it.

    :param prepared: the path of what was prepared; "" if nothing changes, or in check mode.
    :param present: whether the target exists.
    :param damage: why the target is not valid JSON, otherwise "".
    :param check: raises TargetError when the target has changed since it was read.
    :raises TargetError: the target cannot be changed by anyone.
    """

    def __init__(
        self,
        target: str,
        *,
        prepared: str,
        present: bool,
        check: Callable[[], None],
        progress: Progress,
        changed: bool,
        changes: Sequence[Change],
        notes: Sequence[str],
        damage: str,
    ) -> None:
        if changed:
            _check_changeable(target, prepared, present)
        self.changed = changed
        self.damage = damage
        self.changes = tuple(changes)
        self.differences: tuple[tuple[str, str], ...] = ()
        self.notes = tuple(notes)
        self._prepared = prepared
        self._check = check
        self._exchange = Exchange(prepared, target, present, progress)

    def __enter__(self) -> Swap:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._prepared:
            self.notes += tuple(files.discard(self._prepared))

    def apply(self) -> None:
        """Exchange the two. The old content is kept until the block ends."""
        if not self._prepared:
            return
        self._check()
        self._exchange.apply()

    def undo(self) -> None:
        """Exchange the two back."""
        self._exchange.undo()


def _check_changeable(target: str, prepared: str, present: bool) -> None:
    try:
        files.check_changeable(target)
        if present:
            info = os.lstat(target)
            check_replaceable(info.st_uid, info.st_gid, target)
    except TargetError:
        files.discard(prepared)
        raise
