# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes of files that prevent them from being renamed or removed regardless of permissions, from statx(2)."""

from __future__ import annotations

import ctypes
import functools
import os
import struct
from typing import Any, Optional

IMMUTABLE = 0x10
APPEND_ONLY = 0x20
MOUNT_POINT = 0x2000  # from Linux 5.8 on

_SIZE = 256  # of struct statx; its attributes are a 64 bit number at offset 8
_NO_FOLLOW, _EMPTY_PATH = 0x100, 0x1000


def attributes(directory: int, name: str) -> int:
    """IMMUTABLE, APPEND_ONLY and MOUNT_POINT of an entry of an open directory; 0 if the system does not report them.

    :param name: "" for the directory itself.
    """
    statx = _statx()
    if statx is None:
        return 0
    buffer = ctypes.create_string_buffer(_SIZE)
    flags = _NO_FOLLOW if name else _EMPTY_PATH
    if statx(directory, os.fsencode(name), flags, 0, buffer) != 0:
        return 0
    found: int = struct.unpack_from("=Q", buffer, 8)[0]
    return found & (IMMUTABLE | APPEND_ONLY | MOUNT_POINT)


@functools.lru_cache(maxsize=1)
def _statx() -> Optional[Any]:
    return getattr(ctypes.CDLL(None, use_errno=True), "statx", None)  # glibc before 2.28 lacks it
