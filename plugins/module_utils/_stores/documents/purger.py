# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON document as a store from which old records are removed: a new document replaces it atomically."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from ..._core.errors import TargetError
from ..records.model import NO_RIGHTS, Info, Overtaken, Rights, key_of
from ..records.purger import Batch, Page, Relation, Removed, WithoutReferences, name_of, pages_of, token_of
from .target import JsonTarget

_TRIES = 3  # to replace a document that others write, too


class JsonPurger(WithoutReferences, JsonTarget):
    """A document from which records are removed."""

    def end_reading(self) -> bool:
        """Nothing: no writer waits for who reads a document, and one reading is of one document."""
        return False

    def check_writable(self, infos: Sequence[Info], size: int, rights: Rights = NO_RIGHTS) -> None:
        super().check_writable(infos, size + sum(map(self.bytes_of, infos)), rights)

    def identity_of(self, info: Info) -> str:
        return f"{self.identity}/{info.name}"

    def pages(self, info: Info, wanted: Collection[str], part: Any = None) -> Iterator[Page]:
        return pages_of(info, self.chunks(info))

    def remove(
        self, info: Info, relations: Sequence[Relation], batches: Iterable[Batch], action: str, max_wait: float
    ) -> Iterator[Removed]:
        """All in one step. The keys of all batches are in memory."""
        for attempt in range(1, _TRIES + 1):
            try:
                removed = self._remove(info, batches)
                break
            except Overtaken:
                if attempt == _TRIES:
                    raise
                self.recover()
        yield removed

    def _remove(self, info: Info, batches: Iterable[Batch]) -> Removed:
        tokens = {item.key[0]: item.token for batch in batches for item in batch.items()}
        if self._is_changed():
            self._look_again(info)
        there, same = 0, []
        for records in self.chunks(info):
            for record in records:
                token = tokens.get(name_of(info, record))
                if token is not None:
                    there += 1
                    if token == token_of(info, record):
                        same.append(key_of(info, record))
        if same:
            self.begin([(info, False, None)])
            self.delete(info, same)
            self.build_indexes([info])
            self.commit([info.name])
            self.collections()  # of the new document
        return Removed(len(same), 0, there - len(same), len(tokens) - there, len(tokens))

    def _look_again(self, info: Info) -> None:
        """From now on, read the document as it is now."""
        self._close()
        found = {one.name: one for one in self.collections()}.get(info.name)
        if found is None or (found.key, found.note) != (info.key, info.note):
            raise TargetError(
                f"{self.path}: {info.name} has changed its key since it was exported, or was removed.",
                "Nothing was deleted from the current document. Run again.",
            )
