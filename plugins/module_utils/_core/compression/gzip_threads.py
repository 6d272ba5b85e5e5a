# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gzip from the standard library, on all cores.

zlib releases the interpreter's lock, so blocks are deflated in threads, each with the end of the block before it as
its dictionary, and joined into one ordinary gzip member (as pigz does).
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Optional

from .base import BLOCK, CorruptStream, Readable, TruncatedStream, Writable
from .plain import Plain

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # deflate, no name, no time: the same input gives the same file
_LEVEL = 6
_WINDOW = 32768


def _deflate(data: bytes, dictionary: bytes, last: bool) -> bytes:
    # an empty dictionary must not be passed: zlib refuses it
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15, 8, 0, *([dictionary] if dictionary else []))
    return compressor.compress(data) + compressor.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


class _Writer:
    def __init__(self, raw: Writable, pool: ThreadPoolExecutor, cores: int) -> None:
        self._raw = raw
        self._pool = pool
        self._ahead = cores + 1
        self._pending: deque[Future[bytes]] = deque()
        self._block = bytearray()
        self._dictionary = b""
        self._crc = 0
        self._size = 0
        raw.write(_HEADER)

    def write(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._block += data
        while len(self._block) >= BLOCK:
            self._submit(bytes(self._block[:BLOCK]), last=False)
            del self._block[:BLOCK]

    def _submit(self, block: bytes, last: bool) -> None:
        self._pending.append(self._pool.submit(_deflate, block, self._dictionary, last))
        self._dictionary = block[-_WINDOW:]
        while len(self._pending) > (0 if last else self._ahead):
            self._raw.write(self._pending.popleft().result())

    def finish(self) -> None:
        self._submit(bytes(self._block), last=True)
        self._raw.write(struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))


class _Reader:
    """gzip.GzipFile needs more of its source than `read`, and continues to read after an error."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._member = zlib.decompressobj(31)  # 31: zlib checks the header and checksum of gzip

    def read(self, size: int) -> bytes:
        try:
            while True:
                if self._member.eof:
                    rest = (self._member.unused_data or self._source.read(BLOCK)).lstrip(b"\0")  # tape padding
                    if not rest:
                        if self._source.read(1):
                            raise CorruptStream("its gzip data is followed by other data")
                        return b""
                    self._member = zlib.decompressobj(31)
                else:
                    rest = self._member.unconsumed_tail or self._source.read(BLOCK)
                    if not rest:
                        raise TruncatedStream("its gzip data is truncated")
                data = self._member.decompress(rest, size)
                if data:
                    return data
        except zlib.error as exc:
            raise CorruptStream(f"its gzip data is damaged ({exc})") from exc


class Gzip:
    """compression: gzip"""

    name = "gzip"
    suffix = ".gz"

    def missing(self) -> Optional[str]:
        return None

    @contextlib.contextmanager
    def writer(self, fd: int) -> Iterator[Writable]:
        cores = len(os.sched_getaffinity(0))
        with Plain().writer(fd) as raw, ThreadPoolExecutor(cores) as pool:
            writer = _Writer(raw, pool, cores)
            yield writer
            writer.finish()

    @contextlib.contextmanager
    def reader(self, source: Readable) -> Iterator[Readable]:
        yield _Reader(source)
