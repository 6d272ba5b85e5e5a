# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Protocol of a compression. To add one: a file like gzip_zlib.py, its test, and its lines in __init__.py."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Optional, Protocol

from ..errors import Day2Error

BLOCK = 1 << 20  # size of the blocks that are passed on


class CorruptStream(Day2Error):
    """Compressed data that can't be decompressed. The caller adds the path of the file."""


class TruncatedStream(CorruptStream):
    """Compressed data that ends too early but is valid up to there: its writer was stopped."""


class Readable(Protocol):
    """Anything that returns at most `size` bytes, and b"" at its end."""

    def read(self, size: int) -> bytes: ...


class Writable(Protocol):
    """Anything that accepts bytes."""

    def write(self, data: bytes) -> object: ...


class Compression(Protocol):
    """A compression that a standard tool on every Linux can undo."""

    name: str
    suffix: str  # ".zst"

    def missing(self) -> Optional[str]:
        """The program that it requires and this host lacks, or None."""

    def writer(self, fd: int) -> AbstractContextManager[Writable]:
        """Compress into an open file. If the block ends without an exception, everything is written and the compressor
        has succeeded; otherwise it is stopped. Raises NoSpace when the disk is full, Day2Error when the compressor
        fails.
        """

    def reader(self, source: Readable) -> AbstractContextManager[Readable]:
        """Decompress. b"" is returned only after the source and the decompressor have both succeeded. Raises
        CorruptStream when the data is damaged.
        """
