# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of this host under /proc. Each method raises OSError once the process has ended, or if it is hidden."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

PROC = "/proc"

_SHARED_AND_WRITABLE = re.compile(rb"^\S+ .w.s \S+ \S+ (\d+)", re.MULTILINE)  # in maps, with its inode


class Process:
    """A process by its number; it can end at any time."""

    def __init__(self, pid: int, proc: str = PROC) -> None:
        self.pid = pid
        self._folder = f"{proc}/{pid}"

    def owner(self) -> int:
        """The user ID it runs as."""
        return os.stat(self._folder).st_uid

    def name(self) -> str:
        """The name of its program (at most 15 bytes), without what a terminal would interpret."""
        text = self.read("comm").decode("utf-8", "replace").strip()
        return "".join(char if char.isprintable() else "?" for char in text)

    def arguments(self) -> list[bytes]:
        """Its command line; empty for a zombie or a thread of the kernel."""
        text = self.read("cmdline")
        return text[: -1 if text.endswith(b"\0") else None].split(b"\0") if text else []

    def descriptors(self) -> list[str]:
        """The paths of its open files in /proc, for `os.stat` and `os.readlink`."""
        folder = f"{self._folder}/fd"
        return [f"{folder}/{number}" for number in os.listdir(folder)]

    def flags(self, descriptor: str) -> int:
        """The flags with which one of `descriptors` was opened."""
        for line in self.read("fdinfo/" + os.path.basename(descriptor)).splitlines():
            if line.startswith(b"flags:"):
                return int(line.split()[1], 8)
        return 0

    def read(self, name: str) -> bytes:
        """One of its files, such as "stat"."""
        with open(f"{self._folder}/{name}", "rb") as handle:
            return handle.read()


def others(proc: str = PROC) -> Iterator[Process]:
    """All processes except this one, by number."""
    for pid in sorted(int(entry) for entry in os.listdir(proc) if entry.isdigit()):
        if pid != os.getpid():
            yield Process(pid, proc)


def mapped_for_writing(proc: str = PROC) -> frozenset[int]:
    """The inodes of files that other processes can write to through memory. Of hidden processes, nothing is known.

    (Their devices are left out: on overlays and btrfs, they are not those of `os.stat`.)
    """
    found: set[int] = set()
    for process in others(proc):
        with contextlib.suppress(OSError):
            maps = process.read("maps")
            if b"w-s " in maps or b"wxs " in maps:  # of few processes, and much faster to tell
                found.update(map(int, _SHARED_AND_WRITABLE.findall(maps)))
    return frozenset(found)
