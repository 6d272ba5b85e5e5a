# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a set in a store that can create nothing exclusively, by listing.

Whoever wants it writes an object of its own below SET/.state/lock/, and holds it if nobody else was in two listings in
a row, of which the second came after the writing. Of several, the one with the smallest name stays and the others
withdraw. TOKEN.n is renewed by writing TOKEN.n+1 and removing TOKEN.n, if it is still there: who takes the lock from a
run that seems dead removes its object. A run seems dead when its object has not changed for a lease, by the clock of
the host that watches.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Mapping
from typing import Any, Optional

from .._core.errors import Day2Error
from .lease import LEASE, Lease, now
from .objects import Object, Objects
from .watch import Watch


class Turns(Lease):
    """An object of one's own, alone in its folder.

    :param watch: for how long this host has seen the objects of others.
    """

    def __init__(self, objects: Objects, prefix: str, verb: str, lease: float = LEASE, watch: Optional[Watch] = None):
        super().__init__(objects, prefix, verb, lease)
        self._watch = watch
        self._token = ""  # "": nothing of ours is there
        self._beat = 0
        self._held = ""  # the object that the lock is held with
        self._mine: list[str] = []  # all that may be there of ours: an answer can be lost
        self._claimed = 0.0
        self._alone = False  # nobody else was in the last listing
        self._listed: set[str] = set()  # the tokens in it
        self._last: Optional[Object] = None  # whoever comes first of the others
        self._documents: dict[str, dict[str, Any]] = {}  # what they say of themselves, by token

    def acquire(self, timeout: float) -> None:
        try:
            super().acquire(timeout)
        finally:
            if self._watch is not None:
                with contextlib.suppress(Day2Error):  # the next run watches from the beginning
                    self._watch.save()

    def attempt(self) -> bool:
        if not self._token:
            self._alone = not self._others()
            if not self._alone:
                return False
            self._claim()
        others = self._others()
        was_alone, self._alone = self._alone, not others
        if self._token not in self._listed or now() - self._claimed > self._lease / 2:
            # taken for dead while it waited; or so old that it might be soon
            self.withdraw()
        elif others and min(others) < self._token:
            self.withdraw()
        elif not others and was_alone:
            self._good = self._claimed
            return True
        elif not others:
            return self.attempt()
        return False

    def _claim(self) -> None:
        self._token, self._beat, self._claimed = secrets.token_hex(6), 0, now()
        self._held = self._write()

    def _write(self) -> str:
        key = f"{self._prefix}{self._token}.{self._beat}"
        self._mine.append(key)
        self._objects.put(key, self._document)
        time.sleep(self._objects.settle)
        return key

    def _others(self) -> list[str]:
        """Who else is there. What seems dead is removed, and counts all the same."""
        found = {one.key[len(self._prefix) :]: one for one in self._objects.walk(self._prefix)}
        self._listed = {_token(name) for name in found}
        others = {name: one for name, one in found.items() if _token(name) != self._token and not _is_released(one)}
        ages = self._ages(others)
        for name, one in others.items():
            if ages.get(name, 0.0) > self._lease or self.is_dead(self._told(name, one)):
                self._objects.remove([one.key])
        self._last = next((others[name] for name in sorted(others)), None)
        return sorted(map(_token, others))

    def _told(self, name: str, one: Object) -> dict[str, Any]:
        told = self._documents.get(_token(name)) or self._read(one)
        self._documents[_token(name)] = told
        return told

    def _ages(self, others: Mapping[str, Object]) -> dict[str, float]:
        return {} if self._watch is None else self._watch.ages({name: one.tag for name, one in others.items()})

    def holder(self) -> Optional[Object]:
        return self._last

    def withdraw(self) -> None:
        self._token = self._held = ""
        self._remove_others()

    def _remove_others(self) -> None:
        """All of ours but what the lock is held with."""
        self._objects.remove([one for one in self._mine if one != self._held])
        self._mine = [one for one in self._mine if one == self._held]

    def renew(self) -> None:
        began = now()
        self._beat += 1  # also after a renewal that failed: what it wrote proves nothing
        key = self._write()
        if self._held in {one.key for one in self._objects.walk(self._prefix)}:
            self._held, self._good = key, began
            self._remove_others()
        else:
            self._lost = "another run took it over"
            self.withdraw()

    def give_up(self) -> None:
        self.withdraw()


def _token(name: str) -> str:
    return name.partition(".")[0]


def _is_released(one: Object) -> bool:
    """A lock of the other kind, in a repository that was made by two runs at once."""
    return one.size == 0 and one.key.rpartition("/")[2].isdigit()
