# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verbs for records of one collection share: their options, the collection, and the records that `where`
selects.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from ..._core.conditions import Where
from ..._core.errors import InvalidRequest, SourceError
from ..._core.plain_json import plain
from ..._core.progress import Progress
from ..._core.record_batches import values_of
from ..._core.records import canonical
from ..._core.scratch import scratch_directory
from ..._stores.records.model import Info, Record, key_of
from ..._stores.records.registry import argument_spec, open_editor
from ..._stores.records.store import SourceStore, TargetStore
from .spelling import Spelling

SELECTION: dict[str, Any] = {
    "store": {"type": "dict", "required": True, "options": argument_spec()},
    "collection": {"type": "str", "required": True},
    "key": {"type": "list", "elements": "str", "no_log": False},
    "where": {"type": "list", "elements": "dict", "default": []},
}


def keys_of(params: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The key that the user names, for a collection that has none."""
    return {params["collection"]: params["key"]} if params["key"] else {}


@contextlib.contextmanager
def opened_to_read(
    parameters: Mapping[str, Any], keys: Mapping[str, Sequence[str]], progress: Progress, warnings: list[str]
) -> Iterator[TargetStore]:
    """A store that is only read: a copy of it if its application would have to wait until the reading ends, or if it
    can't be read in place.

    :param warnings: gets a sentence if there is no space for a copy.
    """
    with open_editor(parameters, keys) as store:
        if not hasattr(store, "read_copy") or not store.cautions():
            yield store
            return
        with scratch_directory() as scratch:
            warnings += store.read_copy(scratch, progress)
            yield store
            store.end_reading()


class Selected:
    """The records of a collection that `where` selects.

    :raises SourceError: the store or the collection does not exist, or cannot be read.
    :raises InvalidRequest: `where` has a field that no record has.
    """

    def __init__(self, source: TargetStore, params: Mapping[str, Any], progress: Progress) -> None:
        self.source = source
        found = find_collection(source, params["collection"])
        self.info = with_key(found, params["key"])
        self._named_key = not found.key and bool(params["key"])
        self._seen: set[bytes] = set()
        self.spelling = Spelling(source, self.info)
        self.where = Where(self.spelling.conditions(params["where"]), datetime.now(timezone.utc))
        self.columns = frozenset(field.name for field in self.info.fields) if has_columns(source, self.info) else None
        self.fields = self._fields() if self.where.fields else frozenset()
        self.where.check_fields(self.fields, self.info.name)
        as_booleans(source, self.info, [self.where])
        self.progress = progress

    def __iter__(self) -> Iterator[Record]:
        for record in self.source.read(self.info):
            self.progress.advance(1)
            if self._named_key:
                self._check_unique(record)
            if self.where.holds(record):
                yield record

    def _check_unique(self, record: Record) -> None:
        key = canonical(key_of(self.info, record))
        if key in self._seen:
            raise InvalidRequest(f"key: several records of {self.info.name} have the key {key.decode()}.")
        self._seen.add(key)

    def _fields(self) -> frozenset[str]:
        """The names of the columns, or of all fields of all records if they are not in columns."""
        if self.columns is not None:
            return self.columns
        chunks = self.source.chunks(self.info, ordered=False)
        return frozenset(name for chunk in chunks for record in chunk for name in record)

    def warnings(self) -> list[str]:
        """Sentences for the user."""
        count = self.where.without_time
        if not count:
            return []
        words = "value is not a time and was" if count == 1 else "values are not times and were"
        return [f"{count} {words} not selected by older_than or newer_than."]


def as_booleans(source: SourceStore, info: Info, wheres: Sequence[Where]) -> None:
    """Have conditions take 0 and 1 for false and true in the fields that have no other values."""
    candidates = booleans_of(wheres)
    for chunk in source.chunks(info, ordered=False) if candidates else ():
        candidates = {name for name in candidates if _are_bits(values_of(chunk, name))}
        if not candidates:
            break
    for where in wheres:
        where.read_as_booleans(candidates)


def booleans_of(wheres: Sequence[Where]) -> set[str]:
    """The fields that conditions compare with booleans."""
    return {name for where in wheres for name in where.booleans}


def with_key(info: Info, key: Optional[Sequence[str]]) -> Info:
    """The collection with the key that the user names, if it has none."""
    if not key or tuple(key) == info.key:
        return info
    if info.key:
        raise InvalidRequest(f"key: {info.name} has the key {', '.join(info.key)}.", "Omit key.")
    unknown = sorted(set(key) - {field.name for field in info.fields})
    if unknown:
        raise InvalidRequest(f"key: {info.name} has no field {', '.join(unknown)}.")
    return info._replace(key=tuple(key))


def has_columns(source: TargetStore, info: Info) -> bool:
    """Whether each field of the records is a column, of those that there are."""
    return source.columns and not info.document


def _are_bits(values: Sequence[Any]) -> bool:
    return {one.__class__ for one in values} <= {int, None.__class__} and set(values) <= {0, 1, None}


def find_collection(source: SourceStore, name: str) -> Info:
    """Its description.

    :raises SourceError: the store or the collection does not exist, or cannot be read.
    """
    infos = {info.name: info for info in source.collections()}
    if name in infos:
        return infos[name]
    if not infos:
        raise SourceError(f"{source.location} does not exist, or has no collections.", "Check store.")
    raise SourceError(
        f"{source.location} has no collection {name}.", f"The collections are {', '.join(sorted(infos))}."
    )


def shown_key(info: Info, record: Record) -> Any:
    """The key of a record as shown in results: one value, or a list of them."""
    key = [plain(value) for value in key_of(info, record)]
    return key[0] if len(key) == 1 else key


def check_positive(params: Mapping[str, Any], *names: str) -> None:
    """Raise InvalidRequest when one of these options is less than 1."""
    for name in names:
        if params[name] is not None and params[name] < 1:
            raise InvalidRequest(f"{name} is {params[name]}; it must be at least 1.")
