# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cheap identity of files: attributes that the kernel changes whenever the content changes."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from typing import Optional

from .files import is_within
from .mounts import mounts

# A change of content sets ctime, which cannot be set back. But the times of files come from the kernel clock: two
# changes within one of its ticks (at most 10 ms, at HZ=100) leave the same times.
TICK_NS = 20_000_000
# What is remembered for another run must be older than this.
SETTLED_NS = 5 * TICK_NS

# File systems whose ctime is set by this kernel. On others (NFS, CIFS, FUSE …) another host may write without us
# noticing for seconds, and on tmpfs, writing through a mapping (mmap) sets no time: there, the content is always read.
_TRUSTED = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "overlay", "bcachefs", "jfs"))


def attributes(info: os.stat_result) -> str:
    """The attributes that change whenever the content or the attributes of a file change."""
    return (
        f"{info.st_ino} {info.st_size} {info.st_mode:o} {info.st_uid} {info.st_gid} {info.st_mtime_ns} "
        f"{info.st_ctime_ns}"
    )


def settled(infos: Iterable[os.stat_result], now_ns: Optional[int] = None) -> bool:
    """Whether all of these are old enough that a further change would be visible."""
    now = time.time_ns() if now_ns is None else now_ns
    return all(info.st_ctime_ns < now - SETTLED_NS and info.st_mtime_ns < now for info in infos)


def is_young(info: os.stat_result) -> bool:
    """Whether a change from now on could leave the times of the file as they are."""
    return abs(time.time_ns() - info.st_ctime_ns) < TICK_NS


def wait_a_tick(info: os.stat_result) -> bool:
    """Wait until a change of the file would set other times. Returns whether this was needed."""
    if not is_young(info):
        return False
    time.sleep(TICK_NS / 1e9)
    return True


def combine(parts: Iterable[str]) -> str:
    """One hex digest of many parts (each part on its own line)."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(os.fsencode(part) + b"\n")
    return digest.hexdigest()


def trusted_file_system(path: str) -> bool:
    """Whether the path is on a file system whose times can be trusted. Unknown file systems are not trusted."""
    device, real, known = os.stat(path).st_dev, os.path.realpath(path), mounts()
    same = [one for one in known if one.device == f"{os.major(device)}:{os.minor(device)}"]
    # Btrfs and overlay report another device number in stat than in mountinfo. The last of the longest is on top.
    above = sorted((one for one in known if is_within(real, one.point)), key=lambda one: len(one.point))
    found = same[:1] or above[-1:]
    return bool(found) and found[0].type in _TRUSTED
