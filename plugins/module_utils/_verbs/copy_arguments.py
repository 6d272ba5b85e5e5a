# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments that say where copies of backups are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from .._core.errors import MissingDependency
from .._repository.base import Repository
from .._repository.location import check_other, open_repository
from .._repository.retention import Keep
from .arguments import ENCRYPTION, KEEP, OBJECT_LOCK, PLACE, keep_policy

# Where copies are written to.
DESTINATION: dict[str, Any] = {**PLACE, **OBJECT_LOCK, **ENCRYPTION, **KEEP}
OFFSITE: dict[str, Any] = {"offsite": {"type": "bool"}}


COPY_TO: dict[str, Any] = {"copy_to": {"type": "list", "elements": "dict", "options": {**DESTINATION, **OFFSITE}}}
# Whether there are enough copies.
OBJECTIVE: dict[str, Any] = {
    "copies": {"type": "dict", "options": {"min": {"type": "int"}, "offsite": {"type": "int"}}},
    **OFFSITE,
    **COPY_TO,
}


class Destination(NamedTuple):
    """A repository for copies, and its own policy."""

    repository: Repository
    keep: Optional[Keep]


def destination(place: Mapping[str, Any], elsewhere: Sequence[Mapping[str, Any]]) -> Destination:
    """Open a repository for copies. Raises InvalidRequest if it is one of the others, or its options are not valid."""
    repository = open_repository(place)
    check_other(place, repository, elsewhere)
    return Destination(repository, keep_policy(place.get("keep")))


class Missing(NamedTuple):
    """A repository for copies that can't be opened for want of a library or a program: no reason to make no backup."""

    location: str
    error: MissingDependency


def destinations(params: Mapping[str, Any]) -> list[Union[Destination, Missing]]:
    """The repositories of `copy_to`, each different from the others and from `repository`."""
    places = params["copy_to"] or []
    found: list[Union[Destination, Missing]] = []
    for number, one in enumerate(places):
        try:
            found.append(destination(one, [params, *places[:number]]))
        except MissingDependency as exc:
            found.append(Missing(one["repository"], exc))
    return found
