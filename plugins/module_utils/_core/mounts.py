# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where file systems are mounted, as the kernel tells it.

Device numbers do not tell: on an overlay (containers, live systems) a file has the number of the layer that it lies on,
and only directories have that of the overlay.
"""

from __future__ import annotations

import os
import re
import stat

_MOUNTS = "/proc/self/mountinfo"


def mount_points() -> list[str]:
    """The paths of all mount points that this process sees; also of single files."""
    try:
        with open(_MOUNTS, "rb") as handle:
            lines = handle.read().splitlines()
    except OSError:
        return []
    points = [line.split()[4] for line in lines if line.count(b" ") > 4]
    return [os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), one)) for one in points]


def is_mounted(path: str, info: os.stat_result, device: int) -> bool:
    """Is an entry on another file system than the directory that it is in?

    :param info: of the entry itself.
    :param device: of the directory.
    """
    if info.st_dev == device or stat.S_ISLNK(info.st_mode):
        return False
    return stat.S_ISDIR(info.st_mode) or os.path.realpath(path) in mount_points()
