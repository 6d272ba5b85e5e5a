# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a SQLite table with several processes at a time, each a range of rows.

Meanwhile, one connection of this process holds the shared lock of SQLite, so that nobody can change the file, and the
workers take no locks (`immutable=1`). POSIX locks belong to a process: if anything here opened the database file and
closed it again, the lock would be gone, and writers could continue. So the journal mode is read through SQLite, not
from the file. In WAL mode, writers do not wait for readers: there, one process reads alone.
"""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Optional

from ..._core.errors import SourceError
from ..._core.workers import in_order
from ..records.kinds import Kinds, Summary
from ..records.model import Info
from . import digest as sqlite_digest
from .file import connect, sqlite3, sqlite_errors
from .read import extremes
from .schema import fold, identifier

_PARTS = 4  # of a summary, for each worker, as they are not all of the same size
_FEW = 20_000  # records that are not worth a process
_WHERE = " WHERE rowid >= %d AND rowid < %d"


def summary(connection: sqlite3.Connection, path: str, info: Info, workers: int) -> Optional[Summary]:
    """The summary of all rows; None if a key is null."""
    with _one_state(connection):
        numbers = _numbers(connection, info, workers)
        if numbers is None:
            return sqlite_digest.summary(connection, info)
        return _shared_summary(connection, path, info, numbers, workers)


@contextlib.contextmanager
def _one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """A read transaction for the block, unless one is open already."""
    ours = not connection.in_transaction
    if ours:
        connection.execute("BEGIN")
    try:
        yield
    finally:
        if ours and connection.in_transaction:
            connection.execute("ROLLBACK")


def _shared_summary(
    connection: sqlite3.Connection, path: str, info: Info, numbers: range, workers: int
) -> Optional[Summary]:
    tasks = [functools.partial(_summary, path, info, part) for part in _parts(numbers, workers * _PARTS)]
    records, digest, kinds, plain = 0, 0, Kinds(), True
    with contextlib.closing(in_order(tasks, workers)) as results:
        for one in results:
            if one is None:
                return None
            records += one.records
            digest += one.digest
            kinds.add(one.kinds)
            plain = plain and one.plain
    counted = connection.execute(f"SELECT count(*) FROM {identifier(info.stored.name)}").fetchone()[0]
    # a reading by one process has the last word
    return Summary(records, digest, kinds, plain) if records == counted else None


def _numbers(connection: sqlite3.Connection, info: Info, workers: int) -> Optional[range]:
    """The range of the row ids; None if the table cannot be split."""
    if workers < 2 or info.document or "rowid" in [fold(field.name) for field in info.stored.fields]:
        return None
    try:
        first, last = extremes(connection, identifier(info.stored.name), "rowid")
    except sqlite3.OperationalError:  # WITHOUT ROWID
        return None
    if first is None or last - first < _FEW:
        return None
    # now that the shared lock is held, the mode stays as it is
    in_wal_mode = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    return None if in_wal_mode else range(first, last + 1)


def _parts(numbers: range, count: int) -> list[tuple[int, int]]:
    size = numbers.stop - numbers.start  # len() has a limit
    bounds = [numbers.start + size * number // count for number in range(count + 1)]
    return list(zip(bounds, bounds[1:]))


def _summary(path: str, info: Info, part: tuple[int, int]) -> Iterator[Optional[Summary]]:
    with _connected(path, info) as connection:
        yield sqlite_digest.summary(connection, info, _WHERE % part)


@contextlib.contextmanager
def _connected(path: str, info: Info) -> Iterator[sqlite3.Connection]:
    """A connection of a worker, without locks: that of the parent keeps writers away."""
    with (
        sqlite_errors(SourceError, f"Can't read the table {info.name} of", path),
        contextlib.closing(connect(path, "ro", immutable=True)) as connection,
    ):
        yield connection
