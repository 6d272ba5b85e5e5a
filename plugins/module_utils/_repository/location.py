# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps a location to a kind of repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import InvalidRequest, RepositoryError
from .._core.s3_options import ADDRESS
from .base import Repository
from .directory import DirectoryRepository


def check_exists(repository: Repository) -> None:
    """Raise RepositoryError when the repository can't be read: if it is not mounted, it would seem to have no sets."""
    trouble = repository.trouble()
    if trouble:
        raise RepositoryError(f"The repository {repository.location} {trouble}{'' if trouble.endswith('?') else '.'}")


def is_elsewhere(location: str) -> bool:
    """Whether a location is an address, and not a directory of this host."""
    return "://" in location


def open_repository(params: Mapping[str, Any]) -> Repository:
    """The repository that a module's parameters tell: `repository`, where it is, and the options of its kind."""
    location = params["repository"]
    if location.startswith(ADDRESS):
        from .s3 import open_s3  # only here: boto3 is asked for by what needs it

        return open_s3(location, params)
    if params.get("lock_for") is not None:
        raise InvalidRequest(
            "lock_for locks backups in S3 only.", "Leave it out, or set repository to s3://bucket/prefix."
        )
    if is_elsewhere(location):
        raise InvalidRequest(
            f"{location} can't be a repository.", "Set it to a directory of the host, or to s3://bucket/prefix."
        )
    return DirectoryRepository(location)
