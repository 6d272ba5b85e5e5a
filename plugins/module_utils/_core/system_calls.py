# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls of Linux that the standard library lacks, from the C library. All raise OSError as those in `os` do."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
from typing import Any, Union

AT_FDCWD = -100
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2

# What keeps a file from being renamed or removed, beside permissions, as `attributes` returns it.
IMMUTABLE, APPEND_ONLY = 0x10, 0x20
MOUNT_POINT = 0x2000  # from Linux 5.8 on

_STATX_SIZE = 256  # of struct statx; its attributes are a 64 bit number at offset 8
_AT_SYMLINK_NOFOLLOW, _AT_EMPTY_PATH = 0x100, 0x1000


def renameat2(directory: int, old: str, to: int, new: str, flags: int) -> None:
    """Rename (Linux 3.15 and newer) from one open directory to another; either can be AT_FDCWD.

    Raises OSError also where the C library or the file system lacks it (ENOSYS, EINVAL).
    """
    _call("renameat2", old, directory, os.fsencode(old), to, os.fsencode(new), flags)


def syncfs(fd: int, path: str) -> None:
    """Make everything on the file system of an open file durable: many small files with an fsync each take minutes.

    :param path: for the error.
    """
    _call("syncfs", path, fd)


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """Change which blocks a file has; `os.posix_fallocate` has no mode."""
    name = "fallocate64" if _function("fallocate64") is not None else "fallocate"
    _call(name, None, fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length))


def attributes(directory: int, name: bytes) -> int:
    """IMMUTABLE, APPEND_ONLY and MOUNT_POINT of an entry of an open directory; 0 where the system does not tell.

    The entry itself is not opened: closing a descriptor of a database would drop SQLite's locks.

    :param name: b"" for the directory itself.
    """
    statx = _function("statx")
    if statx is None:
        return 0
    buffer = ctypes.create_string_buffer(_STATX_SIZE)
    if statx(directory, name, _AT_SYMLINK_NOFOLLOW if name else _AT_EMPTY_PATH, 0, buffer) != 0:
        return 0
    found: int = struct.unpack_from("=Q", buffer, 8)[0]
    return found & (IMMUTABLE | APPEND_ONLY | MOUNT_POINT)


def _call(name: str, path: Any, *arguments: Any) -> None:
    function = _function(name)
    if function is None:
        raise OSError(errno.ENOSYS, f"{name} is not in the C library", path)
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)


@functools.cache
def _function(name: str) -> Any:
    """None where it is missing: renameat2 and statx in glibc before 2.28 and musl before 1.2."""
    return getattr(ctypes.CDLL(None, use_errno=True), name, None)


def holds_no_files(directory: Union[str, int]) -> bool:
    """Whether the file system of a directory belongs to the kernel, such as /proc: files can't be created there.

    Raises OSError when the directory can't be opened.
    """
    if os.statvfs(directory).f_blocks:
        return False
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if isinstance(directory, str) else directory
    try:
        os.fsync(fd)
    except OSError as exc:
        return exc.errno == errno.EINVAL
    finally:
        if fd != directory:
            os.close(fd)
    return False
