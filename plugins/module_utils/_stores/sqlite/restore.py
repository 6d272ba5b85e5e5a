# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores a whole database: into the live one, or as a new file if there is none that SQLite can open."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import BinaryIO, Callable, Optional

from ..._core import files
from ..._core.collection import Collection
from ..._core.errors import DamagedBackup, TargetError
from ..._core.owners import check_replaceable
from ..base import Change, Copy, Restoration
from .file import SIDE_FILES, Header, check_side_files, holders, lstat, normalise, open_in
from .file_copy import digest_of
from .live import LiveRestoration, Present, find_present, put_whole
from .new_file import NewFileRestoration, dress

_CHUNK = 1 << 20
_WINDOW = 16 << 20

Written = Callable[[int, int, int], None]


def prepare_whole(path: str, copy: Copy, scratch: str, dry: bool, patience: float) -> Restoration:
    """Prepare the restore of a whole database (`Store.prepare`)."""
    files.check_writable_parent(path)
    check_side_files(path, TargetError)
    left = [] if dry else remove_leftovers(path)
    present = find_present(path, scratch, copy.progress, patience)
    if present is None:
        return _prepare_new_file(path, copy, scratch, dry, left)
    return _prepare_live(present, copy, scratch, left)


def _prepare_live(present: Present, copy: Copy, scratch: str, left: list[str]) -> Restoration:
    path, new, notes = present.path, os.path.join(scratch, "new.db"), list(left)
    copy.progress.start(f"Comparing {path}", present.header.bytes, "bytes")
    same = digest_of(present.native, copy.progress) == copy.content_digest
    before = copy.collections if same else present.counts()
    if not same:
        header = unpack(copy, new)
        # what SQLite needs beside the database until the transaction has ended: the new pages, or the old ones
        need = max(header.bytes, present.header.bytes)
        files.need_space(os.path.dirname(path), need, f"Restoring {path}")
        notes += _warnings(present, header)

    def put(source: str) -> Sequence[str]:
        return put_whole(path, source, copy.progress, present.patience)

    changes = changes_between(before, copy.collections)
    return LiveRestoration(present, new, put, changed=not same, changes=changes, notes=notes)


def _warnings(present: Present, new: Header) -> list[str]:
    who, notes = holders(present.path), []
    if who and present.journal_mode == "wal" and present.header.page_size != new.page_size:
        notes.append(
            f"The page size of {present.path} is {present.header.page_size} bytes, that of the backup "
            f"{new.page_size}: in WAL mode, this can only change while no process has it open. {open_in(who)}."
        )
    if who and present.header.encoding != new.encoding:
        notes.append(f"The text encoding changes to {new.encoding}. {open_in(who)}, and must be restarted.")
    return notes


def _prepare_new_file(path: str, copy: Copy, scratch: str, dry: bool, left: list[str]) -> Restoration:
    """Prepare a new file. Unless `dry` is set, it is then complete and durable beside the target."""
    files.check_changeable(path)
    old = lstat(path)
    if old is not None:
        check_replaceable(old.st_uid, old.st_gid, path)
    directory, name = os.path.split(path)
    notes = (*left, *_stale(path, old))
    prepared = os.path.join(scratch, "new.db") if dry else os.path.join(directory, files.prepared_name(name))
    try:
        with files.os_errors(TargetError, "Can't write", prepared), _create(prepared) as handle:
            _unpack(copy, handle, directory, _write_back)
            if not dry:
                notes += dress(handle.fileno(), path, copy.details, old)
                os.fsync(handle.fileno())
    except BaseException:
        files.discard(prepared)
        raise
    return NewFileRestoration(path, prepared, copy, notes)


def _stale(path: str, old: Optional[os.stat_result]) -> tuple[str, ...]:
    if old is None:
        stale = [path + name for name in SIDE_FILES if lstat(path + name)]
        return tuple(f"Removing {name}, a leftover without its database." for name in stale)
    who = holders(path)
    note = f"SQLite can't open the existing {path}, which is replaced with a new file."
    return (note + (f" {open_in(who)}, and must be restarted." if who else ""),)


def _write_back(fd: int, start: int, end: int) -> None:
    """Have the kernel begin to write these bytes: an fsync at the end would wait for all of them."""
    if end // _WINDOW != start // _WINDOW:
        # this also drops from the cache what is on the disk already: of what was just written, nothing
        os.posix_fadvise(fd, (end // _WINDOW - 1) * _WINDOW, _WINDOW, os.POSIX_FADV_DONTNEED)


def remove_leftovers(path: str) -> list[str]:
    """Remove what earlier runs have left beside the target. Returns sentences for the user."""
    directory, name = os.path.split(path)
    names = (name, *(name + side for side in SIDE_FILES))
    with files.os_errors(TargetError, "Can't look for leftovers of earlier runs in", directory):
        return [note for one in names for note in files.remove_prepared(directory, one)]


def unpack(copy: Copy, destination: str) -> Header:
    """Decompress the database of the backup into a new file in a private directory, to its verified end.

    :raises DamagedBackup: it differs from the manifest.
    """
    with files.os_errors(TargetError, "Can't write", destination), _create(destination) as handle:
        return _unpack(copy, handle, os.path.dirname(destination), lambda fd, start, end: None)


def _create(path: str) -> BinaryIO:
    return open(os.open(path, files.CREATE_FILE, 0o600), "r+b", buffering=0)


def _unpack(copy: Copy, handle: BinaryIO, directory: str, written: Written) -> Header:
    """Decompress into an open file.

    :param written: called with the descriptor and the range of bytes that was just written.
    """
    name = _one_name(copy)
    size = int(copy.details.get("page_size") or 0) * int(copy.details.get("page_count") or 0)
    files.need_space(directory, size, f"Unpacking {name}")
    copy.progress.start(f"Unpacking and verifying {name}", size or None, "bytes")
    done = 0
    with copy.open(name) as reader:
        while True:
            data = reader.read(_CHUNK)
            if not data:
                break
            handle.write(data)
            written(handle.fileno(), done, done + len(data))
            done += len(data)
    if reader.sha256() != copy.content_digest:
        raise DamagedBackup(name, [{"path": name, "problem": "the digest of its content differs from the manifest"}])
    return normalise(handle.fileno(), name)


def _one_name(copy: Copy) -> str:
    names = list(copy.names())
    if len(names) != 1:
        problem = {"path": ", ".join(names) or "data", "problem": "it must be one file"}
        raise DamagedBackup("of a database", [problem])
    return names[0]


def changes_between(before: Sequence[Collection], after: Sequence[Collection]) -> list[Change]:
    """A line for every table that exists or will exist."""
    old: dict[str, int] = dict(before)
    new: dict[str, int] = dict(after)
    return [Change(name, old.get(name), new.get(name, 0)) for name in sorted({**old, **new})]
