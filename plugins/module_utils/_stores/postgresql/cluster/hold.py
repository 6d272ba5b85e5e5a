# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session that holds one state of a database for pg_dump and for our own queries.

All tables are locked *before* the snapshot is exported: a TRUNCATE, or a rewrite, that comes between a snapshot and
pg_dump's own locks leaves an empty table in the dump, with exit status 0.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from ...._core.errors import SourceError
from ...._core.units import plural
from ..client import errors, identifier, psycopg
from .identity import Table, list_tables, relation
from .server import Server, without_values

LOCK_WAIT = "10s"
TRIES = 3
_BATCH = 500  # tables in one statement
_MOST_NAMED = 5


class Held(NamedTuple):
    """The session in its transaction, the name of its snapshot, and the tables whose rows it may read."""

    database: str
    connection: Any
    snapshot: str
    tables: list[Table]
    unreadable: list[Table]  # unlogged tables of a standby, which have no rows there


def hold(server: Server, database: str) -> Held:
    """Begin. The caller closes the connection. Raises SourceError, with the holder of a lock that is in the way."""
    for _try in range(TRIES):
        held: Optional[Held] = None
        connection = server.connect(database)
        try:
            held = _locked(connection, database)
            if held is not None:
                return held
        except SourceError as exc:
            if isinstance(exc.__cause__, psycopg.errors.LockNotAvailable):
                raise locked(server, database) from exc
            raise
        finally:
            if held is None:
                connection.close()
    raise SourceError(
        f"Tables of the database {database} were created, dropped or rewritten during each of {TRIES} attempts.",
        "Run again when its schema is not being changed.",
    )


class Locked(SourceError):
    """Another session did not release a lock in time, or its waiting lock blocked pg_dump."""


def locked(server: Server, database: str) -> Locked:
    """The error that names the other sessions. Made while they still wait for us, or we for them."""
    return Locked(
        f"A table of the database {database} is locked: {holders(server, database)}.",
        "End that session, or run again later.",
    )


def _locked(connection: Any, database: str) -> Optional[Held]:
    """None when the tables changed meanwhile."""
    changed = psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.DeadlockDetected
    with errors(SourceError, f"Can't read the database {database}"):
        check_readable(connection, database)
        before = list_tables(connection)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
        try:
            for start in range(0, len(before), _BATCH):  # these statements take no snapshot
                listed = ", ".join("ONLY " + relation(*one[:2]) for one in before[start : start + _BATCH])
                connection.execute(f"LOCK TABLE {listed} IN ACCESS SHARE MODE")
        except changed:
            return None
        (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchone()
        tables = list_tables(connection)  # as they are in the snapshot
        if [one.oid for one in tables] != [one.oid for one in before]:
            return None
        (standby,) = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    unreadable = [one for one in tables if standby and one.persistence == "u"]
    return Held(database, connection, snapshot, [one for one in tables if one not in unreadable], unreadable)


_FORBIDDEN = """
SELECT c.relkind = 'S', n.nspname::text, c.relname::text, row_security_active(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
AND n.nspname <> 'information_schema' AND NOT EXISTS (
  SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
AND (NOT has_schema_privilege(n.oid, 'USAGE') OR NOT CASE c.relkind
  WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END
  OR row_security_active(c.oid)) ORDER BY 2, 3"""


def check_readable(connection: Any, database: str) -> None:
    """Raise SourceError that names all tables and sequences which this role cannot read completely."""
    refused = connection.execute(_FORBIDDEN).fetchall()
    if not refused:
        return
    (role,) = connection.execute("SELECT current_user").fetchone()
    named = ", ".join(f"{schema}.{name}" for _sequence, schema, name, _hidden in refused[:_MOST_NAMED])
    more = f" and {plural(len(refused) - _MOST_NAMED, 'other', 'others')}" if len(refused) > _MOST_NAMED else ""
    raise SourceError(
        f"The role {role} lacks the privileges to read all of the database {database}: {named}{more}.",
        f"Run as a superuser of PostgreSQL: {'; '.join(_grants(connection, role, refused))}.",
    )


def _grants(connection: Any, role: str, refused: Sequence[Any]) -> list[str]:
    to = identifier(role)
    statements = []
    if any(not hidden for _sequence, _schema, _name, hidden in refused):
        if connection.info.server_version >= 140_000:
            statements.append(f"GRANT pg_read_all_data TO {to}")
        else:
            for schema in sorted({one[1] for one in refused}):
                inside = f"IN SCHEMA {identifier(schema)} TO {to}"
                statements.append(f"GRANT USAGE ON SCHEMA {identifier(schema)} TO {to}")
                statements += [f"GRANT SELECT ON ALL {kind} {inside}" for kind in ("TABLES", "SEQUENCES")]
    if any(hidden for _sequence, _schema, _name, hidden in refused):  # row security would hide rows
        statements.append(f"ALTER ROLE {to} BYPASSRLS")
    return statements


_HOLDERS = """
SELECT DISTINCT a.pid, a.usename::text, a.application_name, a.state, left(a.query, 60), l.granted
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND a.pid <> pg_backend_pid()
AND l.database = (SELECT oid FROM pg_database WHERE datname = %s) ORDER BY l.granted DESC, a.pid"""


def holders(server: Server, database: str) -> str:
    """Who holds, or waits for, locks of tables that exclude readers; for the middle of a sentence."""
    found: list[Any] = []
    with contextlib.suppress(SourceError), contextlib.closing(server.connect()) as connection:
        with errors(SourceError, "Can't read pg_locks"):
            found = connection.execute(_HOLDERS, [database]).fetchall()
    shown = [
        f"pid {pid}, user {user}, {f'{program}, ' if program else ''}{state}: {_statement(query)}"
        for pid, user, program, state, query, _granted in found
    ]
    return "; ".join(shown) or "its holder has just ended"


def _statement(query: Optional[str]) -> str:
    return without_values(" ".join((query or "").split()))
