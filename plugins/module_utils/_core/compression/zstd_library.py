# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""zstd by the library that its program uses: no program is started for each small file, and no data goes through pipes.

What it writes is what `zstd -1` would write, checksum included, and it reads what any zstd has written.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator
from typing import Any, Optional

from ..errors import Day2Error
from . import plain
from .base import BLOCK, CorruptStream, Readable, TruncatedStream, Writable

_LEVEL, _CHECKSUM, _WORKERS = 100, 201, 400  # ZSTD_c_compressionLevel, ZSTD_c_checksumFlag, ZSTD_c_nbWorkers
_CONTINUE, _END = 0, 2  # ZSTD_EndDirective

_SMALL = 4 << 20  # bytes up to which threads are not worth starting
_MOST_WORKERS = 4  # each takes some MiB, and compresses faster than data comes
_OUT = 1 << 17


class _Given(ctypes.Structure):
    """ZSTD_inBuffer"""

    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t)]


class _Got(ctypes.Structure):
    """ZSTD_outBuffer"""

    _fields_ = [("address", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t)]


@functools.lru_cache(maxsize=1)
def library() -> Optional[Any]:
    """libzstd with threads, or None."""
    try:
        lib = ctypes.CDLL("libzstd.so.1")
        for name in ("ZSTD_createCCtx", "ZSTD_createDCtx"):
            getattr(lib, name).restype = ctypes.c_void_p
        for name in ("ZSTD_freeCCtx", "ZSTD_freeDCtx"):
            getattr(lib, name).argtypes = [ctypes.c_void_p]
        streams: list[Any] = [ctypes.c_void_p, ctypes.POINTER(_Got), ctypes.POINTER(_Given)]
        lib.ZSTD_CCtx_setParameter.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
        lib.ZSTD_compressStream2.argtypes = [*streams, ctypes.c_int]
        lib.ZSTD_decompressStream.argtypes = streams
        for name in ("ZSTD_CCtx_setParameter", "ZSTD_compressStream2", "ZSTD_decompressStream"):
            getattr(lib, name).restype = ctypes.c_size_t
        lib.ZSTD_isError.argtypes = lib.ZSTD_getErrorName.argtypes = [ctypes.c_size_t]
        lib.ZSTD_getErrorName.restype = ctypes.c_char_p
        with _compressing(lib, 1):
            return lib
    except (OSError, AttributeError, Day2Error):  # none, or older than 1.4, or built without threads
        return None


def _checked(lib: Any, result: int) -> int:
    if lib.ZSTD_isError(result):
        raise CorruptStream(f"its zstd data is damaged ({lib.ZSTD_getErrorName(result).decode()})")
    return result


@contextlib.contextmanager
def _compressing(lib: Any, workers: int) -> Iterator[int]:
    context: int = lib.ZSTD_createCCtx()
    try:
        for parameter, value in ((_LEVEL, 1), (_CHECKSUM, 1), (_WORKERS, workers)):
            if lib.ZSTD_isError(lib.ZSTD_CCtx_setParameter(context, parameter, value)):
                raise Day2Error(f"This libzstd can't compress in {workers} threads.")
        yield context
    finally:
        lib.ZSTD_freeCCtx(context)


class _Writer:
    """Begins to compress when it knows whether the content is small."""

    def __init__(self, lib: Any, raw: Writable, stack: contextlib.ExitStack) -> None:
        self._lib = lib
        self._raw = raw
        self._stack = stack
        self._begin = bytearray()
        self._context = 0
        self._room = ctypes.create_string_buffer(_OUT)
        self._view = memoryview(self._room).cast("B")

    def write(self, data: bytes) -> None:
        if self._context:
            self._compress(bytes(data), _CONTINUE)
            return
        self._begin += data
        if len(self._begin) > _SMALL:
            self._start(min(_MOST_WORKERS, len(os.sched_getaffinity(0))), _CONTINUE)

    def finish(self) -> None:
        if self._context:
            self._compress(b"", _END)
        else:
            self._start(0, _END)

    def _start(self, workers: int, directive: int) -> None:
        self._context = self._stack.enter_context(_compressing(self._lib, workers))
        data, self._begin = bytes(self._begin), bytearray()
        self._compress(data, directive)

    def _compress(self, data: bytes, directive: int) -> None:
        given = _Given(data, len(data), 0)
        got = _Got(ctypes.addressof(self._room), _OUT)
        left = 1
        while left if directive == _END else given.position < given.size:
            got.position = 0
            left = self._lib.ZSTD_compressStream2(self._context, got, given, directive)
            if self._lib.ZSTD_isError(left):
                raise Day2Error(f"zstd failed: {self._lib.ZSTD_getErrorName(left).decode()}.")
            self._raw.write(self._view[: got.position])


class _Reader:
    def __init__(self, lib: Any, context: int, source: Readable) -> None:
        self._lib = lib
        self._context = context
        self._source = source
        self._given = _Given(b"", 0, 0)
        self._left = 1  # 0: a frame ends here
        self._full = False  # there may be more of what was given
        self._room = ctypes.create_string_buffer(BLOCK)
        self._view = memoryview(self._room).cast("B")

    def read(self, size: int) -> bytes:
        got = _Got(ctypes.addressof(self._room), min(size, BLOCK), 0)
        while not got.position:
            if not (self._full and self._left) and self._given.position == self._given.size:
                data = bytes(self._source.read(BLOCK))
                if not data and self._left:
                    raise TruncatedStream("it ends in the middle of its zstd data")
                if not data:
                    return b""
                self._given = _Given(data, len(data), 0)
            self._left = _checked(self._lib, self._lib.ZSTD_decompressStream(self._context, got, self._given))
            self._full = got.position == got.size
        return self._view[: got.position].tobytes()


@contextlib.contextmanager
def writer(fd: int) -> Iterator[Writable]:
    """As `Compression.writer`."""
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(plain.writer(fd))
        one = _Writer(library(), raw, stack)
        yield one
        one.finish()


@contextlib.contextmanager
def reader(source: Readable) -> Iterator[Readable]:
    """As `Compression.reader`."""
    lib: Any = library()
    context = lib.ZSTD_createDCtx()
    try:
        yield _Reader(lib, context, source)
    finally:
        lib.ZSTD_freeDCtx(context)
