# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kind of repository a location means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import InvalidRequest, RepositoryError
from .base import Repository
from .directory import DirectoryRepository


def check_exists(repository: Repository) -> None:
    """Raise RepositoryError where there is nothing to look at: a repository that is not mounted has no set at all."""
    trouble = repository.trouble()
    if trouble:
        raise RepositoryError(f"The repository {repository.location} {trouble}{'' if trouble.endswith('?') else '.'}")


def open_repository(params: Mapping[str, Any]) -> Repository:
    """The repository that a module's parameters tell: `repository`, where it is, and the options of its kind."""
    location = params["repository"]
    if "://" in location:
        raise InvalidRequest(
            f"{location}: only a directory can be a repository in this version.", "Name a directory of the host."
        )
    return DirectoryRepository(location)
