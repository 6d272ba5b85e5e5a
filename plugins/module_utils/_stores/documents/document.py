# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of a JSON document: what it contains, and where."""

from __future__ import annotations

import json
from collections import Counter
from typing import NamedTuple, Optional

from ..._core.collection import Collection


class Member(NamedTuple):
    """A top-level key of a document (or the document itself) and its value. Positions are byte offsets."""

    name: str
    kind: str  # "list", "mapping", or "value" for anything else
    records: int  # members of the list or mapping
    lead: int  # behind the bracket or comma before the key
    key: int  # the key's opening quote
    start: int  # the value
    end: int
    marks: tuple[tuple[int, int], ...] = ()  # behind some of its members: offset, and how many it has before


class Document(NamedTuple):
    """The content of a document.

    `members` is None if the document itself is the only member: it is a list, a single value, or a mapping with too
    many keys. Its name is then the one that was passed to `scan`.
    """

    root: Member
    members: Optional[tuple[Member, ...]]

    def collections(self) -> tuple[Collection, ...]:
        """The lists and mappings. Of equal keys, the last one counts, as for every reader of JSON."""
        effective = {member.name: member for member in self._listed()}
        return tuple(Collection(one.name, one.records) for one in effective.values() if one.kind != "value")

    def values(self) -> int:
        """The number of members that are not collections."""
        return sum(1 for member in self._listed() if member.kind == "value")

    def find(self, name: str) -> Optional[Member]:
        """The member with this name. Of equal keys, the last one counts."""
        return next((member for member in reversed(self._listed()) if member.name == name), None)

    def notes(self) -> tuple[str, ...]:
        """Sentences for the user."""
        counts = Counter(member.name for member in self._listed())
        return tuple(
            f"The key {json.dumps(name)} occurs {count} times: the last one counts."
            for name, count in counts.items()
            if count > 1
        )

    def _listed(self) -> tuple[Member, ...]:
        return (self.root,) if self.members is None else self.members
