# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Protocol of a store from which old records are removed while its application writes, and what all of them share.

A record is removed only if it is as it was read: its token says so. What refers to it counts as a part of it.
"""

from __future__ import annotations

import hashlib
import itertools
import marshal
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional, Protocol

from ..._core.errors import InvalidRequest
from ..._core.record_batches import chosen
from ..._core.records import canonical
from ..._core.tagged_json import encode
from .model import LIST, ForeignKey, Info, Record, key_of
from .store import TargetStore

Key = tuple[Any, ...]
_TOKEN = 15  # bytes

REFUSE, CASCADE, DETACH = "refuse", "cascade", "detach"  # what becomes of records that refer to removed ones


class Row(NamedTuple):
    """A record that refers to others, as it was read.

    `key`: as the store has it, in values that JSON with tags can hold. `token`: another one once the record is changed.
    `line`: the record in an export, with the values of `as_stored`, without the end of the line.
    """

    key: Key
    token: str
    line: str


class Page(NamedTuple):
    """Many records as they were read, by columns: a function in C then does what would be done for each of them.

    `keys` and `lines`: as those of `Row`. `records`: with the wanted fields. `contents`: columns with their exact
    values, in any form that `marshal` can write. `tokens`: of each record; () if they are made of the lines.
    """

    keys: Sequence[Key]
    lines: Sequence[str]
    records: Sequence[Record]
    contents: Sequence[Sequence[Any]] = ()
    tokens: Sequence[str] = ()

    def chosen(self, mask: Sequence[bool]) -> Page:
        """The records for which the mask is true."""
        if all(mask):
            return self
        records: Sequence[Any] = chosen(self.records, mask)
        contents = [tuple(itertools.compress(one, mask)) for one in self.contents]
        tokens = list(itertools.compress(self.tokens, mask))
        return Page(
            list(itertools.compress(self.keys, mask)),
            list(itertools.compress(self.lines, mask)),
            records,
            contents,
            tokens,
        )

    def batches(self, size: int, kids: Sequence[Mapping[int, Sequence[Item]]] = ()) -> Iterator[Batch]:
        """What is to be removed together.

        :param kids: of each record, if any are to be removed with it.
        """
        for start in range(0, len(self.keys), size):
            part = slice(start, start + size)
            contents = [one[part] for one in self.contents]
            tokens = ",".join(self.tokens[part]) if self.tokens else tokens_of(self.lines[part])
            some = kids[part] if any(kids[part]) else ()
            yield Batch(self.keys[part], tokens, digest_of(contents), some)


class Item(NamedTuple):
    """A record that is to be removed. `kids`: by the numbers of relations, the records that refer to it."""

    key: Key
    token: str
    kids: Mapping[int, Sequence[Item]] = {}


class Batch(NamedTuple):
    """Records that are to be removed together.

    `tokens`: of each, with commas between. `digest`: of the content of all of them, "" if that is not known. `kids`: of
    each, if there are any.
    """

    keys: Sequence[Key]
    tokens: str
    digest: str = ""
    kids: Sequence[Mapping[int, Sequence[Item]]] = ()

    def items(self) -> list[Item]:
        """The records one by one."""
        return list(map(Item, self.keys, self.tokens.split(","), self.kids or itertools.repeat({})))

    def split(self, count: int) -> tuple[Batch, Batch]:
        """The first records, and the others."""
        tokens = self.tokens.split(",")
        first = Batch(self.keys[:count], ",".join(tokens[:count]), "", self.kids[:count])
        return first, Batch(self.keys[count:], ",".join(tokens[count:]), "", self.kids[count:])


class Singly:
    """Batches with one record each."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._batches:
            for one in batch.items():
                yield Batch([one.key], one.token, "", [one.kids] if one.kids else ())


class Waiting:
    """Batches that wait to be removed, for a store that removes a different number of records at a time."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = iter(batches)
        self._rest: Optional[Batch] = None

    def take(self, size: int) -> Optional[Batch]:
        """So many records, or those that are left; None if there are none."""
        parts: list[Batch] = []
        while size > 0:
            one = self._rest or next(self._batches, None)
            self._rest = None
            if one is None:
                break
            if len(one.keys) > size:
                one, self._rest = one.split(size)
            parts.append(one)
            size -= len(one.keys)
        if len(parts) < 2:
            return parts[0] if parts else None
        keys = list(itertools.chain.from_iterable(one.keys for one in parts))
        kids = [kid for one in parts for kid in one.kids or [{}] * len(one.keys)]
        return Batch(keys, ",".join([one.tokens for one in parts]), "", kids if any(kids) else ())


def tokens_of(lines: Sequence[str]) -> str:
    """The tokens of records with these lines, with commas between."""
    data = "\n".join(lines).encode("utf-8", "backslashreplace")
    tokens = [hashlib.blake2b(line, digest_size=_TOKEN).digest() for line in data.split(b"\n")]
    return b"".join(tokens).hex(",", _TOKEN)


def digest_of(contents: Sequence[Sequence[Any]]) -> str:
    """The digest of the contents of a batch, which are columns; "" if the store does not compare them."""
    if not contents:
        return ""
    # later versions of the format look for equal objects
    return hashlib.blake2b(marshal.dumps(tuple(map(tuple, contents)), 2), digest_size=32).hexdigest()


def pages_of(info: Info, chunks: Iterable[Sequence[Record]]) -> Iterator[Page]:
    """Pages of records of a store that has them as values: the key is one text."""
    for records in chunks:
        keys = [(name_of(info, one),) for one in records]
        lines = [encode(_without_place(info, one)) for one in records]
        yield Page(keys, lines, records, (), [token_of(info, one) for one in records])


def name_of(info: Info, record: Record) -> str:
    """The key of a record as text."""
    return encode(list(key_of(info, record)))


def token_of(info: Info, record: Record) -> str:
    """The token of a record, in whichever order it has its fields."""
    return tokens_of([canonical(_without_place(info, record)).decode()])


def _without_place(info: Info, record: Record) -> Record:
    """A record of a list without its place, unless that is the key."""
    place = info.note.key if info.note.shape == LIST and info.note.key not in info.key else ""
    return {name: value for name, value in record.items() if name != place} if place else record


class Relation(NamedTuple):
    """Records of `child` refer to records of `parent` by a foreign key."""

    parent: Info
    child: Info
    key: ForeignKey

    @property
    def words(self) -> str:
        """For people: "sessions.user_id"."""
        return f"{self.child.name}.{'+'.join(self.key.fields)}"


class Removed(NamedTuple):
    """Counts of one transaction. `kids`: records that were removed or detached with others. `changed`: records that
    stay, as they or what refers to them were written meanwhile. `gone`: records that others have removed. `items`: of
    the work that is done. `held`: the seconds for which writers had to wait.
    """

    deleted: int = 0
    kids: int = 0
    changed: int = 0
    gone: int = 0
    items: int = 0
    held: float = 0.0

    def plus(self, other: Removed) -> Removed:
        """The sums, and the longer of the times."""
        return Removed(
            self.deleted + other.deleted,
            self.kids + other.kids,
            self.changed + other.changed,
            self.gone + other.gone,
            self.items + other.items,
            max(self.held, other.held),
        )


class Purger(TargetStore, Protocol):
    """A target from which records are removed."""

    least_wait: float  # seconds: a shorter wait of writers can't be promised

    def identity_of(self, info: Info) -> str:
        """The identity of the table: it differs after the table was recreated, where tokens depend on that."""

    def tells_apart(self, info: Info) -> bool:
        """Whether the database takes no two keys for the same, and no record lacks a part of its key."""

    def parts(self, info: Info) -> Sequence[Any]:
        """Parts of the records, each of which a process of its own can read. Nothing is open afterwards that such
        processes would share.
        """

    def pages(self, info: Info, wanted: Collection[str], part: Any = None) -> Iterator[Page]:
        """Records by key, or those of a part. Writers of the store wait for none of the pages. There may be no common
        state of them.

        :param wanted: the names of the fields that records must have, apart from the key. Others may be missing.
        :param part: one of `parts`; None: all records.
        """

    def children(self, relation: Relation, key: Key) -> list[Row]:
        """The records that refer to the one with this key."""

    def foreign(self, info: Info) -> Sequence[str]:
        """In words, the references to this table that `collections` does not tell of."""

    def remove(
        self, info: Info, relations: Sequence[Relation], batches: Iterable[Batch], action: str, max_wait: float
    ) -> Iterator[Removed]:
        """Remove those records that are as they were read, some batches in each transaction.

        :param batches: can be read more than once.
        :param action: what becomes of what refers to them.
        :param max_wait: the seconds that a writer may wait, where it does.
        :returns: the counts after each commit. Whoever stops listening stops the removal there.
        """

    def finish(self, info: Info) -> Sequence[str]:
        """Clean up after removals. Returns sentences on what could not be done."""


class WithoutReferences:
    """A part of purgers of stores without foreign keys, whose keys are exact, and that are read in one part."""

    least_wait = 0.0

    def tells_apart(self, info: Info) -> bool:
        return True

    def parts(self, info: Info) -> Sequence[Any]:
        return [None]

    def children(self, relation: Relation, key: Key) -> list[Row]:
        return []

    def foreign(self, info: Info) -> Sequence[str]:
        return ()

    def finish(self, info: Info) -> Sequence[str]:
        """Nothing is left to clean up."""
        return ()


class Operations(Protocol):
    """What a store does in a transaction that keeps others from writing these records."""

    def current(self, info: Info, keys: Sequence[Key]) -> Mapping[Key, str]:
        """The tokens of the records with these keys, "" for one that is not unique. Missing ones are gone."""

    def digest(self, info: Info, keys: Sequence[Key]) -> str:
        """The digest of the content of the records with these keys, in this order; "" if it is not known."""

    def children(self, relation: Relation, key: Key) -> Mapping[Key, str]:
        """The keys and tokens of the records that refer to the one with this key."""

    def delete(self, info: Info, keys: Sequence[Key]) -> int:
        """Delete the records with these keys; returns how many there were."""

    def detach(self, relation: Relation, keys: Sequence[Key]) -> None:
        """Set the foreign key of these children to null."""


def remove_batch(store: Operations, info: Info, relations: Sequence[Relation], batch: Batch, action: str) -> Removed:
    """Remove the records of a batch that are as they were read, with all that refers to them."""
    count = len(batch.keys)
    if batch.digest and not relations and store.digest(info, batch.keys) == batch.digest:
        deleted = store.delete(info, batch.keys)
        return Removed(deleted, 0, count - deleted, 0, count)
    items = batch.items()
    now = store.current(info, batch.keys)
    there = [one for one in items if one.key in now]
    same = [one for one in there if now[one.key] == one.token]
    kids = 0
    if relations:
        same = [one for one in same if _kids_are_same(store, info, relations, one, action)]
        kids = sum(_remove_kids(store, relations, one, action) for one in same)
    deleted = store.delete(info, [one.key for one in same]) if same else 0
    # a trigger may keep one, or have removed another one already
    changed = len(there) - deleted
    return Removed(deleted, kids, changed, count - len(there), count)


def _kids_are_same(store: Operations, info: Info, relations: Sequence[Relation], item: Item, action: str) -> bool:
    for number, relation in enumerate(relations):
        if relation.parent.name != info.name:
            continue
        expected = item.kids.get(number, ())
        if store.children(relation, item.key) != {one.key: one.token for one in expected}:
            return False
        if action == CASCADE and not all(
            _kids_are_same(store, relation.child, relations, one, action) for one in expected
        ):
            return False
    return True


def _remove_kids(store: Operations, relations: Sequence[Relation], item: Item, action: str) -> int:
    """Remove or detach what refers to a record, from the leaves on. Returns the number of records."""
    count = 0
    for number, kids in item.kids.items():
        keys = [one.key for one in kids]
        if action == DETACH:
            store.detach(relations[number], keys)
            count += len(keys)
        else:
            count += sum(_remove_kids(store, relations, one, action) for one in kids)
            count += store.delete(relations[number].child, keys)
    return count


def relations_to(info: Info, infos: Collection[Info], action: str) -> list[Relation]:
    """The foreign keys that refer to a collection, and with `cascade` to those that refer to it, and so on.

    :raises InvalidRequest: it can't be removed from that way.
    """
    found: list[Relation] = []
    waiting, seen = [info], {info.name}
    while waiting:
        parent = waiting.pop(0)
        for child in infos:
            for key in child.foreign_keys:
                if key.to == parent.name:
                    relation = Relation(parent, child, key)
                    _check_relation(relation, seen, action)
                    found.append(relation)
                    if action == CASCADE:
                        waiting.append(child)
                        seen.add(child.name)
    return found


def _check_relation(relation: Relation, seen: Collection[str], action: str) -> None:
    child, key = relation.child, relation.key
    if action == CASCADE and child.name in seen:
        raise InvalidRequest(
            f"references: {relation.words} refers to {key.to} in a cycle or by a second path, which is not followed.",
            "Remove these records first, or set references to detach or refuse.",
        )
    required = [field.name for field in child.fields if field.required and field.name in key.fields]
    if action == DETACH and required:
        raise InvalidRequest(
            f"references: {child.name}.{required[0]} can't be set to null, as the column requires a value.",
            "Set references to cascade or refuse.",
        )
    if action != REFUSE and not child.key:
        raise InvalidRequest(f"references: {child.name} refers to {key.to}, and has no key.", "Give it a primary key.")
    leading = [child.key, *(index.fields for index in child.indexes)]
    if not any(set(one[: len(key.fields)]) == set(key.fields) for one in leading):
        columns = ", ".join(child.columns.get(name, name) for name in key.fields)
        table = child.stored.name
        raise InvalidRequest(
            f"{relation.words} refers to {key.to}, and has no index: looking for references would read all of "
            f"{child.name} for each record.",
            f"Create one first: CREATE INDEX {table}_{'_'.join(key.fields)} ON {table} ({columns}).",
        )
