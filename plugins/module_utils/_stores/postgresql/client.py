# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to PostgreSQL, and errors of PostgreSQL and psycopg as errors of the collection."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from ..._core.errors import Day2Error, MissingDependency, NoSpace, RolledBack, SourceError, TargetError, Violation
from ..._core.tagged_json import decode as decode_json

psycopg: Any = None
with contextlib.suppress(ImportError):  # told when a connection is wanted
    psycopg = importlib.import_module("psycopg")


def check_installed() -> None:
    """Raise MissingDependency when psycopg is not installed."""
    if psycopg is None:
        raise MissingDependency("psycopg", "for stores of type postgresql", "Install it with: pip install psycopg")


def connect(options: Mapping[str, Any]) -> Any:
    """A connection without implicit transactions.

    :raises MissingDependency: psycopg is not installed.
    :raises SourceError: the server cannot be reached, or refuses.
    """
    check_installed()
    names = {
        "database": "dbname",
        "host": "host",
        "port": "port",
        "username": "user",
        "password": "password",
        "sslmode": "sslmode",
    }
    given = {names[name]: value for name, value in options.items() if name in names and value is not None}
    try:
        connection = psycopg.connect(autocommit=True, connect_timeout=20, application_name="day2.ops", **given)
    except psycopg.Error as exc:
        raise SourceError(
            f"Can't connect to PostgreSQL: {' '.join(str(exc).split())}.",
            "Check host, port, database, username and password.",
        ) from exc
    with errors(SourceError, "Can't set up the connection"):
        settings = ["TimeZone = 'UTC'", "DateStyle = 'ISO'", "extra_float_digits = 1"]
        settings += ["IntervalStyle = 'postgres'", "client_encoding = 'UTF8'"]
        if connection.info.server_version >= 110_000:  # compiling queries takes longer than it saves
            settings.append("jit = off")
        # Rows that a policy hides would be missing without a word: with this the server refuses to read at all.
        settings.append("row_security = off")
        # what is in the schema is called by its name alone, in what the server tells as in what it is told
        settings.append(f"search_path = {identifier(options.get('schema') or 'public')}")
        for setting in settings:
            connection.execute("SET " + setting)
        psycopg.types.json.set_json_loads(decode_json, connection)
        for name in ("timestamp", "timestamptz", "date", "interval"):
            _take_any_time(connection, name)
    return connection


def _take_any_time(connection: Any, name: str) -> None:
    """Read times for which Python has no object as text."""
    kind = psycopg.adapters.types[name].oid
    usual = connection.adapters.get_loader(kind, psycopg.pq.Format.TEXT)

    class AnyTime(psycopg.adapt.Loader):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._load = usual(oid, context).load

        def load(self, data: Any) -> Any:
            try:
                return self._load(data)
            except psycopg.DataError:
                return bytes(data).decode().strip()

    connection.adapters.register_loader(kind, AnyTime)


@contextlib.contextmanager
def errors(kind: type[Day2Error], doing: str) -> Iterator[None]:
    """Turn errors of the server into ours: "<doing>: <the words of the server>"."""
    check_installed()
    try:
        yield
    except psycopg.Error as exc:
        detail = getattr(exc.diag, "message_detail", None)
        place = getattr(exc.diag, "context", None)
        words = [getattr(exc.diag, "message_primary", None) or " ".join(str(exc).split()), detail, place]
        message = f"{doing}: {'; '.join(word.strip('. ') for word in words if word)}."
        if exc.sqlstate == "53100":
            raise NoSpace(message, "Committed data remains. Free some space and run again.") from exc
        if exc.sqlstate == "42501" and "row-level security" in message:
            raise kind(message, _HIDDEN_ROWS) from exc
        if kind is TargetError and exc.sqlstate in _ROLLED_BACK:
            raise RolledBack(message) from exc
        if kind is TargetError and isinstance(exc, (psycopg.IntegrityError, psycopg.DataError)):
            raise Violation(message) from exc
        raise kind(message) from exc


_ROLLED_BACK = ("40001", "40P01")  # serialization_failure, deadlock_detected
_HIDDEN_ROWS = (
    "Its policies would hide rows from this role. Connect as the owner of the table (without FORCE ROW LEVEL "
    "SECURITY), as a superuser, or as a role with BYPASSRLS."
)


def identifier(name: str) -> str:
    """The name, quoted for SQL."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def with_values(statement: str) -> str:
    """A part of a statement that is executed with values, which begin with % in it."""
    return statement.replace("%", "%%")


def server_and_database(connection: Any, options: Mapping[str, Any]) -> str:
    """The server, by its own identifier if we have permission to see it, and the database."""
    with errors(SourceError, "Can't query the server"):
        (seen,) = connection.execute("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')").fetchone()
        number = f"{options.get('host') or ''}:{options.get('port') or ''}"
        if seen:
            (number,) = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
        (database,) = connection.execute("SELECT current_database()").fetchone()
    return f"{number}/{database}"
