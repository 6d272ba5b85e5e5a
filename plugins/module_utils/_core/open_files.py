# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes have a file open for writing, as the kernel tells it under /proc."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple

FileId = tuple[int, int]  # device and inode


class Writer(NamedTuple):
    """A process that can write to a file. `appends`: every write goes to the end, wherever that is by then."""

    pid: int
    command: str
    appends: bool

    def __str__(self) -> str:
        return "%s (process %d)" % (self.command, self.pid)


def file_id(info: os.stat_result) -> FileId:
    """What a file is, whatever it is called."""
    return info.st_dev, info.st_ino


def sees_all() -> bool:
    """Can we look at the processes of all users?"""
    return os.geteuid() == 0


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
