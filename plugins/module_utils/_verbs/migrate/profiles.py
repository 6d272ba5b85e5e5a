# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads both sides of a migration: digests, kinds, references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..._core.errors import InvalidRequest, SourceError
from ..._core.progress import Progress
from ..._core.record_batches import count_of, digest_sum, has_key, layouts
from ..._core.records import canonical
from ..._core.scratch import scratch_database
from ..._core.units import plural
from ..._core.unordered import MODULUS
from ..._stores.records.kinds import Kinds
from ..._stores.records.model import Info, Note, key_of
from ..._stores.records.store import SourceStore

_LISTED = 20  # values in messages


class Profile(NamedTuple):
    """The result of reading all records of a collection."""

    records: int
    digest: int
    kinds: Kinds

    def hexdigest(self) -> str:
        """The digest as 64 hex digits."""
        return f"{self.digest:064x}"


class Reference(NamedTuple):
    """A field of one collection whose values refer to a field of another."""

    collection: str
    field: str
    to: str
    to_field: str

    def __str__(self) -> str:
        return f"{self.collection}.{self.field} -> {self.to}.{self.to_field}"


def parse_reference(value: dict[str, Any]) -> Reference:
    """The reference of an option.

    :raises InvalidRequest: an end of it does not have the form COLLECTION.FIELD.
    """
    parts = [*value["from"].rpartition(".")[::2], *value["to"].rpartition(".")[::2]]
    if not all(parts):
        raise InvalidRequest(
            f"A reference must be {{from: COLLECTION.FIELD, to: COLLECTION.FIELD}}, not from {value['from']} to "
            f"{value['to']}."
        )
    return Reference(*parts)


def profile(store: SourceStore, info: Info, progress: Progress, kinds: bool = True) -> Profile:
    """Read a collection.

    :raises SourceError: a record has no key.
    """
    known = store.summary(info)
    if known is not None:
        return Profile(known.records, known.digest % MODULUS, known.kinds)
    count, total, seen = 0, 0, Kinds()
    progress.start(f"Reading {info.name} of {store.location}", unit="records")
    for chunk in store.chunks(info, ordered=False):
        found = layouts(chunk)
        if not all(has_key(info.key, one) for one in found):
            raise _without_key(store, info)
        if kinds:
            seen.see(found)
        total += digest_sum(found)
        count += count_of(found)
        progress.update(count)
    return Profile(count, total % MODULUS, seen)


def check_unique(store: SourceStore, info: Info, scratch: str) -> None:
    """Check that keys are unique.

    :raises SourceError: several records have the same key.
    """
    if not info.document:  # the other fields need not be read
        info = info._replace(fields=tuple(one for one in info.fields if one.name in info.key), note=Note())
    with scratch_database(scratch) as connection:
        connection.execute("CREATE TABLE key (value BLOB PRIMARY KEY, count INT) WITHOUT ROWID")
        connection.executemany(
            "INSERT INTO key VALUES (?, 1) ON CONFLICT (value) DO UPDATE SET count = count + 1",
            (
                (canonical(list(key_of(info, record))),)
                for chunk in store.chunks(info, ordered=False)
                for record in chunk
                if None not in key_of(info, record)  # which is told elsewhere
            ),
        )
        row = connection.execute("SELECT value FROM key WHERE count > 1 LIMIT 1").fetchone()
    if row is not None:
        raise SourceError(
            f"The collection {info.name} has several records with the key {row[0].decode()}.",
            "Set primary_keys to fields that identify its records, or to none.",
        )


def _without_key(store: SourceStore, info: Info) -> SourceError:
    number, name = next(
        (number, name)
        for number, record in enumerate(store.read(info), 1)
        for name in info.key
        if record.get(name) is None
    )
    return SourceError(
        f"The record {number} of the collection {info.name} lacks its key field {name}.",
        "Set another key in primary_keys, or correct the source.",
    )


def _values(store: SourceStore, info: Info, field: str, must_exist: bool) -> Iterator[Any]:
    """The field of each record. Raises InvalidRequest at the end if no record has it, not even empty."""
    empty = known = True
    for record in store.read(info):
        known = field in record or (known and not empty)
        empty = False
        yield record.get(field)
    if must_exist and not known:
        raise InvalidRequest(f"references: no record of {info.name} has the field {field}.")


def dangling(
    store: SourceStore, infos: dict[str, Info], reference: Reference, scratch: str, must_exist: bool = True
) -> tuple[int, list[str]]:
    """The number of records with a dangling reference, and the first of the values.

    :raises InvalidRequest: a collection does not exist, or (`must_exist`) none of its records has the field.
    """
    for name in (reference.collection, reference.to):
        if name not in infos:
            raise InvalidRequest(f"The reference {reference} names the collection {name}, which is not migrated.")
    count = 0
    listed: list[str] = []
    with scratch_database(scratch) as connection:
        connection.execute("CREATE TABLE there (value BLOB PRIMARY KEY) WITHOUT ROWID")
        connection.executemany(
            "INSERT OR IGNORE INTO there VALUES (?)",
            ((canonical(value),) for value in _values(store, infos[reference.to], reference.to_field, must_exist)),
        )
        for value in _values(store, infos[reference.collection], reference.field, must_exist):
            if value is None:
                continue
            text = canonical(value)
            if not connection.execute("SELECT 1 FROM there WHERE value = ?", (text,)).fetchone():
                count += 1
                if len(listed) < _LISTED:
                    listed.append(text.decode())
    return count, listed


def dangles(reference: Reference, count: int, listed: Sequence[str]) -> SourceError:
    """The error of records with dangling references."""
    return SourceError(
        f"{plural(count, 'source record')} {('has' if count == 1 else 'have')} dangling references ({reference}): "
        f"{', '.join(listed)}.",
        "Correct the source, or remove this reference from references.",
    )
