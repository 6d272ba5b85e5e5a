# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports on records, of a store or of lines that are JSON."""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Optional

from ..._core.conditions import Where, column_of, member_of
from ..._core.errors import InvalidRequest
from ..._core.plain_json import decode, plain
from ..._core.progress import Progress
from ..._core.record_batches import Batch, chosen
from ..._logs.fields import COMMON, ROLES, Columns
from ..._logs.tally import Tally
from ..._stores.records.model import Info
from ..records.collection import as_booleans, booleans_of, find_collection, has_columns, opened_to_read
from ..records.spelling import Spelling
from .counts import Counts, Records
from .export import Export
from .report_request import LogReportRequest

_DAY = re.compile(rb"\d{4}-\d\d-\d\d")
_EARLIEST = 10**8  # of numbers that are times since 1970, as in conditions
_LONG_NUMBER = 18  # characters; a longer text is a time, or no number either

Convert = Callable[[Any], Optional[bytes]]


class RecordTally:
    """Adds records to a tally, and does what needs more of them than that.

    :param conditions: converts the conditions of the user to those of the store.
    :raises InvalidRequest: conditions are not valid.
    """

    def __init__(
        self,
        request: LogReportRequest,
        tally: Tally,
        export: Optional[Export] = None,
        conditions: Callable[[Any], Any] = lambda given: given,
    ) -> None:
        now = datetime.fromtimestamp(request.now, timezone.utc)
        wanted = request.records
        self._request, self._tally, self._export = request, tally, export
        self._where = Where(conditions(wanted.where), now)
        wheres = [
            Where(conditions(one.where), now, f"counts[{number}].where") for number, one in enumerate(wanted.counts)
        ]
        self.wheres = [self._where, *wheres]
        self.counts = Counts(wanted.counts, wheres)
        self.names: set[str] = set()
        self._newest: list[tuple[float, int, dict[str, Any]]] = []
        self._number = itertools.count()

    def fields(self) -> Iterator[tuple[str, str]]:
        """The fields that the user names, each with the option that does."""
        records = self._request.records
        for role, names in self._request.fields.names.items():
            if names != COMMON[role]:
                yield f"fields.{role}", names[0]
        for number, one in enumerate(records.counts):
            yield from ((f"counts[{number}].by", name) for name in one.by)
        yield from (("show", name) for name in records.show)

    def needed(self) -> set[str]:
        """The first parts of the names of all fields that are read."""
        roles = itertools.chain.from_iterable(self._request.fields.names.values())
        conditions = itertools.chain.from_iterable(one.fields for one in self.wheres)
        named = (name for _option, name in self.fields())
        every = {*roles, *conditions, *named}
        return every | {name.partition(".")[0] for name in every}

    def check_names(self, names: Collection[str], collection: str) -> None:
        """Raise InvalidRequest when the user names a field that no record has."""
        for one in self.wheres:
            one.check_fields(names, collection)
        for option, name in self.fields():
            _check_name(option, name, names, collection)
        rules = self._tally.rules
        windowed = rules.since is not None or rules.until is not None or self._request.records.newest
        windowed = windowed or any(one.since is not None for one in self._request.records.counts)
        times = self._request.fields.names["time"]
        if windowed and not any(_is_there(name, names) for name in times):
            raise InvalidRequest(
                f"No record of {collection} has a field with a time: looked for {', '.join(times[:-1] or times)}.",
                f"Set fields.time to one of {', '.join(sorted(names)) or 'none'}.",
            )

    def add(self, chunk: Records) -> None:
        """Add records."""
        if isinstance(chunk, Batch):
            present: Collection[str] = chunk.names
        else:
            present = {name for one in chunk for name in one}
        self.names.update(present)
        if self._request.records.where:
            chunk = chosen(chunk, [self._where.holds(one) for one in chunk])
        if not len(chunk):
            return
        columns = self._columns(chunk, present)
        times: Any = itertools.repeat(None, len(chunk)) if columns.time is None else columns.time
        seconds = [self._tally.clock.seconds(one) for one in times]
        inside = self._tally.add(columns, seconds)
        if inside is not None:
            chunk = chosen(chunk, inside)
            seconds = list(itertools.compress(seconds, inside))
        self.counts.add(chunk, seconds)
        if self._export is not None:
            self._export.add(chunk)
        if self._request.records.newest:
            self._add_newest(chunk, seconds)

    def _add_newest(self, chunk: Records, seconds: Sequence[Optional[float]]) -> None:
        for record, at in zip(chunk, seconds):
            if at is None:
                continue
            if len(self._newest) < self._request.records.newest:
                heapq.heappush(self._newest, (at, next(self._number), self._shown(record)))
            elif at > self._newest[0][0]:
                heapq.heapreplace(self._newest, (at, next(self._number), self._shown(record)))

    def _shown(self, record: Mapping[str, Any]) -> dict[str, Any]:
        return {name: plain(member_of(record, name)) for name in self._request.records.show}

    def newest(self) -> list[dict[str, Any]]:
        """The newest records, the newest one first."""
        return [record for _at, _number, record in sorted(self._newest, key=lambda one: one[:2], reverse=True)]

    def bad_times(self) -> int:
        """The values that conditions were to compare with a time, and that are none."""
        return self._where.without_time + self.counts.bad_times

    def _columns(self, chunk: Records, present: Collection[str]) -> Columns:
        columns: dict[str, Any] = {}
        unit = 1.0
        for role in ROLES:
            names = [name for name in self._request.fields.names[role] if _is_there(name, present)]
            for name in names:
                values = self._values(role, name, chunk)
                if role == "duration" and len(names) == 1:
                    unit = self._request.fields.unit(name)
                elif role == "duration":
                    values = _in_seconds(values, self._request.fields.unit(name))
                before = columns.get(role)
                columns[role] = values if before is None else [b if a is None else a for a, b in zip(before, values)]
                if None not in columns[role]:
                    break
        return Columns(len(chunk), unit=unit, **columns)

    def _values(self, role: str, name: str, chunk: Records) -> Sequence[Optional[bytes]]:
        convert: Convert = _time if role == "time" else self._status if role == "status" else _text
        return _converted(column_of(chunk, name), convert)

    def _status(self, value: Any) -> Optional[bytes]:
        text = _text(value)
        taken = text is not None and self._request.fields.takes("status", "string", text.decode("utf-8", "replace"))
        return text if taken else None


class RecordLines:
    """Adds blocks of lines that are JSON objects.

    :param bad: called with each line that is not one.
    """

    def __init__(self, records: RecordTally, bad: Callable[[bytes], None]) -> None:
        self._records = records
        self._bad = bad

    def block(self, data: bytes) -> int:
        """Add lines, each preceded by a newline, with one after the last. Returns their number."""
        lines = data.split(b"\n")[1:-1]
        found = []
        for line in lines:
            if not line.strip():
                continue
            try:
                record = decode(line.decode("utf-8", "replace"))
            except ValueError:
                record = None
            if isinstance(record, dict):
                found.append(record)
            else:
                self._bad(line)
        if found:
            self._records.add(found)
        return len(lines)


def read_store(
    request: LogReportRequest, tally: Tally, export: Optional[Export], progress: Progress
) -> tuple[RecordTally, list[str]]:
    """Read a collection of a store. Returns what was found, and sentences for the user.

    :raises SourceError: the store or the collection does not exist, or cannot be read.
    :raises InvalidRequest: there is no such field.
    """
    warnings: list[str] = []
    with opened_to_read(request.source or {}, {}, progress, warnings) as store:
        info = find_collection(store, request.collection)
        records = RecordTally(request, tally, export, Spelling(store, info).conditions)
        if has_columns(store, info):
            records.check_names([field.name for field in info.fields], info.name)
            as_booleans(store, _pruned(info, booleans_of(records.wheres)), records.wheres)
            info = _pruned(info, None if export else records.needed())
        else:
            as_booleans(store, info, records.wheres)
        progress.start(f"Reading {info.name}", unit="records")
        for chunk in store.chunks(info, ordered=False):
            records.add(chunk)
            progress.advance(len(chunk))
        if not has_columns(store, info):
            records.check_names(records.names, info.name)
    return records, warnings


def _pruned(info: Info, names: Optional[Collection[str]]) -> Info:
    """The collection with these of its columns, and those of its key."""
    if names is None or info.note.marker:
        return info
    fields = tuple(one for one in info.fields if one.name in names or one.name in info.key)
    return info._replace(fields=fields or info.fields[:1])


def _is_there(name: str, names: Collection[str]) -> bool:
    return name in names or name.partition(".")[0] in names


def _check_name(option: str, name: str, names: Collection[str], collection: str) -> None:
    if not _is_there(name, names):
        raise InvalidRequest(
            f"{option}: no record of {collection} has a field {name}.",
            f"The fields are {', '.join(sorted(names)) or 'none'}.",
        )


def _converted(values: Sequence[Any], convert: Convert) -> Sequence[Optional[bytes]]:
    """The values, each kind of which is converted once if they are few."""
    if {one.__class__ for one in values} <= {str, int, None.__class__}:  # among which equal ones are the same
        few = set(values)
        if 4 * len(few) < len(values):
            known = {one: convert(one) for one in few}
            return [known[one] for one in values]
    return [convert(one) for one in values]


def _text(value: Any) -> Optional[bytes]:
    """The text of a value as a log would have it; None for a value that is no scalar."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace")
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, (int, float, Decimal)):
        return str(value).encode()
    return value.isoformat().encode() if isinstance(value, date) else None


def _time(value: Any) -> Optional[bytes]:
    text = None if value.__class__ is bool else _text(value)
    if text is None or len(text) > _LONG_NUMBER:
        return text
    if _DAY.fullmatch(text):
        return text + b"T00:00:00"
    try:
        return text if float(text) >= _EARLIEST else None
    except ValueError:
        return text


def _in_seconds(values: Sequence[Optional[bytes]], unit: float) -> Sequence[Optional[bytes]]:
    found = []
    for one in values:
        try:
            found.append(None if one is None else str(float(one) * unit).encode())
        except ValueError:  # with a unit of its own
            found.append(one)
    return found
