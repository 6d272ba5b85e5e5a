# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owners of files by name: names survive a move to another host, numbers do not."""

from __future__ import annotations

import contextlib
import errno
import functools
import grp
import os
import pwd
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple

from .errors import TargetError

_NOT_PERMITTED = (errno.EPERM, errno.EACCES, errno.EINVAL)  # EINVAL: not mapped in our user namespace


@functools.lru_cache(maxsize=1024)
def user_name(uid: int) -> str:
    """The name of a user, or "" if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


@functools.lru_cache(maxsize=1024)
def group_name(gid: int) -> str:
    """The name of a group, or "" if it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


@functools.lru_cache(maxsize=1024)
def user_id(name: str, otherwise: int) -> int:
    """The number of a user on this host; `otherwise` if there is no user of that name."""
    try:
        return pwd.getpwnam(name).pw_uid if name else otherwise
    except KeyError:
        return otherwise


@functools.lru_cache(maxsize=1024)
def group_id(name: str, otherwise: int) -> int:
    """The number of a group on this host; `otherwise` if there is no group of that name."""
    try:
        return grp.getgrnam(name).gr_gid if name else otherwise
    except KeyError:
        return otherwise


def set_owner(fd: int, uid: int, gid: int) -> bool:
    """Give an open file or directory to a user and group. Returns whether they have it.

    Only root may give files away, and in a user namespace only to those who exist there. Others can at most change the
    group to one of their own, which is done.
    """
    info = os.fstat(fd)
    if (info.st_uid, info.st_gid) == (uid, gid):
        return True
    try:
        os.fchown(fd, uid, gid)
    except OSError as exc:
        if exc.errno not in _NOT_PERMITTED:
            raise
        with contextlib.suppress(OSError):
            os.fchown(fd, -1, gid)
        return False
    return True


def check_replaceable(uid: int, gid: int, path: str) -> None:
    """Raise TargetError where a new file in the place of one of this user and group could not be given to them.

    The application would lose access to it.
    """
    euid = os.geteuid()
    if euid == 0:
        given = _is_mapped("uid", uid) and _is_mapped("gid", gid)
    else:
        given = uid == euid and (gid in (os.getegid(), *os.getgroups()) or _inherits(path, gid))
    if not given:
        raise _not_given(path, uid, gid)


def _inherits(path: str, gid: int) -> bool:
    """Whether a new file gets this group from its directory. (A new directory would lose its own set-group-ID bit.)"""
    try:
        above = os.stat(os.path.dirname(path))
    except OSError:
        return False
    return bool(above.st_mode & stat.S_ISGID) and above.st_gid == gid and not os.path.isdir(path)


@functools.lru_cache(maxsize=1024)
def _is_mapped(kind: str, number: int) -> bool:
    """Whether a user or group exists in our user namespace: elsewhere, all do."""
    try:
        with open(f"/proc/self/{kind}_map", encoding="ascii") as lines:
            ranges = [(int(first), int(count)) for first, _outside, count in map(str.split, lines)]
    except (OSError, ValueError):
        return True
    return any(first <= number < first + count for first, count in ranges)


def take_after(fd: int, info: os.stat_result, path: str) -> None:
    """Give a new file or directory the owner, group and mode of the one that it replaces.

    Raises TargetError when that is not permitted, as `check_replaceable` does.
    """
    if not set_owner(fd, info.st_uid, info.st_gid):
        raise _not_given(path, info.st_uid, info.st_gid)
    os.fchmod(fd, stat.S_IMODE(info.st_mode))


def _not_given(path: str, uid: int, gid: int) -> TargetError:
    owner, group = user_name(uid) or uid, group_name(gid) or gid
    if os.geteuid() == 0:
        return TargetError(
            f"{path} belongs to user {owner} and group {group}, and root may not give a new file this owner.",
            "A container may not have that user or group (user namespaces); an NFS server may deny it (root_squash).",
        )
    return TargetError(
        f"{path} belongs to user {owner} and group {group}, and only root can give a new file this owner.",
        "Run as root (become: true), or as that user.",
    )


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
            recorded = int(details.get("mode") or f"{mode:o}", 8) & 0o777
            uid, gid = int(details.get("uid", info.st_uid)), int(details.get("gid", info.st_gid))
        except (TypeError, ValueError):
            recorded, uid, gid = mode, info.st_uid, info.st_gid
        return cls(recorded, uid, gid, str(details.get("user") or ""), str(details.get("group") or ""))

    def details(self) -> dict[str, Any]:
        """For the manifest."""
        return {**self._asdict(), "mode": f"{self.mode:04o}"}

    def give(self, fd: int) -> list[str]:
        """Make a new file or directory, which replaces nothing, so. Returns a note where only root could.

        Names count more than numbers, which differ between hosts.
        """
        given = set_owner(fd, user_id(self.user, self.uid), group_id(self.group, self.gid))
        os.fchmod(fd, self.mode)
        if given:
            return []
        wanted = f"user {self.user or self.uid} and group {self.group or self.gid}"
        return [
            f"New files belong to the current user, not to {wanted}: setting the owner requires root (become: true)."
        ]
