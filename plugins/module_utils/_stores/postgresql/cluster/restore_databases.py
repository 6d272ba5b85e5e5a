# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases created or kept beside the restored one: their names, their marks, and how they are swapped.

A database that a restore has made has a comment that says so, and whose place it is for. Comments are transactional:
they are right whenever the run is killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

from ...._core.errors import Day2Error, SourceError, TargetError, TaskEnded
from ...._core.files import need_space
from ..client import errors, identifier, psycopg
from .commits import commit
from .restore_properties import Properties, dress, literal, read_properties
from .server import Server

_MARK = "day2: "
_PATIENCE = "10s"
_DOUBTS = 3.0  # seconds in which sessions that have just ended may still be listed

_LOCATION = """
SELECT coalesce(nullif(pg_tablespace_location(oid), ''), current_setting('data_directory'))
FROM pg_tablespace WHERE spcname = %s
"""
_COMMENTS = """SELECT datname, shobj_description(oid, 'pg_database'), datallowconn FROM pg_database
WHERE datname = ANY(%s)"""
_OTHERS = """
SELECT pid, usename, application_name, coalesce(host(client_addr), 'socket') AS address, backend_type
FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid() ORDER BY pid
"""
_HELD = (
    ("the replication slot", "SELECT slot_name FROM pg_replication_slots WHERE database = %s ORDER BY 1"),
    (
        "the subscription",
        "SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = %s ORDER BY 1",
    ),
    ("the prepared transaction", "SELECT gid FROM pg_prepared_xacts WHERE database = %s ORDER BY 1"),
)


class Place(NamedTuple):
    """A database that is to be replaced, with the names that the new and the old one have beside it."""

    name: str
    new: str
    old: str

    @classmethod
    def of(cls, name: str) -> Place:
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        return cls(name, f"day2_new_{digest}", f"day2_old_{digest}")

    def mark(self, step: str) -> str:
        """The comment of the new or the old database."""
        return _MARK + json.dumps({"of": self.name, "step": step})


def exists(session: Any, name: str) -> bool:
    return session.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


def lock(session: Any, place: Place) -> None:
    """Lock out other restores of this database until the session ends. Raises TargetError."""
    # such locks are of one database: all take them in the maintenance database
    with errors(TargetError, f"Another restore of the database {place.name} is under way"):
        session.execute(f"SET lock_timeout = '{_PATIENCE}'")
        session.execute("SELECT pg_advisory_lock(hashtextextended('day2 ' || %s, 0))", (place.name,))
        session.execute("SET lock_timeout = 0")


def remove_leftovers(session: Any, place: Place) -> list[str]:
    """Drop what killed runs left of this database. Returns notes."""
    notes = []
    ours = {place.new: place.mark("new"), place.old: place.mark("old")}
    for name, comment, entered in session.execute(_COMMENTS, (list(ours),)).fetchall():
        if is_left(comment, entered, ours[name]):
            drop(session, name)
            notes.append(f"The database {name}, a leftover of an interrupted restore of {place.name}, was dropped.")
    return notes


def is_left(comment: Optional[str], entered: bool, mark: str) -> bool:
    """Whether a database with a reserved name was created by a restore.

    Between its creation and its comment, nobody can connect to it: then it contains nothing of anybody.
    """
    return comment == mark or (comment is None and not entered)


def check_free(session: Any, place: Place) -> None:
    """Raise TargetError if another database has one of the names that the restore needs."""
    ours = {place.new: place.mark("new"), place.old: place.mark("old")}
    for name, comment, entered in session.execute(_COMMENTS, (list(ours),)).fetchall():
        if not is_left(comment, entered, ours[name]):
            raise TargetError(
                f"The database {name} already exists and is not a leftover of a restore of {place.name}.",
                "Rename or drop it.",
            )


def drop(session: Any, name: str) -> None:
    """Drop a database that a restore has made or replaced, even if it is in use. Raises TargetError."""
    with errors(TargetError, f"Can't drop the database {name}"):
        # what a failed DROP DATABASE leaves can't be altered any more
        if session.execute("SELECT FROM pg_database WHERE datistemplate AND datname = %s", (name,)).fetchone():
            session.execute(f"ALTER DATABASE {identifier(name)} IS_TEMPLATE false")
        session.execute(f"DROP DATABASE {identifier(name)} WITH (FORCE)")


def check_replaceable(session: Any, place: Place, disconnect: bool) -> None:
    """Raise TargetError if the database can't be replaced or is in use."""
    held = []
    for what, query in _HELD:
        with errors(TargetError, f"Can't query what uses the database {place.name}"):
            held += [f"{what} {name}" for (name,) in session.execute(query, (place.name,)).fetchall()]
    if held:
        raise TargetError(
            f"The database {place.name} can't be replaced, as {', '.join(held)} belong(s) to it.",
            "Drop or finish them first, and recreate them after the restore.",
        )
    if not disconnect:
        until = time.monotonic() + _DOUBTS
        while sessions(session, place.name) and time.monotonic() < until:
            time.sleep(0.05)
        found = sessions(session, place.name)
        if found:
            raise _in_use(place.name, found)


def sessions(session: Any, name: str) -> list[str]:
    """Who is connected to a database, without the server's own processes that end by themselves."""
    rows = session.execute(_OTHERS, (name,)).fetchall()
    return [
        f"pid {pid} ({application or kind}, user {user or 'none'}, {address})"
        for pid, user, application, address, kind in rows
        if kind != "autovacuum worker"
    ]


def _in_use(name: str, found: Sequence[str]) -> TargetError:
    shown = ", ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "")
    return TargetError(
        f"The database {name} is in use by {shown}.",
        "Stop the application, or set disconnect=true to end its connections when the database is replaced.",
    )


def check_space(server: Server, session: Any, place: Place, properties: Properties, size: int) -> None:
    """Raise NoSpace if a server on this host lacks the space for a second database beside the existing one."""
    host = server.options.get("host")
    if server.options.get("service") or not (host is None or host.startswith("/")):
        return  # over the network, even a path that exists here may be another host's
    tablespace = tablespace_of(session, place, properties) or "pg_default"
    with contextlib.suppress(psycopg.Error):  # who may not ask finds out in the end
        found = session.execute(_LOCATION, (tablespace,)).fetchone()
        if found is not None and os.path.isdir(found[0]):
            need_space(found[0], size, f"Restoring the database {place.name}")


def tablespace_of(session: Any, place: Place, properties: Properties) -> str:
    """The tablespace of the new database: one that exists keeps its own."""
    return read_properties(session, place.name).tablespace if exists(session, place.name) else properties.tablespace


def create(session: Any, place: Place, properties: Properties) -> None:
    """Create the new database. Others cannot connect to it until it replaces the old one."""
    tablespace = tablespace_of(session, place, properties)
    with errors(TargetError, f"Can't create the database {place.new}"):
        create_marked(session, place.new, place.mark("new"), properties.creation(tablespace))


def create_marked(session: Any, name: str, mark: str, how: str = "") -> None:
    """An empty database with a comment that says whose it is. Nobody can enter it before (see `is_left`).

    :param how: more of its properties, as CREATE DATABASE takes them.
    """
    quoted = identifier(name)
    session.execute(f"CREATE DATABASE {quoted} TEMPLATE template0{how} ALLOW_CONNECTIONS false")
    session.execute(f"COMMENT ON DATABASE {quoted} IS {literal(mark)}")
    session.execute(f"REVOKE ALL ON DATABASE {quoted} FROM PUBLIC")
    session.execute(f"ALTER DATABASE {quoted} ALLOW_CONNECTIONS true")


class Swap:
    """Databases that take the place of others in one transaction, and the way back.

    :param places: with the properties that a database gets if there was none.
    """

    def __init__(
        self, server: Server, session: Any, places: Sequence[tuple[Place, Properties]], disconnect: bool
    ) -> None:
        self._server = server
        self._session = self._first = session
        self._places = list(places)
        self._disconnect = disconnect
        self._replaced: dict[str, Properties] = {}
        self._was_lost = False

    @property
    def session(self) -> Any:
        """To clean up with: another one once the connection was lost. Raises SourceError, TargetError."""
        with contextlib.suppress(psycopg.Error):
            self._session.execute("SELECT")  # notices a connection that was lost while it was idle
        if self._session.closed and not self._was_lost:
            self._was_lost = True  # once is enough for a server that is gone
            with contextlib.ExitStack() as stack:
                another = stack.enter_context(contextlib.closing(self._server.connect()))
                for place, _properties in self._places:  # the locks ended with the session
                    lock(another, place)
                stack.pop_all()
            self._session = another
        return self._session

    def close(self) -> None:
        """Close the session if it is another one than at first."""
        if self._session is not self._first:
            self._session.close()

    def apply(self) -> None:
        """Raises TargetError, with everything as it was."""
        replaced: dict[str, Properties] = {}
        with self._transaction(self._disconnect):
            for place, properties in self._places:
                if exists(self._session, place.name):
                    self._rename(place.name, place.old)
                    replaced[place.name] = read_properties(self._session, place.old)
                    _describe(self._session, place.old, place.mark("old"), is_template=False)
                self._rename(place.new, place.name)
                dress(self._session, place.name, replaced.get(place.name, properties))
        self._replaced = replaced

    def undo(self) -> None:
        """Restore the databases that `apply` replaced."""
        with self._transaction(disconnect=True):
            for place, _properties in self._places:
                self._rename(place.name, place.new)
                _describe(self._session, place.new, place.mark("new"), is_template=False)
                before = self._replaced.get(place.name)
                if before is not None:
                    self._rename(place.old, place.name)
                    _describe(self._session, place.name, before.comment, is_template=before.is_template)

    def keep(self, why: TaskEnded) -> TargetError:
        """Make what `undo` could not put back safe from the next restore. Returns the error to raise."""
        kept = [place for place, _properties in self._places if place.name in self._replaced]
        when = "rename them, or drop them before the next restore."
        try:
            for place in kept:
                _describe(self.session, place.old, None, is_template=False)
        except (psycopg.Error, Day2Error):
            when = "rename them before the next restore, which would drop them."
        names = ", ".join(f"{place.name} as {place.old}" for place in kept)
        return TargetError(
            f"The replacement of the databases could not be undone: {why.message}",
            f"The old ones are kept ({names}): {when}",
        )

    def _rename(self, before: str, after: str) -> None:
        self._session.execute(f"ALTER DATABASE {identifier(before)} RENAME TO {identifier(after)}")

    @contextlib.contextmanager
    def _transaction(self, disconnect: bool) -> Iterator[None]:
        """A rename takes the lock of its database, so that newcomers wait; those that are in have to be ended."""
        names = [place.name for place, _properties in self._places]
        with self._chase(names) if disconnect else contextlib.nullcontext():
            try:
                with errors(TargetError, f"Can't replace {', '.join(names)}"), self._rolled_back():
                    self._session.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
                    yield
                    self._session = commit(self._server, self._session)
            except TargetError:
                if not self._session.closed:
                    self._name_users(names)
                raise

    @contextlib.contextmanager
    def _rolled_back(self) -> Iterator[None]:
        """A transaction that the block commits itself, or that is rolled back."""
        self._session.execute("BEGIN")
        try:
            yield
        except BaseException:
            with contextlib.suppress(psycopg.Error):  # a closed session has rolled back
                self._session.execute("ROLLBACK")
            raise

    def _name_users(self, names: Sequence[str]) -> None:
        """Raise TargetError when somebody is connected to one of these databases, which is the better reason."""
        with contextlib.suppress(psycopg.Error, SourceError), self._server.connect() as session:
            for name in names:
                found = sessions(session, name)
                if found:
                    raise _in_use(name, found)

    @contextlib.contextmanager
    def _chase(self, names: list[str]) -> Iterator[None]:
        """Terminate all sessions in these databases repeatedly until the block ends."""
        done = threading.Event()

        def end_sessions() -> None:
            with contextlib.suppress(psycopg.Error, SourceError), self._server.connect() as session:
                while not done.wait(0.05):
                    _end_sessions(session, names)

        thread = threading.Thread(target=end_sessions, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _describe(session: Any, name: str, comment: Optional[str], *, is_template: bool) -> None:
    session.execute(f"COMMENT ON DATABASE {identifier(name)} IS {literal(comment)}")
    session.execute(f"ALTER DATABASE {identifier(name)} IS_TEMPLATE {is_template}")


def _end_sessions(session: Any, names: list[str]) -> None:
    query = "SELECT pid FROM pg_stat_activity WHERE datname = ANY(%s) AND pid <> pg_backend_pid()"
    for (pid,) in session.execute(query, (names,)).fetchall():
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):  # the rename fails, and names the session
            session.execute("SELECT pg_terminate_backend(%s)", (pid,))
