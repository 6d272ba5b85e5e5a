# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there are enough copies of the newest data: the data itself, and the repositories that have its backup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Optional

from .._core.errors import Day2Error, InvalidRequest
from .._core.units import format_duration, plural
from .base import Repository
from .history import History, read_history

# Of the copies in a repository. Only the first counts.
CURRENT = "current"  # its newest good backup is the newest of all repositories, and recent enough
OLD = "old"  # the same, but older than max_age
BEHIND = "behind"  # another repository has a newer one
MISSING = "missing"  # it has no good backup of the set
UNKNOWN = "unknown"  # it can't be read


class Objective(NamedTuple):
    """How many copies there must be, the data itself included, and how many of them on another site."""

    min: int = 0
    offsite: int = 0

    @classmethod
    def from_options(cls, options: Optional[Mapping[str, Any]]) -> Optional[Objective]:
        """The objective in an option. Raises InvalidRequest for what is not a count."""
        if not options:
            return None
        given = {name: value for name, value in options.items() if value is not None}
        for name, value in given.items():
            if name not in cls._fields:
                raise InvalidRequest(f"copies: {name} is unknown.", f"Choose from {', '.join(cls._fields)}.")
            if isinstance(value, bool) or not str(value).isdecimal():
                raise InvalidRequest(f"copies: {name} is {value!r}.", "Set it to a count, for example 3.")
        return cls(**{name: int(value) for name, value in given.items()})


class Place(NamedTuple):
    """A repository whose copies count. Without a `repository`, `trouble` says why it can't be opened."""

    location: str
    offsite: bool
    repository: Optional[Repository] = None
    trouble: str = ""


class Copy(NamedTuple):
    """What one repository has of a set. `trouble` is why that is not known."""

    repository: str
    offsite: bool
    status: str
    newest: Optional[str] = None
    age_s: Optional[float] = None
    verified: Optional[datetime] = None
    trouble: str = ""


class Copies(NamedTuple):
    """All copies of a set."""

    places: Sequence[Copy]
    objective: Optional[Objective]

    @property
    def total(self) -> int:
        """The data itself, and all current copies."""
        return 1 + sum(one.status == CURRENT for one in self.places)

    @property
    def offsite(self) -> int:
        """The current copies on another site."""
        return sum(one.status == CURRENT and one.offsite for one in self.places)

    @property
    def unknown(self) -> list[Copy]:
        """The repositories that can't be read."""
        return [one for one in self.places if one.status == UNKNOWN]

    @property
    def met(self) -> Optional[bool]:
        """Whether there are enough, as far as is known. None: nothing was asked for."""
        if self.objective is None:
            return None
        return self.total >= self.objective.min and self.offsite >= self.objective.offsite

    def __str__(self) -> str:
        text = f"{plural(self.total, 'copy', 'copies')}, {self.offsite} offsite"
        if self.objective is not None and not self.met:
            text += f" (the objective is {self.objective.min}, {self.objective.offsite} offsite)"
        lacking = [f"{one.repository} {_told(one)}" for one in self.places if one.status != CURRENT]
        return text + (f": {'; '.join(lacking)}" if lacking else "")


def _told(one: Copy) -> str:
    age = "" if one.age_s is None else f", {format_duration(one.age_s)} old"
    return {
        OLD: f"has {one.newest}{age}, which is too old",
        BEHIND: f"has only {one.newest}{age}",
        MISSING: "has no good backup",
        UNKNOWN: f"can't be read: {one.trouble.rstrip('.')}",
    }[one.status]


def count_copies(
    name: str,
    first: tuple[Place, History],
    others: Sequence[Place],
    *,
    objective: Optional[Objective],
    now: datetime,
    max_age: Optional[float] = None,
    host: Optional[str] = None,
) -> Copies:
    """What each repository has of a set.

    :param first: a repository and what was read of it already.
    :param host: whose backups count; None: everybody's.
    """
    read = [_Read(first[0], first[1], "")]
    for place in others:
        history, trouble = _history(place, name, now)
        read.append(
            _Read(place, history.of_host(host) if history is not None and host is not None else history, trouble)
        )
    good = [(one.history, one.history.newest) for one in read if one.history is not None and one.history.newest]
    newest = max(manifest.created for _history, manifest in good) if good else None
    # what one repository knows of the age of a backup is true of its copies
    age = min((one.age(manifest, now) for one, manifest in good if manifest.created == newest), default=0.0)
    status = OLD if max_age is not None and age > max_age else CURRENT
    copies = [_copy(one, newest, now) for one in read]
    return Copies(
        [one._replace(status=status, age_s=age) if one.status == CURRENT else one for one in copies], objective
    )


class _Read(NamedTuple):
    place: Place
    history: Optional[History]
    trouble: str


def _history(place: Place, name: str, now: datetime) -> tuple[Optional[History], str]:
    if place.repository is None:
        return None, place.trouble
    try:
        trouble = place.repository.trouble()
        return (None, f"it {trouble}") if trouble else (read_history(place.repository, name, now), "")
    except Day2Error as exc:
        return None, exc.message


def _copy(read: _Read, newest: Optional[datetime], now: datetime) -> Copy:
    place, history = read.place, read.history
    if history is None:
        return Copy(place.location, place.offsite, UNKNOWN, trouble=read.trouble)
    own = history.newest
    if own is None:
        return Copy(place.location, place.offsite, MISSING)
    entry = history.get(own.id)
    # an encrypted copy has another id, and the same time, which is exact
    status = CURRENT if own.created == newest else BEHIND
    return Copy(
        place.location, place.offsite, status, own.id, history.age(own, now), entry.verified_at if entry else None
    )
