# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count, digest and kinds of a table, found out by several processes."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Optional

from .._core.errors import SourceError
from .._core.record_batches import digest_sum, layouts
from .._core.workers import in_order
from .record_kinds import Kinds, Summary
from .record_store import Info
from .sqlite_file import connect, is_wal, sqlite3, sqlite_errors
from .sqlite_read import chunks
from .sqlite_schema import fold, identifier

_PARTS = 4  # for each worker, as they are not all of the same size
_FEW = 20_000  # records that are not worth a process


def summary(connection: sqlite3.Connection, path: str, info: Info, workers: int) -> Optional[Summary]:
    """What reading all rows tells; None where the table can't be shared out.

    :param connection: keeps others from writing, or has just written what is to be read.
    """
    if workers < 2 or info.document or "rowid" in [fold(field.name) for field in info.fields]:
        return None
    with open(path, "rb") as handle:
        if is_wal(handle.read(20)):  # every connection would see a state of its own
            return None
    try:
        first, last = connection.execute("SELECT min(rowid), max(rowid) FROM %s" % identifier(info.name)).fetchone()
    except sqlite3.OperationalError:  # WITHOUT ROWID
        return None
    if first is None or last - first < _FEW:
        return None
    count = workers * _PARTS
    bounds = [first + (last + 1 - first) * number // count for number in range(count + 1)]
    tasks = [functools.partial(_part, path, info, low, high) for low, high in zip(bounds, bounds[1:])]
    records, digest, kinds = 0, 0, Kinds()
    with contextlib.closing(in_order(tasks, workers)) as results:
        for one in results:
            if one is None:
                return None
            records += one.records
            digest += one.digest
            kinds.add(one.kinds)
    return Summary(records, digest, kinds)


def _part(path: str, info: Info, low: int, high: int) -> Iterator[Optional[Summary]]:
    """The rows from one number up to another; None where a key is null, which is told elsewhere."""
    records, digest, kinds = 0, 0, Kinds()
    with sqlite_errors(SourceError, "Can't read the table %s of" % info.name, path):
        for chunk in chunks(connect(path, "ro"), info, " WHERE rowid >= %d AND rowid < %d" % (low, high)):
            found = layouts(chunk)
            if not all(set(info.key).issubset(names) for names, _columns in found):
                yield None
            records += len(chunk)
            digest += digest_sum(found)
            kinds.see(found)
    yield Summary(records, digest, kinds)
