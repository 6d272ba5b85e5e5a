# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many records at a time, as columns: what all values of a column have in common is decided once, not for each
value."""

from __future__ import annotations

import contextlib
import gc
import itertools
import marshal
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional, TypeVar

from .errors import SourceError
from .records import layout_of, written
from .unordered import numbers, total

BATCH = 1000  # records that are examined at once
Item = TypeVar("Item")
# The names and columns of records that have the same fields in the same order.
Layout = tuple[tuple[str, ...], Sequence[Sequence[Any]]]


@contextlib.contextmanager
def seldom_collected() -> Iterator[None]:
    """Let the garbage collector look for cycles rarely, and not among existing objects.

    Records have no cycles, and are so many that looking for some takes a tenth of the time.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of the given size; the last one may be shorter."""
    iterator = iter(items)
    while True:
        batch = list(itertools.islice(iterator, size))
        if not batch:
            return
        yield batch


class Batch(Sequence[dict[str, Any]]):
    """Records that have the same fields, stored as columns. Each record is created when it is accessed."""

    def __init__(self, names: tuple[str, ...], columns: Sequence[Sequence[Any]]) -> None:
        self.names = names
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self.names, row)) for row in zip(*self.columns))

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Batch(self.names, [column[place] for column in self.columns])
        return {name: column[place] for name, column in zip(self.names, self.columns)}

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process of ours: if all values are of JSON types, marshalling takes half the time of pickling."""
        content: Any = (self.names, self.columns)
        try:  # later versions of the format look for equal objects
            return _unmarshalled, (marshal.dumps(content, 2),)
        except ValueError:
            return Batch, content


def values_of(records: Sequence[Mapping[str, Any]], name: str) -> Sequence[Any]:
    """The values of a field, None where it is missing."""
    if isinstance(records, Batch):
        return records.columns[records.names.index(name)] if name in records.names else [None] * len(records)
    return [one.get(name) for one in records]


def chosen(records: Sequence[Mapping[str, Any]], mask: Sequence[bool]) -> Sequence[Mapping[str, Any]]:
    """Those of the records for which `mask` is true."""
    if isinstance(records, Batch):
        return Batch(records.names, [list(itertools.compress(column, mask)) for column in records.columns])
    return list(itertools.compress(records, mask))


def _unmarshalled(data: bytes) -> Batch:
    return Batch(*marshal.loads(data))  # noqa: S302 from a process of ours


class CopyLines(Sequence[dict[str, Any]]):
    r"""Records that are still text: the values of each record, separated by tabs, in the order of the names. `\N` is
    null.

    No text contains a tab, a line end, a backslash or a NUL.

    :param kinds: of all values by name: "text", "integer" (of at most 64 bits), or "" if there are none.
    :param absent: fields that a record lacks where they are null.
    """

    def __init__(self, kinds: Mapping[str, str], lines: Sequence[str], absent: frozenset[str] = frozenset()) -> None:
        self.kinds = kinds
        self.lines = lines
        self.absent = absent

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self._record, self.lines)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return CopyLines(self.kinds, self.lines[place], self.absent)
        return self._record(self.lines[place])

    def _record(self, line: str) -> dict[str, Any]:
        record: dict[str, Any] = {}
        for (name, kind), value in zip(self.kinds.items(), line.split("\t")):
            if value != "\\N":
                record[name] = int(value) if kind == "integer" else value
            elif name not in self.absent:
                record[name] = None
        return record


def batch(records: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The same records, as columns if they all have the same fields in the same order."""
    found = layouts(records)
    return Batch(*found[0]) if len(found) == 1 and found[0][0] else records


def batch_of_rows(
    names: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    absent: frozenset[str] = frozenset(),
    marks: Optional[Sequence[Optional[frozenset[str]]]] = None,
) -> Sequence[dict[str, Any]]:
    """The records of the rows of a table.

    :param absent: fields that a record lacks where they are null; all others are null.
    :param marks: further such fields for each row, or None.
    """
    columns = list(zip(*rows))
    if marks is None or not any(marks):
        if not any(name in absent and None in column for name, column in zip(names, columns)):
            return Batch(names, columns) if columns else []
        marks = [None] * len(rows)
    lacking = [absent | mark if mark else absent for mark in marks]
    return [
        {name: value for name, value in zip(names, row) if value is not None or name not in gone}
        for gone, row in zip(lacking, rows)
    ]


def regrouped(
    parts: Iterable[Sequence[dict[str, Any]]], size: int, skip: int
) -> Generator[Sequence[dict[str, Any]], None, None]:
    """The records without the first ones, in batches of the given size; the last one may be smaller."""
    kept: list[Sequence[dict[str, Any]]] = []
    count = 0
    for part in parts:
        if skip >= len(part):
            skip -= len(part)
            continue
        kept.append(part[skip:] if skip else part)
        count += len(part) - skip
        skip = 0
        while count >= size:
            joined = _joined(kept)
            yield joined[:size]
            kept = [joined[size:]] if count > size else []
            count -= size
    if count:
        yield _joined(kept)


def _joined(parts: Sequence[Sequence[dict[str, Any]]]) -> Sequence[dict[str, Any]]:
    if len(parts) == 1:
        return parts[0]
    if len({part.names if isinstance(part, Batch) else None for part in parts}) == 1 and isinstance(parts[0], Batch):
        columns = zip(*[part.columns for part in parts if isinstance(part, Batch)])
        return Batch(parts[0].names, [list(itertools.chain.from_iterable(column)) for column in columns])
    if isinstance(parts[0], CopyLines) and all(isinstance(part, CopyLines) for part in parts):
        lines = itertools.chain.from_iterable([part.lines for part in parts if isinstance(part, CopyLines)])
        return CopyLines(parts[0].kinds, list(lines), parts[0].absent)
    return list(itertools.chain.from_iterable(parts))


def layouts(records: Sequence[Mapping[str, Any]]) -> list[Layout]:
    """The records grouped by layout, in the order of the first record of each."""
    if isinstance(records, Batch):
        return [(records.names, records.columns)]
    names = tuple(records[0]) if records else ()
    if names and all(map(names.__eq__, map(tuple, records))):
        return [(names, list(zip(*[record.values() for record in records])))]
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for record in records:
        names = tuple(record)
        if names in groups:
            groups[names].append(record)
        else:
            groups[names] = [record]
    return [
        # without columns, the number of empty records would be unknown
        (names, list(zip(*[record.values() for record in group])) if names else [(None,) * len(group)])
        for names, group in groups.items()
    ]


def has_key(key: Sequence[str], found: Layout) -> bool:
    """Whether all of these records have all fields of a key, and none of them is null."""
    names, columns = found
    return all(name in names and None not in columns[names.index(name)] for name in key)


def count_of(found: Iterable[Layout]) -> int:
    """The number of records."""
    return sum(len(columns[0]) for _names, columns in found)


def digest_sum(found: Iterable[Layout]) -> int:
    """The sum of the digests of the records (`records.record_digest`), not reduced modulo 2^256.

    Raises SourceError when `records.canonical` does.
    """
    try:
        return sum(digest_of(_lines(names, columns)) for names, columns in found)
    except RecursionError:
        raise SourceError("A record is nested too deeply to be compared.") from None


def keyed_digests(found: Layout, key: Sequence[str]) -> Iterator[tuple[bytes, int]]:
    """The key and digest of each record. The key is the canonical JSON of a list (null for a missing field).

    Raises SourceError when `records.canonical` does.
    """
    try:
        yield from zip(keys_of(found, key), numbers(_encoded(_lines(*found))))
    except RecursionError:
        raise SourceError("A record is nested too deeply to be compared.") from None


def keys_of(found: Layout, key: Sequence[str]) -> Iterator[bytes]:
    """The key of each record as the canonical JSON of a list (null for a missing field); without a key, the canonical
    JSON of the record itself.
    """
    names, columns = found
    if not key:
        yield from (line.encode("utf-8", "backslashreplace") for line in _lines(*found))
        return
    given = dict(zip(names, columns))
    nulls = itertools.repeat("null", len(columns[0]))
    fields = [written(given[name]) if name in given else nulls for name in key]
    for texts in zip(*fields):
        yield (f"[{','.join(texts)}]").encode("utf-8", "backslashreplace")


def _lines(names: tuple[str, ...], columns: Sequence[Sequence[Any]]) -> Iterator[str]:
    """The canonical JSON of each record."""
    ordered, around = layout_of(names)
    given = dict(zip(names, columns))
    parts: list[Iterable[str]] = []
    for before, name in zip(around, ordered):
        parts += itertools.repeat(before), written(given[name])
    # a column of an empty record holds only the number of records
    ends = itertools.repeat(around[-1], len(columns[0]))
    return map("".join, zip(*parts, ends))


def digest_of(lines: Iterable[str]) -> int:
    """The sum of the digests of records with this canonical JSON, not reduced modulo 2^256."""
    return total(_encoded(lines))


def _encoded(lines: Iterable[str]) -> Iterator[bytes]:
    for line in lines:
        yield line.encode("utf-8", "backslashreplace")
