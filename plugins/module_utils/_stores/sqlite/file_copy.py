# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One consistent, private copy of a SQLite database, while others write to it.

Copying files under SQLite's own read lock is several times as fast as its backup API and keeps writers waiting for
a shorter time. Why the copy is consistent:

- Rollback journal: a reader's SHARED lock keeps everybody from writing to the database file.
- WAL: the database file is copied first, the WAL second. Only checkpoints write to the database file, and only pages
  whose frames are complete in the WAL. As long as the WAL is not started anew, these frames stay where they are: the
  WAL's copy has them, and recovery lays them over whatever a checkpoint had half written. Before its first frame, a
  WAL that is started anew gets another header (random salts): headers that are equal before and after tell that it
  was not. Frames that were half written fail their checksums, as after a crash. Our read transaction keeps the
  journal mode from changing and, as soon as the WAL has frames that are not in the database yet, the WAL from being
  started anew. While the WAL is empty, it keeps checkpoints away from the database file.
- Nobody has it open, or a crashed writer's journal must be rolled back, which a reader can't do: database, WAL and
  journal are copied without a lock. When the attributes of none changed, the copy is what a crash at that moment
  would have left, and SQLite recovers the copy. Nothing is created, changed or rolled back at the source.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from typing import Callable, Optional

from ..._core import files
from ..._core.errors import SourceError
from ..._core.fingerprint import SETTLED_NS, attributes, combine, settled, trusted_file_system
from ..._core.progress import Progress
from ..._core.sparse import data_ranges
from .file import (
    PATIENCE,
    SIDE_FILES,
    TryAgain,
    Unreadable,
    check_log_of_empty,
    check_magic,
    check_side_files,
    connect,
    is_busy,
    is_wal,
    lstat,
    persist,
    sqlite3,
    sqlite_errors,
)

_CHUNK = 1 << 20
_CHUNK_IN_KERNEL = 8 << 20
_WAL_HEADER = 32  # bytes
# A checkpointer and a writer in turns could start the WAL anew during each of our copies.
_FAST_TRIES = 5


def copy_database(path: str, destination: str, progress: Progress, patience: float = PATIENCE) -> str:
    """Copy the database, with everything that was committed, to `destination` (a private path).

    The copy has no side files, even if its header says WAL. Returns the journal mode of the source: "wal", or "delete"
    for all kinds of rollback journals (each connection chooses its kind).

    :raises Unreadable: SQLite cannot open it.
    :raises SourceError: it stays locked, or cannot be read.
    """
    copier = _Copier(path, destination, progress)
    progress.start(f"Copying {path}", unit="bytes")
    try:
        with sqlite_errors(SourceError, "Can't read the database", path):
            return persist(copier.attempt, path, SourceError, progress, patience)
    except SourceError as exc:
        # its subclasses are about the circumstances, not about the file
        if exc.__cause__.__class__ is sqlite3.DatabaseError:
            raise Unreadable(exc.message, "It is damaged, encrypted, or not an SQLite database.") from exc
        raise


def fingerprint(path: str) -> Optional[str]:
    """The cheap identity of the content: attributes of the database and its WAL. None if they cannot be trusted."""
    try:
        journal = lstat(path + "-journal")
        if (journal is not None and journal.st_size) or not trusted_file_system(path):
            return None
        identity = _identity(path)
        return combine([*identity, _wal_header(path).hex()]) if identity else None
    except (OSError, SourceError):  # what can't be looked at has no identity
        return None


def stream(path: str, write: Callable[[bytes], object]) -> None:
    """Pass the bytes of a file to `write`, in pieces."""
    with files.os_errors(SourceError, "Can't read", path), open(path, "rb", buffering=0) as handle:
        while True:
            data = handle.read(_CHUNK)
            if not data:
                return
            write(data)


def digest_of(path: str, progress: Progress) -> str:
    """Hex SHA-256 of the bytes of a file."""
    digest = hashlib.sha256()

    def add(data: bytes) -> None:
        digest.update(data)
        progress.advance(len(data))

    stream(path, add)
    return digest.hexdigest()


class _Copier:
    """Tries to copy, with or without a lock."""

    def __init__(self, path: str, destination: str, progress: Progress) -> None:
        self._path = path
        self._destination = destination
        self._progress = progress
        self._tries = 0

    def attempt(self) -> str:
        """Copy once.

        :raises TryAgain: what was copied is inconsistent.
        """
        for name in ("", *SIDE_FILES):
            files.remove(self._destination + name)
        check_side_files(self._path, SourceError)
        self._tries += 1
        # Closing any descriptor of the file drops the locks of all our connections to it: this one is closed last.
        fd = files.open_regular(self._path, SourceError)
        try:
            return self._copy(fd)
        finally:
            os.close(fd)

    def _copy(self, fd: int) -> str:
        check_log_of_empty(self._path)
        header = check_magic(fd, self._path)
        wal, shm = lstat(self._path + "-wal"), lstat(self._path + "-shm")
        wal_bytes = wal.st_size if wal else 0
        need = sum(end - start for start, end in data_ranges(fd, 0, os.fstat(fd).st_size)) + wal_bytes
        files.need_space(os.path.dirname(self._destination), need, f"Copying {self._path}")
        if (is_wal(header) or wal_bytes) and not (wal and shm):
            # Nobody has it open, or one application alone: if we opened it, we would leave these two files behind.
            return self._copy_at_rest(fd)
        try:
            with contextlib.closing(connect(self._path, "ro")) as connection:
                return self._copy_locked(connection, fd)
        except sqlite3.OperationalError as exc:
            if is_busy(exc):
                raise
            # a crashed writer's journal, or a WAL in a directory that we can't write
            return self._copy_at_rest(fd)

    def _copy_locked(self, connection: sqlite3.Connection, fd: int) -> str:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not os.path.samestat(os.fstat(fd), os.stat(self._path)):
            raise TryAgain("it is constantly replaced with other files")
        mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
        if mode != "wal":
            self._copy_bytes(fd, "")
        elif self._tries > _FAST_TRIES:
            with contextlib.closing(connect(self._destination, "rwc")) as target:
                target.execute("PRAGMA synchronous=OFF")
                connection.backup(target, pages=-1)
        else:
            before = _wal_header(self._path)
            self._copy_bytes(fd, "")
            self._copy_side_file("-wal")
            if before != _wal_header(self._path):
                raise TryAgain("its write-ahead log is constantly restarted")
            if before:
                _recover(self._destination)
        return mode

    def _copy_at_rest(self, fd: int) -> str:
        before = _identity(self._path)
        if before is None:
            raise TryAgain("it constantly changes")
        self._copy_bytes(fd, "")
        self._copy_side_file("-wal")
        self._copy_side_file("-journal")
        if before != _identity(self._path):
            raise TryAgain("it constantly changes")
        return _recover(self._destination)

    def _copy_side_file(self, name: str) -> None:
        info = lstat(self._path + name)
        if info is None or not info.st_size:
            return
        fd = files.open_regular(self._path + name, SourceError)
        try:
            self._copy_bytes(fd, name)
        finally:
            os.close(fd)

    def _copy_bytes(self, source: int, name: str) -> None:
        """Copy all data of a file, in the kernel if possible (which shares blocks on XFS and btrfs). Holes remain
        holes.
        """
        target = os.open(self._destination + name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            end = 0
            for start, stop in data_ranges(source, 0, os.fstat(source).st_size):
                end = self._copy_range(source, target, start, stop)
            os.ftruncate(target, max(end, os.fstat(source).st_size))
        finally:
            os.close(target)

    def _copy_range(self, source: int, target: int, done: int, end: int) -> int:
        """Copy a range. Returns its end, which is before `end` if the file was truncated meanwhile."""
        in_kernel = hasattr(os, "copy_file_range")
        while done < end:
            size = min(_CHUNK_IN_KERNEL, end - done)
            try:
                count = os.copy_file_range(source, target, size, done, done) if in_kernel else 0
            except OSError:  # an old kernel, or another file system
                in_kernel, count = False, 0
            # 0 is also what the kernel says of some file systems that it can't copy from
            count = count or os.pwrite(target, os.pread(source, min(_CHUNK, size), done), done)
            if not count:
                break
            done += count
            self._progress.update(done)
        return done


def _identity(path: str) -> Optional[list[str]]:
    """What changes whenever the database, its WAL or its journal changes. None if a change might not be visible yet."""
    info = os.stat(path)
    if not settled([info]):
        return None
    parts = [attributes(info)]
    for name in ("-wal", "-journal"):
        side = lstat(path + name)
        if side is None or not side.st_size:
            parts.append("")
            continue
        if side.st_mtime_ns >= time.time_ns() - SETTLED_NS:
            return None
        # Without its ctime: whenever root opens it, even to read, SQLite sets its owner anew.
        parts.append(f"{side.st_ino} {side.st_size} {side.st_mtime_ns}")
    return parts


def _wal_header(path: str) -> bytes:
    if lstat(path + "-wal") is None:
        return b""
    fd = files.open_regular(path + "-wal", SourceError)
    try:
        return os.pread(fd, _WAL_HEADER, 0)
    finally:
        os.close(fd)


def _recover(destination: str) -> str:
    """Let SQLite merge the WAL or the journal beside our private copy into it. Returns the journal mode that it had."""
    with contextlib.closing(connect(destination, "rw")) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # needs no shared memory
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
        if mode == "wal":
            if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] != 0:
                raise SourceError("The write-ahead log of a private copy could not be applied.")
            connection.execute("PRAGMA journal_mode=DELETE")
    for name in SIDE_FILES:
        files.remove(destination + name)
    return mode
