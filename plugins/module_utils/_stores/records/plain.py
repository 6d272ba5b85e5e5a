# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source as its records will be in a document that applications read (`_core/plain_json.py`)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional

from ..._core.errors import SourceError
from ..._core.plain_json import base64_text, plain, tagged
from ..._core.record_batches import batch, layouts
from .kinds import Kinds, Summary
from .model import BYTES, DATE, DECIMAL, JSON, REAL, TIMESTAMP, TIMESTAMPTZ, Info, Record
from .store import SourceStore, TargetStore

# The kinds of columns whose values JSON may lack; those of numbers for NaN and the infinities.
_BEYOND = frozenset((BYTES, TIMESTAMP, TIMESTAMPTZ, DATE, REAL, DECIMAL, JSON))


def plain_view(source: SourceStore, target: TargetStore) -> SourceStore:
    """The source, or a view of it if the target is a document without tags.

    Between PostgreSQL and a store of another type, arrays are lists.
    """
    stores: tuple[Any, Any] = source, target
    for store in stores:
        if hasattr(store, "lists"):
            store.lists = source.type != target.type
    if target.type != "json" or getattr(target, "exact", False) or not may_lack(source):
        return source
    return _PlainRecords(source, bytes.hex if getattr(target, "hex", False) else base64_text)


def may_lack(source: SourceStore) -> bool:
    """Whether a source can have values that JSON lacks."""
    return source.type != "json" or bool(getattr(source, "exact", False))


class _PlainRecords:
    """The source with plain values. Tags distinguish the values of fields that contain text as well as other values."""

    def __init__(self, source: SourceStore, bytes_text: Callable[[bytes], str]) -> None:
        self._source = source
        self._bytes_text = bytes_text
        self._warnings: dict[str, str] = {}
        self._looked: dict[tuple[str, tuple[str, ...]], tuple[Optional[Summary], frozenset[str], frozenset[str]]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    @property
    def notes(self) -> list[str]:
        """The notes of the source, and the fields with tags."""
        return [*self._source.notes, *self._warnings.values()]

    def read(self, info: Info) -> Iterator[Record]:
        return itertools.chain.from_iterable(self.chunks(info))

    def chunks(self, info: Info, ordered: bool = True, copy_lines: bool = False) -> Iterator[Sequence[Record]]:
        _known, mixed, special = self._look(info)
        for chunk in self._source.chunks(info, ordered):
            yield batch([self._converted(record, mixed) for record in chunk]) if special else chunk

    def _converted(self, record: Record, mixed: frozenset[str]) -> Record:
        try:
            return {
                name: tagged(value) if name in mixed else plain(value, self._bytes_text)
                for name, value in record.items()
            }
        except RecursionError:
            raise SourceError("A record is nested too deeply.") from None

    def summary(self, info: Info) -> Optional[Summary]:
        known, _mixed, special = self._look(info)
        return known if not special else None

    def _look(self, info: Info) -> tuple[Optional[Summary], frozenset[str], frozenset[str]]:
        """The summary of the source; the fields with values that JSON lacks which also have text; and all fields with
        values that JSON lacks.
        """
        key = info.name, tuple(info.columns)  # of a reading of some of them, others
        if key not in self._looked:
            known = self._source.summary(info)
            if self._source.typed and not info.document:  # a column has values of one kind
                kinds = _BEYOND if known is None else {BYTES}
                special = frozenset(field.name for field in info.fields if field.kind in kinds)
                self._looked[key] = known, frozenset(), special
            else:
                mixed, special = (known.kinds if known is not None else self._kinds(info)).beyond_json()
                self._looked[key] = known, mixed, special
                self._warn(info, mixed)
        return self._looked[key]

    def _kinds(self, info: Info) -> Kinds:
        kinds = Kinds()
        for chunk in self._source.chunks(info, ordered=False):
            kinds.see(layouts(chunk))
        return kinds

    def _warn(self, info: Info, mixed: frozenset[str]) -> None:
        if mixed:
            self._warnings[info.name] = (
                f"{info.name}: the fields {', '.join(sorted(mixed))} contain text as well as times, bytes or "
                "infinite numbers. These are tagged mappings in the document, to distinguish them from text. "
                "With values=exact for the target, all such values are tagged."
            )
