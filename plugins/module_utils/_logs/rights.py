# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds operations that the system would refuse before anything is done, and in check mode."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from .._core.errors import TargetError
from .._core.owners import group_name, user_name
from .._core.secure_directory import SecureDirectory
from .log_plan import IN_PLACE, LogPlan, Options


class Rights:
    """Checks each directory once."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._writable: set[int] = set()

    def check_rotation(self, log: LogPlan) -> None:
        """Raise Day2Error when the log that is due could not be rotated."""
        self._check_writable(log.places)
        for place, old, _new in log.shifts:
            place.check_movable(old)
        if log.interrupted is not None or log.info is None or self._options.method == IN_PLACE:
            return
        log.directory.check_movable(log.name)
        if self._options.new_file.create:
            _check_owner(log, self._options)

    def check_rest(self, log: LogPlan) -> None:
        """Raise Day2Error when older rotated files could not be removed or compressed."""
        if not log.compress and not log.removals:
            return
        leaving = log.moved_up()
        moved = {(place.fd, new): old for place, old, new in log.shifts}
        files = [(one.file.place, one.file.name) for one in log.removals]
        files += [(one.place, one.name) for one in log.compress if not (log.due and one.name == log.new_name)]
        self._check_writable([place for place, _name in files] + [log.target] * bool(log.compress))
        for place, name in files:
            place.check_movable(moved.get((place.fd, name), name))
        for one in log.compress:
            final = one.final(self._options.compression)
            if final == one.name or (log.target.fd, final) in leaving or final in log.pairs:
                continue
            if log.target.exists(final):
                raise TargetError(
                    f"{log.target.of(final)} already exists and was not overwritten.", "Move it elsewhere."
                )

    def _check_writable(self, places: Sequence[SecureDirectory]) -> None:
        for place in places:
            if place.fd not in self._writable:
                place.check_writable()
                self._writable.add(place.fd)


def _check_owner(log: LogPlan, options: Options) -> None:
    """Check the permission to give the new log its owner and group."""
    new, old = options.new_file, log.info
    if old is None or os.geteuid() == 0:
        return
    owner = old.st_uid if new.owner is None else new.owner
    group = old.st_gid if new.group is None else new.group
    directory = os.fstat(log.directory.fd)
    made_with = directory.st_gid if directory.st_mode & stat.S_ISGID else os.getegid()
    us = user_name(os.geteuid()) or str(os.geteuid())
    if owner != os.geteuid():
        raise TargetError(
            f"{us} has no permission to make {user_name(owner) or owner} the owner of the new {log.path}.",
            f"Set owner to {us}, or set run_as to another user.",
        )
    if group not in (made_with, os.getegid(), *os.getgroups()):
        raise TargetError(
            f"{us} is not a member of {group_name(group) or group}, the group of the new {log.path}.",
            f"Set group to one of the groups of {us}, or add {us} to the group.",
        )
