# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mount points from the list of the kernel, as reading a file system that hangs would hang, too."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Optional

from .._core.mounts import Mount, mounts

_LINKS = 40  # the limit of the kernel

# File systems that never hang: all others use a network or a program.
_LOCAL = {
    *("aufs", "bcachefs", "binfmt_misc", "bpf", "btrfs", "cgroup", "cgroup2", "configfs", "debugfs", "devpts"),
    *(
        "devtmpfs",
        "efivarfs",
        "erofs",
        "exfat",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "hugetlbfs",
        "iso9660",
        "jfs",
        "mqueue",
    ),
    *("msdos", "nilfs2", "nsfs", "ntfs3", "overlay", "proc", "pstore", "ramfs", "reiserfs", "rootfs", "securityfs"),
    *("squashfs", "sysfs", "tmpfs", "tracefs", "ubifs", "udf", "vfat", "xfs", "zfs"),
}


class Mounts:
    """All mounts, as they are now."""

    def __init__(self, known: Optional[Sequence[Mount]] = None) -> None:
        """`known`: instead of those that the kernel lists."""
        # a later mount hides an earlier one
        self._by_place = {one.point: one for one in (mounts() if known is None else known)}
        self._any_hangs = any(one.type not in _LOCAL for one in self._by_place.values())

    def find(self, path: str) -> Optional[Mount]:
        """The mount that contains an absolute path without links."""
        while path not in self._by_place and path != "/":
            path = os.path.dirname(path)
        return self._by_place.get(path)

    def may_hang(self, path: str) -> bool:
        """Whether reading this absolute path may hang. Links are only followed where reading them can't."""
        if not self._any_hangs:
            return False
        place, rest, links = "/", path.split("/"), 0
        while rest:
            name = rest.pop(0)
            if name == "..":
                place = os.path.dirname(place)
            elif name not in ("", "."):
                place = os.path.join(place, name)
            mount = self.find(place)
            if mount is not None and mount.type not in _LOCAL:
                return True
            try:
                target = os.readlink(place)
            except OSError:  # not a link, or does not exist
                continue
            links += 1
            if links > _LINKS:
                return False
            place = "/" if target.startswith("/") else os.path.dirname(place)
            rest = target.split("/") + rest
        return False

    def made_read_only(self, path: str) -> bool:
        """Whether the file system of an absolute path without links is read-only although it was mounted writable."""
        mount = self.find(path)
        return mount is not None and "rw" in mount.of_mount and "ro" in mount.options
