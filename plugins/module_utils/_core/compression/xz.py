# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""xz from the standard library: small output, slow, one core."""

from __future__ import annotations

import contextlib
import lzma
from collections.abc import Iterator

from . import plain
from .base import BLOCK, CorruptStream, Readable, Writable

# Preset 3 needs 32 MiB; xz's own default, 6, needs 94 MiB and three times the time for a few percent.
_PRESET = 3


class _Writer:
    def __init__(self, raw: Writable) -> None:
        self._raw = raw
        self._compressor = lzma.LZMACompressor(preset=_PRESET)

    def write(self, data: bytes) -> None:
        self._raw.write(self._compressor.compress(data))

    def finish(self) -> None:
        self._raw.write(self._compressor.flush())


class _Reader:
    def __init__(self, source: Readable) -> None:
        self._source = source
        self._decompressor = lzma.LZMADecompressor()

    def read(self, size: int) -> bytes:
        try:
            while True:
                # pylint mistakes attributes of a class written in C for constants
                if self._decompressor.eof:  # pylint: disable=using-constant-test
                    rest = self._decompressor.unused_data or self._source.read(BLOCK)
                    if not rest:
                        return b""
                    self._decompressor = lzma.LZMADecompressor()  # files made by `xz -T` or `cat` have several streams
                elif self._decompressor.needs_input:  # pylint: disable=using-constant-test
                    rest = self._source.read(BLOCK)
                    if not rest:
                        raise CorruptStream("its xz data is truncated")
                else:
                    rest = b""
                data = self._decompressor.decompress(rest, size)
                if data:
                    return data
        except lzma.LZMAError as exc:
            raise CorruptStream(f"its xz data is damaged ({exc})") from exc


@contextlib.contextmanager
def writer(fd: int) -> Iterator[Writable]:
    """As `Compression.writer`."""
    with plain.writer(fd) as raw:
        one = _Writer(raw)
        yield one
        one.finish()


@contextlib.contextmanager
def reader(source: Readable) -> Iterator[Readable]:
    """As `Compression.reader`."""
    yield _Reader(source)
