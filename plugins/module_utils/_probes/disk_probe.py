# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""disk: the usage of a file system in bytes and inodes, and whether it is mounted and writable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from .._core.units import format_size
from .base import BELOW, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed
from .mounts import Mounts


class DiskProbe(BaseProbe):
    SUMMARY = (
        "Checks the file system that contains a path, as seen by an unprivileged user (as `df` does). If "
        "thresholds are set for free space but not for used space, the defaults for used space do not "
        "apply."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "path": Option("path", "A path on the file system.", required=True),
        "mounted": Option(
            "boolean",
            (
                "Whether `path` must be (or must not be) a mount point. If not set, and the file system is not "
                "mounted, the file system that contains the mount point is checked."
            ),
        ),
        "writable": Option(
            "boolean",
            (
                "Whether the file system must be writable (or read-only). By default, a file system that was "
                "mounted writable and that the kernel has made read-only, as it does after errors, is critical."
            ),
        ),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("percent", "Used space.", warn=80, crit=90),
        Limit("bytes", "Free space.", BELOW, name="free"),
        Limit("percent", "Used inodes.", warn=80, crit=90, name="inodes"),
        Limit("count", "Free inodes.", BELOW, name="inodes_free"),
    )

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        held = dict(limits)
        for used, free, default in (("", "free", self.LIMITS[0]), ("inodes", "inodes_free", self.LIMITS[2])):
            absolute = held[free].warn is not None or held[free].crit is not None
            if absolute and (held[used].warn, held[used].crit) == (default.warn, default.crit):
                held[used] = held[used]._replace(warn=None, crit=None)
        super().__init__(options, held)

    def run(self, deadline: Deadline) -> Finding:
        path = self.options["path"]
        deadline.doing = f"reading the file system of {path}"
        try:
            info = os.statvfs(path)
        except OSError as exc:
            raise ProbeFailed(f"{path}: {exc.strerror}") from None
        finding = self.finding()
        self._mount(path, bool(info.f_flag & os.ST_RDONLY), finding)
        # Reserved blocks are neither used nor available for other users.
        used = info.f_blocks - info.f_bfree
        total = used + info.f_bavail
        percent = 100.0 * used / total if total else 0.0
        free = info.f_bavail * info.f_frsize
        finding.good = f"{path} is {percent:.0f}% full, {format_size(free)} are free"
        finding.measure(round(percent, 2), what=f"the used space of {path}")
        finding.measure(free, "free", f"the free space of {path}")
        if info.f_files:  # btrfs and similar file systems have no fixed number
            inodes = 100.0 * (info.f_files - info.f_ffree) / info.f_files
            finding.measure(round(inodes, 2), "inodes", f"the used inodes of {path}")
            finding.measure(info.f_favail, "inodes_free", f"the number of free inodes of {path}")
        return finding

    def _mount(self, path: str, read_only: bool, finding: Finding) -> None:
        mounted, writable = self.options["mounted"], self.options["writable"]
        if mounted is not None and os.path.ismount(path) != mounted:
            finding.problem(f"{path} is {('not mounted' if mounted else 'a mount point')}")
        if writable is not None:
            if read_only == writable:
                finding.problem(f"{path} is {('read-only' if read_only else 'writable')}")
        elif read_only and Mounts().made_read_only(os.path.realpath(path)):
            finding.problem(f"{path} was made read-only by the kernel: check its log (dmesg) for errors")
