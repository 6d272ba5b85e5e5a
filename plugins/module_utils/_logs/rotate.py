# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotates one log, in an order that may be interrupted by a kill at any point."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence

from .._core.errors import TargetError
from .._core.files import prepared_name
from .._core.progress import Progress
from .._core.secure_directory import SecureDirectory
from . import in_place, marks
from .log_plan import IN_PLACE, LogPlan, NewFile
from .new_directory import NewDirectory

_ACL = "system.posix_acl_access"


def rotate(log: LogPlan, method: str, new_file: NewFile, progress: Progress) -> None:
    """Carry out the plan for one log, and record the results there. Raises Day2Error."""
    if isinstance(log.target, NewDirectory):
        log.target.make()
    if log.interrupted is not None:
        _complete(log)
    elif method == IN_PLACE:
        _rotate_in_place(log, progress)
    else:
        with progress.critical():
            _rename(log, new_file)


def clean_up(log: LogPlan) -> None:
    """Remove leftovers of a killed run, and put in place the new file that it had prepared."""
    for place, name in log.leftovers:
        with place.errors("Can't remove", name):
            place.unlink(name)
    if log.new_file:
        with log.directory.errors("Can't move into place", log.name):
            _place_new(log.directory, log.new_file, log.name)
        log.mended = True


def _complete(log: LogPlan) -> None:
    left = log.interrupted
    if left is None:
        return
    fd = -1 if log.info is None else log.directory.open_file(log.name, os.O_RDWR)
    try:
        with log.directory.errors("Can't repair", log.name):
            in_place.recover(fd, log.target, left)
    finally:
        if fd >= 0:
            os.close(fd)
    log.rotated_bytes = log.target.stat(left.name).st_size
    _publish(log, left.name)


def _rotate_in_place(log: LogPlan, progress: Progress) -> None:
    if log.cut is None:
        return
    with log.directory.errors("Can't open", log.name):
        fd = log.directory.open_file(log.name, os.O_RDWR)
    try:
        _check_same(log, os.fstat(fd))
        if os.fstat(fd).st_size < log.cut.end:
            raise TargetError(f"{log.path} became shorter in the meantime and was not rotated.", "Run again.")
        marked, taken = in_place.take_out(
            log.directory, log.name, fd, cut=log.cut, target=log.target, progress=progress
        )
        with progress.critical():
            _publish(log, marked)
        log.rotated_bytes = taken.bytes
        if log.lossy:
            log.window_bytes = taken.window_bytes
    finally:
        os.close(fd)


def _publish(log: LogPlan, marked: str) -> None:
    _shift(log)
    with log.target.errors("Can't move into place", log.new_name):
        log.target.rename(marked, log.new_name)
    _note_rotated(log, log.target)


def _note_rotated(log: LogPlan, place: SecureDirectory) -> None:
    log.rotated_to = place.of(log.new_name)
    if log.target is not log.directory:
        marks.mark(place, log.new_name, marks.real_path(log.directory, log.name))


def _rename(log: LogPlan, new_file: NewFile) -> None:
    if log.info is None:
        return
    with log.directory.errors("Can't stat", log.name):
        _check_same(log, log.directory.stat(log.name))
    temporary = _make_new(log, log.info, new_file) if new_file.create else ""
    try:
        _shift(log)
        with log.directory.errors("Can't rename", log.name):
            log.directory.rename(log.name, log.new_name, log.first_place)
    except BaseException:
        if temporary:
            with contextlib.suppress(OSError):
                log.directory.unlink(temporary)
        raise
    _note_rotated(log, log.first_place)
    if temporary:
        with log.directory.errors("Can't move into place", log.name):
            _place_new(log.directory, temporary, log.name)


def _check_same(log: LogPlan, info: os.stat_result) -> None:
    """Check that the log is still the one in the plan."""
    log.directory.check_regular(log.name, info)
    if log.info is None or not os.path.samestat(info, log.info):
        raise TargetError(f"{log.path} was replaced in the meantime and was not rotated.", "Run again.")


def _shift(log: LogPlan) -> None:
    if log.shifted:
        return
    log.shifted = True
    for place, old, new in log.shifts:
        with place.errors("Can't rename", old):
            place.rename(old, new)


def _make_new(log: LogPlan, old: os.stat_result, new_file: NewFile) -> str:
    """The new log, complete, under a prepared name."""
    name = prepared_name(log.name + ".new")
    with log.directory.errors("Can't create a new", log.name):
        fd = log.directory.create(name)
    try:
        with log.directory.errors("Can't set owner and mode of the new", log.name):
            made = os.fstat(fd)
            owner = old.st_uid if new_file.owner is None else new_file.owner
            group = old.st_gid if new_file.group is None else new_file.group
            if (owner, group) != (made.st_uid, made.st_gid):
                os.fchown(fd, owner, group)
            os.fchmod(fd, old.st_mode & 0o777 if new_file.mode is None else new_file.mode)
            _copy_attributes(log, fd, ["security.selinux"] + [_ACL] * (new_file.mode is None))
    except BaseException:
        with contextlib.suppress(OSError):
            log.directory.unlink(name)
        raise
    finally:
        os.close(fd)
    return name


def _copy_attributes(log: LogPlan, fd: int, names: Sequence[str]) -> None:
    # Through the descriptor of the old file: its name could be a link by now.
    try:
        old = log.directory.open_file(log.name)
    except PermissionError:
        return
    try:
        for name in names:
            try:
                os.setxattr(fd, name, os.getxattr(old, name))
            except OSError as exc:
                if exc.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
                    raise
    finally:
        os.close(old)


def _place_new(directory: SecureDirectory, temporary: str, name: str) -> None:
    try:
        directory.rename(temporary, name)
    except FileExistsError:  # the application has created it already, which is as good
        directory.unlink(temporary)
