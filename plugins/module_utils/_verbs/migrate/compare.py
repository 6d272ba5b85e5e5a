# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the keys whose records differ, by bisection over ranges of keys.

A reading costs the same whatever it is asked, so that all ranges are looked at in one: the first reading of both
sides tells which ranges differ, the second one lists what is in those. The ranges are of the keys' hashes: stores do
not agree on the order of keys, and these ranges are equally full whatever the keys are.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, NamedTuple, Optional

from ..._core.progress import Progress
from ..._core.record_batches import Layout, count_of, keyed_digests, keys_of, layouts, without_nulls
from ..._core.records import record_digest
from ..._core.scratch import scratch_database
from ..._core.tagged_json import decode
from ..._stores.records.store import Record

_RANGES = 2**16  # of 10,000,000 records each has 150
LISTED = 20  # keys in messages and results

# Reads all records of a collection, many at a time; in the store's own order if the argument says so.
Reading = Callable[[bool], Iterable[Sequence[Record]]]


class Comparison(NamedTuple):
    """How a target's collection differs from the source's. `keys`: the first that differ, as JSON, and how.

    `reasons`: of the first records that the target can't hold, their keys as JSON, and why.
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
    loose: bool
    progress: Progress

    def found(self, ordered: bool) -> Iterator[Layout]:
        count = 0
        for chunk in self.reading(ordered):
            found = without_nulls(layouts(chunk)) if self.loose else layouts(chunk)
            yield from found
            count += count_of(found)
            self.progress.update(count)

    def ranges(self) -> list[tuple[int, int]]:
        """Of each range how many records it has, and the sum of their digests."""
        counts, sums = [0] * _RANGES, [0] * _RANGES
        for found in self.found(ordered=False):
            for key, digest in keyed_digests(found, self.key):
                number = _range(key)
                counts[number] += 1
                sums[number] += digest
        return list(zip(counts, sums))

    def within(self, ranges: Sequence[bool]) -> Iterator[tuple[bytes, Record]]:
        """The keys and the records of those ranges."""
        for found in self.found(ordered=True):
            names, columns = found
            for key, row in zip(keys_of(found, self.key), zip(*columns)):
                if ranges[_range(key)]:
                    yield key, dict(zip(names, row))


def _range(key: bytes) -> int:
    return zlib.crc32(key) % _RANGES


def compact(record: Record) -> Record:
    """In columns a missing field and null are the same."""
    return {name: value for name, value in record.items() if value is not None} if None in record.values() else record


def compare(
    source: Reading,
    target: Reading,
    key: Sequence[str],
    *,
    loose: bool,
    refuses: Callable[[Record], str],
    scratch: str,
    progress: Progress,
    differing: Optional[Callable[[Record], None]] = None,
    extra: Optional[Callable[[tuple[Any, ...]], None]] = None,
) -> Comparison:
    """Find the keys whose records differ.

    :param loose: null is the same as no field.
    :param differing: told of each record of the source that the target lacks or has otherwise.
    :param extra: told of each key that only the target has.
    """
    ours, theirs = _Side(source, key, loose, progress), _Side(target, key, loose, progress)
    wanted, present = ours.ranges(), theirs.ranges()
    ranges = [one != other for one, other in zip(wanted, present)]
    left = sum(count for (count, _digest), differs in zip(wanted, ranges) if not differs)
    if not any(ranges):
        return Comparison(left=left)
    counts = {"added": 0, "changed": 0, "left": left, "rejected": 0, "removed": 0}
    listed: list[tuple[str, str]] = []
    reasons: list[tuple[str, str]] = []

    def tell(text: bytes, what: str) -> None:
        counts[what] += 1
        if len(listed) < LISTED:
            listed.append((text.decode(), what))

    with scratch_database(scratch) as connection:
        connection.execute("CREATE TABLE record (key BLOB PRIMARY KEY, digest BLOB) WITHOUT ROWID")
        connection.executemany(
            "INSERT OR REPLACE INTO record VALUES (?, ?)",
            ((text, _digest(record)) for text, record in theirs.within(ranges)),
        )
        for text, record in ours.within(ranges):
            row = connection.execute("SELECT digest FROM record WHERE key = ?", (text,)).fetchone()
            if row is not None:
                connection.execute("DELETE FROM record WHERE key = ?", (text,))
            if row is not None and row[0] == _digest(record):
                counts["left"] += 1
            elif reason := refuses(record):
                counts["rejected"] += 1
                if len(reasons) < LISTED:
                    reasons.append((text.decode(), reason))
            else:
                tell(text, "added" if row is None else "changed")
                if differing is not None:
                    differing(record)
        for (text,) in connection.execute("SELECT key FROM record"):
            tell(bytes(text), "removed")
            if extra is not None:
                extra(tuple(decode(bytes(text))))
    return Comparison(keys=tuple(listed), reasons=tuple(reasons), **counts)


def _digest(record: Record) -> bytes:
    return record_digest(record).to_bytes(32, "big")
