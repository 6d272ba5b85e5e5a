# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes have a file open for writing, as the kernel tells it under /proc; and whether that is all of them.

Who may not look at all processes (in a container, in a sandboxed unit, as an unprivileged user) can still ask the
kernel whether anybody has one file open for writing: it grants a read lease on it only when nobody has.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Collection
from typing import NamedTuple, Optional

FileId = tuple[int, int]  # device and inode

_DAC_OVERRIDE, _DAC_READ_SEARCH, _SYS_PTRACE = 1, 2, 19  # capabilities
# The namespaces that a system starts with (PROC_PID_INIT_INO, PROC_USER_INIT_INO).
_FIRST_NAMESPACES = {"pid": "pid:[4026531836]", "user": "user:[4026531837]"}


class Writer(NamedTuple):
    """A process that can write to a file. `appends`: every write goes to the end, wherever that is by then."""

    pid: int
    command: str
    appends: bool

    def __str__(self) -> str:
        return "%s (process %d)" % (self.command, self.pid) if self.pid else self.command


# Stand-ins for a process that can't be seen from here.
UNSEEN = Writer(0, "a process that is not visible from here", False)
PERHAPS = Writer(0, "possibly a process that is not visible from here", False)


def file_id(info: os.stat_result) -> FileId:
    """What a file is, whatever it is called."""
    return info.st_dev, info.st_ino


def sees_all(proc: str = "/proc") -> bool:
    """Can we look at the open files of all processes of this host, whoever runs them and in whatever container?"""
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
    """The effective ones of this thread."""
    with open(f"{proc}/self/status", encoding="utf-8", errors="replace") as handle:
        for line in handle:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0


def has_writer(fd: int) -> Optional[bool]:
    """Has any process of this host the file open for writing? None: the kernel does not tell us.

    :param fd: of the file, open for reading only. The file has to be ours, or we root.
    """
    try:
        # Who opens the file meanwhile makes the kernel send a signal: not SIGIO, which ends a process.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        _lease(fd, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as exc:
        return True if exc.errno == errno.EAGAIN else None
    return False


def _lease(fd: int, kind: int) -> None:
    """Also where root lacks the capability for files of others (CAP_LEASE), as in most containers."""
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


def writers(wanted: Collection[FileId], proc: str = "/proc") -> dict[FileId, list[Writer]]:
    """The writers of some files: one look at all processes that we may look at, except this one."""
    found: dict[FileId, list[Writer]] = {}
    if not wanted:
        return found
    for entry in os.listdir(proc):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        folder = f"{proc}/{entry}"
        try:
            descriptors = os.listdir(folder + "/fd")
        except OSError:  # it ended, or is not ours to see
            continue
        seen: dict[FileId, Writer] = {}
        for descriptor in descriptors:
            try:
                one = file_id(os.stat(f"{folder}/fd/{descriptor}"))
                if one not in wanted:
                    continue
                flags = _flags(f"{folder}/fdinfo/{descriptor}")
                if flags & os.O_ACCMODE == os.O_RDONLY:
                    continue
                appends = bool(flags & os.O_APPEND) and (one not in seen or seen[one].appends)
                seen[one] = Writer(int(entry), _command(folder), appends)
            except OSError:  # closed meanwhile
                continue
        for one, writer in seen.items():
            found.setdefault(one, []).append(writer)
    return found


def _flags(path: str) -> int:
    with open(path, encoding="ascii") as handle:
        for line in handle:
            if line.startswith("flags:"):
                return int(line.split()[1], 8)
    return 0


def _command(folder: str) -> str:
    with open(folder + "/comm", encoding="utf-8", errors="replace") as handle:
        return "".join(char if char.isprintable() else "?" for char in handle.read().strip())
