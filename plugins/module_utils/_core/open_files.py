# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes have a file open for writing according to /proc, and whether that list is complete.

A process that can't see all processes (in a container, in a sandboxed unit, as an unprivileged user) can still ask the
kernel whether any process has one file open for writing: the kernel grants a read lease only if none has.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from collections.abc import Collection
from typing import NamedTuple, Optional

from .processes import PROC, Process, others

FileId = tuple[int, int]  # device and inode

_DAC_OVERRIDE, _DAC_READ_SEARCH, _SYS_PTRACE = 1, 2, 19  # capabilities
# The initial namespaces of a system (PROC_PID_INIT_INO, PROC_USER_INIT_INO).
_FIRST_NAMESPACES = {"pid": "pid:[4026531836]", "user": "user:[4026531837]"}


class Writer(NamedTuple):
    """A process that can write to a file. `appends`: every write goes to the current end of the file."""

    pid: int
    command: str
    appends: bool

    def __str__(self) -> str:
        return f"{self.command} (process {self.pid})" if self.pid else self.command


# Stand-ins for a process that is not visible from here.
UNSEEN = Writer(0, "a process that is not visible from here", False)
PERHAPS = Writer(0, "possibly a process that is not visible from here", False)


def file_id(info: os.stat_result) -> FileId:
    """The identity of a file, independent of its names."""
    return info.st_dev, info.st_ino


def sees_all(proc: str = PROC) -> bool:
    """Whether the open files of all processes of this host are visible, regardless of their users and containers."""
    try:
        for kind, first in _FIRST_NAMESPACES.items():
            if os.readlink(f"{proc}/self/ns/{kind}") != first:
                return False
        capabilities = _capabilities(proc)
    except OSError:
        return False
    may_read = capabilities & (1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    return bool(capabilities & 1 << _SYS_PTRACE and may_read)


def _capabilities(proc: str) -> int:
    """The effective capabilities of this thread."""
    with open(f"{proc}/self/status", encoding="utf-8", errors="replace") as handle:
        for line in handle:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0


def has_writer(fd: int) -> Optional[bool]:
    """Whether any process of this host has the file open for writing; None if the kernel does not say.

    :param fd: of the file, open for reading only. The file must be ours, unless we are root.
    """
    try:
        # A process that opens the file meanwhile makes the kernel send a signal: not SIGIO, which ends a process.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        _lease(fd, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as exc:
        return True if exc.errno == errno.EAGAIN else None
    return False


def _lease(fd: int, kind: int) -> None:
    """Also works where root lacks the capability for files of others (CAP_LEASE), as in most containers."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, kind)
        return
    except PermissionError:
        if os.geteuid() != 0:
            raise
    os.seteuid(os.fstat(fd).st_uid)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, kind)
    finally:
        os.seteuid(0)


def writers(wanted: Collection[FileId], proc: str = PROC) -> dict[FileId, list[Writer]]:
    """The writers of some files: one scan of all processes that are visible to us, except this one."""
    found: dict[FileId, list[Writer]] = {}
    if not wanted:
        return found
    for process in others(proc):
        with contextlib.suppress(OSError):  # it ended, or is hidden
            for one, writer in _writer_of(process, wanted).items():
                found.setdefault(one, []).append(writer)
    return found


def _writer_of(process: Process, wanted: Collection[FileId]) -> dict[FileId, Writer]:
    seen: dict[FileId, Writer] = {}
    for descriptor in process.descriptors():
        with contextlib.suppress(OSError):  # closed meanwhile
            one = file_id(os.stat(descriptor))
            if one not in wanted:
                continue
            flags = process.flags(descriptor)
            if flags & os.O_ACCMODE != os.O_RDONLY:
                appends = bool(flags & os.O_APPEND) and (one not in seen or seen[one].appends)
                seen[one] = Writer(process.pid, process.name(), appends)
    return seen
