# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collections of a JSON document: their keys, their shapes, and names of our own that no record of theirs uses.

A record of a mapping {key: record} has its key in the field that equals the key in every record, otherwise in a field
of our own, `_key`. A record of a list has its position there, unless a key was given whose order is that of the list. A
member that is not a mapping is stored in `_value`. Top-level values that are not collections are records of the
collection `_document`. Each of these names is the first that is free; the note of the collection tells their meaning.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Callable, NamedTuple, Optional

from ..._core.workers import in_order
from ..records.kinds import Kinds, Summary
from ..records.model import INTEGER, LIST, MEMBERS, TEXT, VALUE, Field, Info, Note
from .document import Document, Member
from .duplicates import hashes, occurrences, repeated
from .parts import Part, ascending, looked_at, names_of

SCALARS, _KEY, _VALUE = "_document", "_key", "_value"
# What may be one of our names in a document's text: in any case, or with ASCII letters that are escaped.
_OURS = re.compile(rb"(?i)_(?:key|value)|\\u00[2-7]")

Parts = Callable[[Member], list[Part]]
Text = Callable[[], Iterable[bytes]]


class Found(NamedTuple):
    """A collection, and what was read to determine its key, if that was all of its records."""

    info: Info
    summary: Optional[Summary] = None
    last: Optional[dict[str, int]] = None  # of names that a mapping has more than once, the numbers of the last members
    note: str = ""  # what a person should know
    problem: str = ""  # why the records can't be read


def found(document: Document, text: Text, parts: Parts, keys: Mapping[str, Sequence[str]], workers: int) -> list[Found]:
    """The collections of a document.

    :param text: the bytes of the document, in pieces.
    :param keys: the primary keys that were given, by collection.
    :raises SourceError: records have equal keys, or lack a field of the key.
    """
    look = _Look(text, parts, workers)
    root = document.members is None
    collections = []
    for one in document.collections():
        member = document.find(one.name) or document.root
        collections.append(look.without_duplicates(member, keys.get(member.name), root))
    if document.values():
        names = {member.name.casefold() for member in document.members or ()}
        note = Note(VALUE if root else MEMBERS, root, _KEY, _VALUE)
        name = document.root.name if root else free(SCALARS, names)
        collections.append(Found(Info(name, (_KEY,), (Field(_KEY, TEXT, True),), note=note)))
    return collections


def free(name: str, taken: set[str]) -> str:
    """The name, or the first one derived from it that is not among `taken` (casefolded names)."""
    while name.casefold() in taken:
        name += "_"
    return name


class _Look:
    """Reads the members of collections to determine their keys and shapes."""

    def __init__(self, text: Text, parts: Parts, workers: int) -> None:
        self._text, self._parts, self._workers = text, parts, workers
        self._suspicious: Optional[bool] = None
        self._hashed: Optional[list[array[int]]] = None  # of a mapping that was read whole for its key

    def without_duplicates(self, member: Member, given: Optional[Sequence[str]], root: bool) -> Found:
        """The collection. Of equal names in a mapping the last one counts; equal keys in a list are an error."""
        self._hashed = None
        found = self.collection(member, given, root)
        listed = given if member.kind == LIST else None
        if member.kind == LIST and (not given or found.summary is not None):
            return found  # told apart by their places, or by growing numbers
        twice = repeated(self._hashed or self._hashes(member, listed))
        if not twice:
            return found
        places = occurrences(self._parts(member), twice, listed, self._workers)
        if not places:
            return found
        key, numbers = next(iter(places.items()))
        if member.kind == LIST:
            text = ", ".join(str(number + 1) for number in numbers[:3])
            return found._replace(problem=f"The records {text} of the list have the same key, {key.decode()}.")
        more = f" {len(places) - 1} more keys occur several times." if len(places) > 1 else ""
        return found._replace(
            summary=None,
            last={name: numbers[-1] for name, numbers in places.items()},
            note=f"The key {json.dumps(key)} of {member.name} occurs {len(numbers)} times: the last one counts.{more}",
        )

    def _hashes(self, member: Member, given: Optional[Sequence[str]]) -> Iterator[array[int]]:
        parts = [functools.partial(hashes, part, given) for part in self._parts(member)]
        with contextlib.closing(in_order(parts, self._workers)) as results:
            yield from results

    def collection(self, member: Member, given: Optional[Sequence[str]], root: bool) -> Found:
        if member.kind == LIST:
            return self._list(member, given, root)
        own, summary = self._own_key(member, given)
        if own:
            return Found(Info(member.name, (own,), note=Note(member.kind, root)), summary)
        key, value = self._names(member)
        fields = () if member.records else (Field(key, TEXT, True),)
        return Found(Info(member.name, (key,), fields, note=Note(member.kind, root, key, value)))

    def _list(self, member: Member, given: Optional[Sequence[str]], root: bool) -> Found:
        if given:
            summary = self._in_order(member, given[0]) if len(given) == 1 else None
            place = "" if summary is not None else self._names(member)[0]
            return Found(Info(member.name, tuple(given), note=Note(LIST, root, place)), summary)
        place, value = self._names(member)
        fields = () if member.records else (Field(place, INTEGER, True),)
        return Found(Info(member.name, (place,), fields, note=Note(LIST, root, place, value)))

    def _own_key(self, member: Member, given: Optional[Sequence[str]]) -> tuple[str, Optional[Summary]]:
        """The field that equals the key in every record; "" if there is none."""
        digest, kinds = 0, Kinds()
        candidates: Optional[Sequence[str]] = given
        hashed: list[array[int]] = []
        parts = [functools.partial(looked_at, part, given) for part in self._parts(member)]
        with contextlib.closing(in_order(parts, self._workers)) as results:
            for names, total, seen, keys in results:
                candidates = names if candidates is None else [name for name in candidates if name in names]
                if not candidates:
                    return "", None
                digest += total
                kinds.add(seen)
                hashed.append(keys)
        if not candidates or not member.records:
            return "", None
        self._hashed = hashed
        return candidates[0], Summary(member.records, digest, kinds)

    def _in_order(self, member: Member, name: str) -> Optional[Summary]:
        """What was read of a list whose order is that of an integer field; None for other lists."""
        digest, kinds = 0, Kinds()
        last: Optional[int] = None
        parts = [functools.partial(ascending, part, name) for part in self._parts(member)]
        with contextlib.closing(in_order(parts, self._workers)) as results:
            for first, end, total, seen in results:
                if first is None or (last is not None and first <= last):
                    return None
                last = end
                digest += total
                kinds.add(seen)
        return Summary(member.records, digest, kinds)

    def _names(self, member: Member) -> tuple[str, str]:
        """Names of our own that no record of the collection has as a field, ignoring case."""
        if self._suspicious is None:
            self._suspicious = any(_OURS.search(text) for text in _overlapping(self._text()))
        taken: set[str] = set()
        if self._suspicious:
            parts = [functools.partial(names_of, part) for part in self._parts(member)]
            with contextlib.closing(in_order(parts, self._workers)) as results:
                for names in results:
                    taken.update(name.casefold() for name in names)
        return free(_KEY, taken), free(_VALUE, taken)


def _overlapping(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a document, in pieces that overlap so that no name is cut in two."""
    rest = b""
    for data in pieces:
        yield rest + data
        rest = data[-8:]
