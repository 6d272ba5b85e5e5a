# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports a tar file that was made by hand: checks it, sorts it, and writes it in our own form."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import sqlite3
import tarfile
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple, Optional

from ..._core import tar_members
from ..._core.content_hash import content_hash
from ..._core.errors import SourceError
from ..._core.files import need_space, os_errors
from ..._core.paths import is_safe
from ..._core.walk import LEFT_OUT
from ..base import Reader, Sink
from .archive import CHUNK, ArchiveWriter, Segments, sparse_map
from .index import DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry, Index, from_line, order, shown, to_line
from .read import is_sparse, read_range
from .selection import Selection

_KINDS = {
    tarfile.REGTYPE: FILE,
    tarfile.AREGTYPE: FILE,
    tarfile.CONTTYPE: FILE,
    tarfile.GNUTYPE_SPARSE: FILE,
    tarfile.DIRTYPE: DIRECTORY,
    tarfile.SYMTYPE: SYMLINK,
    tarfile.LNKTYPE: HARDLINK,
    tarfile.FIFOTYPE: FIFO,
}
_UNREADABLE = (*tar_members.ERRORS, sqlite3.Error)
_NO_DIGEST = "0" * 64
_XATTR = "SCHILY.xattr."


class _Member(NamedTuple):
    """An entry, with the position of its content in the spooled file. Several names of one file share its number."""

    entry: Entry
    number: int
    offset: int
    segments: Optional[Segments]


def import_tar(
    reader: Reader, filename: str, sink: Sink, *, archive: ArchiveWriter, index: Index, selection: Selection
) -> int:
    """Write the archive and the index of the content of a tar file. Returns the number of entries that are not
    selected.

    Of several members with the same name the last one counts, as in tar itself. Missing parent directories are added.

    :raises SourceError: it is not a tar file, is truncated, or has names, links or devices that leave the tree.
    """
    spool = os.path.join(sink.scratch, "import.tar")
    with contextlib.ExitStack() as stack:
        stack.enter_context(os_errors(SourceError, "Can't import", filename))
        tar = stack.enter_context(open(spool, "x+b"))
        try:
            members = stack.enter_context(contextlib.closing(_Members(os.path.join(sink.scratch, "import.db"))))
            _fetch(reader, tar, sink)
            _read_members(tar, members, sink)
            return _Writer(archive, index, tar.fileno(), sink).write(members, selection)
        except _UNREADABLE as exc:
            raise SourceError(f"{filename} can't be imported: {exc}.", "Nothing was written.") from exc
        finally:
            os.unlink(spool)


def _fetch(reader: Reader, tar: BinaryIO, sink: Sink) -> None:
    done = 0
    while True:
        data = reader.read(CHUNK)
        if not data:
            tar.flush()
            tar.seek(0)
            return
        need_space(sink.scratch, len(data), "Importing")
        tar.write(data)
        done += len(data)
        sink.progress.update(done)


class _Members:
    """The members found so far, on disk, as there may be millions."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE member (key BLOB PRIMARY KEY, line BLOB, number INT, start INT, segments TEXT) WITHOUT ROWID"
        )
        self._db.execute("BEGIN")

    def put(self, member: _Member) -> None:
        """Add a member. The last one with a name counts."""
        entry, segments = member.entry, member.segments
        self._db.execute(
            "INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?)",
            (
                order(entry.path),
                to_line(entry),
                member.number,
                member.offset,
                None if segments is None else json.dumps(segments),
            ),
        )

    def get(self, path: bytes) -> Optional[_Member]:
        """The member with this name."""
        row = self._db.execute("SELECT * FROM member WHERE key = ?", (order(path),)).fetchone()
        return None if row is None else self._member(row)

    def __iter__(self) -> Iterator[_Member]:
        for row in self._db.execute("SELECT * FROM member ORDER BY key"):
            yield self._member(row)

    def close(self) -> None:
        """Remove the file with the members."""
        self._db.close()

    @staticmethod
    def _member(row: tuple[bytes, bytes, int, int, Optional[str]]) -> _Member:
        segments = None if row[4] is None else [(one[0], one[1]) for one in json.loads(row[4])]
        return _Member(from_line(row[1]), row[2], row[3], segments)


def _read_members(tar: BinaryIO, members: _Members, sink: Sink) -> None:
    for number, info in enumerate(tar_members.spooled(tar), 1):
        sink.progress.check()
        _take(info, number, members)


def _take(info: tarfile.TarInfo, number: int, members: _Members) -> None:
    path, kind = tar_members.path_of(info), _KINDS.get(info.type)
    if kind is None:
        raise ValueError(f"{shown(path)} is a device, or of unknown type")
    entry = Entry(
        path=path,
        kind=kind,
        mode=info.mode & 0o7777,
        uid=info.uid,
        gid=info.gid,
        user=info.uname,
        group=info.gname,
        mtime_ns=_time_of(info),
        size=info.size if kind == FILE else 0,
        sha256=_NO_DIGEST if kind == FILE else "",
        target=info.linkname.encode("utf-8", "surrogateescape") if kind in (SYMLINK, HARDLINK) else b"",
        xattrs=_xattrs_of(info) if kind in (FILE, DIRECTORY) else (),
    )
    if kind == SYMLINK:
        _check_symlink(entry)
    member = _Member(entry, number, info.offset_data, _segments_of(info))
    if kind == HARDLINK:
        member = _link(entry, members)
    _make_parents(entry, members)
    members.put(member)


def _time_of(info: tarfile.TarInfo) -> int:
    seconds = Decimal(info.pax_headers.get("mtime", info.mtime))
    if not abs(seconds) < 1 << 64:
        raise ValueError(f"the time of {info.name} is not valid")
    return int(seconds * 10**9)


def _xattrs_of(info: tarfile.TarInfo) -> tuple[tuple[bytes, bytes], ...]:
    found = []
    for key, value in info.pax_headers.items():
        if key.startswith(_XATTR):
            name = key[len(_XATTR) :].replace("%3D", "=").replace("%25", "%")
            found.append((name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape")))
    return tuple(sorted(found))


def _segments_of(info: tarfile.TarInfo) -> Optional[Segments]:
    sparse: Any = info.sparse
    if sparse is None:
        return None
    segments = [(offset, length) for offset, length in sparse if length]
    end = 0
    for offset, length in segments:
        if offset < end or length < 0 or offset + length > info.size:
            raise ValueError(f"the map of {info.name} is not that of a sparse file")
        end = offset + length
    return segments


def _check_symlink(entry: Entry) -> None:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), entry.target))
    if (target + b"/").startswith((b"/", b"../")):
        raise ValueError(f"the link {shown(entry.path)} leads out of the tree to {shown(entry.target)}")


def _link(entry: Entry, members: _Members) -> _Member:
    """A further name of a file becomes another name of that file: the order decides which name comes first."""
    target = posixpath.normpath(entry.target)
    first = members.get(target) if is_safe(target) else None
    if first is None or first.entry.kind != FILE:
        raise ValueError(f"{shown(entry.path)} is a link to {shown(entry.target)}, which is not an earlier file")
    return first._replace(entry=first.entry._replace(path=entry.path))


def _make_parents(entry: Entry, members: _Members) -> None:
    """Add missing directories, with the owner and time of the first entry in them."""
    path = entry.path
    while path:
        path = path.rpartition(b"/")[0]
        if members.get(path) is not None:
            return
        made = entry._replace(path=path, kind=DIRECTORY, mode=0o755, size=0, sha256="", target=b"", xattrs=())
        members.put(_Member(made, 0, 0, None))


class _Writer:
    """Writes the members in order."""

    def __init__(self, archive: ArchiveWriter, index: Index, fd: int, sink: Sink) -> None:
        self._archive = archive
        self._index = index
        self._fd = fd
        self._sink = sink
        self._first: dict[int, Entry] = {}  # of files, by number

    def write(self, members: _Members, selection: Selection) -> int:
        """Write the selected members. Returns the number of the others."""
        levels: list[tuple[_Member, int, bool]] = []  # directories down to here: state, and whether it is written
        left_out = 0
        for member in members:
            self._sink.progress.check()
            entry = member.entry
            parent = entry.path.rpartition(b"/")[0]
            while levels and levels[-1][0].entry.path != parent:
                levels.pop()
            if entry.path and not levels:
                raise ValueError(f"{shown(entry.path)} is not in a directory of the tree")
            state = selection.enter(entry.path, levels[-1][1]) if entry.path else 0
            selected = not entry.path or (state != LEFT_OUT and selection.selects(state))
            if selected:
                for number, (directory, above, written) in enumerate(levels):
                    if not written:
                        levels[number] = (directory, above, True)
                        self._add(directory)
                        left_out -= 1
                self._add(member)
            else:
                left_out += 1
            if entry.kind == DIRECTORY:
                levels.append((member, state, selected))
        self._archive.finish()
        return left_out

    def _add(self, member: _Member) -> None:
        entry = member.entry
        if entry.kind != FILE:
            self._archive.begin(entry)
            self._index.add(entry)
            return
        first = self._first.get(member.number)
        if first is not None:
            entry = first.other_name(entry.path)
            self._archive.begin(entry)
            self._index.add(entry)
            return
        ranges = [(0, entry.size)] if member.segments is None else member.segments
        chart = b"" if member.segments is None else sparse_map(ranges, entry.size)
        stored = len(chart) + sum(length for _offset, length in ranges)
        self._archive.begin(entry, None if member.segments is None else stored)
        if chart:
            self._archive.put(chart)
        entry = entry._replace(sparse=is_sparse(member.segments, entry.size))
        digest = content_hash(entry.sparse)
        source = member.offset
        for offset, length in ranges:
            target = offset
            for data in read_range(self._fd, source, length):
                digest.update(target, data)
                self._archive.put(data)
                target += len(data)
                source += len(data)
            if target != offset + length:
                raise ValueError(f"{shown(entry.path)} is truncated")
        self._archive.pad(stored)
        entry = entry._replace(sha256=digest.hexdigest(entry.size))
        self._index.add(entry)
        self._first[member.number] = entry
