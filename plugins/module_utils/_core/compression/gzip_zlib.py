# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gzip from the standard library. zlib releases the interpreter's lock, so it runs in a thread beside the reading."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

from ..behind import Behind
from . import plain
from .base import BLOCK, CorruptStream, Readable, TruncatedStream, Writable

_LEVEL = 6
_MEMBER = 31  # gzip's header (without name and time: the same input gives the same file) and checksum are zlib's


class _Writer:
    def __init__(self, raw: Writable) -> None:
        self._raw = raw
        self._behind = Behind()
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _MEMBER)
        self._block = bytearray()

    def write(self, data: bytes) -> None:
        self._block += data
        if len(self._block) >= BLOCK:
            self._submit()

    def finish(self) -> None:
        self._submit()
        self._behind.wait()
        self._raw.write(self._compressor.flush())

    def close(self) -> None:
        self._behind.close()

    def _submit(self) -> None:
        self._behind.call(self._compress, self._block)
        self._block = bytearray()

    def _compress(self, block: bytes) -> None:
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


@contextlib.contextmanager
def writer(fd: int) -> Iterator[Writable]:
    """As `Compression.writer`."""
    with plain.writer(fd) as raw, contextlib.closing(_Writer(raw)) as one:
        yield one
        one.finish()


@contextlib.contextmanager
def reader(source: Readable) -> Iterator[Readable]:
    """As `Compression.reader`."""
    yield _Reader(source)
