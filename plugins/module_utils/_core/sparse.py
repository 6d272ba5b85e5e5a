# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with holes: a file may have a size of 8 TiB and take 4 KiB, so only its data is read, copied and compared.

The functions move the position of the descriptors that they are given.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from .compression.base import BLOCK

_HOLES = 1 << 30  # a file with more bytes of holes, and hardly any data, is not compressed: that would read them all
_SECTOR = 512  # the unit of st_blocks on all file systems


def allocated(info: os.stat_result) -> int:
    """Bytes that a file takes on disk, at most its size: the space that removing it frees."""
    return min(info.st_size, info.st_blocks * _SECTOR)


def has_holes(info: os.stat_result) -> bool:
    """Whether this file may have holes. (A file that its file system compresses looks like one.)"""
    return allocated(info) < info.st_size


def is_hollow(info: os.stat_result) -> bool:
    """Whether a file consists, for practical purposes, of holes. Compressing it would take long and free nothing."""
    return info.st_size - allocated(info) > max(_HOLES, 16 * allocated(info))


def data_ranges(fd: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Ranges of data between two offsets; everything if the file system can't report holes."""
    at = start
    while at < end:
        try:
            first = os.lseek(fd, at, os.SEEK_DATA)
            last = os.lseek(fd, first, os.SEEK_HOLE)
        except OSError as exc:
            if exc.errno == errno.ENXIO:  # only a hole up to the end
                return
            yield at, end
            return
        if first >= end:
            return
        yield first, min(last, end)
        at = last


def same_content(one: int, other: int, start: int, end: int, other_start: int = 0) -> bool:
    """Whether `one` from `start` to `end` equals `other` from `other_start`; False also if either of them ends before.
    A hole equals zeros.
    """
    shift = other_start - start
    if os.fstat(one).st_size < end or os.fstat(other).st_size < end + shift:
        return False
    for first, last in data_ranges(one, start, end):
        if not _equal(one, other, first, last, shift):
            return False
    # data that the other lacks must be zeros
    return all(
        _equal(one, other, first - shift, last - shift, shift)
        for first, last in data_ranges(other, start + shift, end + shift)
    )


def _equal(one: int, other: int, at: int, end: int, shift: int) -> bool:
    while at < end:
        data = os.pread(one, min(BLOCK, end - at), at)
        if not data or data != os.pread(other, len(data), at + shift):
            return False
        at += len(data)
    return True
