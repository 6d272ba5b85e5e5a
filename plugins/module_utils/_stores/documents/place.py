# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a restored document, or a directory of them, in its place: owners and modes, and the exchange."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple

from ..._core import files
from ..._core.errors import TargetError
from ..._core.owners import group_id, group_name, user_id, user_name
from ..._core.progress import Progress
from ..base import Change

_NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV)


def ready(path: str, dry: bool) -> list[str]:
    """Look whether the target's directory can take a restore, and clean up there. Returns notes."""
    files.check_writable_parent(path)
    if dry:
        return []
    directory, name = os.path.split(path)
    with files.os_errors(TargetError, "Can't clean up", directory):
        return files.remove_prepared(directory, name)


class Owner(NamedTuple):
    """Mode and owner; the names are "" where the numbers have none."""

    mode: int
    uid: int
    gid: int
    user: str
    group: str

    @classmethod
    def of(cls, info: os.stat_result) -> Owner:
        """Of a file or directory."""
        names = user_name(info.st_uid), group_name(info.st_gid)
        return cls(stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, *names)

    @classmethod
    def recorded(cls, details: Mapping[str, Any], above: str, mode: int) -> Owner:
        """As a backup's details tell; without (a copy made by hand): to whom the directory above belongs, `mode`."""
        info = os.stat(above)
        try:
            recorded = int(details.get("mode") or "%o" % mode, 8) & 0o777
            uid, gid = int(details.get("uid", info.st_uid)), int(details.get("gid", info.st_gid))
        except (TypeError, ValueError):
            recorded, uid, gid = mode, info.st_uid, info.st_gid
        return cls(recorded, uid, gid, str(details.get("user") or ""), str(details.get("group") or ""))

    def details(self) -> dict[str, Any]:
        """For the manifest."""
        return {**self._asdict(), "mode": "%04o" % self.mode}

    def give(self, fd: int) -> Sequence[str]:
        """Make a new file or directory so; names count more than numbers, which differ between hosts. Returns notes."""
        uid, gid = user_id(self.user, self.uid), group_id(self.group, self.gid)
        notes: Sequence[str] = ()
        info = os.fstat(fd)
        if (info.st_uid, info.st_gid) != (uid, gid):
            try:
                os.fchown(fd, uid, gid)
            except PermissionError:
                wanted = (self.user or uid, self.group or gid)
                notes = ("What is new belongs to us, not to user %s and group %s: that takes root." % wanted,)
        os.fchmod(fd, self.mode)
        return notes


def resemble(fd: int, old: int) -> None:
    """Give a new file or directory the owner, mode and extended attributes of the one that it replaces.

    :raises OSError: also when it may not have that owner: its application could lose access.
    """
    was, now = os.fstat(old), os.fstat(fd)
    if (was.st_uid, was.st_gid) != (now.st_uid, now.st_gid):
        os.fchown(fd, was.st_uid, was.st_gid)
    os.fchmod(fd, stat.S_IMODE(was.st_mode))
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
    """A `Restoration`: what is prepared beside the target changes places with it.

    :param prepared: its path; "" when nothing is to be changed, or only to be told.
    :param present: there is a target.
    :param damage: why it is not valid JSON, if it is not.
    :raises TargetError: the target may not be changed by anybody.
    :param check: raises TargetError when the target is no longer what it was when it was read.
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
            _check_changeable(target, prepared)
        self.changed = changed
        self.damage = damage
        self.changes = tuple(changes)
        self.differences: tuple[tuple[str, str], ...] = ()
        self.notes = tuple(notes)
        self._target, self._prepared, self._present = target, prepared, present
        self._check, self._progress = check, progress
        self._applied = False

    def __enter__(self) -> Swap:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._prepared:
            self.notes += tuple(files.discard(self._prepared))

    def apply(self) -> None:
        """Let them change places; what was replaced is kept until the context ends."""
        if not self._prepared:
            return
        self._check()
        with self._progress.critical(), files.os_errors(TargetError, "Can't replace", self._target):
            if self._present:
                _exchange(self._prepared, self._target)
            else:
                os.rename(self._prepared, self._target)
            self._applied = True
            try:
                files.fsync_directory(os.path.dirname(self._target))
            except OSError:
                self.undo()
                raise

    def undo(self) -> None:
        """Let them change places again."""
        if not self._applied:
            return
        with self._progress.critical(), files.os_errors(TargetError, "Can't put back", self._target):
            if self._present:
                _exchange(self._prepared, self._target)
            else:
                os.rename(self._target, self._prepared)
            self._applied = False
            files.fsync_directory(os.path.dirname(self._target))


def _check_changeable(target: str, prepared: str) -> None:
    try:
        files.check_changeable(target)
    except TargetError:
        files.discard(prepared)
        raise


def _exchange(prepared: str, target: str) -> None:
    try:
        files.exchange(prepared, target)
    except OSError as exc:
        if exc.errno not in _NO_EXCHANGE:
            raise
        if os.path.isdir(target):
            raise TargetError(
                "The file system of %s can't exchange two directories in one step (%s)." % (target, exc.strerror),
                "Nothing was changed. Move the old directory away and run again.",
            ) from exc
        # NFS and others can't; for a file, a second name does it as well
        directory, name = os.path.split(target)
        aside = os.path.join(directory, files.prepared_name(name))
        os.link(target, aside)
        try:
            os.rename(prepared, target)
        except OSError:
            os.unlink(aside)
            raise
        os.rename(aside, prepared)
