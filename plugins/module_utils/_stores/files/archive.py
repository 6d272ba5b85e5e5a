# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive: a POSIX (pax) tar file, extractable by any tar; the same tree gives the same bytes.

An entry of the index determines its header completely, so verifying needs no parser: what is read is compared with what
would have been written. The bytes of format version 1 must therefore never change.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from ..base import Reader, Writer
from .index import BLOCK_DEVICE, CHARACTER_DEVICE, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry, shown

CHUNK = 1 << 20

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_ZEROS = bytes(_BLOCK)
_REST = bytes(155 + 12)  # the field for long names, for which there are records, and what is unused
_TYPES = {
    FILE: b"0",
    HARDLINK: b"1",
    SYMLINK: b"2",
    CHARACTER_DEVICE: b"3",
    BLOCK_DEVICE: b"4",
    DIRECTORY: b"5",
    FIFO: b"6",
}
_MOST_7 = 0o7777777  # what seven octal digits hold
_MOST_11 = 0o77777777777
_LONGEST_HEADER = 1 << 24

Segments = Sequence[tuple[int, int]]  # offset and length of data, in order; the rest are holes


def padding(size: int) -> int:
    """The zero bytes between the end of a content of this size and the next block."""
    return -size % _BLOCK


def header(entry: Entry, stored: Optional[int] = None) -> bytes:
    """The blocks before the content of an entry.

    :param stored: for a sparse file, the size in bytes of what follows: the map and the data (GNU.sparse 1.0).
    """
    path, kind, mode, uid, gid, user, group, mtime_ns, size, _digest, link, xattrs, device, *_rest = entry
    name = (path or b".") + b"/" if kind == DIRECTORY else path
    owner = _owner(mode, uid, gid, user, group)
    records = owner.records
    if len(name) > 100 or len(link) > 100 or xattrs or size > _MOST_11 or stored is not None:
        name, size, extra = _unusual(entry, name, stored)
        records = extra + records
    seconds, fraction = divmod(abs(mtime_ns), 10**9)
    if mtime_ns >= 0:
        records += _record(b"mtime", b"%d.%09d" % (seconds, fraction))
    else:
        records += _record(b"mtime", b"-%d.%09d" % (seconds, fraction))
        seconds = 0
    extended, padded = _extended(len(records))
    ustar = _ustar(name, owner, size, min(seconds, _MOST_11), kind=_TYPES[kind], link=link, device=device)
    return b"".join((extended, records, padded, ustar))


def _unusual(entry: Entry, name: bytes, stored: Optional[int]) -> tuple[bytes, int, bytes]:
    """The name and size for the header of an entry that does not fit into it, and records for what does not."""
    size = entry.size if stored is None else stored
    records = _record(b"size", b"%d" % size) if size > _MOST_11 else b""
    if stored is not None:
        records += _record(b"GNU.sparse.major", b"1") + _record(b"GNU.sparse.minor", b"0")
        records += _record(b"GNU.sparse.name", name) + _record(b"GNU.sparse.realsize", b"%d" % entry.size)
        name = b"GNUSparseFile.0/" + name.rpartition(b"/")[2][:84]
    if len(name) > 100:
        records += _record(b"path", name)
    if len(entry.target) > 100:
        records += _record(b"linkpath", entry.target)
    for key, value in entry.xattrs:
        # as GNU tar does: a record's key ends at its first "="
        records += _record(b"SCHILY.xattr." + key.replace(b"%", b"%25").replace(b"=", b"%3D"), value)
    return name, size if size <= _MOST_11 else 0, records


class _Owner(NamedTuple):
    fields: bytes  # mode and ids
    names: bytes
    records: bytes  # for what does not fit


@functools.lru_cache(maxsize=256)
def _owner(mode: int, uid: int, gid: int, user: str, group: str) -> _Owner:
    names = [name.encode("utf-8", "surrogateescape") for name in (user, group)]
    records = [_record(key, b"%d" % number) for key, number in ((b"uid", uid), (b"gid", gid)) if number > _MOST_7]
    records += [_record(key, name) for key, name in zip((b"uname", b"gname"), names) if len(name) > 31]
    return _Owner(
        b"".join(b"%07o\0" % number for number in (mode, *(one if one <= _MOST_7 else 0 for one in (uid, gid)))),
        b"".join(name[:31].ljust(32, b"\0") for name in names),
        b"".join(records),
    )


def _record(key: bytes, value: bytes) -> bytes:
    """A pax record, which begins with its own length in bytes."""
    return b"%s %s=%s\n" % (_length(len(key) + len(value) + 3), key, value)


@functools.lru_cache(maxsize=256)
def _length(rest: int) -> bytes:
    """The length of a record whose other bytes are so many."""
    digits = len(b"%d" % rest)
    return b"%d" % (rest + digits + (len(b"%d" % (rest + digits)) > digits))


@functools.lru_cache(maxsize=256)
def _extended(size: int) -> tuple[bytes, bytes]:
    """The header of a pax header whose records have this size in bytes, and the padding after these."""
    return _ustar(b"PaxHeader", _owner(0o644, 0, 0, "", ""), size, 0, kind=b"x"), bytes(padding(size))


def _ustar(
    name: bytes,
    owner: _Owner,
    size: int,
    time: int,
    *,
    kind: bytes,
    link: bytes = b"",
    device: tuple[int, int] = (0, 0),
) -> bytes:
    before = b"%s%s%011o\0%011o\0" % (name[:100].ljust(100, b"\0"), owner.fields, size, time)
    after, checksum = _after_checksum(kind, link[:100], owner.names, device)
    return b"%s%06o\0 %s" % (before, _sum(before) + checksum, after)


@functools.lru_cache(maxsize=256)
def _after_checksum(kind: bytes, link: bytes, names: bytes, device: tuple[int, int]) -> tuple[bytes, int]:
    """What comes after the checksum, the same for most files, and what this and the checksum's field count in it."""
    after = b"%s%sustar\x0000%s%07o\0%07o\0" % (kind, link.ljust(100, b"\0"), names, *device)
    return after + _REST, _sum(after) + 8 * 0x20  # the field itself counts as spaces


def _sum(data: bytes) -> int:
    """The sum of at most 256 bytes: the lower half of Adler-32, minus one."""
    return (zlib.adler32(data) & 0xFFFF) - 1


def sparse_map(segments: Segments, size: int) -> bytes:
    """The map before the data of a sparse file of `size` bytes."""
    entries = list(segments)
    if not entries or sum(entries[-1]) < size:
        entries.append((size, 0))  # what ends in a hole
    text = b"%d\n" % len(entries) + b"".join(b"%d\n%d\n" % entry for entry in entries)
    return text + bytes(padding(len(text)))


class ArchiveWriter:
    """Writes the archive. For each entry `add`, or `begin`, its content with `put`, and `pad`; at the end `finish`.

    `bytes` is the number of bytes written so far.
    """

    def __init__(self, out: Writer) -> None:
        self.bytes = 0
        self._out = out
        self._parts: list[bytes] = []
        self._waiting = 0

    def begin(self, entry: Entry, stored: Optional[int] = None) -> None:
        """Write the header of the next entry.

        :param stored: as for `header`.
        """
        self.put(header(entry, stored))

    def add(self, entry: Entry, content: bytes) -> None:
        """Write an entry with its whole content."""
        head, size = header(entry), len(content)
        self._parts += (head, content, _ZEROS[: -size % _BLOCK])
        self._waiting += len(head) + size + -size % _BLOCK
        if self._waiting >= CHUNK:
            self._flush()

    def put(self, data: bytes) -> None:
        """Write bytes of the content."""
        self._parts.append(data)
        self._waiting += len(data)
        if self._waiting >= CHUNK:
            self._flush()

    def pad(self, size: int) -> None:
        """End a content of `size` bytes."""
        if size % _BLOCK:
            self.put(bytes(padding(size)))

    def finish(self) -> None:
        """End the archive."""
        self.put(_END)
        self._flush()

    def _flush(self) -> None:
        self._out.write(b"".join(self._parts))
        self.bytes += self._waiting
        self._parts, self._waiting = [], 0


class ArchiveReader:
    """Reads an archive along with its index: `begin` each entry, then exhaust its content.

    All methods raise ValueError when the archive differs from the index.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._buffer = b""
        self._position = 0

    def begin(self, entry: Entry) -> Iterator[tuple[int, bytes]]:
        """Verify the header of an entry. Returns its content: pairs of offset and bytes, without the holes."""
        first = self._take(_BLOCK)
        length = _number(first)
        if length > _LONGEST_HEADER:
            raise ValueError(f"the header of {shown(entry.path)} differs from the index")
        rest = self._take(length + padding(length) + _BLOCK)
        if first + rest == header(entry):
            return self._plain(entry.size)
        stored = _number(rest[-_BLOCK:]) or _size_record(rest[:length])
        if entry.kind != FILE or first + rest != header(entry, stored):
            raise ValueError(f"the header of {shown(entry.path)} differs from the index")
        return self._sparse(entry, stored)

    def finish(self) -> None:
        """Verify the end of the archive."""
        if self._take(len(_END)) != _END or self._position < len(self._buffer) or self._reader.read(_BLOCK):
            raise ValueError("it does not end where the index ends")

    def _plain(self, size: int) -> Iterator[tuple[int, bytes]]:
        offset = 0
        while offset < size:
            data = self._some(size - offset)
            yield offset, data
            offset += len(data)
        self._check_padding(size)

    def _sparse(self, entry: Entry, stored: int) -> Iterator[tuple[int, bytes]]:
        segments, left = self._read_map(entry, stored)
        for offset, length in segments:
            done = 0
            while done < length:
                data = self._some(length - done)
                yield offset + done, data
                done += len(data)
        self._check_padding(left)

    def _read_map(self, entry: Entry, stored: int) -> tuple[list[tuple[int, int]], int]:
        """The map of a sparse file, and the number of bytes of data after it."""
        blocks: list[bytes] = []
        lines, wanted = 0, 1
        while lines < wanted:
            if len(blocks) * _BLOCK >= stored:
                raise ValueError(f"{shown(entry.path)} is longer than its header says")
            blocks.append(self._take(_BLOCK))
            lines += blocks[-1].count(b"\n")
            if len(blocks) == 1:
                wanted = 2 * _decimal(blocks[0].partition(b"\n")[0]) + 1
        text = b"".join(blocks)
        *numbers, rest = text.rstrip(b"\0").split(b"\n")
        values = [_decimal(number) for number in numbers[1:]]
        if rest or len(numbers) != wanted:
            raise ValueError(f"the map of {shown(entry.path)} has the wrong length")
        segments = [(values[i], values[i + 1]) for i in range(0, len(values), 2)]
        end = 0
        for offset, length in segments:
            if offset < end:
                raise ValueError(f"the map of {shown(entry.path)} is out of order")
            end = offset + length
        left = stored - len(text)
        if end > entry.size or left != sum(length for _offset, length in segments):
            raise ValueError(f"the map of {shown(entry.path)} does not fit its size")
        return segments, left

    def _check_padding(self, size: int) -> None:
        if size % _BLOCK and self._take(padding(size)).strip(b"\0"):
            raise ValueError("there is data between two entries")

    def _some(self, most: int) -> bytes:
        """At least one byte, and at most `most`."""
        if self._position == len(self._buffer):
            self._buffer, self._position = self._reader.read(CHUNK), 0
            if not self._buffer:
                raise ValueError("it ends before the index ends")
        data = self._buffer[self._position : self._position + most]
        self._position += len(data)
        return data

    def _take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        data = self._some(size) if size else b""
        if len(data) == size:
            return data
        parts, missing = [data], size - len(data)
        while missing:
            parts.append(self._some(missing))
            missing -= len(parts[-1])
        return b"".join(parts)


def _number(block: bytes) -> int:
    """The size in the field of a header, in bytes."""
    field = block[124:135]
    if not field.isdigit():
        raise ValueError("it contains an invalid header")
    return int(field, 8)


def _size_record(payload: bytes) -> int:
    """The size in the first record of a pax header, which has it if it is too large for the field."""
    key, dummy, value = payload.partition(b"\n")[0].partition(b" ")[2].partition(b"=")
    return _decimal(value) if key == b"size" else 0


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise ValueError("it contains an invalid number")
    return int(text)
