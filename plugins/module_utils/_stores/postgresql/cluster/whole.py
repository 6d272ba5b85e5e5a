# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a database can be backed up and put back as a whole, for who only knows one schema of it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ...._core.errors import InvalidRequest, MissingDependency, SourceError, TargetError
from ..client import errors
from . import catalog
from .hold import check_readable
from .restore_databases import Place, check_free, check_replaceable
from .restore_owners import Owners
from .restore_places import replaceable
from .restore_requires import check_requirements
from .server import Server

# Of others, not of the system or of extensions.
_OTHERS = """
SELECT n.nspname::text FROM pg_namespace n WHERE n.nspname <> %s AND n.nspname !~ '^pg_'
AND n.nspname <> 'information_schema' AND (EXISTS (
  SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
 OR EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')))
ORDER BY 1 LIMIT 1"""
_PROGRAMS = ("pg_dump", "pg_restore")


def store_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the database as a store of backups, from those of a store of records."""
    return {**{name: value for name, value in options.items() if name != "schema"}, "globals": False}


def why_not(options: Mapping[str, Any], schema: str) -> str:
    """Why the database can't be backed up, and later be replaced, as a whole with these options; "" if it can.

    What others have in it must not go back with it.
    """
    database = options["database"]
    try:
        server = Server(store_options(options))
        replaceable([(database, Place.of(database))], {}, options, server.maintenance)
        with contextlib.closing(server.connect(database)) as session:
            check_readable(session, database)
            with errors(SourceError, f"Can't read the database {database}"):
                other = session.execute(_OTHERS, [schema]).fetchone()
                details = {
                    "properties": catalog.properties(session),
                    "requires": catalog.requirements(session),
                    "server_version": server.version,
                }
        if other is not None:
            return f"the database also has the schema {other[0]}, which would go back with it"
        for name in _PROGRAMS:
            server.program(name)
        return _lacking(server, database, details)
    except (InvalidRequest, MissingDependency, SourceError, TargetError) as exc:
        words: str = exc.message.rstrip(".")
        return words


def _lacking(server: Server, database: str, details: Mapping[str, Any]) -> str:
    """What a restore would lack. Raises TargetError, SourceError."""
    place = Place.of(database)
    with contextlib.closing(server.connect()) as session:
        check_free(session, place)
        check_replaceable(session, place, disconnect=True)
        missing = check_requirements(session, database, details, Owners.of({})).missing
    return f"a restore of the database would require {'; '.join(missing)}" if missing else ""
