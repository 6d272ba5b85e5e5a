# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading both sides of a migration: digests, kinds, differences by key, references."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Callable, NamedTuple, Optional

from .._core.errors import InvalidRequest, NoSpace, SourceError
from .._core.progress import Progress
from .._core.record_batches import Layout, count_of, digest_sum, layouts, without_nulls
from .._core.records import canonical, record_digest
from .._stores.record_kinds import Kinds
from .._stores.record_store import Info, Record, RecordStore, key_of

MODULUS = 2**256
LISTED = 20  # keys in messages and results


class Survey(NamedTuple):
    """All records of a collection, read once."""

    records: int
    digest: int
    kinds: Kinds

    def hexdigest(self) -> str:
        """64 hex digits."""
        return "%064x" % self.digest


class Comparison(NamedTuple):
    """How a target's collection differs from the source's. `keys`: the first that differ, as JSON, and how."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    left: int = 0
    rejected: int = 0
    keys: tuple[tuple[str, str], ...] = ()


class Reference(NamedTuple):
    """A field of one collection that names records of another by a field of theirs."""

    collection: str
    field: str
    to: str
    to_field: str

    def __str__(self) -> str:
        return "%s.%s -> %s.%s" % self


def parse_reference(value: dict[str, Any]) -> Reference:
    """:raises InvalidRequest: not COLLECTION.FIELD twice."""
    parts = [*value["from"].rpartition(".")[::2], *value["to"].rpartition(".")[::2]]
    if not all(parts):
        raise InvalidRequest(
            "A reference is {from: COLLECTION.FIELD, to: COLLECTION.FIELD}, not from %s to %s."
            % (value["from"], value["to"])
        )
    return Reference(*parts)


def compact(record: Record) -> Record:
    """In columns a missing field and null are the same."""
    return {name: value for name, value in record.items() if value is not None} if None in record.values() else record


def survey(store: RecordStore, info: Info, loose: bool, progress: Progress, kinds: bool = True) -> Survey:
    """Read a collection.

    :raises SourceError: a record has no key.
    """
    known = store.summary(info)
    if known is not None and not (loose and known.kinds.nulls):
        return Survey(known.records, known.digest % MODULUS, known.kinds)
    count, total, seen = 0, 0, Kinds()
    progress.start("Reading %s of %s" % (info.name, store.location), unit="records")
    # in columns there are none
    sparse = loose and (info.document or not store.columns)
    for chunk in store.chunks(info, ordered=False):
        found = without_nulls(layouts(chunk)) if sparse else layouts(chunk)
        if not all(_has_key(info, one) for one in found):
            raise _without_key(store, info)
        if kinds:
            seen.see(found)
        total += digest_sum(found)
        count += count_of(found)
        progress.update(count)
    return Survey(count, total % MODULUS, seen)


def _has_key(info: Info, found: Layout) -> bool:
    names, columns = found
    return all(name in names and None not in columns[names.index(name)] for name in info.key)


def _without_key(store: RecordStore, info: Info) -> SourceError:
    number, name = next(
        (number, name)
        for number, record in enumerate(store.read(info), 1)
        for name in info.key
        if record.get(name) is None
    )
    return SourceError(
        "The record %d of the collection %s has no %s, which is its key." % (number, info.name, name),
        "Name another key in primary_keys, or mend the source.",
    )


@contextlib.contextmanager
def scratch_database(directory: str) -> Iterator[sqlite3.Connection]:
    """A database for what may not fit in memory."""
    path = os.path.join(directory, "keys.db")
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "BEGIN"):
                connection.execute(statement)
            yield connection
    except sqlite3.Error as exc:
        raise NoSpace("The scratch file %s can't be kept: %s." % (path, exc), "Set TMPDIR to another disk.") from exc
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def compare(
    source: Iterable[Record],
    target: Iterable[Record],
    info: Info,
    *,
    loose: bool,
    refuses: Callable[[Record], str],
    scratch: str,
    differing: Optional[Callable[[str, Record], None]] = None,
    extra: Optional[Callable[[tuple[Any, ...]], None]] = None,
) -> Comparison:
    """Find the keys whose records differ.

    :param differing: told of each record of the source that the target lacks or has otherwise.
    :param extra: told of each key that only the target has.
    """
    counts = {"added": 0, "changed": 0, "left": 0, "rejected": 0, "removed": 0}
    listed: list[tuple[str, str]] = []

    def digest(record: Record) -> bytes:
        return record_digest(compact(record) if loose else record).to_bytes(32, "big")

    def tell(key: bytes, what: str) -> None:
        counts[what] += 1
        if len(listed) < LISTED:
            listed.append((key.decode(), what))

    with scratch_database(scratch) as connection:
        connection.execute("CREATE TABLE record (key BLOB PRIMARY KEY, digest BLOB) WITHOUT ROWID")
        connection.executemany(
            "INSERT OR REPLACE INTO record VALUES (?, ?)",
            ((canonical(list(key_of(info, record))), digest(record)) for record in target),
        )
        for record in source:
            key = canonical(list(key_of(info, record)))
            row = connection.execute("SELECT digest FROM record WHERE key = ?", (key,)).fetchone()
            if row is not None:
                connection.execute("DELETE FROM record WHERE key = ?", (key,))
            if row is not None and row[0] == digest(record):
                counts["left"] += 1
            elif refuses(record):
                counts["rejected"] += 1
            else:
                tell(key, "added" if row is None else "changed")
                if differing is not None:
                    differing("added" if row is None else "changed", record)
        for (key,) in connection.execute("SELECT key FROM record"):
            tell(bytes(key), "removed")
            if extra is not None:
                extra(tuple(_decoded(bytes(key))))
    return Comparison(keys=tuple(listed), **counts)


def _decoded(key: bytes) -> list[Any]:
    from .._core.tagged_json import decode

    value: list[Any] = decode(key)
    return value


def dangling(store: RecordStore, infos: dict[str, Info], reference: Reference, scratch: str) -> tuple[int, list[str]]:
    """How many records point to one that is not there, and the first of the values.

    :raises InvalidRequest: a collection is not there.
    """
    for name in (reference.collection, reference.to):
        if name not in infos:
            raise InvalidRequest("The reference %s names the collection %s, which is not migrated." % (reference, name))
    count = 0
    listed: list[str] = []
    with scratch_database(scratch) as connection:
        connection.execute("CREATE TABLE there (value BLOB PRIMARY KEY) WITHOUT ROWID")
        connection.executemany(
            "INSERT OR IGNORE INTO there VALUES (?)",
            ((canonical(record.get(reference.to_field)),) for record in store.read(infos[reference.to])),
        )
        for record in store.read(infos[reference.collection]):
            value = record.get(reference.field)
            if value is None:
                continue
            text = canonical(value)
            if not connection.execute("SELECT 1 FROM there WHERE value = ?", (text,)).fetchone():
                count += 1
                if len(listed) < LISTED:
                    listed.append(text.decode())
    return count, listed
