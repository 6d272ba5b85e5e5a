# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Safety backups of a whole database, beyond its records: what changes a schema can change anything in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._repository.base import Repository
from ..._repository.location import check_exists
from ..._repository.manifest import SourcePart
from ..._stores.records.store import TargetStore
from ..._stores.registry import has_path
from .way_back import THIS, newest_way_back

DATABASE, TABLES = "database", "tables"


def database_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the database as a store of backups."""
    from ..._stores.postgresql.cluster.whole import store_options  # which needs what only PostgreSQL needs

    return store_options(options)


def kind_of(options: Mapping[str, Any]) -> tuple[str, str]:
    """What a safety backup before a change of the schema has, and why it has not all of the database.

    :param options: of the target.
    """
    if has_path(options["type"]):
        return DATABASE, ""
    from ..._stores.postgresql.cluster.whole import why_not  # which needs what only PostgreSQL needs

    why = why_not(options, options.get("schema") or "public")
    return (TABLES if why else DATABASE), why


def is_whole(part: SourcePart) -> bool:
    """Whether the part of a safety backup is a database of a server, and not an export of records."""
    return "databases" in part.details


def restores_database(repository: Repository, name: str, target: TargetStore) -> bool:
    """Whether state=reverted restores a database of a server: then it is `restore` that takes the locks."""
    if target.type != "postgresql":
        return False
    check_exists(repository)
    way = newest_way_back(repository, name, target)
    return way is not None and way.whole == THIS and is_whole(way.manifest.sources[0])
