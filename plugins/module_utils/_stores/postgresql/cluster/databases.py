# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which databases of a cluster belong to a store."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Optional
from urllib.parse import quote

from ...._core.errors import SourceError
from .server import Server

# All that one can connect to, except templates, what an interrupted DROP DATABASE has left (-2), and what a restore or
# an import makes, or has left.
NAMES = """SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate AND datconnlimit <> -2
AND NOT (datname ~ '^day2_(new|old|import)_[0-9a-f]{12}$'
  AND coalesce(shobj_description(oid, 'pg_database'), '') LIKE 'day2: {%')"""


def folder(database: str) -> str:
    """The directory of a database's files in a backup. A name cannot act as a path, nor collide with another file."""
    name = quote(database, safe="")
    return name.replace(".", "%2E") if name in (".", "..", "globals.sql") else name


def existing(server: Server, wanted: Optional[Sequence[str]]) -> list[str]:
    """The databases of the store that exist, by name."""
    from ..client import errors  # only here: see server.py

    query = f"{NAMES} ORDER BY 1" if wanted is None else "SELECT datname::text FROM pg_database ORDER BY 1"
    with contextlib.closing(server.connect()) as connection:
        with errors(SourceError, f"Can't list the databases of {server.shown}"):
            found = [name for (name,) in connection.execute(query).fetchall()]
    return [name for name in found if wanted is None or name in wanted]


def chosen(server: Server, wanted: Optional[Sequence[str]], left_out: Sequence[str] = ()) -> list[str]:
    """The databases to back up. Raises SourceError when one of them does not exist.

    :param left_out: names that need not exist.
    """
    found = existing(server, wanted)
    missing = sorted(set(wanted or ()) - set(found) - set(left_out))
    if missing:
        raise SourceError(f"{server.shown} has no database {', '.join(missing)}.", "Check database or databases.")
    if not found:
        raise SourceError(f"{server.shown} has no database that can be backed up.")
    return found
