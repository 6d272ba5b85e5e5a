# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces a file with a compressed copy once that copy has been verified.

The copy is written under a prepared name, read back and compared, given the attributes of the file, made durable and
put in place without overwriting anything. Only then the file is removed. The copy may be in another directory, also on
another file system, and "compressed" with `none`: that moves the file with the same care.

`compress_file` does this for one file. For many files, use the steps `prepare`, `publish` and `finish`, so that one
sync serves all: prepare each without durability, `SecureDirectory.sync_all`, publish each, sync, finish each, sync.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Optional

from .compression import COMPRESSIONS
from .compression.base import BLOCK, Compression, CorruptStream, Readable, TruncatedStream
from .errors import Day2Error, TargetError
from .files import prepared_name
from .progress import Progress
from .secure_directory import SecureDirectory, copy_attributes
from .sparse import data_ranges, has_holes, same_content

# An existing file with the name of the copy is: the same copy; the beginning of it (its writer was killed); or another
# file.
SAME, PART, OTHER = 1, 2, 3


class Prepared(NamedTuple):
    """A verified copy that is not in place yet.

    :param info: of the original when it was read.
    :param temporary: its prepared name in `target`; "" if it was in place already (an earlier run was killed).
    :param lost: attributes that could not be set on the copy.
    """

    source: SecureDirectory
    name: str
    info: os.stat_result
    target: SecureDirectory
    final: str
    temporary: str
    stored_bytes: int
    lost: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of the original."""
        return self.info.st_size


class _Descriptor:
    """Reads a file from start to end, independent of the position of others that share the descriptor."""

    def __init__(self, fd: int, start: int = 0, end: Optional[int] = None) -> None:
        self._fd = fd
        self._at = start
        self._end = end

    def read(self, size: int) -> bytes:
        data = os.pread(self._fd, size if self._end is None else min(size, self._end - self._at), self._at)
        self._at += len(data)
        return data


def compress_file(
    source: SecureDirectory,
    name: str,
    compression: Compression,
    *,
    target: Optional[SecureDirectory] = None,
    progress: Optional[Progress] = None,
    replace_part: bool = False,
) -> Prepared:
    """Replace a file with its compressed copy, whose name is `name` and the suffix of the compression.

    Raises NoSpace when the disk is full, and another Day2Error when the file can't be read, the copy can't be written
    or verified, or its name is taken by another file. The file is then still in place, and no partial copy is left.

    :param target: directory of the copy; the default is that of the file.
    :param replace_part: as in `prepare`.
    """
    prepared = prepare(source, name, compression, target=target, progress=progress, replace_part=replace_part)
    publish(prepared)
    with prepared.target.errors("Can't sync", prepared.final):
        prepared.target.sync()
    finish(prepared)
    with source.errors("Can't sync", name):
        source.sync()
    return prepared


def prepare(
    source: SecureDirectory,
    name: str,
    compression: Compression,
    *,
    target: Optional[SecureDirectory] = None,
    progress: Optional[Progress] = None,
    durable: bool = True,
    replace_part: bool = False,
) -> Prepared:
    """Write and verify the copy. If a killed run has put the same copy in place already, that copy is used.

    :param replace_part: replace an existing file with the name of the copy if it holds only the beginning of this file,
        as a killed compressor leaves it.
    """
    place = target or source
    final = name + compression.suffix
    with contextlib.ExitStack() as stack:
        with source.errors("Can't read", name):
            original = source.open_file(name)
        stack.callback(os.close, original)
        info = os.fstat(original)
        if place.exists(final):
            stored = _same_already(original, place, final, compression, replace_part)
            if stored is not None:
                return Prepared(source, name, info, place, final, "", stored)
        temporary = prepared_name(final)
        with place.errors("Can't write", final):
            copy = place.create(temporary)
        stack.callback(os.close, copy)
        try:
            with place.errors("Can't write", final):
                if not compression.suffix:
                    good = _copy(original, copy, info, progress)
                else:
                    good = _compress(original, copy, compression, progress)
                if not good:
                    raise TargetError(
                        f"{place.of(final)} differs from {source.of(name)} when read back.",
                        "Nothing was removed. Check the disk.",
                    )
                after = os.fstat(original)
                if (after.st_size, after.st_mtime_ns) != (info.st_size, info.st_mtime_ns):
                    raise TargetError(
                        f"{source.of(name)} was written to while it was read.",
                        "Nothing was removed.",
                    )
                lost = copy_attributes(original, copy, info)
                if durable:
                    os.fsync(copy)
            stored = os.fstat(copy).st_size
        except BaseException:
            discard_prepared(place, temporary)
            raise
    return Prepared(source, name, info, place, final, temporary, stored, tuple(lost))


def publish(prepared: Prepared) -> None:
    """Put the copy in place. If its name has been taken meanwhile, discard the copy and leave the file."""
    if not prepared.temporary:
        return
    try:
        with prepared.target.errors("Can't rename the compressed copy to", prepared.final):
            prepared.target.rename(prepared.temporary, prepared.final)
    except BaseException:
        discard_prepared(prepared.target, prepared.temporary)
        raise


def finish(prepared: Prepared) -> None:
    """Remove the original, unless another file has taken its place."""
    with prepared.source.errors("Can't remove", prepared.name):
        prepared.source.unlink(prepared.name, only=prepared.info)


def discard_prepared(directory: SecureDirectory, temporary: str) -> None:
    """Remove the prepared copy; errors are ignored."""
    if temporary:
        with contextlib.suppress(OSError):
            directory.unlink(temporary)


def compressed_size(
    source: SecureDirectory, name: str, compression: Compression, part: Optional[tuple[int, int]] = None
) -> int:
    """The size of the compressed copy. Writes nothing.

    :param part: offsets at which the content begins and ends, unless it is the whole file.
    """
    with source.errors("Can't read", name):
        original = source.open_file(name)
    try:
        size = part[1] - part[0] if part else os.fstat(original).st_size
        if not compression.suffix:
            return size
        with contextlib.ExitStack() as stack:
            read, write = os.pipe()
            stack.callback(os.close, read)
            with ThreadPoolExecutor(1) as pool:
                counted = pool.submit(_count, read)
                try:
                    _write(original, write, compression, None, part)
                finally:
                    os.close(write)
                return counted.result()
    finally:
        os.close(original)


def existing_size(
    source: SecureDirectory, name: str, compression: Compression, target: Optional[SecureDirectory] = None
) -> Optional[int]:
    """The size of the same copy if it is in place already (an earlier run was killed), or None if its name is free.

    Raises Day2Error when another file has that name.
    """
    place, final = target or source, name + compression.suffix
    with place.errors("Can't stat", final):
        if not place.exists(final):
            return None
    with source.errors("Can't read", name):
        original = source.open_file(name)
    try:
        return _same_already(original, place, final, compression)
    finally:
        os.close(original)


def _count(fd: int) -> int:
    total = 0
    while True:
        size = len(os.read(fd, BLOCK))
        if not size:
            return total
        total += size


def _write(
    original: int,
    copy: int,
    compression: Compression,
    progress: Optional[Progress],
    part: Optional[tuple[int, int]] = None,
) -> str:
    digest = hashlib.sha256()
    stream = _Descriptor(original, *(part or ()))
    with compression.writer(copy) as writer:
        while True:
            data = stream.read(BLOCK)
            if not data:
                return digest.hexdigest()
            digest.update(data)
            writer.write(data)
            if progress is not None:
                progress.advance(len(data))


def _compress(original: int, copy: int, compression: Compression, progress: Optional[Progress]) -> bool:
    """Write the copy and read it back. Returns whether it is the same."""
    digest = _write(original, copy, compression, progress)
    return _digest(compression, copy) == digest


def _copy(original: int, copy: int, info: os.stat_result, progress: Optional[Progress]) -> bool:
    """The same for a copy that is not compressed. Holes are preserved."""
    if not has_holes(info):
        return _compress(original, copy, COMPRESSIONS["none"], progress)
    for first, end in data_ranges(original, 0, info.st_size):
        part = _Descriptor(original, first, end)
        at = first
        while at < end:
            data = part.read(BLOCK)
            if not data:
                return False
            _write_at(copy, data, at)
            at += len(data)
            if progress is not None:
                progress.advance(len(data))
    os.ftruncate(copy, info.st_size)
    return same_content(original, copy, 0, info.st_size)


def _write_at(fd: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view, at)
        view, at = view[count:], at + count


def _digest(compression: Compression, fd: int) -> str:
    try:
        with compression.reader(_Descriptor(fd)) as reader:
            return _digest_of(reader)
    except CorruptStream:
        return ""


def _digest_of(stream: Readable) -> str:
    digest = hashlib.sha256()
    while True:
        data = stream.read(BLOCK)
        if not data:
            return digest.hexdigest()
        digest.update(data)


def compare(
    source: SecureDirectory, name: str, place: SecureDirectory, final: str, compression: Compression
) -> tuple[int, int]:
    """Compare `final` with the compressed copy that `name` would have: SAME, PART or OTHER; and its size.

    Raises Day2Error when one of them can't be read.
    """
    with contextlib.ExitStack() as stack:
        with source.errors("Can't read", name):
            original = source.open_file(name)
        stack.callback(os.close, original)
        with place.errors("Can't read", final):
            existing = place.open_file(final)
        stack.callback(os.close, existing)
        return _compare(original, existing, compression), os.fstat(existing).st_size


def _compare(original: int, existing: int, compression: Compression) -> int:
    at, size = 0, os.fstat(original).st_size
    try:
        with compression.reader(_Descriptor(existing)) as reader:
            while True:
                data = reader.read(BLOCK)
                if not data:
                    return SAME if at == size else PART
                # a small file may decompress to terabytes: stop at the first difference
                if data != os.pread(original, len(data), at):
                    return OTHER
                at += len(data)
    except TruncatedStream:
        return PART
    except CorruptStream:
        return OTHER


def _same_already(
    original: int, place: SecureDirectory, final: str, compression: Compression, replace_part: bool = False
) -> Optional[int]:
    try:
        with place.errors("Can't read", final):
            existing = place.open_file(final)
    except Day2Error as exc:
        raise TargetError(f"{place.of(final)} already exists and was not overwritten. {exc}") from exc
    try:
        kind = _compare(original, existing, compression)
        if kind == PART and replace_part:
            with place.errors("Can't remove", final):
                place.unlink(final, only=os.fstat(existing))
            return None
        if kind != SAME:
            raise TargetError(
                f"{place.of(final)} already exists with other content and was not overwritten.",
                "Move it elsewhere and run again.",
            )
        with place.errors("Can't sync", final):
            os.fsync(existing)
        return os.fstat(existing).st_size
    finally:
        os.close(existing)
