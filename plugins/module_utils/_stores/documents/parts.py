# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the members of a collection in a JSON document, part by part, as worker processes do."""

from __future__ import annotations

import functools
import itertools
import operator
import os
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Callable, NamedTuple, Optional

from ..._core.errors import SourceError
from ..._core.record_batches import BATCH, batch, batches, digest_sum, layouts
from ..records.kinds import Kinds
from ..records.model import LIST, Info, Record
from . import stream as json_stream
from .document import Member
from .stream import Found

Part = Callable[[], Iterator[Found]]  # members and their keys, many at a time


class Place(NamedTuple):
    """A range of members of a collection: its position in the document, and their number."""

    start: int
    end: int
    kind: str
    members: int
    first: bool
    last: bool
    tags: bool = False  # they stand for values that JSON lacks
    number: int = 0  # of members before these


def parts_of(fd: int, label: str, member: Member, tags: bool = False) -> list[Part]:
    """The members of a collection, in consecutive parts that can be read independently.

    :param label: of the collection, for errors.
    :param tags: whether tags stand for values that JSON lacks.
    """
    bounds = [(member.start, 0), *member.marks, (member.end, member.records)]
    return [
        functools.partial(
            _read_part, fd, label, Place(start, end, member.kind, until - done, not done, end == member.end, tags, done)
        )
        for (start, done), (end, until) in zip(bounds, bounds[1:])
        if until > done
    ]


def _read_part(fd: int, label: str, place: Place) -> Iterator[Found]:
    """The members at a place of an open file, with their keys."""
    if place.end - place.start <= 2 * json_stream.WINDOW:  # a window, and what led to its first whole member
        found = json_stream.whole(_all_of(fd, place), *place[2:7])
        if found is not None:
            keys, records = found
            for start in range(0, len(records), BATCH):
                yield keys[start : start + BATCH], records[start : start + BATCH]
            return
    at = place.start

    def read(size: int) -> bytes:
        nonlocal at
        data = os.pread(fd, max(0, min(size, place.end - at)), at)
        at += len(data)
        return data

    members = json_stream.records(read, label, "" if place.first else place.kind, place.tags)
    for some in batches(itertools.islice(members, place.members), BATCH):
        yield [key for key, record in some], [record for key, record in some]


def _all_of(fd: int, place: Place) -> bytes:
    data = os.pread(fd, place.end - place.start, place.start)
    while len(data) < place.end - place.start:
        more = os.pread(fd, place.end - place.start - len(data), place.start + len(data))
        if not more:
            break
        data += more
    return data


def looked_at(part: Part, given: Optional[Sequence[str]]) -> Iterator[tuple[list[str], int, Kinds, array[int]]]:
    """The fields that equal the key in each of these members, the sum of the digests of the members, their kinds, and
    the hashes of their keys.

    Only the first of these if there is no such field.
    """
    candidates = None if given is None else list(given)
    for texts, records in part():
        if set(map(type, records)) != {dict}:
            yield [], 0, Kinds(), array("q")
            return
        if candidates is None:
            candidates = [name for name, value in records[0].items() if text_of(value) == texts[0]]
        candidates = [name for name in candidates if _same([record.get(name) for record in records], texts)]
        kinds, found = Kinds(), layouts(records)
        kinds.see(found)
        yield candidates, digest_sum(found), kinds, array("q", map(hash, texts))
        if not candidates:
            return


def ascending(part: Part, name: str) -> Iterator[tuple[Optional[int], Optional[int], int, Kinds]]:
    """If a field of these members is an integer that grows from each to the next: its first and last value, the sum of
    the digests of the members, and their kinds. Otherwise (None, None), and nothing else.
    """
    last: Optional[int] = None
    for _keys, records in part():
        values: list[Any] = [record.get(name) if isinstance(record, dict) else None for record in records]
        following = values if last is None else [last, *values]
        if set(map(type, values)) != {int} or not all(map(operator.lt, following, following[1:])):
            yield None, None, 0, Kinds()
            return
        last = values[-1]
        kinds, found = Kinds(), layouts(records)
        kinds.see(found)
        yield values[0], last, digest_sum(found), kinds


def names_of(part: Part) -> Iterator[set[str]]:
    """The names of the fields of some members."""
    for _keys, records in part():
        yield {name for record in records if isinstance(record, dict) for name in record}


def records_of(part: Part, info: Info, path: str, number: int = 0) -> Iterator[Sequence[Record]]:
    """The records of some members, with the field of our own if there is one.

    :param number: of the first member.
    """
    note = info.note
    for keys, members in part():
        if not note.key and set(map(type, members)) == {dict}:
            yield batch(members)
            continue
        records: list[Record] = []
        for key, record in zip(keys, members):
            held = number if note.shape == LIST else key
            number += 1
            if isinstance(record, dict):
                records.append({note.key: held, **record} if note.key else record)
            elif info.key == (note.key,):
                records.append({note.key: held, note.value: record})
            else:
                raise SourceError(f"{path}: the list {info.name} has a member that is not a mapping.")
        yield batch(records)


def text_of(value: Any) -> Optional[str]:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _same(values: list[Any], texts: Sequence[Optional[str]]) -> bool:
    return values == texts or all(text_of(value) == text for value, text in zip(values, texts))
