# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Duplicate keys of a collection in a JSON document.

In a mapping, the last member with a name counts, as for every reader of JSON. Records of a list with the same key are
an error that names it.
"""

from __future__ import annotations

import contextlib
import functools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Optional

from ..._core.records import canonical
from ..._core.workers import in_order
from .parts import Part

_BUCKETS = 64


def hashes(part: Part, given: Optional[Sequence[str]] = None) -> Iterator[array[int]]:
    """The hashes of the keys of the members: of their names or, in a list, of the values of these fields."""
    for keys, records in part():
        yield array("q", map(hash, _keys(keys, records, given)))


def _keys(keys: Sequence[Any], records: Sequence[Any], given: Optional[Sequence[str]]) -> Sequence[Any]:
    if given is None:
        return keys
    return [
        canonical([record.get(name) for name in given]) if isinstance(record, dict) else number
        for number, record in enumerate(records)
    ]


def repeated(found: Iterable[array[int]]) -> frozenset[int]:
    """The hashes that occur more than once. Takes a few bytes of memory for each key."""
    buckets = [array("q") for dummy in range(_BUCKETS)]
    for some in found:
        for value in some:
            buckets[value % _BUCKETS].append(value)
    twice: set[int] = set()
    for bucket in buckets:
        ordered = sorted(bucket)
        twice.update(one for one, other in zip(ordered, ordered[1:]) if one == other)
    return frozenset(twice)


def occurrences(
    parts: Sequence[Part], twice: frozenset[int], given: Optional[Sequence[str]], workers: int
) -> dict[Any, list[int]]:
    """The numbers of the members whose key occurs more than once, by key."""
    found: dict[Any, list[int]] = {}
    number = 0
    tasks = [functools.partial(_suspects, part, twice, given) for part in parts]
    with contextlib.closing(in_order(tasks, workers)) as results:
        for count, suspects in results:
            for offset, key in suspects:
                found.setdefault(key, []).append(number + offset)
            number += count
    return {key: numbers for key, numbers in found.items() if len(numbers) > 1}


def _suspects(
    part: Part, twice: frozenset[int], given: Optional[Sequence[str]]
) -> Iterator[tuple[int, list[tuple[int, Any]]]]:
    for keys, records in part():
        named = enumerate(_keys(keys, records, given))
        yield len(records), [(offset, key) for offset, key in named if hash(key) in twice]


def last_alone(part: Part, last: dict[str, int], number: int) -> Iterator[tuple[list[Optional[str]], list[Any]]]:
    """The members of a part, without those that a later member with the same name replaces.

    :param last: the number of the last member of each name that occurs more than once.
    :param number: of the first member of the part.
    """
    for keys, records in part():
        kept = [place for place, key in enumerate(keys) if last.get(key or "", -1) <= number + place or key not in last]
        yield [keys[place] for place in kept], [records[place] for place in kept]
        number += len(records)
