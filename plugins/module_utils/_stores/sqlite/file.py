# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A SQLite database file: its connections, their errors and locks, and its header."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any, Callable, NamedTuple, Optional, TypeVar
from urllib.parse import quote

try:
    # the other sqlite files take it from here
    import sqlite3 as sqlite3  # noqa: PLC0414 pylint: disable=useless-import-alias
except ImportError:  # a Python that was built without it: SqliteStore says so
    sqlite3 = None  # type: ignore[assignment]

from ..._core import files
from ..._core.errors import Cancelled, Day2Error, MissingDependency, NoSpace, SourceError
from ..._core.processes import others
from ..._core.progress import Progress
from ..._core.units import format_duration

MAGIC = b"SQLite format 3\0"
SIDE_FILES = ("-wal", "-shm", "-journal")

# Seconds that we wait for somebody else's lock.
PATIENCE = 60.0

_HEADER = 100  # bytes
_LOCK_BYTE = 0x40000000  # SQLite keeps its locks here; the page around it holds nothing
_ENCODINGS = {1: "UTF-8", 2: "UTF-16le", 3: "UTF-16be"}
_BUSY = ("database is locked", "database table is locked", "database schema is locked", "locking protocol")

Result = TypeVar("Result")


class TryAgain(Exception):
    """What was read is inconsistent, because someone wrote meanwhile. Never leaves the modules for SQLite files."""


class Unreadable(SourceError):
    """SQLite cannot open the file as a database: another format, encrypted, truncated, damaged."""


class Header(NamedTuple):
    """The header of a database. Numbers are signed, as the pragmas of SQLite show them."""

    page_size: int
    page_count: int
    user_version: int
    application_id: int
    encoding: str
    auto_vacuum: str

    @property
    def bytes(self) -> int:
        return self.page_size * self.page_count

    def details(self) -> dict[str, Any]:
        return dict(self._asdict())


def check_installed() -> None:
    """Raise MissingDependency when Python was built without sqlite3."""
    if sqlite3 is None:
        raise MissingDependency("Python's module sqlite3", "for stores of type sqlite")


def connect(
    path: str, mode: str, immutable: bool = False, factory: Optional[type[sqlite3.Connection]] = None
) -> sqlite3.Connection:
    """A connection without implicit transactions.

    :param mode: "ro", "rw" or "rwc", as in URIs of SQLite.
    :param immutable: nobody writes this file (a private copy): no locks, no side files.
    :param factory: another class of connections than that of the library.
    :raises Unreadable: SQLite would remove a write-ahead log that nobody has read.
    """
    if not immutable:
        check_log_of_empty(path)
    connection = sqlite3.connect(
        uri(path, mode, immutable),
        uri=True,
        isolation_level=None,
        timeout=1.0,
        check_same_thread=False,
        factory=factory or sqlite3.Connection,
    )
    # Names and texts may hold bytes that are no UTF-8.
    connection.text_factory = any_text
    return connection


def any_text(data: bytes) -> str:
    """The text of any bytes: those that are not UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def rows_of(
    connection: sqlite3.Connection, query: str, size: int, parameters: Sequence[Any] = ()
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query in a read transaction, `size` at a time.

    Texts are decoded by the library as long as they are UTF-8.
    """
    done = 0
    try:
        cursor = _with_text(connection, str, lambda: connection.execute(query, parameters))
        while True:
            rows = _with_text(connection, str, lambda: cursor.fetchmany(size))
            if rows:
                yield rows
            done += len(rows)
            if len(rows) < size:
                return
    except sqlite3.OperationalError as exc:
        if not str(exc).startswith("Could not decode to UTF-8"):
            raise
    # Python 3.9 has the failed statement still in use, and would give one of its rows once more.
    cursor = connection.execute(query + " ", parameters)
    for dummy in itertools.islice(cursor, done):
        pass
    yield from iter(lambda: cursor.fetchmany(size), [])


def _with_text(connection: sqlite3.Connection, factory: Any, action: Callable[[], Result]) -> Result:
    """Run an action with this text factory; other readings of the connection use their own between two actions."""
    connection.text_factory = factory
    try:
        return action()
    finally:
        connection.text_factory = any_text


def uri(path: str, mode: str, immutable: bool = False) -> str:
    return f"file:{quote(os.fsencode(path))}?mode={mode}{('&immutable=1' if immutable else '')}"


@contextlib.contextmanager
def sqlite_errors(kind: type[Day2Error], doing: str, path: str, hint: str = "") -> Iterator[None]:
    """Turn errors of SQLite and of the system into ours: "<doing> <path>: <the words of SQLite>"."""
    try:
        with files.os_errors(kind, doing, path):
            yield
    except (sqlite3.Error, UnicodeEncodeError) as exc:  # the latter: SQL with a name that is no UTF-8
        words = str(exc)
        message = f"{doing} {path}: {words}."
        if words == "interrupted":  # by a progress handler: nobody else does that
            raise Cancelled(f"Stopped: {doing} {path} was interrupted.") from exc
        if words == "database or disk is full":
            raise NoSpace(message, "Free some space on that file system and run again.") from exc
        if words == "unable to open database file" and _lacks_side_files(path):
            raise kind(
                f"{doing} {path}: nobody has it open, and {os.path.dirname(path)} is not writable. If the database is "
                "in WAL mode, SQLite creates files beside it.",
                "Make the directory writable (ReadWritePaths= in a systemd unit), or run while its application has the "
                "database open.",
            ) from exc
        raise kind(message, hint) from exc


def _lacks_side_files(path: str) -> bool:
    """Whether the files of a write-ahead log would have to be created where that is not possible."""
    missing = not all(os.path.lexists(path + side) for side in ("-wal", "-shm"))
    return missing and lstat(path) is not None and not os.access(os.path.dirname(path) or ".", os.W_OK)


def is_busy(exc: BaseException) -> bool:
    """Whether someone else holds a lock. (`sqlite_errorcode` exists from Python 3.11 on.)"""
    return isinstance(exc, sqlite3.OperationalError) and str(exc).startswith(_BUSY)


def persist(
    action: Callable[[], Result], path: str, kind: type[Day2Error], progress: Progress, patience: float = PATIENCE
) -> Result:
    """Repeat the action while someone else holds a lock, or while it raises TryAgain.

    :raises kind: `patience` seconds were not enough; the message says who has the database open.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return action()
        except (sqlite3.OperationalError, TryAgain) as exc:
            if not isinstance(exc, TryAgain) and not is_busy(exc):
                raise
            if time.monotonic() >= deadline:
                raise locked(path, kind, patience, str(exc)) from exc
        progress.check()
        time.sleep(0.05)


def locked(path: str, kind: type[Day2Error], patience: float, words: str) -> Day2Error:
    """The error of a database that remains locked."""
    who = holders(path)
    return kind(
        f"{path}: {words}, for more than {format_duration(patience)}. {open_in(who)}.",
        "End the transaction that holds the lock (or stop that application), and run again.",
        {"holders": who},
    )


def open_in(who: list[str]) -> str:
    return f"It is open in process {', '.join(who)}" if who else "No visible process on this host has it open"


def holders(path: str) -> list[str]:
    """The other processes that have the file open, as far as /proc shows them: ["4711 (hawkfish)"]."""
    found = []
    with contextlib.suppress(OSError):
        wanted, name = os.stat(path), os.path.basename(path)
        for process in others():
            with contextlib.suppress(OSError):  # it ended, or is hidden
                if any(_is_file(one, name, wanted) for one in process.descriptors()):
                    found.append(f"{process.pid} ({process.name()})")
    return found


def _is_file(descriptor: str, name: str, wanted: os.stat_result) -> bool:
    # the name first: a stat could hang on a dead network file system
    return os.path.basename(os.readlink(descriptor)) == name and os.path.samestat(os.stat(descriptor), wanted)


def check_log_of_empty(path: str) -> None:
    """Raise Unreadable for an empty file with a write-ahead log.

    SQLite treats it as an empty database, whatever was committed to the log, and removes the log even if the database
    is opened only to be read.
    """
    info, log = lstat(path), lstat(path + "-wal")
    if info is not None and stat.S_ISREG(info.st_mode) and not info.st_size and log is not None and log.st_size:
        raise Unreadable(
            f"{path} is empty, but has a write-ahead log of {log.st_size} bytes. SQLite would treat it as an "
            "empty database, and remove the log when it opens it.",
            "The log may contain everything that was committed. Copy both files elsewhere, and restore the "
            "database from a backup.",
        )


def check_magic(fd: int, path: str) -> bytes:
    """The 100 bytes of the header.

    :raises Unreadable: they are not the first bytes of a database.
    """
    header = os.pread(fd, _HEADER, 0)
    if not header:
        raise Unreadable(
            f"{path} is empty: it contains no database.", "Check the path, and whether the application has run."
        )
    if not header.startswith(MAGIC):
        raise Unreadable(
            f"{path} is not an SQLite database, or it is encrypted: it starts with {header[:16]!r}.",
            "Check the path. Files that sqlite3 can't open can be backed up with type=files.",
        )
    if len(header) < _HEADER:
        raise Unreadable(f"{path} is truncated: {len(header)} bytes are not a database.")
    return header


def is_wal(header: bytes) -> bool:
    return header[18] == 2


def normalise(fd: int, label: str) -> Header:
    """Set to fixed values what differs between copies of equal content, and return the header.

    That is: the journal mode (bytes 18 and 19), the counters of changes and schema changes and the SQLite version that
    made them (24, 40, 92, 96), bytes after the last page, and the page that only locks use.

    :param label: the path for errors.
    :raises Unreadable: the file ends before its last page.
    """
    raw = bytearray(check_magic(fd, label))
    (page_size,) = struct.unpack_from(">H", raw, 16)
    page_size = 65536 if page_size == 1 else page_size
    if page_size < 512 or page_size & (page_size - 1):
        raise Unreadable(f"{label} is damaged: {page_size} is not a valid page size.")
    size = os.fstat(fd).st_size
    changes, pages = struct.unpack_from(">II", raw, 24)
    # old versions of SQLite did not keep the number of pages; their changes left another stamp at 92
    if not pages or struct.unpack_from(">I", raw, 92)[0] != changes:
        pages = size // page_size
    if pages * page_size > size:
        raise Unreadable(f"{label} is truncated: it has {size} of {pages * page_size} bytes.")
    raw[18:20] = b"\1\1"
    struct.pack_into(">II", raw, 24, 1, pages)
    struct.pack_into(">I", raw, 40, 1)
    struct.pack_into(">II", raw, 92, 1, 0)
    os.pwrite(fd, raw, 0)
    os.ftruncate(fd, pages * page_size)
    if pages * page_size > _LOCK_BYTE:
        os.pwrite(fd, bytes(page_size), _LOCK_BYTE)
    return _read(raw, page_size, pages)


def normalise_file(path: str, label: str) -> Header:
    """As `normalise`, for a file in a private directory."""
    with files.os_errors(SourceError, f"Can't write the copy of {label},", path):
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            return normalise(fd, label)
        finally:
            os.close(fd)


def _read(raw: bytearray, page_size: int, pages: int) -> Header:
    encoding, user_version, incremental, application_id = struct.unpack_from(">IiIi", raw, 56)
    auto_vacuum = "none" if raw[52:56] == bytes(4) else "incremental" if incremental else "full"
    return Header(page_size, pages, user_version, application_id, _ENCODINGS.get(encoding, "UTF-8"), auto_vacuum)


def set_wal(fd: int) -> None:
    """Set WAL mode in the header of a closed database (`normalise` has reset it)."""
    os.pwrite(fd, b"\2\2", 18)


def lstat(path: str) -> Optional[os.stat_result]:
    """The attributes of what exists at a path, or None."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def check_side_files(path: str, kind: type[Day2Error]) -> None:
    """Raise `kind` when a name that SQLite uses beside a database belongs to something that is not a regular file.

    SQLite would wait forever for the other end of a FIFO, and a directory is not a journal.
    """
    for name in (path + side for side in SIDE_FILES):
        with files.os_errors(kind, "Can't stat", name):
            info = lstat(name)
        if info is not None and not stat.S_ISREG(info.st_mode):
            raise kind(
                f"{name} is {files.kind_of(info)}, but SQLite uses this name for a file of {path}.",
                "Move it elsewhere and run again.",
            )
