# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls of a process, of which the kernel asks another process before it does them (seccomp_unotify(2)).

A tracer would stop the process at all of its calls, which takes several times as long as the calls themselves.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import functools
import struct
from collections.abc import Iterable
from typing import Any, Optional

_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_RECEIVE, _SEND, _CONTINUE = 0xC0502100, 0xC0182101, 1


@functools.cache
def _library() -> Any:
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    for name in ("seccomp_load", "seccomp_notify_fd"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_void_p,
    ]
    return library


def number_of(name: str) -> int:
    """Of a system call on this machine; less than 0 if it has none of that name."""
    return int(_library().seccomp_syscall_resolve_name(name.encode()))


def ask_before(names: Iterable[str]) -> int:
    """From now on the kernel asks before each of these calls of this process and its children; where to answer it."""
    library = _library()
    rules = library.seccomp_init(_ALLOW)
    for number in map(number_of, names):
        if number >= 0 and library.seccomp_rule_add_array(rules, _ASK, number, 0, None):
            raise OSError(f"seccomp has no rule for call {number}")
    if library.seccomp_load(rules):
        raise OSError("seccomp does not take the rules")
    return int(library.seccomp_notify_fd(rules))


class Question:
    """A call that waits for its answer."""

    def __init__(self, listener: int, request: bytearray) -> None:
        self._listener = listener
        self._id, self.process, _flags, self.number = struct.unpack_from("=QIIi", request)

    def answer(self, error: int = 0) -> None:
        """The call is done, or fails."""
        with_end = struct.pack("=QqiI", self._id, 0, -error, 0 if error else _CONTINUE)
        _asked(self._listener, _SEND, bytearray(with_end))


def next_question(listener: int) -> Optional[Question]:
    """None if the process ended before it was answered."""
    request = bytearray(80)
    return Question(listener, request) if _asked(listener, _RECEIVE, request) else None


def _asked(listener: int, what: int, data: bytearray) -> bool:
    try:
        fcntl.ioctl(listener, what, data)
    except OSError as exc:
        if exc.errno not in (errno.ENOENT, errno.EINTR):
            raise
        return False
    return True
