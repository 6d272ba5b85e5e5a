# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the keys whose records differ, by bisection over ranges of keys.

A reading takes the same time whatever it looks for, so it examines all ranges at once: the first reading of both sides
determines which ranges differ, the second one lists their records. The ranges are ranges of hashes of keys: stores
order keys differently, and ranges of hashes are equally full for all keys.

Records of a collection without a key are compared as a whole, and equal ones are counted.
"""

from __future__ import annotations

import functools
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, NamedTuple, Optional

from ..._core.progress import Progress
from ..._core.record_batches import Layout, count_of, keyed_digests, keys_of, layouts
from ..._core.records import canonical, record_digest
from ..._core.scratch import scratch_database
from ..._core.tagged_json import decode
from ..._stores.records.model import Info, Record, key_of
from ..._stores.records.store import TargetStore

_RANGES = 2**16  # of 10,000,000 records each has 150
LISTED = 20  # keys in messages and results
_SHOWN = 100  # characters of a record that has no key

# Reads all records of a collection, many at a time; in the store's own order if the argument says so.
Reading = Callable[[bool], Iterable[Sequence[Record]]]
_Keyed = Iterable[tuple[bytes, Record]]


class Comparison(NamedTuple):
    """How a collection of the target differs from the source. `keys`: the first that differ, as JSON, and how.

    `reasons`: the keys (as JSON) of the first records that the target cannot store, and the reasons.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    left: int = 0
    rejected: int = 0
    keys: tuple[tuple[str, str], ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()


class _Side(NamedTuple):
    reading: Reading
    key: Sequence[str]
    progress: Progress

    def found(self, ordered: bool) -> Iterator[Layout]:
        count = 0
        for chunk in self.reading(ordered):
            found = layouts(chunk)
            yield from found
            count += count_of(found)
            self.progress.update(count)

    def ranges(self) -> list[tuple[int, int]]:
        """The number of records in each range, and the sum of their digests."""
        counts, sums = [0] * _RANGES, [0] * _RANGES
        for found in self.found(ordered=False):
            for key, digest in keyed_digests(found, self.key):
                number = _range(key)
                counts[number] += 1
                sums[number] += digest
        return list(zip(counts, sums))

    def within(self, ranges: Sequence[bool]) -> Iterator[tuple[bytes, Record]]:
        """The keys and the records in these ranges."""
        for found in self.found(ordered=True):
            names, columns = found
            for key, row in zip(keys_of(found, self.key), zip(*columns)):
                if ranges[_range(key)]:
                    yield key, dict(zip(names, row))


def _range(key: bytes) -> int:
    return zlib.crc32(key) % _RANGES


class Places(NamedTuple):
    """Reads the records of a collection without a key together with their positions in the store, so that one of
    several equal records can be removed. `names`: of the fields with the position, which no record has.
    """

    reading: Reading
    names: Sequence[str]


def places_of(target: TargetStore, info: Info) -> Places:
    """The positions of the records of a collection without a key.

    :raises TargetError: the store cannot tell them.
    """
    placed = target.by_place(info)
    return Places(functools.partial(target.chunks, placed), placed.key)


def delete(target: TargetStore, info: Info, extra: Sequence[tuple[Any, ...]], checkpoint: Any = None) -> None:
    """Remove the records that `compare` has passed to `extra`."""
    target.delete(info if info.key else target.by_place(info), extra, checkpoint)


class _Findings:
    """The results of a comparison so far."""

    def __init__(self, left: int, refuses: Callable[[Record], str], differing: Optional[Callable[[Record], None]]):
        self._counts = {"added": 0, "changed": 0, "left": left, "rejected": 0, "removed": 0}
        self._listed: list[tuple[str, str]] = []
        self._reasons: list[tuple[str, str]] = []
        self._refuses, self._differing = refuses, differing

    def same(self) -> None:
        """Count a record that both sides have."""
        self._counts["left"] += 1

    def extra(self, text: str) -> None:
        """Count a record that only the target has."""
        self._tell(text, "removed")

    def differs(self, text: str, record: Record, what: str) -> None:
        """Count a record that the target lacks, has with other values, or cannot store."""
        reason = self._refuses(record)
        if not reason:
            self._tell(text, what)
            if self._differing is not None:
                self._differing(record)
            return
        self._counts["rejected"] += 1
        if len(self._reasons) < LISTED:
            self._reasons.append((text, reason))

    def _tell(self, text: str, what: str) -> None:
        self._counts[what] += 1
        if len(self._listed) < LISTED:
            self._listed.append((text, what))

    def comparison(self) -> Comparison:
        return Comparison(keys=tuple(self._listed), reasons=tuple(self._reasons), **self._counts)


def compare(
    source: Reading,
    target: Reading,
    key: Sequence[str],
    *,
    refuses: Callable[[Record], str],
    scratch: str,
    progress: Progress,
    differing: Optional[Callable[[Record], None]] = None,
    extra: Optional[Callable[[tuple[Any, ...]], None]] = None,
    places: Optional[Callable[[], Places]] = None,
) -> Comparison:
    """Find the keys whose records differ; without a key, the records that one side has more often than the other.

    :param differing: called with each record of the source that the target lacks or has with other values.
    :param extra: called with each key that only the target has; without a key, with the position of each record.
    :param places: only used without a key, and if there is something to pass to `extra`.
    """
    ours, theirs = _Side(source, key, progress), _Side(target, key, progress)
    wanted, present = ours.ranges(), theirs.ranges()
    ranges = [one != other for one, other in zip(wanted, present)]
    left = sum(count for (count, _digest), differs in zip(wanted, ranges) if not differs)
    if not any(ranges):
        return Comparison(left=left)
    found = _Findings(left, refuses, differing)
    with scratch_database(scratch) as connection:
        if key:
            _by_key(connection, ours.within(ranges), theirs.within(ranges), found, extra)
        elif (
            _by_rows(connection, ours.within(ranges), theirs.within(ranges), found)
            and extra is not None
            and places is not None
        ):
            _tell_places(connection, places(), extra)
    return found.comparison()


def _by_key(
    connection: Any,
    ours: _Keyed,
    theirs: _Keyed,
    found: _Findings,
    extra: Optional[Callable[[tuple[Any, ...]], None]],
) -> None:
    connection.execute("CREATE TABLE record (key BLOB PRIMARY KEY, digest BLOB) WITHOUT ROWID")
    connection.executemany(
        "INSERT OR REPLACE INTO record VALUES (?, ?)",
        ((text, _digest(record)) for text, record in theirs),
    )
    for text, record in ours:
        row = connection.execute("SELECT digest FROM record WHERE key = ?", (text,)).fetchone()
        if row is not None:
            connection.execute("DELETE FROM record WHERE key = ?", (text,))
        if row is not None and row[0] == _digest(record):
            found.same()
        else:
            found.differs(text.decode(), record, "added" if row is None else "changed")
    for (text,) in connection.execute("SELECT key FROM record"):
        found.extra(bytes(text).decode())
        if extra is not None:
            extra(tuple(decode(bytes(text))))


def _by_rows(connection: Any, ours: _Keyed, theirs: _Keyed, found: _Findings) -> bool:
    """Compare the numbers of equal records. Returns whether the target has some too often: `record` has which."""
    connection.execute("CREATE TABLE record (digest BLOB PRIMARY KEY, count INT, shown TEXT) WITHOUT ROWID")
    connection.executemany(
        "INSERT INTO record VALUES (?, 1, ?) ON CONFLICT (digest) DO UPDATE SET count = count + 1",
        ((_hash(text), shown_row(text)) for text, _record in theirs),
    )
    for text, record in ours:
        taken = connection.execute("UPDATE record SET count = count - 1 WHERE digest = ? AND count > 0", (_hash(text),))
        if taken.rowcount:
            found.same()
        else:
            found.differs(shown_row(text), record, "added")
    connection.execute("DELETE FROM record WHERE count = 0")
    too_many = False
    for count, shown in connection.execute("SELECT count, shown FROM record"):
        too_many = True
        for _one in range(count):
            found.extra(shown)
    return too_many


def _tell_places(connection: Any, places: Places, extra: Callable[[tuple[Any, ...]], None]) -> None:
    """Pass on the positions of the records that the target has too often: any of those that are equal."""
    for chunk in places.reading(False):
        for record in chunk:
            place = tuple(record.pop(name) for name in places.names)
            text = canonical(record)
            query = "UPDATE record SET count = count - 1 WHERE digest = ? AND count > 0"
            if connection.execute(query, (_hash(text),)).rowcount:
                extra(place)


def shown_key(info: Info, record: Record) -> str:
    """The key for messages, or the record of a collection without one."""
    return shown_row(canonical(list(key_of(info, record)) if info.key else record))


def shown_row(text: bytes) -> str:
    """A key, or a record without one, for messages."""
    shown = text.decode()
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"


def _hash(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _digest(record: Record) -> bytes:
    return record_digest(record).to_bytes(32, "big")
