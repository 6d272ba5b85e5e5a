# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a JSON document as a store of records: each top-level key whose value is a list or mapping is a collection.

A record of a mapping {key: record} has its key in the field that equals the key in every record, or else in `_key`;
a member that is no mapping is kept in `_value`. Top-level values that are no collections are records of the collection
`_document`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Optional

from .._core import files
from .._core.errors import InvalidRequest, SourceError
from .._core.record_batches import BATCH, batch, batches
from .._core.tagged_json import decode as decode_json
from .._core.workers import in_order
from .json_open import OpenDocument, open_document
from .json_parts import KEY, VALUE, Part, looked_at, records_of
from .json_stream import Document, Member
from .record_kinds import Kinds, Summary
from .record_store import TEXT, Field, Info, Record

SCALARS = "_document"


class JsonReader:
    """The reading half of `RecordStore`. `keys` has the primary keys of collections that are lists.

    It opens one path, once, and never writes, renames or removes anything.
    """

    type = "json"
    consistent = False
    typed = False
    stable = True
    whole = True
    columns = False
    takes_text = False

    def __init__(self, path: str, keys: Mapping[str, Sequence[str]], workers: int = 1) -> None:
        self.path = self.location = files.resolve(path, InvalidRequest)
        self.notes: list[str] = []
        self._keys = keys
        self._workers = workers
        self._summaries: dict[str, Summary] = {}  # of the document that is read
        self._old: Optional[OpenDocument] = None
        self._looked = False  # for the document

    def _close(self) -> None:
        if self._old is not None:
            self._old.close()
        self._old, self._looked = None, False

    def let_go(self) -> bool:
        """It reads through one descriptor, which holds no lock."""
        return False

    def _source(self) -> Optional[OpenDocument]:
        """The document as it was when it was first looked at."""
        if not self._looked:
            self._old = open_document(self.path, os.path.basename(self.path))
            self._looked = True
            self._is_another(self._old)
        return self._old

    def _document(self) -> Optional[Document]:
        found = self._source()
        return found.document if found is not None else None

    def _is_another(self, found: Optional[OpenDocument]) -> None:
        """What was known of a document is known no more."""
        self._summaries = {}
        self.notes = list(found.document.notes()) if found is not None and found.document is not None else []

    def collections(self) -> list[Info]:
        """See `RecordStore`."""
        document = self._document()
        if document is None:
            return []
        members = (document.root,) if document.members is None else document.members
        infos = []
        for one in document.collections():
            member = document.find(one.name) or document.root
            key = self._key(member)
            infos.append(Info(one.name, key, (Field(KEY, TEXT, True),) if key == (KEY,) and not member.records else ()))
        scalars = any(member.kind == "value" for member in members)
        return [*infos, Info(SCALARS, (KEY,))] if scalars else infos

    def _key(self, member: Member) -> tuple[str, ...]:
        given = self._keys.get(member.name)
        if member.kind == "list":
            if given is None and member.records == 0:
                return (KEY,)
            return tuple(given or ())
        digest, kinds = 0, Kinds()
        candidates: Optional[Sequence[str]] = given
        parts = [functools.partial(looked_at, part, given) for part in self._parts(member)]
        with contextlib.closing(in_order(parts, self._workers)) as results:
            for found, total, seen in results:
                candidates = found if candidates is None else [name for name in candidates if name in found]
                if not candidates:
                    return (KEY,)
                digest += total
                kinds.add(seen)
        if not candidates:
            return (KEY,)
        self._summaries[member.name] = Summary(member.records, digest, kinds)
        return (candidates[0],)

    def _parts(self, member: Member) -> list[Part]:
        found = self._source()
        return found.parts(member) if found is not None else []

    def chunks(self, info: Info, ordered: bool = True, text: bool = False) -> Iterator[Sequence[Record]]:
        """See `RecordStore`."""
        document = self._document()
        found = document.find(info.name) if document is not None else None
        if found is None or info.name == SCALARS:
            yield from map(batch, batches(self._scalars(info), BATCH))
            return
        parts = [functools.partial(records_of, part, info, self.path) for part in self._parts(found)]
        with contextlib.closing(in_order(parts, self._workers)) as results:
            yield from results

    def summary(self, info: Info) -> Optional[Summary]:
        """The search for the key has read all records."""
        self._source()
        return self._summaries.get(info.name) if info.key != (KEY,) else None

    def read(self, info: Info) -> Iterator[Record]:
        """See `RecordStore`."""
        return itertools.chain.from_iterable(self.chunks(info))

    def _scalars(self, info: Info) -> Iterator[Record]:
        """The top-level values that are no collections."""
        found = self._source()
        if found is not None and found.document is not None and info.name == SCALARS:
            for member in found.document.members or ():
                if member.kind == "value" and found.document.find(member.name) is member:
                    yield {KEY: member.name, VALUE: decode_json(b"".join(found.content(member)))}

    def kept(self, info: Info) -> Info:
        """There is nothing to keep to."""
        return info

    def bytes_of(self, info: Info) -> int:
        """See `RecordStore`."""
        document = self._document()
        member = document.find(info.name) if document is not None else None
        return member.end - member.start if member is not None else 0

    def check_unchanged(self) -> None:
        """See `RecordStore`."""
        if self._is_changed():
            raise SourceError(
                "%s was written or replaced while it was read." % self.path,
                "Stop its writer, and run again to continue.",
            )

    def _is_changed(self) -> bool:
        if self._old is not None:
            return self._old.changed()
        return self._looked and os.path.lexists(self.path)
