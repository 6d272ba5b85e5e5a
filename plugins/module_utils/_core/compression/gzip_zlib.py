# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gzip from the standard library. zlib releases the interpreter's lock, so it runs in a thread beside the reading."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Optional

from .base import BLOCK, CorruptStream, Readable, TruncatedStream, Writable
from .plain import Plain

_LEVEL = 6
_MEMBER = 31  # gzip's header (without name and time: the same input gives the same file) and checksum are zlib's


class _Writer:
    def __init__(self, raw: Writable, pool: ThreadPoolExecutor) -> None:
        self._raw = raw
        self._pool = pool
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _MEMBER)
        self._block = bytearray()
        self._pending: Optional[Future[None]] = None

    def write(self, data: bytes) -> None:
        self._block += data
        if len(self._block) >= BLOCK:
            self._submit()

    def finish(self) -> None:
        self._submit()
        self._wait()
        self._raw.write(self._compressor.flush())

    def _submit(self) -> None:
        self._wait()
        self._pending = self._pool.submit(self._compress, self._block)
        self._block = bytearray()

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()

    def _compress(self, block: bytearray) -> None:
        self._raw.write(self._compressor.compress(block))


class _Reader:
    """gzip.GzipFile needs more of its source than `read`, and continues to read after an error."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._member = zlib.decompressobj(_MEMBER)

    def read(self, size: int) -> bytes:
        try:
            while True:
                if self._member.eof:
                    rest = (self._member.unused_data or self._source.read(BLOCK)).lstrip(b"\0")  # tape padding
                    if not rest:
                        if self._source.read(1):
                            raise CorruptStream("its gzip data is followed by other data")
                        return b""
                    self._member = zlib.decompressobj(_MEMBER)
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
        with Plain().writer(fd) as raw, ThreadPoolExecutor(1) as pool:
            writer = _Writer(raw, pool)
            yield writer
            writer.finish()

    @contextlib.contextmanager
    def reader(self, source: Readable) -> Iterator[Readable]:
        yield _Reader(source)
