# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with the history of health checks.

It is an SQLite database with a rollback journal: a reader needs no permission to write beside it, and it is a single
file. Each run is one transaction. The beginning of a status is stored in addition to the outcomes, as it may be older
than the oldest outcome that is kept.
"""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional
from urllib.parse import quote

from .._core.errors import Day2Error, NoSpace, SourceError, TargetError
from .._core.files import make_private_directory, os_errors, others_can_write, resolve
from .._core.outcome import OK, SKIPPED, Outcome
from .._core.units import format_duration

APPLICATION_ID = 0x64327368  # "d2sh"; bytes 68 to 71 of the file
VERSION = 1
TIMEOUT = 30.0  # seconds to wait for another writer
AHEAD = 60.0  # seconds; outcomes of a run that ends while another one waits for the lock are less ahead than this

_SCHEMA = (
    """CREATE TABLE checks (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        type TEXT NOT NULL,
        unit TEXT NOT NULL,
        status TEXT NOT NULL,
        message TEXT NOT NULL,
        since REAL NOT NULL,
        checked_at REAL NOT NULL
    )""",
    """CREATE TABLE outcomes (
        check_id INTEGER NOT NULL REFERENCES checks (id),
        checked_at REAL NOT NULL,
        status TEXT NOT NULL,
        quiet INTEGER NOT NULL,
        duration_s REAL NOT NULL,
        value REAL,
        PRIMARY KEY (check_id, checked_at)
    ) WITHOUT ROWID""",
)
# A run that is stored after a newer one does not change the last status. Columns after SET have the old values.
_LAST = """INSERT INTO checks (name, type, unit, status, message, since, checked_at)
    VALUES (:name, :type, :unit, :status, :message, :checked_at, :checked_at)
    ON CONFLICT (name) DO UPDATE SET
        type = excluded.type, unit = excluded.unit, status = excluded.status, message = excluded.message,
        since = CASE WHEN status = excluded.status THEN since ELSE excluded.checked_at END,
        checked_at = excluded.checked_at
    WHERE excluded.checked_at >= checked_at"""
_OUTCOME = """INSERT OR REPLACE INTO outcomes (check_id, checked_at, status, quiet, duration_s, value)
    SELECT id, :checked_at, :status, :quiet, :duration_s, :value FROM checks WHERE name = :name"""


class Check(NamedTuple):
    """A check: its last status, and since when (seconds since the epoch) it has had it."""

    id: int
    name: str
    type: str
    unit: str
    status: str
    message: str
    since: float
    checked_at: float


class Kept(NamedTuple):
    """One outcome. `value` is None if nothing was measured."""

    checked_at: float
    status: str
    quiet: bool
    duration_s: float
    value: Optional[float]


def append(path: str, outcomes: Sequence[Outcome], keep_within: float, now: float) -> int:
    """Store outcomes, and delete those that are older than `keep_within` seconds, in one transaction.

    A check without outcomes is deleted. Earlier outcomes that are dated later than now were written while the clock was
    ahead: they keep their order, and get times just before these outcomes.

    Returns the number of earlier outcomes that were dated later than now.

    Raises TargetError when the file is not a history, is damaged, lies in a directory where others could plant files,
    or stays locked; NoSpace when the disk is full. Nothing is changed then.
    """
    location = _writable(path)
    rows = [dict(one._asdict(), quiet=int(one.quiet), value=_finite(one.value)) for one in outcomes]
    for row in rows:
        del row["metrics"]
        for column in ("name", "message"):  # a file name can contain bytes that SQLite's text can't
            row[column] = row[column].encode("utf-8", "replace").decode("utf-8")
    with _open(location, "rwc", TargetError) as connection:
        connection.execute("BEGIN IMMEDIATE")
        _check(connection, location, TargetError, create=True)
        ahead = _bring_back(connection, now, min([now, *(one.checked_at for one in outcomes)]))
        connection.executemany(_LAST, rows)
        connection.executemany(_OUTCOME, rows)
        for (check_id,) in connection.execute("SELECT id FROM checks").fetchall():
            connection.execute(
                "DELETE FROM outcomes WHERE check_id = ? AND checked_at < ?", (check_id, now - keep_within)
            )
        connection.execute("DELETE FROM checks WHERE NOT EXISTS (SELECT 1 FROM outcomes WHERE check_id = checks.id)")
        connection.execute("COMMIT")
    return ahead


def _bring_back(connection: sqlite3.Connection, now: float, before: float) -> int:
    """Give outcomes that are dated later than now times just before `before`. Returns their number."""
    ahead = connection.execute(
        "SELECT check_id, checked_at FROM outcomes WHERE checked_at > ? ORDER BY check_id, checked_at DESC",
        (now + AHEAD,),
    ).fetchall()
    place: dict[int, float] = {}
    for key in ahead:
        place[key[0]] = place.get(key[0], before) - 0.001
        connection.execute(
            "UPDATE OR REPLACE outcomes SET checked_at = ? WHERE check_id = ? AND checked_at = ?",
            (place[key[0]], *key),
        )
    connection.execute(
        "UPDATE checks SET since = min(since, ?1), checked_at = min(checked_at, ?1) WHERE max(since, checked_at) > ?2",
        (before, now + AHEAD),
    )
    return len(ahead)


def check_history(path: str) -> None:
    """Raise TargetError when no history can be written here. Reads only."""
    location = resolve(path, TargetError)
    directory = os.path.dirname(location)
    if os.path.isdir(directory):
        _check_directory(location)
    if os.path.lexists(location) and os.path.getsize(location):
        with History(location):
            pass


class History:
    """A history that is read as of one time. Nothing is written, except that the transaction of a killed writer is
    rolled back.

    No time that it returns is later than `now`, by default the clock of the host.

    Raises SourceError when the file is not a history or is damaged.
    """

    def __init__(self, path: str, now: Optional[float] = None) -> None:
        self.path = path
        self._now = time.time() if now is None else now
        self._stack = contextlib.ExitStack()
        self._connection: Optional[sqlite3.Connection] = None

    def __enter__(self) -> History:
        location = resolve(self.path, SourceError)
        try:
            self._begin(location, "ro")
        except _Unfinished:
            self._begin(location, "rw")
        return self

    def _begin(self, location: str, mode: str) -> None:
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(_open(location, mode, SourceError))
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            _check(connection, location, SourceError, create=False)
            self._connection = connection
            self._stack = stack.pop_all()

    def __exit__(self, *raised: object) -> None:
        self._connection = None
        self._stack.close()

    def checks(self) -> list[Check]:
        """All checks, by name."""
        rows = self._rows(
            "SELECT id, name, type, unit, status, message, min(since, ?1), min(checked_at, ?1) FROM checks"
            " ORDER BY name",
            (self._now,),
        )
        return [Check(*row) for row in rows]

    def ahead(self) -> int:
        """The number of outcomes that are dated later than now, because the clock was ahead."""
        (row,) = self._rows("SELECT count(*) FROM outcomes WHERE checked_at > ?", (self._now + AHEAD,))
        return int(row[0])

    def kept(self, check: Check, after: float) -> list[Kept]:
        """The outcomes of one check since a time, oldest first."""
        rows = self._rows(
            "SELECT checked_at, status, quiet, duration_s, value FROM outcomes"
            " WHERE check_id = ? AND checked_at >= ? ORDER BY checked_at",
            (check.id, after),
        )
        return [Kept(min(row[0], self._now), row[1], bool(row[2]), row[3], row[4]) for row in rows]

    def bad_runs(self, check: Check) -> Iterator[Kept]:
        """The outcomes since the check was last ok, newest first, without skipped ones.

        An outcome that is dated later than now has its own time here: it is not a recent alarm.
        """
        rows = self._rows(
            "SELECT checked_at, status, quiet, duration_s, value FROM outcomes"
            " WHERE check_id = ? AND status != ? ORDER BY checked_at DESC",
            (check.id, SKIPPED),
        )
        for row in rows:
            if row[1] == OK:
                return
            yield Kept(row[0], row[1], bool(row[2]), row[3], row[4])

    def _rows(self, sql: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        if self._connection is None:
            raise SourceError(f"{self.path} is not open.")
        with _sqlite_errors(self.path, SourceError):
            yield from self._connection.execute(sql, values)


class _Unfinished(SourceError):
    """The journal of a killed writer exists, and a read-only connection can't roll it back."""


def _writable(path: str) -> str:
    """The path of the file, with an existing directory. Raises TargetError when it can't be created."""
    location = resolve(path, TargetError)
    with os_errors(TargetError, "Can't create", os.path.dirname(location)):
        make_private_directory(os.path.dirname(location))
    _check_directory(location)
    return location


def _check_directory(location: str) -> None:
    directory = os.path.dirname(location)
    # SQLite opens the journal beside the file by name, and trusts its content.
    if others_can_write(directory):
        raise TargetError(
            f"The history {location} is in a directory that other users can write to.",
            f"Choose a directory that only its owner can write to, or run: chmod go-w {directory}",
        )
    if os.path.lexists(location) and not stat.S_ISREG(os.lstat(location).st_mode):
        raise TargetError(
            f"{location} is not a regular file.", "Set history to the path of a history file, or of a new file."
        )


@contextlib.contextmanager
def _open(location: str, mode: str, kind: type[Day2Error]) -> Iterator[sqlite3.Connection]:
    with _sqlite_errors(location, kind):
        uri = f"file:{quote(os.fsencode(location))}?mode={mode}"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=TIMEOUT, isolation_level=None)) as connection:
            yield connection


@contextlib.contextmanager
def _sqlite_errors(location: str, kind: type[Day2Error]) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as exc:
        said = str(exc)
        if "disk is full" in said:
            raise NoSpace(
                f"Can't write the history {location}: {said}.", "Nothing was changed. Free some space and run again."
            ) from exc
        if "locked" in said:
            waited = format_duration(TIMEOUT)
            raise kind(f"The history {location} was locked by another run for {waited}.", "Run again.") from exc
        if kind is SourceError and "readonly" in said:
            raise _Unfinished(
                f"The history {location} has an unfinished write, which this user can't roll back.",
                "The next health_check that writes to it will roll it back.",
            ) from exc
        if isinstance(exc, sqlite3.OperationalError):  # missing, no permission, input/output error
            raise kind(f"Can't open the history {location}: {said}.", "Check its permissions, and the disk.") from exc
        raise kind(
            f"The history {location} is damaged, or not a history: {said}.",
            "It was not changed. Set another path, or move the file elsewhere: the next health_check will create "
            "a new history.",
        ) from exc


def _check(connection: sqlite3.Connection, location: str, kind: type[Day2Error], create: bool) -> None:
    """Check that the file is a history. An empty file becomes one, if it can be written."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == APPLICATION_ID:
        if version != VERSION:
            raise kind(
                f"The history {location} has version {version}; this collection supports version {VERSION}.",
                "Upgrade the collection, or set another path.",
            )
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    # SQLite itself would treat a file of a few bytes as empty, and overwrite it.
    if application or version or tables or os.path.getsize(location) or not create:
        raise kind(f"{location} is not a history of health checks.", "It was not changed. Set another path.")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _finite(value: Optional[float]) -> Optional[float]:
    return value if value is not None and math.isfinite(value) else None


def ahead_warning(path: str, count: int) -> str:
    """The warning about outcomes that are dated later than now; None without any."""
    many = "1 outcome is" if count == 1 else f"{count} outcomes are"
    return (
        f"{path}: {many} dated later than now, as the clock was ahead. Their times were replaced with the current time."
    )
