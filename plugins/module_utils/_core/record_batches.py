# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many records at a time, column by column: what is the same for all of them is decided once, not for each value."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from .errors import SourceError
from .records import layout_of, written

BATCH = 1000  # records that are looked at in one go
Item = TypeVar("Item")
# The names and the columns of records that have the same fields in the same order.
Layout = tuple[tuple[str, ...], Sequence[Sequence[Any]]]


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of so many; the last one may be shorter."""
    iterator = iter(items)
    while True:
        batch = list(itertools.islice(iterator, size))
        if not batch:
            return
        yield batch


def layouts(records: Sequence[Mapping[str, Any]]) -> list[Layout]:
    """The records by their layouts, in the order of the first of each."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for record in records:
        names = tuple(record)
        if names in groups:
            groups[names].append(record)
        else:
            groups[names] = [record]
    return [
        # an empty record has no column that would tell how many there are
        (names, list(zip(*[record.values() for record in group])) if names else [(None,) * len(group)])
        for names, group in groups.items()
    ]


def layouts_of_rows(names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> list[Layout]:
    """The records of a table's rows; a null is no field."""
    columns = list(zip(*rows))
    return without_nulls([(names, columns)]) if columns else []


def without_nulls(found: list[Layout]) -> list[Layout]:
    """The same records without the fields that are null."""
    if not any(None in column for _names, columns in found for column in columns):
        return found
    return layouts(
        [
            {name: value for name, value in zip(names, row) if value is not None}
            for names, columns in found
            for row in zip(*columns)
        ]
    )


def count_of(found: Iterable[Layout]) -> int:
    """How many records these are."""
    return sum(len(columns[0]) for _names, columns in found)


def digest_sum(found: Iterable[Layout]) -> int:
    """The sum of the records' digests (`records.record_digest`), not yet modulo anything.

    :raises SourceError: as for `records.canonical`.
    """
    total = 0
    sha256, number = hashlib.sha256, int.from_bytes
    try:
        for names, columns in found:
            ordered, template = layout_of(names)
            if names:
                given = dict(zip(names, columns))
                lines: Iterable[str] = map(template.__mod__, zip(*[written(given[name]) for name in ordered]))
            else:
                lines = itertools.repeat(template, len(columns[0]))
            for line in lines:
                total += number(sha256(line.encode("utf-8", "backslashreplace")).digest(), "big")
    except RecursionError:
        raise SourceError("A record is nested too deeply to be compared.") from None
    return total
