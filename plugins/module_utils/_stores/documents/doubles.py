# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Duplicate names in a mapping within the records of a document.

Every reader of JSON uses the last value, so the others are lost in silence. Duplicates are found while a document is
scanned, in the mappings that the parser reads at once. A mapping that is larger than the window, whose members are read
one by one, is not checked itself.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from ..._core.units import plural


class Doubles:
    """Collects the duplicates of each collection."""

    def __init__(self) -> None:
        self._pending: list[str] = []  # of the attempt to parse that is under way
        self._found: tuple[int, str] = (0, "")  # in the collection that is read: how many, and the first
        self._of: dict[str, tuple[int, str]] = {}
        parser = json.JSONDecoder(object_pairs_hook=self._members, parse_int=len, parse_float=len)
        self.count = parser.decode
        self.decode = parser.scan_once  # type: ignore[attr-defined]
        self._outermost = False

    def _members(self, pairs: list[tuple[str, Any]]) -> int:
        number = len(pairs)
        self._outermost = number != len(dict(pairs))
        if self._outermost:
            counts = Counter(name for name, _value in pairs)
            self._pending.append(next(name for name, count in counts.items() if count > 1))
        return number

    def begin(self) -> None:
        """An attempt to parse begins: what a failed one has found is discarded."""
        self._pending = []

    def keep(self, *, within: bool = False) -> None:
        """The attempt has succeeded.

        :param within: the outermost mapping consists of members of a collection, whose equal names are reported
            elsewhere.
        """
        if self._pending:
            if within and self._outermost:
                self._pending.pop()
            count, first = self._found
            self._found = (count + len(self._pending), first or "".join(self._pending[:1]))
            self._pending = []

    def settle(self, collection: str) -> None:
        """The collection was read completely."""
        if self._found[0]:
            self._of[collection] = self._found
        self._found = (0, "")

    def notes(self) -> list[str]:
        """Sentences for the user."""
        return [
            f"{collection}: {plural(count, 'mapping')} within the records with a duplicate name, for example "
            f"{json.dumps(_unicode(first)[:80], ensure_ascii=False)}: the last value counts."
            for collection, (count, first) in self._of.items()
        ]


def _unicode(name: str) -> str:
    """The name as text: the scanner has each of its bytes as a character."""
    try:
        return name.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:  # it was written with escapes
        return name.encode("utf-8", "replace").decode()
