# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selects the records that a purge removes, and writes them into its export with all that refers to them."""

from __future__ import annotations

import hashlib
import heapq
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Callable, NamedTuple, Optional

from ..._core.collection import Collection
from ..._core.conditions import Where, instant, member_of
from ..._core.errors import InvalidRequest, TargetError
from ..._core.progress import Progress
from ..._core.records import canonical, exact, is_finite
from ..._core.tagged_json import encode
from ..._core.units import plural
from ..._stores.base import Sink, Snapshot
from ..._stores.records.as_stored import as_stored
from ..._stores.records.export import plain_info
from ..._stores.records.model import Info, Record, key_of
from ..._stores.records.purger import CASCADE, REFUSE, Item, Purger, Relation, Row
from .spelling import Spelling

Add = Callable[[Sequence[Item]], None]


class OutOfTime(Exception):
    """The time limit has passed before the export was complete."""


class PurgeRequest(NamedTuple):
    """What is removed. `newest` and `per` are those of `keep_last`. `time_limit` and `max_wait` are in seconds."""

    conditions: Sequence[Any]
    time_field: Optional[str]
    older_than: Optional[str]
    newest: int
    per: Sequence[str]
    references: str
    allow_all: bool
    ignore_bad_times: bool
    max_wait: float
    time_limit: Optional[float]

    @property
    def words(self) -> dict[str, Any]:
        """What selects records, for the manifest."""
        return {
            "where": list(self.conditions),
            "time_field": self.time_field,
            "older_than": self.older_than,
            "keep_last": {"count": self.newest, "per": list(self.per)} if self.newest else None,
            "references": self.references,
        }

    def digest(self, info: Info, relations: Sequence[Relation]) -> str:
        """Of what selects records and tells them apart: a killed run is only continued by one that would select the
        same.
        """
        references = [[one.parent.name, one.child.name, one.key.fields, one.child.key] for one in relations]
        words = {**self.words, "key": info.key, "relations": references}
        return hashlib.sha256(canonical(json.loads(json.dumps(words, default=str)))).hexdigest()


class Selection:
    """The records of a collection that a purge removes.

    :param deadline: as of time.monotonic().
    :raises InvalidRequest: there is no such field.
    """

    def __init__(
        self,
        store: Purger,
        info: Info,
        request: PurgeRequest,
        *,
        relations: Sequence[Relation],
        now: datetime,
        deadline: Optional[float],
        progress: Progress,
    ) -> None:
        self.info = info
        self.read = self.matched = self.dependents = 0
        self.months: Counter[str] = Counter()
        self._store, self._request, self._relations = store, request, relations
        self._deadline, self._progress = deadline, progress
        conditions = list(Spelling(store, info).conditions(request.conditions))
        if request.older_than is not None:
            conditions.append({"field": request.time_field, "older_than": request.older_than})
        self._where = Where(conditions, now)
        self._referring: Counter[str] = Counter()
        names = self._names()
        for option, name in (("time_field", request.time_field), *(("keep_last.per", one) for one in request.per)):
            if name is not None and name not in names and name.partition(".")[0] not in names:
                raise InvalidRequest(
                    f"{option}: no record of {info.name} has a field {name}.",
                    f"The fields are {', '.join(sorted(names)) or 'none'}.",
                )
        self._where.check_fields(names, info.name)
        self._where.read_as_booleans(self._bits())
        self._newest = self._find_newest() if request.newest else None

    @property
    def without_time(self) -> int:
        """The values that were to be judged by their time, and have none."""
        return self._where.without_time

    def snapshot(self, sink: Sink, add: Add) -> Snapshot:
        """Write the export.

        :param add: is told what is to be removed.
        :raises InvalidRequest, TargetError: the request must not be carried out.
        :raises OutOfTime: the time limit has passed.
        """
        infos = list({one.name: one for one in (self.info, *(one.child for one in self._relations))}.values())
        if self._request.references == REFUSE:
            infos = [self.info]
        files = [_File(sink, number) for number in range(len(infos))]
        by_name = {info.name: file for info, file in zip(infos, files)}
        try:
            for page in self._pages(f"Exporting from {self.info.name}"):
                selected = [row for row in page if self._selects(row.record)]
                self.read += len(page)
                self.matched += len(selected)
                add([self._item(self.info, row, by_name) for row in selected])
                self._count_months(selected)
                for file in files:
                    file.flush()
        except BaseException as exc:
            for file in files:
                file.abandon(exc)
            raise
        self._check()
        for file in files:
            file.close()
        total = hashlib.sha256()
        for info, file in zip(infos, files):
            total.update(json.dumps([info.name, file.digest]).encode())
        counts = tuple(Collection(info.name, file.count) for info, file in zip(infos, files))
        details = {
            "format": "jsonl",
            "schema": [plain_info(as_stored(info)) for info in infos],
            "purge": {"collection": self.info.name, **json.loads(json.dumps(self._request.words, default=str))},
        }
        return Snapshot(total.hexdigest(), counts, details, None)

    def _pages(self, label: str) -> Iterator[Sequence[Row]]:
        self._progress.start(label, unit="records")
        for page in self._store.pages(self.info):
            if self._deadline is not None and time.monotonic() > self._deadline:
                raise OutOfTime
            yield page
            self._progress.advance(len(page))

    def _names(self) -> set[str]:
        """The names of the columns, or of all fields of all records if they are not in columns."""
        if not self.info.document:
            return {field.name for field in self.info.fields}
        return {name for page in self._pages("Reading the names of fields") for row in page for name in row.record}

    def _bits(self) -> set[str]:
        """Of the fields that are compared with booleans: those that have no values but 0 and 1."""
        found = set(self._where.booleans)
        for page in self._pages("Looking for booleans") if found else ():
            found = {
                name
                for name in found
                if all(value is None or (value.__class__ is int and value in (0, 1)) for value in _values(page, name))
            }
        return found

    def _find_newest(self) -> _Newest:
        newest = _Newest(self.info, str(self._request.time_field), self._request.per, self._request.newest)
        for page in self._pages("Looking for the newest records"):
            for row in page:
                newest.add(row.record)
        return newest

    def _selects(self, record: Record) -> bool:
        return self._where.holds(record) and (self._newest is None or not self._newest.keeps(record))

    def _item(self, info: Info, row: Row, files: Mapping[str, _File]) -> Item:
        """The record with what refers to it, written into its file."""
        kids: dict[int, Sequence[Item]] = {}
        for number, relation in enumerate(self._relations):
            if relation.parent.name != info.name:
                continue
            found = self._store.children(relation, row.key)
            if found and self._request.references == REFUSE:
                self._referring[relation.words] += len(found)
            elif found and self._request.references == CASCADE:
                kids[number] = [self._item(relation.child, one, files) for one in found]
                self.dependents += len(found)
            elif found:
                kids[number] = [Item(one.key, one.token) for one in found]
                for one in found:
                    files[relation.child.name].add(one.stored)
                self.dependents += len(found)
        if not self._referring:
            files[info.name].add(row.stored)
        return Item(row.key, row.token, kids)

    def _count_months(self, rows: Sequence[Row]) -> None:
        field = self._request.time_field
        for row in rows if field is not None else ():
            when = instant(member_of(row.record, str(field)))
            if when is not None and when.tzinfo is not timezone.utc:
                when = when.astimezone(timezone.utc)
            self.months["unknown" if when is None else f"{when.year}-{when.month:02}"] += 1

    def _check(self) -> None:
        """Raise whatever forbids the removal, after all has been read."""
        name, request = self.info.name, self._request
        if self._referring:
            words = ", ".join(f"{one} ({count})" for one, count in sorted(self._referring.items()))
            raise TargetError(
                f"Records refer to records of {name} that would be deleted: {words}.",
                "Nothing was deleted. Set references to cascade or detach, or exclude the records by where.",
                {"references": dict(self._referring)},
            )
        if self.without_time and not request.ignore_bad_times:
            raise TargetError(
                f"{plural(self.without_time, 'value')} of {name} that the conditions compare as times are no times.",
                "Nothing was deleted. Correct them, or set ignore_bad_times=true to leave these records.",
                {"without_time": self.without_time},
            )
        if self.matched and self.matched == self.read and not request.allow_all:
            raise InvalidRequest(
                f"All {plural(self.read, 'record')} of {name} would be deleted.",
                "Nothing was deleted. Check older_than and where, or set allow_all=true if that is what you want.",
            )


class _File:
    """One file of the export: JSON lines."""

    def __init__(self, sink: Sink, number: int) -> None:
        self._open = sink.file(f"{number}.jsonl")
        self._out = self._open.__enter__()
        self._hash = hashlib.sha256()
        self._lines: list[str] = []
        self.count = 0

    def add(self, record: Record) -> None:
        self._lines.append(encode(record) + "\n")
        self.count += 1

    def flush(self) -> None:
        if self._lines:
            data = "".join(self._lines).encode()
            self._hash.update(data)
            self._out.write(data)
            self._lines = []

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def close(self) -> None:
        self.flush()
        self._open.__exit__(None, None, None)

    def abandon(self, exc: BaseException) -> None:
        self._open.__exit__(type(exc), exc, exc.__traceback__)


class _Newest:
    """The newest records of each group, by time and then by key. Only their times and keys are in memory."""

    def __init__(self, info: Info, time_field: str, per: Sequence[str], count: int) -> None:
        self._info, self._time_field, self._per, self._count = info, time_field, per, count
        self._groups: dict[bytes, list[Any]] = {}

    def add(self, record: Record) -> None:
        place = self._place(record)
        if place is None:
            return
        newest = self._groups.setdefault(self._group(record), [])
        if len(newest) < self._count:
            heapq.heappush(newest, place)
        else:
            heapq.heappushpop(newest, place)

    def keeps(self, record: Record) -> bool:
        """Whether the record is one of the newest. One without a time is kept, too, as nothing is known about it."""
        place = self._place(record)
        newest = self._groups.get(self._group(record), [])
        return place is None or len(newest) < self._count or bool(place >= newest[0])

    def _group(self, record: Record) -> bytes:
        return canonical([member_of(record, name) for name in self._per])

    def _place(self, record: Record) -> Optional[tuple[Any, ...]]:
        when = instant(member_of(record, self._time_field))
        return None if when is None else (when, *map(_sortable, key_of(self._info, record)))


def _sortable(value: Any) -> tuple[int, Any]:
    if isinstance(value, str):
        return 1, value
    return (0, exact(value)) if isinstance(value, (int, float, Decimal)) and is_finite(value) else (2, canonical(value))


def _values(page: Sequence[Row], name: str) -> Iterator[Any]:
    return (member_of(row.record, name) for row in page)
