# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free space in the repository, checked in check mode. (A run reports a full disk when it occurs.)"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence

from .._core.compression.base import Compression
from .._core.errors import NoSpace
from .._core.files import LEAST, os_errors
from .._core.progress import Progress
from .._core.scratch import scratch_directory
from .._core.walk import Everything, ignore, walk
from .._repository.base import Repository
from .._repository.sink import CountingSink
from .snapshots import NamedStore, Read, take_snapshot

_READ_DIRECTLY = ("command", "dynamodb", "files", "postgresql", "ssm")


def check_space(
    repository: Repository,
    stores: Sequence[NamedStore],
    *,
    size: int,
    scratch: str,
    compression: Compression,
    progress: Progress,
    read: Read = take_snapshot,
) -> None:
    """Raise NoSpace when a backup of the stores does not fit into the repository.

    Only if space is short are the stores read and compressed to determine their size.

    :param size: of the stores in bytes, at least.
    :param scratch: an existing directory for native copies.
    """
    free = repository.free_bytes()
    if free is None:
        return
    # a native copy and the compressed one, which is never much larger
    if free >= 2 * size + size // 64 + LEAST:
        return
    need = 0
    for entry, sink in _counted(stores, scratch, compression, progress, read):
        # a tree or a server is read directly into its archive; other stores are copied first
        need += sink.stored + (0 if entry.store.type in _READ_DIRECTLY else sink.bytes)
    free = repository.free_bytes() or 0
    if need > free:
        raise NoSpace(
            f"The backup requires {need} bytes in {repository.location}, where {free} are free.",
            "Nothing was changed. Free some space on that file system and run again.",
        )


def _counted(
    stores: Sequence[NamedStore], scratch: str, compression: Compression, progress: Progress, read: Read
) -> Iterator[tuple[NamedStore, CountingSink]]:
    """Reads and compresses the stores, only to count bytes."""
    for index, entry in enumerate(stores):
        sink = CountingSink(os.path.join(scratch, f"count-{index}"), compression, progress)
        with os_errors(NoSpace, "Can't create", sink.scratch):
            os.mkdir(sink.scratch, 0o700)
        read(entry, sink)
        yield entry, sink


def stored_bytes(
    stores: Sequence[NamedStore], compression: Compression, progress: Progress, read: Read = take_snapshot
) -> int:
    """The bytes that a backup of the stores would have in a repository."""
    with scratch_directory() as scratch:
        return sum(sink.stored for _entry, sink in _counted(stores, scratch, compression, progress, read))


def size_of(path: str) -> int:
    """Bytes that a store takes on disk."""
    total = sum(_allocated(path + suffix) for suffix in ("", "-wal"))
    with contextlib.suppress(OSError):  # no directory
        found = walk(os.path.realpath(path), Everything(), ignore)
        total += sum(_blocks(one.info) for one in found if not stat.S_ISDIR(one.info.st_mode))
    return total


def _allocated(path: str) -> int:
    try:
        return _blocks(os.lstat(path))
    except OSError:  # errors are reported when it is read
        return 0


def _blocks(info: os.stat_result) -> int:
    return min(info.st_size, info.st_blocks * 512)
