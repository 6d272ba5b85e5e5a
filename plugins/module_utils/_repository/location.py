# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps a location to a kind of repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .._core.errors import Day2Error, InvalidRequest, RepositoryError
from .._core.rclone_options import ADDRESS as RCLONE
from .._core.s3_options import ADDRESS as S3
from .base import Repository
from .directory import DirectoryRepository
from .encryption import encryption_from

if TYPE_CHECKING:
    from .objective import Place


def check_exists(repository: Repository) -> None:
    """Raise RepositoryError when the repository can't be read: if it is not mounted, it would seem to have no sets."""
    trouble = repository.trouble()
    if trouble:
        raise RepositoryError(f"The repository {repository.location} {trouble}{'' if trouble.endswith('?') else '.'}")


ACCESS = ("s3", "rclone", "limit")  # options that say how to reach what is not on this host


def is_elsewhere(location: str) -> bool:
    """Whether a location is an address, and not a directory of this host."""
    return "://" in location or location.startswith(RCLONE)


def is_offsite(params: Mapping[str, Any]) -> bool:
    """Whether a repository counts as being on another site: what the user says, else unless it is on this host."""
    if params.get("offsite") is not None:
        return str(params["offsite"]).lower() in ("true", "yes", "on", "1")  # checks pass values on as they were given
    if not is_elsewhere(params["repository"]):
        return False
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


def open_repository(params: Mapping[str, Any]) -> Repository:
    """The repository that a module's parameters tell: `repository`, where it is, the options of its kind, and those of
    encryption."""
    repository = _opened(params)
    repository.encryption = encryption_from(params)
    return repository


def _opened(params: Mapping[str, Any]) -> Repository:
    location = params["repository"]
    if location.startswith(S3):
        from .s3 import open_s3  # only here: boto3 is asked for by what needs it

        return open_s3(location, params)
    if params.get("lock_for") is not None:
        raise InvalidRequest(
            "lock_for locks backups in S3 only.", "Leave it out, or set repository to s3://bucket/prefix."
        )
    if location.startswith(RCLONE):
        from .rclone import open_rclone

        return open_rclone(location, params)
    if params.get("limit") is not None:
        raise InvalidRequest(
            "limit applies to transfers to and from S3 and through rclone only.", "Omit it for a directory."
        )
    if is_elsewhere(location):
        raise InvalidRequest(
            f"{location} can't be a repository.",
            "Set it to a directory of the host, to s3://bucket/prefix or to rclone:REMOTE:path.",
        )
    return DirectoryRepository(location)
