# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier runs left in a set of a remote repository, and how it is removed."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from typing import Optional

from .._core.errors import Day2Error, LeaseLost
from .._core.units import format_time
from .lease import Lease
from .manifest import ID, MANIFEST
from .objects import Object, Objects
from .remote_staging import COPYING
from .watch import Watch

REMOVED = "removed"  # the mark of a removal; its time is that of the removal
MARKS = (REMOVED, COPYING)


def is_published(objects: Mapping[str, Object]) -> bool:
    """Whether the objects of an id are a backup."""
    return MANIFEST in objects and objects[MANIFEST].size > 0


class Cleaning:
    """Of one set, by the holder of its lock: what has no manifest is of a run that is over, or that sleeps.

    :param grace: seconds for which the data of a removed backup stays.
    :param watch: for how long this host has seen things, where there is no fence for a run that sleeps. What it may
        still publish stays as long as the data of a removed backup.
    """

    def __init__(self, objects: Objects, lease: Lease, name: str, grace: float, watch: Optional[Watch]) -> None:
        self._objects = objects
        self._lease = lease
        self._name = name
        self._grace = grace
        self._watch = watch
        self._unchanged: dict[str, float] = {}

    def run(self, found: Mapping[str, dict[str, Object]]) -> list[str]:
        """Returns a note for each object or backup that was removed or kept.

        :param found: all that has an id, published or not: its objects by path.
        """
        # a listing may take long: what it shows may be of the next holder of the lock
        self._lease.check()
        notes = []
        if self._watch is not None:
            self._look(self._watch, found)
        for backup, objects in found.items():
            where = f"{self._objects.location}/{self._name}/{backup}"
            try:
                if self._clean(backup, objects):
                    notes.append(f"Removed {where}, which an interrupted run had left.")
            except LeaseLost:
                raise
            except Day2Error as exc:
                notes += self._why_it_stays(backup, objects, exc)
        try:
            self._objects.abort_uploads(f"{self._name}/", self._is_left)
        except LeaseLost:
            raise
        except Day2Error as exc:
            notes.append(f"Unfinished uploads of interrupted runs could not be removed: {exc.message}")
        return notes

    def _why_it_stays(self, backup: str, objects: Mapping[str, Object], cause: Day2Error) -> list[str]:
        """A run that ended right before it published has locked its data. That is told as long as for other data that
        stays, and not by each run until then."""
        where = f"{self._objects.location}/{self._name}/{backup}, left by an interrupted run,"
        data = next((path for path in objects if path != MANIFEST), MANIFEST)
        until = None
        with contextlib.suppress(Day2Error):  # the cause tells more
            until = self._objects.locked_until(f"{self._name}/{backup}/{data}")
        if until is None:
            return [f"{where} was not removed: {cause.message}"]
        fence = objects.get(MANIFEST)
        if fence is not None and fence.age > self._grace:
            return []
        return [f"{where} is locked until {format_time(until)}. The first run after that removes it."]

    def _look(self, watch: Watch, found: Mapping[str, dict[str, Object]]) -> None:
        self._unchanged = watch.ages(
            {backup: _tag_of(objects) for backup, objects in found.items() if not is_published(objects)}
        )
        with contextlib.suppress(Day2Error):  # the next run watches from the beginning
            watch.save()

    def _is_left(self, key: str) -> bool:
        """Whether an upload is of a backup of this set, and not of a repository below it. Raises LeaseLost."""
        self._lease.check()
        return bool(ID.fullmatch(key[len(self._name) + 1 :].partition("/")[0]))

    def _remove(self, keys: list[str]) -> None:
        self._lease.check()
        self._objects.remove(keys)

    def _clean(self, backup: str, objects: dict[str, Object]) -> bool:
        """Returns whether there was something that nobody had asked to be removed."""
        top = f"{self._name}/{backup}/"
        removed, manifest = objects.get(REMOVED), objects.get(MANIFEST)
        if is_published(objects):
            # killed between the mark of a removal and the step, so that the policy is asked again; or after a copy
            self._remove([top + path for path in MARKS if path in objects])
            return False
        if self._watch is not None and self._unchanged[backup] < self._grace:
            return False
        if COPYING in objects:
            return self._clean_copy(top, objects)
        self._lease.check()
        if self._watch is None:
            if removed is None and manifest is None and not self._objects.create(top + MANIFEST, b""):
                return False  # it was published, or fenced, at the last moment
            if removed is not None and removed.age < self._grace:
                return False
        data = [top + path for path in objects if path not in (MANIFEST, REMOVED)]
        self._remove(data)
        if removed is not None:
            self._remove([top + REMOVED])
        elif manifest is not None and (self._watch is not None or manifest.age > self._grace):
            self._remove([top + MANIFEST])  # nobody can be that late
        return bool(data) and removed is None

    def _clean_copy(self, top: str, objects: dict[str, Object]) -> bool:
        """What an interrupted copy left stays for a while, for the run that goes on with it. After that, nobody can be
        so late that it had to be fenced."""
        if self._watch is None and objects[COPYING].age < self._grace:
            return False
        self._remove([top + path for path in objects if path != COPYING])
        self._remove([top + COPYING])
        return True


def _tag_of(objects: Mapping[str, Object]) -> str:
    """What differs once anything below an id has changed."""
    told = "\0".join(f"{path}\0{one.size}\0{one.tag}" for path, one in sorted(objects.items()))
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()
