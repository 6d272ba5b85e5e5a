# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A SQLite table that several processes read at the same time, each a range of rows."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator, Iterator, Sequence
from typing import Optional

from .._core.errors import SourceError
from .._core.workers import in_order
from . import sqlite_digest
from .record_kinds import Kinds, Summary
from .record_store import Info, Record
from .sqlite_file import connect, is_wal, sqlite3, sqlite_errors
from .sqlite_read import chunks
from .sqlite_schema import fold, identifier

Chunks = Generator[Sequence[Record], None, None]

_PARTS = 4  # of a summary, for each worker, as they are not all of the same size
_PART = 5_000  # row numbers of records that go through a pipe
_MOST = 10_000  # parts
_FEW = 20_000  # records that are not worth a process
_WHERE = " WHERE rowid >= %d AND rowid < %d"


def summary(connection: sqlite3.Connection, path: str, info: Info, workers: int) -> Optional[Summary]:
    """What reading all rows tells; None where a key is null.

    :param connection: keeps others from writing, or has just written what is to be read.
    """
    numbers = _numbers(connection, path, info, workers)
    if numbers is None:
        return sqlite_digest.summary(connection, info)
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
    counted = connection.execute("SELECT count(*) FROM %s" % identifier(info.name)).fetchone()[0]
    # who reads alone has the last word
    return Summary(records, digest, kinds, plain) if records == counted else None


def by_key(
    connection: sqlite3.Connection, path: str, info: Info, workers: int, kinds: Optional[Kinds] = None
) -> Optional[Chunks]:
    """The records in the order of their key, where it is the number of the row; None where it is not, or where the
    table can't be shared out.

    :param kinds: of all records, if they may be `Written`.
    """
    numbers = _numbers(connection, path, info, workers)
    if numbers is None or len(info.key) != 1:
        return None
    other = "SELECT 1 FROM %s WHERE %s IS NOT rowid LIMIT 1" % (identifier(info.name), identifier(info.key[0]))
    if connection.execute(other).fetchone():
        return None
    count = min(_MOST, (numbers.stop - numbers.start) // _PART + 1)
    return in_order([functools.partial(_rows, path, info, kinds, part) for part in _parts(numbers, count)], workers)


def _numbers(connection: sqlite3.Connection, path: str, info: Info, workers: int) -> Optional[range]:
    """The numbers that rows may have; None where the table can't be shared out."""
    if workers < 2 or info.document or "rowid" in [fold(field.name) for field in info.fields]:
        return None
    with open(path, "rb") as handle:
        if is_wal(handle.read(20)):  # every connection would see a state of its own
            return None
    try:
        first, last = connection.execute("SELECT min(rowid), max(rowid) FROM %s" % identifier(info.name)).fetchone()
    except sqlite3.OperationalError:  # WITHOUT ROWID
        return None
    return range(first, last + 1) if first is not None and last - first >= _FEW else None


def _parts(numbers: range, count: int) -> list[tuple[int, int]]:
    size = numbers.stop - numbers.start  # len() has a limit
    bounds = [numbers.start + size * number // count for number in range(count + 1)]
    return list(zip(bounds, bounds[1:]))


def _rows(path: str, info: Info, kinds: Optional[Kinds], part: tuple[int, int]) -> Iterator[Sequence[Record]]:
    with _connected(path, info) as connection:
        yield from chunks(connection, info, _WHERE % part + " ORDER BY rowid", kinds)


def _summary(path: str, info: Info, part: tuple[int, int]) -> Iterator[Optional[Summary]]:
    with _connected(path, info) as connection:
        yield sqlite_digest.summary(connection, info, _WHERE % part)


@contextlib.contextmanager
def _connected(path: str, info: Info) -> Iterator[sqlite3.Connection]:
    """A connection of a worker's own."""
    with (
        sqlite_errors(SourceError, "Can't read the table %s of" % info.name, path),
        contextlib.closing(connect(path, "ro")) as connection,
    ):
        yield connection
