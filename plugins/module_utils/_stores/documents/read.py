# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads JSON documents that others may be writing."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from typing import Optional

from ..._core.errors import DamagedBackup, SourceError
from ..._core.fingerprint import wait_a_tick
from ..._core.progress import Progress
from .document import Document
from .stream import scan
from .window import Read

CHUNK = 1 << 20

# Seconds before each further try to read something that is being written.
WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)
# A document that nobody has written for so long is not half-written, it is wrong.
_QUIET_NS = 2_000_000_000


def stem(name: str) -> str:
    """The name of a document, without its suffix."""
    return os.path.splitext(name)[0]


def chunks(read: Read) -> Iterator[bytes]:
    """Everything that `read` returns, in pieces."""
    return iter(lambda: read(CHUNK), b"")


def reporting(read: Read, progress: Progress) -> Read:
    """A `read` that also reports progress."""

    def reported(size: int) -> bytes:
        data = read(size)
        progress.advance(len(data))
        return data

    return reported


def settled_stat(fd: int) -> os.stat_result:
    """The attributes of an open file, so old that any later write changes them."""
    info = os.fstat(fd)
    wait_a_tick(info)
    return info


def is_quiet(info: os.stat_result) -> bool:
    """Whether the file was not written for a while."""
    return abs(time.time_ns() - info.st_mtime_ns) > _QUIET_NS


def damaged(name: str, problem: str) -> DamagedBackup:
    """The error of a damaged file of a backup."""
    return DamagedBackup(name, [{"path": name, "problem": problem}])


def examine(read: Read, path: str, name: str, listed: bool = True) -> tuple[str, Optional[Document], str]:
    """Read a document to its end. Returns its digest, and the document, or None and the reason why it is not valid.

    :param name: as for `scan`.
    """
    digest = hashlib.sha256()

    def hashed(size: int) -> bytes:
        data = read(size)
        digest.update(data)
        return data

    document, problem = None, ""
    try:
        document = scan(hashed, path, name, listed)
    except SourceError as exc:
        problem = exc.message
        for _rest in chunks(hashed):
            pass
    return digest.hexdigest(), document, problem
