# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON document as a source of records: each top-level key whose value is a list or mapping is a collection.
`contents.py` says how their members become records."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Optional

from ..._core import files, plain_json
from ..._core.errors import InvalidRequest, SourceError
from ..._core.record_batches import BATCH, batch, batches
from ..._core.tagged_json import decode as decode_json
from ..._core.workers import in_order
from ..records.kinds import Summary
from ..records.model import MEMBERS, VALUE, Info, Record
from . import contents as json_collections
from .contents import Found
from .document import Document, Member
from .duplicates import last_alone
from .open import OpenDocument, open_document
from .parts import Part, records_of


class JsonSource:
    """A document as a source. `keys` has the primary keys of collections that are lists.

    `exact`: values that JSON lacks are tagged (`tagged_json`); otherwise, a document is what it is for every reader.
    The path is opened once, and nothing is ever written, renamed or removed.
    """

    type = "json"
    typed = False
    deterministic_order = True

    def __init__(self, path: str, keys: Mapping[str, Sequence[str]], workers: int = 1, exact: bool = False) -> None:
        self.path = self.location = files.resolve(path, InvalidRequest)
        self.identity = f"json:{os.path.realpath(self.path)}"
        self.notes: list[str] = []
        self._keys = keys
        self._workers = workers
        self.exact = exact
        self._summaries: dict[str, Summary] = {}  # of the document that is read
        self._found: dict[str, Found] = {}
        self._old: Optional[OpenDocument] = None
        self._looked = False  # for the document

    def __enter__(self) -> JsonSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._old is not None:
            self._old.close()
        self._old, self._looked = None, False

    def end_reading(self) -> bool:
        looked = self._looked
        self._close()
        return looked

    def _source(self) -> Optional[OpenDocument]:
        """The document as it was when it was first opened."""
        if not self._looked:
            self._old = open_document(self.path, os.path.basename(self.path), self.exact)
            self._looked = True
            self._is_another(self._old)
        return self._old

    def _document(self) -> Optional[Document]:
        found = self._source()
        return found.document if found is not None else None

    def _is_another(self, found: Optional[OpenDocument]) -> None:
        """Discard everything that is known of the document."""
        self._summaries = {}
        self._found = {}
        self.notes = _notes(found)

    def collections(self) -> list[Info]:
        source = self._source()
        if source is None or source.document is None:
            return []
        found = json_collections.found(source.document, source.whole, self._parts, self._keys, self._workers)
        self._summaries = {one.info.name: one.summary for one in found if one.summary is not None}
        self._found = {one.info.name: one for one in found}
        self.notes = [*_notes(source), *(one.note for one in found if one.note)]
        return [one.info for one in found]

    def _parts(self, member: Member) -> list[Part]:
        found = self._source()
        return found.parts(member) if found is not None else []

    def chunks(self, info: Info, ordered: bool = True, copy_lines: bool = False) -> Iterator[Sequence[Record]]:
        document = self._document()
        if document is None or info.note.shape in (MEMBERS, VALUE):
            yield from map(batch, batches(self._scalars(info), BATCH))
            return
        found = document.root if document.members is None else document.find(info.name)
        if found is None:
            return
        known = self._found.get(info.name)
        if known is not None and known.problem and info.key:
            raise SourceError(
                f"{self.path} ({info.name}): {known.problem}",
                "Correct the document, or set another key in primary_keys.",
            )
        numbers = [0, *(done for _offset, done in found.marks)]
        last = known.last if known is not None else None
        parts = [
            functools.partial(
                records_of,
                functools.partial(last_alone, part, last, number) if last else part,
                info,
                self.path,
                number,
            )
            for part, number in zip(self._parts(found), numbers)
        ]
        with contextlib.closing(in_order(parts, self._workers)) as results:
            yield from results

    def summary(self, info: Info) -> Optional[Summary]:
        """The search for the key has read all records."""
        self._source()
        return None if info.note.key else self._summaries.get(info.name)

    def read(self, info: Info) -> Iterator[Record]:
        return itertools.chain.from_iterable(self.chunks(info))

    def _scalars(self, info: Info) -> Iterator[Record]:
        """The top-level values that are not collections."""
        found = self._source()
        document = self._document()
        if found is None or document is None:
            return
        decode = decode_json if self.exact else plain_json.decode
        for member in (document.root,) if document.members is None else document.members:
            if member.kind == "value" and document.find(member.name) is member:
                name = VALUE if document.members is None else member.name
                yield {info.note.key: name, info.note.value: decode(b"".join(found.content(member)))}

    def holding_constraints(self, info: Info) -> Info:
        """The collection: a document has no constraints."""
        return info

    def bytes_of(self, info: Info) -> int:
        document = self._document()
        if document is None:
            return 0
        member = document.root if document.members is None else document.find(info.name)
        return member.end - member.start if member is not None else 0

    def cautions(self) -> list[str]:
        """Writers of a document do not wait for readers."""
        return []

    def check_unchanged(self) -> None:
        if self._is_changed():
            raise SourceError(
                f"{self.path} was written or replaced while it was read.",
                "Stop the application that writes to it, and run again to continue.",
            )

    def _is_changed(self) -> bool:
        if self._old is not None:
            return self._old.changed()
        return self._looked and os.path.lexists(self.path)


def _notes(source: Optional[OpenDocument]) -> list[str]:
    """Sentences on a document, for the user."""
    if source is None or source.document is None:
        return []
    return [*source.document.notes(), *source.doubles.notes()]
