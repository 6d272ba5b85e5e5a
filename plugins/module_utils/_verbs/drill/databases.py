# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throw-away databases of PostgreSQL for drills, and what is checked in them."""

# ruff: noqa: S608 names are quoted by `qualified` and `identifier`
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from ..._core.errors import InvalidRequest, TargetError
from ..._repository.manifest import SourcePart
from ..._stores.postgresql.cluster.options import OPTIONS as OF_STORE
from ..._stores.registry import open_store
from ..snapshots import NamedStore
from . import notes
from .outcome import Report, Unsound

# What would name a database that exists, or select what is backed up.
_OTHERS = ("database", "databases", "tables", "globals", "role_passwords")
OPTIONS: dict[str, Any] = {
    **{name: one for name, one in OF_STORE.items() if name not in _OTHERS},
    "owner": {"type": "str", "choices": ["keep", "map", "none"]},
    "owner_map": {"type": "dict"},
    "compare": {"type": "str", "choices": ["counts", "digests"]},
}
_OWNED = """
SELECT sn.nspname, s.relname, tn.nspname, t.relname, a.attname, q.seqincrement
FROM pg_depend d JOIN pg_sequence q ON q.seqrelid = d.objid
JOIN pg_class s ON s.oid = d.objid JOIN pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AND s.relpersistence <> 't' ORDER BY 1, 2
"""
_SHOWN = 5


class Database(NamedTuple):
    """A throw-away database, and the one in the backup that is restored to it."""

    source: str
    name: str
    entry: NamedStore


def databases_of(part: SourcePart, given: Mapping[str, Any]) -> list[Database]:
    """A database with a new name for each one in the backup. Raises InvalidRequest.

    :param given: the options of the server.
    """
    from ..._stores.postgresql.cluster.restore_owners import Owners  # only here: see _stores/registry.py

    options = {key: value for key, value in given.items() if value is not None and key != "name"}
    Owners.of(options)  # for what it refuses
    made = []
    for source in sorted(part.details["databases"]):
        name = notes.new_name()
        store = open_store({**options, "database": name, "from_database": source})
        made.append(Database(source, name, NamedStore(part.name, store, store.path)))
    if not made:
        raise InvalidRequest(f"Part {part.name} of the backup has no database.", "Choose another backup.")
    return made


def dsn(given: Mapping[str, Any], name: str) -> str:
    """The address of a database as libpq takes it, without the password."""
    names = {"username": "user", "host": "host", "port": "port", "service": "service", "passfile": "passfile"}
    names.update({key: key for key in ("sslmode", "sslrootcert", "sslcert", "sslkey")})
    words = {names[key]: str(value) for key, value in given.items() if key in names and value is not None}
    return f"postgresql:///{quote(name)}" + (f"?{urlencode(words, quote_via=quote)}" if words else "")


def thing_of(one: Database) -> notes.Thing:
    """How it is removed."""
    server = _server(one.entry)

    def is_there(name: str) -> bool:
        with server.connect() as session:
            return exists(session, name)

    def remove(name: str) -> bool:
        with server.connect() as session:
            found = bool(remove_leftovers(session, Place.of(name)))  # of an interrupted restore of it
            if exists(session, name):
                drop(session, name)
                found = True
        return found

    from ..._stores.postgresql.cluster.restore_databases import Place, drop, exists, remove_leftovers

    return notes.Thing("postgresql", server.shown, one.name, "The database", is_there, remove)


def check_database(one: Database, integrity: str, report: Report) -> None:
    """Open it as a writer does, and look at its sequences. Its content and indexes were compared by the restore.

    :raises Unsound: it is not as it should be.
    """
    from ..._stores.postgresql.client import errors  # only here: see _stores/registry.py

    with _server(one.entry).connect(one.name) as session:
        with errors(Unsound, f"The restored database {one.source} can't be written"):
            session.execute("BEGIN")
            session.execute(f"CREATE SCHEMA {one.name}")
            session.execute(f"CREATE TABLE {one.name}.writes (x int)")
            session.execute(f"INSERT INTO {one.name}.writes VALUES (1)")
            session.execute("ROLLBACK")
        with errors(TargetError, f"The sequences of the restored database {one.source} can't be read"):
            behind = list(_behind(session))
    report.checks.append(f"{one.source}: its indexes are valid, and it can be written")
    if not behind:
        report.checks.append(f"{one.source}: no sequence is behind its column")
        return
    more = "; …" if len(behind) > _SHOWN else ""
    message = f"{one.source}: sequences are behind their columns: {'; '.join(behind[:_SHOWN])}{more}."
    if integrity == "fail":
        raise Unsound(message, "Set them (setval) in the database in use, or set integrity=warn.")
    report.warnings.append(message)


def _behind(session: Any) -> Iterator[str]:
    """Sequences whose next value a column has already, or has passed."""
    from ..._stores.postgresql.client import identifier
    from ..._stores.postgresql.ddl import qualified

    for schema, sequence, of_table, table, column, step in session.execute(_OWNED).fetchall():
        last, called = session.execute(f"SELECT last_value, is_called FROM {qualified(schema, sequence)}").fetchone()
        most = "max" if step > 0 else "min"
        query = f"SELECT {most}({identifier(column)}) FROM {qualified(of_table, table)}"
        (found,) = session.execute(query).fetchone()
        following = last + step if called else last
        if found is not None and (following <= found if step > 0 else following >= found):
            yield f"{schema}.{sequence} continues with {following}, but {of_table}.{table}.{column} has {found}"


def _server(entry: NamedStore) -> Any:
    store: Any = entry.store
    return store.server
