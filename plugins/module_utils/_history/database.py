# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that keeps what health checks found.

A SQLite database with a rollback journal: a reader needs no right to write beside it, and it is one file. Each run is
one transaction. A status's beginning is kept beside the outcomes, as it may be older than what pruning leaves.
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
# A run that is told later than a newer one does not change what was found last. Columns after SET are the old ones.
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
    """What is known of one check: its last status, and since when (seconds since the epoch) it has had it."""

    id: int
    name: str
    type: str
    unit: str
    status: str
    message: str
    since: float
    checked_at: float


class Kept(NamedTuple):
    """One outcome. `value` is None where nothing was measured."""

    checked_at: float
    status: str
    quiet: bool
    duration_s: float
    value: Optional[float]


def append(path: str, outcomes: Sequence[Outcome], keep_within: float, now: float) -> int:
    """Keep outcomes, and forget those that are older than `keep_within` seconds. All or nothing.

    A check that has no outcome left is forgotten whole. Earlier outcomes that are dated later than now were written
    while the clock was ahead: they keep their order, and get times just before these outcomes.

    :returns: how many earlier outcomes were dated later than now.
    :raises TargetError: not a history, damaged, in a directory where others could plant files, locked for too long.
    :raises NoSpace: the disk is full; nothing was changed.
    """
    location = _writable(path)
    rows = [dict(one._asdict(), quiet=int(one.quiet), value=_finite(one.value)) for one in outcomes]
    for row in rows:
        del row["metrics"]
        for column in ("name", "message"):  # a file's name can hold what SQLite's text can't
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
    """Give outcomes that are dated later than now times just before `before`. Returns how many there were."""
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
    """Before anything runs: can a history be kept here? Reads only. Raises TargetError."""
    location = resolve(path, TargetError)
    directory = os.path.dirname(location)
    if os.path.isdir(directory):
        _check_directory(location)
    if os.path.lexists(location) and os.path.getsize(location):
        with History(location):
            pass


class History:
    """A history that is read, as of one moment. Nothing is written, but a killed writer's transaction is taken back.

    No time that it returns is later than `now`, by default the host's clock.

    :raises SourceError: not a history, or damaged.
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
        """How many outcomes are dated later than now, because the clock was ahead."""
        (row,) = self._rows("SELECT count(*) FROM outcomes WHERE checked_at > ?", (self._now + AHEAD,))
        return int(row[0])

    def kept(self, check: Check, after: float) -> list[Kept]:
        """The outcomes of one check since a moment, oldest first."""
        rows = self._rows(
            "SELECT checked_at, status, quiet, duration_s, value FROM outcomes"
            " WHERE check_id = ? AND checked_at >= ? ORDER BY checked_at",
            (check.id, after),
        )
        return [Kept(min(row[0], self._now), row[1], bool(row[2]), row[3], row[4]) for row in rows]

    def bad_runs(self, check: Check) -> Iterator[Kept]:
        """The outcomes since the check was last ok, newest first, without those that were skipped.

        An outcome that is dated later than now has its own time here: it is no alarm of a moment ago.
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
    """A killed writer's journal is there, and reading alone does not take it back."""


def _writable(path: str) -> str:
    """Where the file is, with a directory to put it in. Raises TargetError."""
    location = resolve(path, TargetError)
    with os_errors(TargetError, "Can't create", os.path.dirname(location)):
        make_private_directory(os.path.dirname(location))
    _check_directory(location)
    return location


def _check_directory(location: str) -> None:
    directory = os.path.dirname(location)
    # SQLite opens the journal beside the file by its name, and believes what is in it.
    if others_can_write(directory):
        raise TargetError(
            f"The history {location} lies in a directory that other users can write.",
            f"Choose a directory that only its user can write, or: chmod go-w {directory}",
        )
    if os.path.lexists(location) and not stat.S_ISREG(os.lstat(location).st_mode):
        raise TargetError(f"{location} is not a regular file.", "Name the history's own file.")


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
                f"Can't write the history {location}: {said}.", "Nothing was changed. Free some space."
            ) from exc
        if "locked" in said:
            waited = format_duration(TIMEOUT)
            raise kind(f"The history {location} was locked by another run for {waited}.", "Run again.") from exc
        if kind is SourceError and "readonly" in said:
            raise _Unfinished(
                f"The history {location} was left in the middle of a write, and can't be mended by this user.",
                "The next health_check that writes it mends it.",
            ) from exc
        if isinstance(exc, sqlite3.OperationalError):  # not there, no permission, input/output
            raise kind(
                f"Can't open the history {location}: {said}.", "Look at its permissions, and at its disk."
            ) from exc
        raise kind(
            f"The history {location} is damaged, or no history: {said}.",
            "It was not changed. Name another file, or move this one away: the next health_check begins a new one.",
        ) from exc


def _check(connection: sqlite3.Connection, location: str, kind: type[Day2Error], create: bool) -> None:
    """Is it ours? An empty file becomes a history when it may."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == APPLICATION_ID:
        if version != VERSION:
            raise kind(
                f"The history {location} has version {version}; this is version {VERSION}.",
                "Update the collection, or name another file.",
            )
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    # SQLite itself would take a file of a few bytes for an empty one, and overwrite it.
    if application or version or tables or os.path.getsize(location) or not create:
        raise kind(f"{location} is not a history of health checks.", "It was not changed. Name another file.")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _finite(value: Optional[float]) -> Optional[float]:
    return value if value is not None and math.isfinite(value) else None


def ahead_warning(path: str, count: int) -> str:
    """What to say of outcomes that are dated later than now."""
    many = "1 outcome is" if count == 1 else f"{count} outcomes are"
    return f"{path}: {many} dated later than now, because the clock was ahead. Their times count as now."
