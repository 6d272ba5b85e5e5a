# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No compression: for data that is compressed already, and for file systems that compress."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from .base import Readable, Writable


class _Descriptor:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]


@contextlib.contextmanager
def writer(fd: int) -> Iterator[Writable]:
    """As `Compression.writer`."""
    yield _Descriptor(fd)


@contextlib.contextmanager
def reader(source: Readable) -> Iterator[Readable]:
    """As `Compression.reader`."""
    yield source
