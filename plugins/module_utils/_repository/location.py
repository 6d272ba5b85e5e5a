# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps a location to a kind of repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._core.addresses import without_password
from .._core.errors import Day2Error, InvalidRequest, RepositoryError
from .._core.pgbackrest import is_pgbackrest
from .._core.restic_options import ADDRESSES as OF_RESTIC
from .base import Repository
from .directory import DirectoryRepository
from .encryption import encryption_from
from .kinds import kind_of, opener
from .manifest import CHECKSUM

if TYPE_CHECKING:
    from .objective import Place


def check_exists(repository: Repository) -> None:
    """Raise RepositoryError when the repository can't be read: if it is not mounted, it would seem to have no sets."""
    trouble = repository.trouble()
    if trouble:
        raise RepositoryError(f"The repository {repository.location} {trouble}{'' if trouble.endswith('?') else '.'}")


# Options that say how to reach a repository, and what is in it.
ACCESS = ("s3", "rclone", "engine", "restic", "names_key", "limit", "grace")


def is_elsewhere(location: str) -> bool:
    """Whether a location is an address, and not a directory of this host."""
    return "://" in location or location.startswith(OF_RESTIC)


def is_offsite(params: Mapping[str, Any]) -> bool:
    """Whether a repository counts as being on another site: what the user says, else unless it is on this host."""
    if params.get("offsite") is not None:
        return str(params["offsite"]).lower() in ("true", "yes", "on", "1")  # checks pass values on as they were given
    if not is_elsewhere(params["repository"]):
        return False
    from urllib.parse import urlsplit  # only here: see _stores/registry.py

    settings = (params.get("rclone") or {}).get("settings") or {}
    server = urlsplit((params.get("s3") or {}).get("endpoint_url") or "").hostname or str(settings.get("host", ""))
    return settings.get("type") != "local" and not (server in ("localhost", "::1") or server.startswith("127."))


def place_of(params: Mapping[str, Any]) -> Place:
    """A repository whose copies count. If it cannot be opened, this says nothing about its backups."""
    from .objective import Place  # only here: see _stores/registry.py

    try:
        repository = open_repository({**params, "lock_for": None})  # it is only read
    except InvalidRequest:
        raise
    except Day2Error as exc:
        return Place(params["repository"], is_offsite(params), trouble=exc.message)
    return Place(repository.location, is_offsite(params), repository)


def places_of(params: Mapping[str, Any]) -> list[Place]:
    """The repositories of `copy_to`. Raises InvalidRequest if one is not another: its copies would count twice."""
    given = params["copy_to"] or []
    places = [place_of(one) for one in given]
    for number, place in enumerate(places):
        if place.repository is not None:
            check_other(given[number], place.repository, [params, *given[:number]])
    return places


def check_other(place: Mapping[str, Any], repository: Repository, others: Sequence[Mapping[str, Any]]) -> None:
    """Raise InvalidRequest if a repository for copies is one of others."""
    if any(_is_same(place, repository, other) for other in others):
        raise InvalidRequest(
            f"{repository.location} can't hold copies of itself.", "Set a different repository for the copies."
        )


def _is_same(place: Mapping[str, Any], repository: Repository, other: Mapping[str, Any]) -> bool:
    """Whether two places are one. Equal addresses on different servers are not."""
    address = other["repository"]
    if repository.local_path is None:
        same = address == place["repository"] or address.rstrip("/") == repository.location
        return bool(same and _endpoint(place) == _endpoint(other))
    if is_elsewhere(address):
        return False
    try:
        return DirectoryRepository(address).location == repository.location
    except Day2Error:  # that it can't be opened is told where it is used
        return False


def _endpoint(place: Mapping[str, Any]) -> Any:
    remote = place.get("rclone") or {}
    return (place.get("s3") or {}).get("endpoint_url"), remote.get("config"), remote.get("settings")


def open_repository(params: Mapping[str, Any]) -> Repository:
    """The repository that a module's parameters tell: `repository`, where it is, the options of its kind, and those of
    encryption."""
    repository = _opened(params)
    repository.encryption = encryption_from(params)
    if params.get("names_key"):
        from .hidden_names import hidden  # only here: see _stores/registry.py

        return hidden(repository, params["names_key"])
    return repository


def _opened(params: Mapping[str, Any]) -> Repository:
    location = params["repository"]
    if is_pgbackrest(location):
        raise InvalidRequest(
            "The repository of pgBackRest is for restore, restore_drill and backup_info only.",
            "Set repository to a directory, s3://bucket/prefix or rclone:REMOTE:path, or use postgresql_pitr.",
        )
    kind = kind_of(location, params.get("engine"))
    if kind == "restic":
        return opener(kind)(params)
    if params.get("read_back") == CHECKSUM and kind != "s3":
        raise InvalidRequest("read_back=checksum applies to S3 only.", "Omit it: each backup is read back.")
    if params.get("restic") is not None:
        raise InvalidRequest("The option restic requires engine=restic.", "Set both, or neither.")
    if kind == "s3":
        return opener(kind)(location, params)
    if params.get("lock_for") is not None:
        raise InvalidRequest(
            "lock_for locks backups in S3 only.", "Leave it out, or set repository to s3://bucket/prefix."
        )
    if kind == "rclone":
        return opener(kind)(location, params)
    for option, what in (("limit", "transfers to and from S3 and through rclone"), ("grace", "S3 and rclone")):
        if params.get(option) is not None:
            raise InvalidRequest(f"{option} applies to {what} only.", "Omit it for a directory.")
    if is_elsewhere(location):
        raise InvalidRequest(
            f"{without_password(location)} can't be a repository.",
            "Set it to a directory of the host, to s3://bucket/prefix or to rclone:REMOTE:path; with engine=restic, to "
            "any repository of restic.",
        )
    return DirectoryRepository(location)
