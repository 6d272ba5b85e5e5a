# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""zstd for small files through the library of its program, so that thousands of files do not start thousands of
programs.

The output is that of `zstd -1`, checksum included, and any zstd reads it. Without the library (practically every Linux
has it, because package managers need it) the program is used.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Iterator
from typing import Any, Optional

from ..errors import Day2Error
from .base import BLOCK, CorruptStream, Readable, Writable
from .plain import Plain

LIMIT = 4 << 20  # maximum size of a small file

_LEVEL, _CHECKSUM = 100, 201  # ZSTD_c_compressionLevel, ZSTD_c_checksumFlag


@functools.lru_cache(maxsize=1)
def library() -> Optional[Any]:
    """libzstd, or None if it is not installed."""
    try:
        loaded = ctypes.CDLL("libzstd.so.1")
        loaded.ZSTD_createCCtx.restype = ctypes.c_void_p
        loaded.ZSTD_freeCCtx.argtypes = [ctypes.c_void_p]
        loaded.ZSTD_CCtx_setParameter.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
        data: list[Any] = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
        loaded.ZSTD_compress2.argtypes = [ctypes.c_void_p, *data]
        loaded.ZSTD_decompress.argtypes = data
        loaded.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
        for name in ("ZSTD_compress2", "ZSTD_decompress", "ZSTD_compressBound"):
            getattr(loaded, name).restype = ctypes.c_size_t
        loaded.ZSTD_isError.argtypes = [ctypes.c_size_t]
        loaded.ZSTD_getFrameContentSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        loaded.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
    except (OSError, AttributeError):  # not installed, or older than 1.4
        return None
    return loaded


def _compress(lib: Any, data: bytes) -> bytes:
    bound = lib.ZSTD_compressBound(len(data))
    buffer = ctypes.create_string_buffer(bound)
    context = lib.ZSTD_createCCtx()
    try:
        lib.ZSTD_CCtx_setParameter(context, _LEVEL, 1)
        lib.ZSTD_CCtx_setParameter(context, _CHECKSUM, 1)
        size = lib.ZSTD_compress2(context, buffer, bound, data, len(data))
    finally:
        lib.ZSTD_freeCCtx(context)
    if lib.ZSTD_isError(size):
        raise Day2Error(f"zstd could not compress {len(data)} bytes.")
    return buffer.raw[:size]


def _decompress(lib: Any, data: bytes) -> bytes:
    size = lib.ZSTD_getFrameContentSize(data, len(data))
    if size > LIMIT:  # also the values for "unknown" and "error", neither of which we write
        raise CorruptStream("its zstd data is damaged (size)")
    buffer = ctypes.create_string_buffer(size or 1)
    done = lib.ZSTD_decompress(buffer, size, data, len(data))
    if lib.ZSTD_isError(done) or done != size:
        raise CorruptStream("its zstd data is damaged")
    return buffer.raw[:size]


class _Once:
    """Returns the output of a function that is applied to the whole content of a source."""

    def __init__(self, lib: Any, source: Readable) -> None:
        self._lib = lib
        self._source = source
        self._rest: Optional[memoryview] = None

    def read(self, size: int) -> bytes:
        if self._rest is None:
            compressed = b"".join(iter(lambda: self._source.read(BLOCK), b""))
            self._rest = memoryview(_decompress(self._lib, compressed))
        data, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return data


class SmallZstd:
    """zstd for files of up to `LIMIT` bytes that this class has compressed itself."""

    name = "zstd"
    suffix = ".zst"

    def missing(self) -> Optional[str]:
        return None if library() is not None else "libzstd"

    @contextlib.contextmanager
    def writer(self, fd: int) -> Iterator[Writable]:
        whole = _Buffer()
        yield whole
        with Plain().writer(fd) as raw:
            raw.write(_compress(library(), bytes(whole.data)))

    @contextlib.contextmanager
    def reader(self, source: Readable) -> Iterator[Readable]:
        yield _Once(library(), source)


class _Buffer:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data
