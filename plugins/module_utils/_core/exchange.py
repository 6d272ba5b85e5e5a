# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces a file or directory with what was prepared beside it, in one atomic step, and takes that step back."""

from __future__ import annotations

import errno
import os

from . import files
from .errors import TargetError
from .progress import Progress

_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV)


class Exchange:
    """Exchanges the target and what was prepared. If the target does not exist, what was prepared gets its name.

    :param prepared: a path in the directory of the target.
    :param exists: whether the target exists.
    """

    def __init__(self, prepared: str, target: str, exists: bool, progress: Progress) -> None:
        self._prepared, self._target, self._exists = prepared, target, exists
        self._progress = progress
        self._applied = False

    def apply(self) -> None:
        """Exchange the two. Raises TargetError when that fails; the target is unchanged then."""
        with self._progress.critical(), files.os_errors(TargetError, "Can't replace", self._target):
            self._move(self._prepared, self._target)
            self._applied = True
            try:
                files.fsync_directory(os.path.dirname(self._target))
            except OSError:
                self.undo()
                raise

    def undo(self) -> None:
        """Exchange the two back, if they were exchanged. Raises TargetError when that fails."""
        if not self._applied:
            return
        with self._progress.critical(), files.os_errors(TargetError, "Can't put back", self._target):
            self._move(self._target, self._prepared)
            self._applied = False
            files.fsync_directory(os.path.dirname(self._target))

    def _move(self, first: str, second: str) -> None:
        if not self._exists:
            os.rename(first, second)
            return
        try:
            files.exchange(self._prepared, self._target)
        except OSError as exc:
            if exc.errno not in _UNSUPPORTED:
                raise
            if os.path.isdir(self._target):
                raise _refused(self._target, exc) from exc
            _exchange_files(self._prepared, self._target)


def _refused(target: str, exc: OSError) -> TargetError:
    return TargetError(
        f"The file system of {target} can't exchange two directories in one step ({exc.strerror}).",
        "If it is on a layer of an overlay (the image of a container), move it elsewhere and run again."
        if exc.errno == errno.EXDEV
        else "Nothing was changed. Move the old directory elsewhere and run again.",
    )


def _exchange_files(prepared: str, target: str) -> None:
    """Exchange two files through a second name: NFS and others cannot do it in one step."""
    directory, name = os.path.split(target)
    aside = os.path.join(directory, files.prepared_name(name))
    os.link(target, aside)
    try:
        os.rename(prepared, target)
    except OSError:
        os.unlink(aside)
        raise
    os.rename(aside, prepared)
