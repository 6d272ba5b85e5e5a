# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files of an encrypted backup lie together in a tar archive, which is held in memory as a whole."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence

from .._core.compression.base import CorruptStream

SMALL = 1 << 20  # bytes of the largest file that is packed
FULL = 8 << 20  # bytes after which a pack is stored
LARGEST = FULL + 4 * SMALL  # of a whole archive: what is larger was not written by us


def size_in_pack(path: str, data: bytes) -> int:
    """The most that a file adds to an archive: many that are tiny or empty make a large one, too."""
    return 4 * tarfile.BLOCKSIZE + 2 * len(path.encode("utf-8", "surrogateescape")) + len(data)


def packed(files: Sequence[tuple[str, bytes]]) -> bytes:
    """A tar archive of files, by path."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as archive:
        for path, data in files:
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of an archive, by path. Raises CorruptStream."""
    files = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errors="surrogateescape") as archive:
            for member in archive:
                handle = archive.extractfile(member) if member.isreg() else None
                if handle is not None:
                    files[member.name] = handle.read()
    except tarfile.TarError as exc:
        raise CorruptStream(f"it is not a tar archive ({exc})") from exc
    return files
