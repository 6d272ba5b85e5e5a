# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a set in a store that can create objects exclusively.

Below SET/.state/lock/ lie numbered generations. The highest is the lock, an empty one is released. It ends when it has
not been renewed for a lease, by the store's own clock. Whoever creates the next number, and then still sees it as the
highest, holds the lock. (The second look is needed: one that slept may create a number that was used and removed.)
"""

from __future__ import annotations

from typing import Optional

from .lease import Lease, describe, now
from .objects import Object


class Generations(Lease):
    """The highest of numbered objects."""

    _number = 0

    def attempt(self) -> bool:
        top = self._highest()
        if top is not None and not self._is_over(top):
            return False
        number = 1 + (_number(top) if top is not None else 0)
        began = now()
        if not self._objects.create(self._key(number), self._document):
            return False
        generations = self._generations()
        if not generations or _number(generations[-1]) != number:
            self._objects.remove([self._key(number)])
            return False
        self._number, self._good = number, began
        self._objects.remove(one.key for one in generations[:-1])
        return True

    def _is_over(self, top: Object) -> bool:
        return top.size == 0 or top.age > self._lease or self.is_dead(self._read(top))

    def renew(self) -> None:
        began = now()
        self._objects.put(self._key(self._number), self._document)
        top = self._highest()
        if top is None or _number(top) != self._number:
            self._lost = f"{describe(self._read(top))} took it over"
            self._objects.remove([self._key(self._number)])
        else:
            self._good = began

    def give_up(self) -> None:
        self._objects.put(self._key(self._number), b"")

    def holder(self) -> Optional[Object]:
        return self._highest()

    def _key(self, number: int) -> str:
        return f"{self._prefix}{number:010d}"

    def _generations(self) -> list[Object]:
        found = [one for one in self._objects.walk(self._prefix) if one.key[len(self._prefix) :].isdigit()]
        return sorted(found, key=_number)

    def _highest(self) -> Optional[Object]:
        generations = self._generations()
        return generations[-1] if generations else None


def _number(one: Object) -> int:
    return int(one.key.rpartition("/")[2])
