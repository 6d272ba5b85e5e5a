# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes the older part of a log while processes write to it, without losing or repeating a line.

Its first blocks are copied and made durable, and then removed from the live file with FALLOC_FL_COLLAPSE_RANGE, which
moves the rest to the front; writers that append continue at the new end. The cut is at the border of a block, which is
rarely the end of a line: the copy includes the rest of that line, and in the live file it becomes a blank line, which
the next copy omits.

A kill between the cut and the last rename leaves the only copy of the lines under a prepared name that contains all
that is needed to continue: `recover`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import struct
import time
from typing import NamedTuple, Optional

from .._core.compression.base import BLOCK
from .._core.errors import TargetError
from .._core.files import PREPARED, from_os_error, prepared_name
from .._core.progress import Progress
from .._core.secure_directory import SecureDirectory, copy_attributes
from .._core.sparse import data_ranges, has_holes, same_content
from .._core.system_calls import fallocate

_COLLAPSE = 0x08  # FALLOC_FL_COLLAPSE_RANGE
_FIEMAP = 0xC020660B  # FS_IOC_FIEMAP
_FIEMAP_HEADER = "=QQLLLL"
_FIEMAP_EXTENT = "=QQQQQLLLL"
_FILLED = "user.day2.filled"

_CUT = re.compile(r"(?s){}(.+)\.cut{}".format(re.escape(PREPARED), "-([0-9a-f]{1,16})" * 5))
_LONGEST_NAME = 255 - len(PREPARED + ".cut") - 5 * 17  # bytes that leave space for the numbers of a cut
# More than the rest of a line in any cut: a marker with a larger number is not ours.
_MOST_REST = 16 << 20


class Cut(NamedTuple):
    """The range to remove.

    :param skip: bytes at the front that an earlier cut has left blank; they are not copied.
    :param length: bytes to remove: a multiple of the block size that is less than the size of the file; 0 means
        everything, by truncation.
    :param rest: bytes after that up to the end of the line that the cut divides.
    """

    skip: int
    length: int
    rest: int

    @property
    def end(self) -> int:
        """Where the copy ends."""
        return self.length + self.rest


class Interrupted(NamedTuple):
    """A leftover of a killed run. Its `lines` exist only there if the cut was made."""

    name: str
    cut: Cut
    physical: int
    inode: int


class Taken(NamedTuple):
    """What was removed. `window_bytes`: bytes that writers could have lost if the file was truncated."""

    bytes: int
    window_bytes: int = 0


def check_name(path: str, name: str) -> None:
    """Raise TargetError when the name is too long for the copy."""
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise TargetError(
            f"The name of {path} is too long for method=in_place, which takes at most {_LONGEST_NAME} bytes.",
            "Use method=rename, or choose a shorter name for the log.",
        )


def can_collapse(fd: int) -> bool:
    """Whether the file system supports it. Changes nothing: the length is one that no file system accepts."""
    try:
        fallocate(fd, _COLLAPSE, 0, 1)
    except OSError as exc:
        return exc.errno == errno.EINVAL
    return False


def find_cut(fd: int) -> Optional[Cut]:
    """Where to cut: after as many whole lines as blocks allow. None if no line ends after the first block."""
    size = os.fstat(fd).st_size
    block = max(os.fstatvfs(fd).f_bsize, 512)
    lines = _behind_last_newline(fd)
    length = lines // block * block
    if length >= size:
        length -= block
    if length <= 0:
        return None
    return Cut(min(_filled(fd), length), length, _line_rest(fd, length))


def whole(fd: int) -> Cut:
    """The whole file, for a truncation."""
    return Cut(min(_filled(fd), os.fstat(fd).st_size), 0, os.fstat(fd).st_size)


def take_out(
    place: SecureDirectory, name: str, fd: int, *, cut: Cut, target: SecureDirectory, progress: Progress
) -> tuple[str, Taken]:
    """Copy, make durable, cut. Returns the prepared name of the copy in `target`, and what it contains.

    :param fd: of the log, open for reading and writing.
    """
    temporary = prepared_name(name + ".copy")
    with target.errors("Can't write", name):
        copy = target.create(temporary)
    try:
        try:
            with target.errors("Can't write a copy of", name):
                began = time.monotonic()
                before = os.fstat(fd)
                _copy(fd, copy, cut.skip, cut.end, progress)
                copy_attributes(fd, copy, before)
                os.fsync(copy)
                marked = _marked_name(name, cut, _first_block(fd), before.st_ino)
                target.rename(temporary, marked)
        except BaseException:
            with contextlib.suppress(OSError):
                target.unlink(temporary)
            raise
        with progress.critical():
            try:
                target.sync()
                window = 0
                if cut.length:
                    fallocate(fd, _COLLAPSE, 0, cut.length)
                else:
                    window = _truncate(fd, copy, cut.end, began, before.st_size)
            except OSError as exc:
                # nothing was cut: remove the copy
                target.unlink(marked)
                raise from_os_error(
                    OSError(exc.errno, exc.strerror), TargetError, "Can't cut the rotated lines out of", place.of(name)
                ) from exc
            with place.errors("Can't write", name):
                _fill(fd, cut.rest if cut.length else 0)
                os.fsync(fd)
                os.fsync(copy)
            return marked, Taken(os.fstat(copy).st_size, window)
    finally:
        os.close(copy)


def parse_interrupted(name: str) -> Optional[tuple[str, Interrupted]]:
    """The log and the numbers in a prepared name."""
    match = _CUT.fullmatch(name)
    if match is None:
        return None
    skip, length, rest, physical, inode = (int(number, 16) for number in match.groups()[1:])
    return match[1], Interrupted(name, Cut(skip, length, rest), physical, inode)


def is_plausible(target: SecureDirectory, left: Interrupted) -> bool:
    """Whether this copy matches its name. Users with write permission could have put anything there, of any size."""
    cut = left.cut
    copy = target.open_file(left.name)
    try:
        size = os.fstat(copy).st_size
    finally:
        os.close(copy)
    expected = cut.end - cut.skip
    fits = size == expected if cut.length else size >= expected
    return fits and expected >= 0 and cut.rest <= (_MOST_REST if cut.length else cut.end) and cut.skip <= _MOST_REST


def was_cut(fd: int, target: SecureDirectory, left: Interrupted) -> bool:
    """Whether the lines of this (plausible) copy are no longer in the log. In doubt they are kept twice.

    :param fd: of the log, open for reading; -1 if it is missing.
    """
    if fd < 0 or os.fstat(fd).st_ino != left.inode:
        return True
    cut = left.cut
    if cut.length and left.physical and _first_block(fd) != left.physical:
        return True  # the first block is another one now
    copy = target.open_file(left.name)
    try:
        return not same_content(fd, copy, cut.skip, cut.end)
    finally:
        os.close(copy)


def recover(fd: int, target: SecureDirectory, left: Interrupted) -> None:
    """Blank the rest of the line that an interrupted cut has divided; `fd` as in `was_cut`, but writable."""
    rest = left.cut.rest if left.cut.length else 0
    if fd < 0 or not rest or os.fstat(fd).st_ino != left.inode:
        return
    copy = target.open_file(left.name)
    try:
        line = os.pread(copy, rest, os.fstat(copy).st_size - rest)
    finally:
        os.close(copy)
    if os.pread(fd, rest, 0) in (line, _blank(rest)):
        _fill(fd, rest)
        os.fsync(fd)


def _marked_name(name: str, cut: Cut, physical: int, inode: int) -> str:
    return f"{PREPARED}{name}.cut-{cut.skip:x}-{cut.length:x}-{cut.rest:x}-{physical:x}-{inode:x}"


def _first_block(fd: int) -> int:
    """The physical address of the first block of the file; 0 if it is unknown."""
    header = struct.pack(_FIEMAP_HEADER, 0, 1, 1, 0, 1, 0)  # the extent of the first byte, after a sync
    buffer = bytearray(header + bytes(struct.calcsize(_FIEMAP_EXTENT)))
    try:
        fcntl.ioctl(fd, _FIEMAP, buffer)
    except OSError:
        return 0
    mapped = struct.unpack_from(_FIEMAP_HEADER, buffer)[3]
    if not mapped:
        return 0
    physical: int = struct.unpack_from(_FIEMAP_EXTENT, buffer, len(header))[1]
    return physical


def _copy(fd: int, copy: int, start: int, end: int, progress: Progress) -> None:
    """Copy a range; holes are preserved. The position of the copy is at its end afterwards."""
    done = start
    for first, last in data_ranges(fd, start, end) if has_holes(os.fstat(fd)) else [(start, end)]:
        os.lseek(copy, first - start, os.SEEK_SET)
        at = first
        while at < last:
            count = _copy_some(fd, copy, at, min(16 * BLOCK, last - at))
            if not count:
                raise OSError(errno.EIO, "the log became shorter while it was read")
            at += count
            progress.advance(at - done)
            done = at
    if os.fstat(fd).st_size < end:
        raise OSError(errno.EIO, "the log became shorter while it was read")
    os.ftruncate(copy, end - start)
    os.lseek(copy, 0, os.SEEK_END)


def _copy_some(fd: int, copy: int, at: int, count: int) -> int:
    if hasattr(os, "copy_file_range"):
        with contextlib.suppress(
            OSError
        ):  # reported by the write below, unless it means that this is not supported here
            return os.copy_file_range(fd, copy, count, offset_src=at)
    data = memoryview(os.pread(fd, min(BLOCK, count), at))
    total = len(data)
    while data:
        data = data[os.write(copy, data) :]
    return total


def _truncate(fd: int, copy: int, at: int, began: float, size: int) -> int:
    """Copy lines that were added meanwhile, truncate, and return an estimate of the bytes that writers added in
    between, from the rate at which they wrote before.
    """
    while True:
        last = time.monotonic()
        count = _copy_some(fd, copy, at, BLOCK)
        if not count:
            break
        at += count
    os.fsync(copy)
    # lines that were added during the sync
    while True:
        last = time.monotonic()
        count = _copy_some(fd, copy, at, BLOCK)
        if not count:
            break
        at += count
    os.ftruncate(fd, 0)
    with contextlib.suppress(OSError):
        os.removexattr(fd, _FILLED)
    end = time.monotonic()
    rate = (at - size) / max(last - began, 1e-6)
    return int(rate * (end - last) + 0.999)


def _blank(length: int) -> bytes:
    return b" " * (length - 1) + b"\n"


def _fill(fd: int, length: int) -> None:
    """Turn the rest of the divided line, at the front of the file, into a blank line, and note it in an attribute."""
    at, blank = 0, _blank(length) if length else b""
    while at < length:
        at += os.pwrite(fd, blank[at:], at)
    # Without attributes, the blank line is copied to the next rotated file.
    with contextlib.suppress(OSError):
        if length:
            os.setxattr(fd, _FILLED, str(length).encode())
        else:
            os.removexattr(fd, _FILLED)


def _filled(fd: int) -> int:
    """Bytes at the front that an earlier cut has left blank; 0 unless the content agrees with the attribute."""
    try:
        text = os.getxattr(fd, _FILLED)
    except OSError:
        return 0
    length = int(text) if text.isdigit() and len(text) < 10 else 0
    if not 0 < length <= min(_MOST_REST, os.fstat(fd).st_size):
        return 0
    return length if os.pread(fd, length, 0) == _blank(length) else 0


def _behind_last_newline(fd: int) -> int:
    info = os.fstat(fd)
    parts = list(data_ranges(fd, 0, info.st_size)) if has_holes(info) else [(0, info.st_size)]
    for first, last in reversed(parts):
        end = last
        while end > first:
            start = max(first, end - 65536)
            found = os.pread(fd, end - start, start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def _line_rest(fd: int, length: int) -> int:
    """Bytes from there to the end of the line that covers the byte before."""
    if os.pread(fd, 1, length - 1) == b"\n":
        return 0
    at = length
    while True:
        data = os.pread(fd, 65536, at)
        found = data.find(b"\n")
        if found >= 0:
            return at + found + 1 - length
        if not data:
            return 0
        at += len(data)
