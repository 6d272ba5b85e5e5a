# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selects the records that a purge removes, and writes them into its export with all that refers to them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import heapq
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Callable, NamedTuple, Optional

from ..._core.collection import Collection
from ..._core.conditions import Where, column_of, instant, member_of
from ..._core.errors import InvalidRequest, TargetError
from ..._core.progress import Progress
from ..._core.records import canonical, exact, is_finite
from ..._core.units import plural
from ..._core.workers import in_order, usual_number
from ..._stores.base import Sink, Snapshot
from ..._stores.records.as_stored import as_stored
from ..._stores.records.export import plain_info
from ..._stores.records.model import Info, Record, key_of
from ..._stores.records.purger import CASCADE, REFUSE, Item, Key, Purger, Relation
from ..health.windows import Window
from .collection import has_columns
from .purge_outcome import Deadline
from .purge_work import BATCH, written
from .spelling import Spelling

Add = Callable[[bytes, int], None]

_READERS = 2  # processes that read: more would leave nothing to the application


class OutOfTime(Exception):
    """The time was over before the export was complete."""


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
    window: Optional[Window]

    def deadline(self, began: float, now: datetime) -> Deadline:
        """When the run has to end.

        :param began: as of time.monotonic().
        """
        ends = [Deadline(began + self.time_limit, "time_limit")] if self.time_limit is not None else []
        if self.window is not None:
            ends.append(Deadline(time.monotonic() + self.window.left(now), "window"))
        return min(ends, default=Deadline())

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
        deadline: Deadline,
        progress: Progress,
    ) -> None:
        self.info = info
        self._totals = _Found()
        self._store, self._request, self._relations = store, request, relations
        self._deadline, self._progress = deadline, progress
        conditions = list(Spelling(store, info).conditions(request.conditions))
        if request.older_than is not None:
            conditions.append({"field": request.time_field, "older_than": request.older_than})
        self._where = Where(conditions, now)
        named = {*self._where.fields, *request.per, *([request.time_field] if request.time_field else [])}
        self._wanted = named | {name.partition(".")[0] for name in named}
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
    def months(self) -> dict[str, int]:
        """How many of the matched records are of each month."""
        return {f"{one[0]}-{one[1]:02}" if one else "unknown": count for one, count in self._totals.months.items()}

    @property
    def without_time(self) -> int:
        """The values that were to be judged by their time, and have none."""
        return self._totals.without_time

    @property
    def read(self) -> int:
        """How many records there are."""
        return self._totals.read

    @property
    def matched(self) -> int:
        """How many of them are selected."""
        return self._totals.matched

    @property
    def dependents(self) -> int:
        """How many records refer to them."""
        return self._totals.dependents

    def snapshot(self, sink: Sink, add: Add) -> Snapshot:
        """Write the export.

        :param add: gets pieces of the work list, each with the number of its records.
        :raises InvalidRequest, TargetError: the request must not be carried out.
        :raises OutOfTime: the time is over.
        """
        infos = list({one.name: one for one in (self.info, *(one.child for one in self._relations))}.values())
        if self._request.references == REFUSE:
            infos = [self.info]
        files = {info.name: _File(sink, number) for number, info in enumerate(infos)}
        try:
            for found in self._found([*files]):
                add(found.work, found.matched)
                for name, (data, count) in found.lines.items():
                    files[name].write(data, count)
                self._totals.add(found)
            self._check()
        except BaseException as exc:
            for file in files.values():
                file.abandon(exc)
            raise
        for file in files.values():
            file.close()
        total = hashlib.sha256()
        for name, file in files.items():
            total.update(json.dumps([name, file.digest]).encode())
        counts = tuple(Collection(name, file.count) for name, file in files.items())
        details = {
            "format": "jsonl",
            "schema": [plain_info(as_stored(info)) for info in infos],
            "purge": {"collection": self.info.name, **json.loads(json.dumps(self._request.words, default=str))},
        }
        return Snapshot(total.hexdigest(), counts, details, None)

    def _pages(self, label: str) -> Iterator[Sequence[Record]]:
        self._progress.start(label, unit="records")
        for page in self._store.pages(self.info, self._wanted):
            self._check_deadline()
            yield page.records
            self._progress.advance(len(page.records))

    def _check_deadline(self) -> None:
        if self._deadline.over():
            raise OutOfTime

    def _names(self) -> set[str]:
        """The names of the columns, or of all fields of all records if they are not in columns."""
        if has_columns(self._store, self.info):
            return {field.name for field in self.info.fields}
        return {name for page in self._pages("Reading the names of fields") for record in page for name in record}

    def _bits(self) -> set[str]:
        """Of the fields that are compared with booleans: those that have no values but 0 and 1."""
        found = set(self._where.booleans)
        for page in self._pages("Looking for booleans") if found else ():
            found = {
                name
                for name in found
                if all(value is None or (value.__class__ is int and value in (0, 1)) for value in column_of(page, name))
            }
        return found

    def _find_newest(self) -> _Newest:
        newest = _Newest(self.info, str(self._request.time_field), self._request.per, self._request.newest)
        for page in self._pages("Looking for the newest records"):
            for record in page:
                newest.add(record)
        return newest

    def _selected(self, records: Sequence[Record]) -> Sequence[bool]:
        mask = self._where.mask(records)
        if self._newest is None:
            return mask
        return [selected and not self._newest.keeps(record) for selected, record in zip(mask, records)]

    def _found(self, names: Sequence[str]) -> Iterator[_Found]:
        """What is selected, as it is read: by processes of their own where that is worth it."""
        self._progress.start(f"Exporting from {self.info.name}", unit="records")
        tasks = [functools.partial(self._read, names, part) for part in self._store.parts(self.info)]
        with contextlib.closing(in_order(tasks, min(_READERS, usual_number()), "", nice=0)) as results:
            for found in results:
                self._check_deadline()
                yield found
                self._progress.advance(found.read)

    def _read(self, names: Sequence[str], part: Any) -> Iterator[_Found]:
        before = self._where.without_time
        for page in self._store.pages(self.info, self._wanted, part):
            found = _Found()
            selected = page.chosen(self._selected(page.records))
            found.read, found.matched = len(page.keys), len(selected.keys)
            lines: dict[str, list[str]] = {name: [] for name in names}
            lines[self.info.name] += selected.lines
            kids = [self._kids(self.info, key, lines, found) for key in selected.keys] if self._relations else ()
            found.work = written(selected.batches(BATCH, kids))
            # lone surrogates are the only characters that UTF-8 can't encode; they are written as JSON escapes
            texts = {name: "\n".join([*some, ""]).encode("utf-8", "backslashreplace") for name, some in lines.items()}
            found.lines = {name: (text, len(lines[name])) for name, text in texts.items()}
            found.months = self._months_of(selected.records)
            found.without_time, before = self._where.without_time - before, self._where.without_time
            yield found

    def _kids(self, info: Info, key: Key, lines: Mapping[str, list[str]], to: _Found) -> Mapping[int, Sequence[Item]]:
        """What refers to the record with this key. Their lines are added."""
        kids: dict[int, Sequence[Item]] = {}
        for number, relation in enumerate(self._relations):
            if relation.parent.name != info.name:
                continue
            found = self._store.children(relation, key)
            if found and self._request.references == REFUSE:
                to.referring[relation.words] += len(found)
            elif found and self._request.references == CASCADE:
                lines[relation.child.name] += [one.line for one in found]
                kids[number] = [
                    Item(one.key, one.token, self._kids(relation.child, one.key, lines, to)) for one in found
                ]
                to.dependents += len(found)
            elif found:
                lines[relation.child.name] += [one.line for one in found]
                kids[number] = [Item(one.key, one.token) for one in found]
                to.dependents += len(found)
        return kids

    def _months_of(self, records: Sequence[Record]) -> Counter[Optional[tuple[int, int]]]:
        months = Counter[Optional[tuple[int, int]]]()
        if self._request.time_field is None:
            return months
        times = column_of(records, self._request.time_field)
        alike = set(map(type, times)) == {str}  # of others, equal ones may differ
        for value, count in Counter(times).items() if alike else zip(times, itertools.repeat(1)):
            when = instant(value)
            if when is not None and when.tzinfo is not timezone.utc:
                when = when.astimezone(timezone.utc)
            months[None if when is None else (when.year, when.month)] += count
        return months

    def _check(self) -> None:
        """Raise whatever forbids the removal, after all has been read."""
        name, request = self.info.name, self._request
        referring = self._totals.referring
        if referring:
            words = ", ".join(f"{one} ({count})" for one, count in sorted(referring.items()))
            raise TargetError(
                f"Records refer to records of {name} that would be deleted: {words}.",
                "Nothing was deleted. Set references to cascade or detach, or exclude the records with where.",
                {"references": dict(referring)},
            )
        if self.without_time and not request.ignore_bad_times:
            raise TargetError(
                f"{plural(self.without_time, 'value')} of {name} that the conditions compare as times are not valid "
                "times.",
                "Nothing was deleted. Correct them, or set ignore_bad_times=true to keep these records.",
                {"without_time": self.without_time},
            )
        if self.matched and self.matched == self.read and not request.allow_all:
            raise InvalidRequest(
                f"All {plural(self.read, 'record')} of {name} would be deleted.",
                "Nothing was deleted. Check older_than and where, or set allow_all=true if that is what you want.",
            )


class _Found:
    """What was found on a page, or on all. `lines`: of each file, and their number. `work`: of the work list."""

    def __init__(self) -> None:
        self.read = self.matched = self.dependents = self.without_time = 0
        self.months: Counter[Optional[tuple[int, int]]] = Counter()
        self.referring: Counter[str] = Counter()
        self.lines: dict[str, tuple[bytes, int]] = {}
        self.work = b""

    def add(self, other: _Found) -> None:
        """Add the numbers."""
        self.read += other.read
        self.matched += other.matched
        self.dependents += other.dependents
        self.without_time += other.without_time
        self.months.update(other.months)
        self.referring.update(other.referring)


class _File:
    """One file of the export: JSON lines."""

    def __init__(self, sink: Sink, number: int) -> None:
        self._open = sink.file(f"{number}.jsonl")
        self._out = self._open.__enter__()
        self.count = 0

    def write(self, data: bytes, count: int) -> None:
        self._out.write(data)
        self.count += count

    @property
    def digest(self) -> str:
        """Once it is closed."""
        return self._out.sha256()

    def close(self) -> None:
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
