# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which database of a backup is restored to which database on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._core.errors import InvalidRequest
from .restore_databases import Place

_RESERVED = ("postgres", "template0", "template1")


def choose(details: Mapping[str, Any], options: Mapping[str, Any]) -> list[tuple[str, Place]]:
    """(name in the backup, database on the server) of all that are to be restored. Raises InvalidRequest.

    :param details: of the backup.
    """
    if options.get("tables"):
        raise InvalidRequest("tables selects what is backed up, not what is restored.", "Use only instead.")
    if any(options.get(name) is not None for name in ("data_directory", "keep_running", "timeline")):
        raise InvalidRequest(
            "data_directory, keep_running and timeline are for restores from pgBackRest.",
            "Omit them, or set repository to pgbackrest.",
        )
    known = details["databases"]
    wanted = options.get("databases") or ([options["database"]] if options.get("database") else None)
    source = options.get("from_database")
    if source is not None:
        if len(wanted or [source]) != 1:
            raise InvalidRequest("from_database is for one database.", "Set database to the one to restore it to.")
        pairs = [(source, (wanted or [source])[0])]
    elif wanted is not None and len(wanted) == len(known) == 1:
        pairs = [(next(iter(known)), wanted[0])]
    else:
        # a safety backup lacks what was not there to be replaced
        pairs = [(name, name) for name in wanted or known if name not in details.get("missing", ())]
    for name, _target in pairs:
        if name not in known:
            raise InvalidRequest(
                f"The backup has no database {name}.",
                f"It contains: {', '.join(sorted(known))}. Set from_database to one of them.",
            )
    return [(name, Place.of(target)) for name, target in sorted(pairs, key=lambda pair: pair[1])]


def replaceable(
    pairs: Sequence[tuple[str, Place]], details: Mapping[str, Any], options: Mapping[str, Any], maintenance: str
) -> tuple[list[tuple[str, Place]], list[str]]:
    """Those that can be replaced as a whole, and notes on others that nobody has named. Raises InvalidRequest."""
    named = any(options.get(name) for name in ("database", "databases", "from_database"))
    kept, notes = [], []
    for name, place in pairs:
        if place.name not in (*_RESERVED, maintenance):
            kept.append((name, place))
        elif named:
            raise InvalidRequest(
                f"The database {place.name} can't be replaced: "
                + ("it belongs to the server." if place.name in _RESERVED else "the restore is connected to it."),
                "Set database and from_database to restore it into another one, only to restore tables in it, or "
                "maintenance_database to connect to another one.",
            )
        elif details[name]["sums"] != []:
            notes.append(
                f"The database {place.name} was not restored, as it can't be replaced: name its tables in only."
            )
    return kept, notes
