# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets owners, modes, times and extended attributes, and determines which of them a target cannot have.

What the file system or the rights of the user do not allow is determined before anything is built, on a file without a
name. So check mode knows it, and a target that has everything that it can have equals the backup.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import Counter
from collections.abc import Iterator
from typing import Callable, NamedTuple

from ..._core.errors import TargetError
from ..._core.owners import group_id, user_id
from .index import DIRECTORY, SYMLINK, Entry, shown

# What a file system says of an attribute that it can't keep, or that it may not be given by us.
_UNABLE = (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EOVERFLOW)
_UNABLE_XATTR = (*_UNABLE, errno.ENOSPC, errno.EDQUOT, errno.E2BIG, errno.ERANGE)
_OWNER, _MODE, _TIME = "owner", "mode", "time"
_SHOWN = 10
_MOST_COMBINATIONS = 10_000
_CAPABILITIES = b"security.capability"
_ROOT_ONLY = "only root is permitted to"
_SET_ID = stat.S_ISUID | stat.S_ISGID


class Refused(NamedTuple):
    """An attribute that could not be set."""

    path: bytes
    attribute: str
    reason: str


class Attributes:
    """Sets attributes. `refused` has those that could not be set."""

    def __init__(self, privileged: bool) -> None:
        self.privileged = privileged
        self.refused: list[Refused] = []

    def set(self, fd: int, entry: Entry) -> None:
        """Set the attributes of a file or directory. The order matters: the mode may forbid setting attributes, a
        change of the owner removes bits and capabilities, and access control lists also set the mode.
        """
        for name, value in entry.xattrs:
            if name.startswith(b"user."):
                self._set_xattr(fd, entry, name, value)
        if self.privileged:
            with self._tolerant(entry, _OWNER):
                os.fchown(fd, entry.uid, entry.gid)
        with self._tolerant(entry, _MODE):
            os.fchmod(fd, entry.mode)
        for name, value in entry.xattrs:
            if not name.startswith(b"user."):
                self._set_xattr(fd, entry, name, value)
        with self._tolerant(entry, _TIME):
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))

    def _set_xattr(self, fd: int, entry: Entry, name: bytes, value: bytes) -> None:
        with self._tolerant(entry, os.fsdecode(name), _UNABLE_XATTR):
            os.setxattr(fd, name, value)

    def set_by_name(self, directory: int, name: bytes, entry: Entry) -> None:
        """Set the attributes of anything else, without opening it."""
        if self.privileged:
            with self._tolerant(entry, _OWNER):
                os.chown(name, entry.uid, entry.gid, dir_fd=directory, follow_symlinks=False)
        if entry.kind != SYMLINK:
            with self._tolerant(entry, _MODE):
                os.chmod(name, entry.mode, dir_fd=directory)
        with self._tolerant(entry, _TIME):
            os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=directory, follow_symlinks=False)

    @contextlib.contextmanager
    def _tolerant(self, entry: Entry, attribute: str, unable: tuple[int, ...] = _UNABLE) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            if exc.errno not in unable:
                raise
            self.refused.append(Refused(entry.path, attribute, exc.strerror or str(exc)))


def as_here(entry: Entry, privileged: bool) -> Entry:
    """The entry as a restore by this process would create it on this host.

    :param privileged: whether the process is root.
    """
    if privileged:
        kept = entry.xattrs
        if any(name.startswith(b"trusted.") for name, _value in kept):  # early backups of root's have them
            kept = tuple(one for one in kept if not one[0].startswith(b"trusted."))
        return entry._replace(uid=user_id(entry.user, entry.uid), gid=group_id(entry.group, entry.gid), xattrs=kept)
    mode = entry.mode
    if entry.kind != DIRECTORY:
        mode &= ~(stat.S_ISUID | stat.S_ISGID)  # somebody else's programs must not run as us
    kept = tuple(one for one in entry.xattrs if one[0].startswith((b"user.", b"system.")))
    return entry._replace(mode=mode, xattrs=kept)


class Target:
    """The place of a restored tree: determines what entries will look like there.

    :param directory: a directory on the file system of the target. For each trial, a file without a name is created in
        it.
    :param strict: whatever cannot be set is an error.
    """

    def __init__(self, directory: str, privileged: bool, strict: bool) -> None:
        self.attributes = Attributes(privileged)
        self.privileged = privileged
        self._directory = directory
        self._strict = strict
        self._known: dict[tuple[object, ...], tuple[Callable[[Entry], Entry], tuple[Refused, ...]]] = {}
        self._lost: dict[str, list[str]] = {}  # by why; at most so many as are shown, and
        self._counts: Counter[str] = Counter()

    def __call__(self, entry: Entry) -> Entry:
        """The entry as it will be after the restore."""
        here = as_here(entry, self.privileged)
        return self._outcome(here)[0](here)

    def look(self, entry: Entry) -> Entry:
        """The entry as it will be after the restore. What it loses is recorded for `notes`.

        :raises TargetError: it loses something, and `strict` is set.
        """
        here = as_here(entry, self.privileged)
        if not self.privileged:
            self._look_at_rights(entry, here)
        change, refused = self._outcome(here)
        for one in refused:
            self._lose(entry.path, one.attribute, one.reason)
        return change(here)

    def notes(self) -> list[str]:
        """Sentences on attributes that differ from the backup.

        :raises TargetError: `strict` is set, and the new tree lacks attributes that no trial has predicted.
        """
        for one in self.attributes.refused:
            self._lose(*one)
        self.attributes.refused.clear()
        notes = []
        for why, named in self._lost.items():
            count = self._counts[why]
            more = f", and {count - len(named)} more" if count > len(named) else ""
            notes.append(f"Not restored: {', '.join(named)}{more} ({why}).")
        return notes

    def _look_at_rights(self, entry: Entry, here: Entry) -> None:
        if user_id(entry.user, entry.uid) != os.geteuid():
            self._lose(entry.path, _OWNER, _ROOT_ONLY)
        if any(name == _CAPABILITIES for name, _value in entry.xattrs):
            self._lose(entry.path, "capabilities", _ROOT_ONLY)
        if (entry.mode ^ here.mode) & _SET_ID:
            self._lose(entry.path, "set-ID bits", _ROOT_ONLY)

    def _lose(self, path: bytes, attribute: str, why: str) -> None:
        if self._strict:
            raise TargetError(
                f"Can't restore {attribute} of {shown(path)}: {why}.",
                "Nothing was changed. Restore as root, to a file system that supports it, or without strict.",
            )
        self._counts[why] += 1
        named = self._lost.setdefault(why, [])
        if len(named) < _SHOWN:
            named.append(f"{attribute} of {shown(path)}")

    def _outcome(self, here: Entry) -> tuple[Callable[[Entry], Entry], tuple[Refused, ...]]:
        if not here.xattrs and not self.privileged:
            return _as_it_is, ()
        key = (here.uid, here.gid, here.mode, here.xattrs)
        if key not in self._known:
            if len(self._known) >= _MOST_COMBINATIONS:
                self._known.clear()
            self._known[key] = self._try(here)
        return self._known[key]

    def _try(self, entry: Entry) -> tuple[Callable[[Entry], Entry], tuple[Refused, ...]]:
        """Set the same attributes on a file without a name. If none can be created, they are expected to work."""
        trial = Attributes(self.privileged)
        try:
            fd = os.open(self._directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError:
            return _as_it_is, ()
        try:
            # a default access list is for directories alone
            possible = tuple(one for one in entry.xattrs if one[0] != b"system.posix_acl_default")
            trial.set(fd, entry._replace(xattrs=possible, mtime_ns=0))
            got = os.fstat(fd)
        except OSError:
            return _as_it_is, ()
        finally:
            os.close(fd)
        return _change(tuple(trial.refused), got), tuple(trial.refused)


def _as_it_is(entry: Entry) -> Entry:
    return entry


def _change(refused: tuple[Refused, ...], got: os.stat_result) -> Callable[[Entry], Entry]:
    """A function that returns an entry without these attributes, with those that the trial got instead."""
    lost = {one.attribute for one in refused}
    if not lost:
        return _as_it_is

    def change(entry: Entry) -> Entry:
        kept = tuple(one for one in entry.xattrs if os.fsdecode(one[0]) not in lost)
        if _OWNER in lost:
            entry = entry._replace(uid=got.st_uid, gid=got.st_gid)
        if _MODE in lost:
            entry = entry._replace(mode=stat.S_IMODE(got.st_mode))
        return entry._replace(xattrs=kept)

    return change
