# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of documents as tar files: writes ours, ordered by name, and reads ours and those of others."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import IO, BinaryIO, Optional

from ..._core import tar_members
from ..._core.owners import group_name, user_name
from ..base import Reader, Writer
from .index import Index, Row
from .layout import Layout
from .read import chunks

# tarfile copies what is left of it at each writing.
_BUFFER = 32 * 1024
_LARGEST_ID = 2**32 - 2


def write_tar(index: Index, spool: BinaryIO, out: Writer) -> None:
    """Write all rows of an index with their content."""
    with tarfile.open(mode="w|", fileobj=out, bufsize=_BUFFER, format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:  # type: ignore[call-overload]
        for row in index.rows():
            info = tarfile.TarInfo(row.name.rstrip("/"))
            info.mode, info.uid, info.gid, info.mtime = row.mode, row.uid, row.gid, row.mtime
            info.uname, info.gname = user_name(row.uid), group_name(row.gid)
            if row.name.endswith("/"):
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = row.size
                spool.seek(row.position)
                tar.addfile(info, spool)
            tar.members = []  # it would keep them all


def read_tar(reader: Reader, layout: Layout) -> Iterator[tuple[Row, tarfile.TarInfo, Optional[IO[bytes]]]]:
    """The files and directories (without content) of our own tar file, to its verified end.

    :raises ValueError: (or another of `tar_members.ERRORS`) `write_tar` cannot have written it.
    """
    with tar_members.opened(reader, "r|") as tar:
        for info in tar_members.members(tar):
            row = _row(info)
            collection = layout.collection(row.name)
            if collection is None:
                raise ValueError(f"it contains {row.name!r}, which is not a name of the layout {layout.name}")
            content = None if row.name.endswith("/") else tar.extractfile(info)
            yield row._replace(collection=collection), info, content
    for _rest in chunks(reader.read):
        pass


def import_tar(tar: BinaryIO, layout: Layout, index: Index, raw: Index) -> int:
    """List the content of a tar file that was made by hand; the content itself is not moved. Returns the number of
    files that do not belong to the store.

    A directory that contains everything else ("backup/data/") is removed from the names.

    :param raw: an empty index for intermediate results.
    :raises ValueError: (or another of `tar_members.ERRORS`) it is damaged, or malicious.
    """
    tar.seek(0)
    if not tar.read(512).strip(b"\0"):
        raise ValueError("it is empty")
    for info in tar_members.spooled(tar):
        raw.put(_row(info)._replace(position=info.offset_data))
    prefix = _prefix(raw, layout)
    left_out = 0
    for row in raw.rows():
        inside = row.name.startswith(prefix)
        name = row.name[len(prefix) :]
        collection = layout.collection(name) if inside else None
        if collection is not None:
            index.put(row._replace(name=name, collection=collection))
        elif not row.name.endswith("/"):
            left_out += 1
    for name in index.collections() if layout.depth == 2 else ():
        if index.get(name + "/") is None:  # not every tar has members for directories
            index.put(Row(name + "/", name, "", 0o700, 0, 0, 0))
    return left_out


def _row(info: tarfile.TarInfo) -> Row:
    """The member as a row.

    :raises ValueError: it cannot be part of a store.
    """
    name = tar_members.path_of(info).decode() or "."
    if not (info.isdir() or info.isreg()) or info.issparse():
        raise ValueError(f"it contains {info.name!r}, which is a link, a device, or sparse")
    if not (0 <= info.uid <= _LARGEST_ID and 0 <= info.gid <= _LARGEST_ID):
        raise ValueError(f"it contains {info.name!r}, whose owner is not valid")
    return Row(
        name + "/" if info.isdir() else name,
        "",
        "",
        info.mode & 0o777,
        info.uid,
        info.gid,
        int(info.mtime),
        size=info.size,
    )


def _prefix(raw: Index, layout: Layout) -> str:
    """The directory that contains the files of the store: the highest one with a file that has one of its names."""
    found: set[str] = set()
    for row in raw.rows():
        parts = row.name.split("/")
        if not row.name.endswith("/") and layout.collection("/".join(parts[-layout.depth :])) is not None:
            found.add("".join(part + "/" for part in parts[: -layout.depth]))
    if not found:
        raise ValueError(f"it contains no file named {layout.pattern}")
    highest = min(found, key=len)
    beside = sorted(one for one in found if not one.startswith(highest))
    if beside:
        raise ValueError(f"it contains more than one store: {highest!r} and {beside[0]!r}")
    return highest
