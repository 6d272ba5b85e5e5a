# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a compression answers. To add one: a file like gzip_threads.py, its test, and a line in __init__.py."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Optional, Protocol

from ..errors import Day2Error

BLOCK = 1 << 20  # bytes that are handed on at a time


class CorruptStream(Day2Error):
    """Compressed data that can't be decompressed; whoever knows the file says which."""


class TruncatedStream(CorruptStream):
    """Compressed data that ends too early, and is sound up to there: whoever wrote it was stopped."""


class Readable(Protocol):
    """Anything that gives at most `size` bytes, and b"" at its end."""

    def read(self, size: int) -> bytes: ...


class Writable(Protocol):
    """Anything that takes bytes."""

    def write(self, data: bytes) -> object: ...


class Compression(Protocol):
    """One way to make a file smaller, with a tool that every Linux has to undo it by hand."""

    name: str
    suffix: str  # ".zst"

    def missing(self) -> Optional[str]:
        """The program that this host lacks for it, or None."""

    def writer(self, fd: int) -> AbstractContextManager[Writable]:
        """Compress into an open file. When the block ends without an exception, all is written and the
        compressor has ended well; otherwise it was stopped. Raises NoSpace, Day2Error."""

    def reader(self, source: Readable) -> AbstractContextManager[Readable]:
        """Decompress. b"" is returned only when source and decompressor both ended well; raises CorruptStream."""
