# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commits whose outcome is known even if the connection is lost before the server has answered."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ...._core.errors import SourceError, TargetError
from ..client import psycopg
from .server import Server

_PATIENCE = 60.0  # seconds for the server to accept connections again, and for the lost session to end
_BETWEEN_ATTEMPTS = 1.0
_PAUSE = 0.05


def commit(server: Server, session: Any) -> Any:
    """Commit the transaction of a session, which has written something.

    Returns the session to go on with, a new one if the connection was lost. Raises psycopg.Error if nothing was
    committed, TargetError if the server can't be asked.
    """
    pid, database = session.info.backend_pid, session.info.dbname
    (number,) = session.execute("SELECT pg_current_xact_id()::text").fetchone()
    try:
        session.execute("COMMIT")
    except psycopg.OperationalError:
        if not session.closed:
            raise
        another = _connected(server, database, pid, number)
        if another is None:
            raise
        return another
    return session


def _connected(server: Server, database: str, pid: int, number: str) -> Any:
    """A new session if the transaction of a lost one was committed, otherwise None."""
    with contextlib.ExitStack() as stack:
        try:
            another = stack.enter_context(contextlib.closing(_reconnected(server, database)))
            if not _was_committed(another, pid, number):
                return None
        except (psycopg.Error, SourceError, TimeoutError) as exc:
            raise TargetError(
                f"The connection to {server.shown} was lost during a commit, and the server can't be asked whether it "
                "took place.",
                "Run the restore again: it compares first, and changes nothing if everything is as in the backup.",
            ) from exc
        stack.pop_all()
        return another


def _reconnected(server: Server, database: str) -> Any:
    """A new session, once a server that restarts accepts it. Raises SourceError."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return server.connect(database)
        except SourceError:
            if time.monotonic() >= until:
                raise
        time.sleep(_BETWEEN_ATTEMPTS)


def _was_committed(session: Any, pid: int, number: str) -> bool:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            (status,) = session.execute("SELECT pg_xact_status(%s::xid8)", (number,)).fetchone()
        except psycopg.errors.InvalidParameterValue:  # "in the future": a crash left nothing of it
            return False
        if status != "in progress":
            return bool(status == "committed")
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            session.execute("SELECT pg_terminate_backend(%s)", (pid,))  # a commit that has begun is completed
        time.sleep(_PAUSE)
    raise TimeoutError
