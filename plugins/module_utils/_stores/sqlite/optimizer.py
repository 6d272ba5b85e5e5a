# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Optimizes an SQLite database in place: VACUUM, ANALYZE, and the settings that are stored in its file."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional

from ..._core import files, host_state
from ..._core.errors import Cancelled, Day2Error, NoSpace, SourceError, TargetError
from ..._core.file_lock import FileLock
from ..._core.open_files import sees_all
from ..._core.progress import Progress
from ..._core.units import format_size, plural
from ..records.inspection import Figures
from ..records.optimizing import (
    ANALYZE,
    AUTO_VACUUM,
    INCREMENTAL,
    JOURNAL_MODE,
    VACUUM,
    Held,
    NotDone,
    OptimizePlan,
    OptimizeStep,
    OutOfTime,
    Until,
    Wanted,
)
from .file import PATIENCE, connect, holders, is_busy, open_in, persist, sqlite3, sqlite_errors
from .inspection import NO_DBSTAT, SqliteInspection, pragma
from .schema import identifier, tables

_STATE = "optimize"  # what VACUUM could not win, by path
_RATE = 32 << 20  # bytes a second that VACUUM rewrites on a slow host
_ROWS = 500_000  # a second that ANALYZE reads
_LARGE = 1_000_000  # records, above which ANALYZE takes a sample
_SAMPLE = 1000
_BURST, _GAP = 1000, 0.03  # pages of one transaction, and seconds for writers after it
_STEPS = 10_000  # of SQLite, after which it is looked for the end of the time
_SPARE = 32  # a journal is larger than the pages in it, by less than a part of this
_MODES = ("none", "full", "incremental")
_NO_ID = "Rows of {} have no INTEGER PRIMARY KEY and no index: VACUUM may give them new row IDs"


class SqliteOptimizer:
    """A database, optimized by one connection."""

    type = "sqlite"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self.location = self._path = SqliteInspection(options).location
        self._lock = FileLock(self._path)  # that of migrations

    def __enter__(self) -> SqliteOptimizer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._lock.release()

    def lock(self) -> bool:
        with files.os_errors(TargetError, "Can't lock", self._path):
            return self._lock.take()

    def plan(self, wanted: Wanted, progress: Progress) -> OptimizePlan:
        before = self._look(progress)
        if not os.access(self._path, os.W_OK) or not os.access(os.path.dirname(self._path), os.W_OK):
            raise TargetError(f"{self._path}, or its directory, can't be written.", "Run as its owner (become: true).")
        files.check_changeable(self._path)
        self._lock.check(TargetError)
        planner = _Planner(self._path, before, wanted)
        with _connected(self._path, "ro") as connection:
            planner.settings()
            planner.vacuum()
            if wanted.analyze:
                planner.analyze(connection)
            moved = _unkeyed(connection) if any(one.action == VACUUM for one in planner.steps) else []
        notes = []
        if not sees_all():
            notes.append(f"The processes of other users that have {self._path} open can't be seen without root.")
        return OptimizePlan(
            planner.steps, planner.held, before, _NO_ID.format(", ".join(moved)) if moved else "", notes
        )

    def _look(self, progress: Progress) -> Figures:
        with SqliteInspection(self._options) as inspection:
            figures = inspection.figures(True, progress)
        if figures.get("collections") is None:
            raise SourceError(f"{self._path} is a directory.", "Name one of its databases.")
        return figures

    def after(self, progress: Progress) -> Figures:
        return self._look(progress)

    def apply(self, step: OptimizeStep, until: Until, progress: Progress) -> list[str]:
        actions: dict[str, Callable[[sqlite3.Connection], list[str]]] = {
            VACUUM: lambda connection: self._vacuum(connection, step, until, progress),
            INCREMENTAL: lambda connection: self._incremental(connection, until, progress),
            ANALYZE: lambda connection: self._analyze(connection, step, until, progress),
            AUTO_VACUUM: lambda connection: self._auto_vacuum(connection, step.name),
            JOURNAL_MODE: lambda connection: self._journal_mode(connection, step.name),
        }
        stopped = []

        def stop() -> int:
            if until.over():
                stopped.append(True)
                return 1
            progress.check()
            return 0

        progress.start(f"{step.action.replace('_', ' ').capitalize()} of {step.name}")
        try:
            with _connected(self._path, "rw") as connection:
                connection.set_progress_handler(stop, _STEPS)
                return actions[step.action](connection)
        except Cancelled:
            if stopped:  # by `stop`; SQLite has rolled it back
                raise OutOfTime from None
            raise

    def _vacuum(
        self, connection: sqlite3.Connection, step: OptimizeStep, until: Until, progress: Progress
    ) -> list[str]:
        if step.name in _MODES:
            connection.execute(f"PRAGMA auto_vacuum={step.name}")
        persist(lambda: connection.execute("VACUUM").fetchall(), self._path, TargetError, progress, _patience(until))
        connection.set_progress_handler(None, 0)  # it is committed
        notes = []
        in_wal_mode = pragma(connection, "journal_mode") == "wal"
        if in_wal_mode and connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            notes.append(f"{self._path} becomes smaller once its readers have ended, by the next checkpoint.")
        _remember(self._path, connection)
        return notes

    def _incremental(self, connection: sqlite3.Connection, until: Until, progress: Progress) -> list[str]:
        left = all_free = pragma(connection, "freelist_count")
        progress.start(f"Releasing free pages of {self._path}", left, "pages")
        # execute() would run it for one page only
        statement = f"PRAGMA incremental_vacuum({_BURST})"
        while left:
            persist(lambda: connection.executescript(statement), self._path, TargetError, progress, _patience(until))
            now = pragma(connection, "freelist_count")
            if now >= left:  # others free as many
                break
            progress.advance(left - now)
            left = now
            if left and until.over():
                raise OutOfTime(partly=left < all_free)
            time.sleep(_GAP)
        return []

    def _analyze(
        self, connection: sqlite3.Connection, step: OptimizeStep, until: Until, progress: Progress
    ) -> list[str]:
        (count,) = connection.execute(f"SELECT count(*) FROM {identifier(step.name)}").fetchone()
        connection.execute(f"PRAGMA analysis_limit={_SAMPLE if count > _LARGE else 0}")
        statement = f"ANALYZE main.{identifier(step.name)}"
        persist(lambda: connection.execute(statement).fetchall(), self._path, TargetError, progress, _patience(until))
        return []

    def _auto_vacuum(self, connection: sqlite3.Connection, mode: str) -> list[str]:
        connection.execute(f"PRAGMA auto_vacuum={mode}")
        if _MODES[pragma(connection, "auto_vacuum")] != mode:
            raise TargetError(f"{self._path}: auto_vacuum is still not {mode}.")
        return []

    def _journal_mode(self, connection: sqlite3.Connection, mode: str) -> list[str]:
        try:
            (now,) = connection.execute(f"PRAGMA journal_mode={mode}").fetchone()
        except sqlite3.OperationalError as exc:
            if not is_busy(exc):
                raise
            now = ""
        if now != mode:
            raise NotDone("locked: another process has the database open")
        return []


class _Planner:
    """Decides what is worth doing."""

    def __init__(self, path: str, before: Figures, wanted: Wanted) -> None:
        self.steps: list[OptimizeStep] = []
        self.held: list[Held] = []
        self._path = path
        self._name = os.path.basename(path)
        self._before = before
        self._wanted = wanted
        self._holders = holders(path)
        self._mode = ""  # of auto_vacuum, that VACUUM has to set

    def settings(self) -> None:
        """The journal mode, and what can be changed of auto_vacuum without VACUUM."""
        wanted, before = self._wanted, self._before
        mode = wanted.journal_mode
        if mode and mode != before.get("journal_mode"):
            reason = f"it is {before.get('journal_mode')}"
            if self._holders:
                self.held.append(Held(JOURNAL_MODE, mode, f"locked: {open_in(self._holders)}"))
            else:
                self.steps.append(OptimizeStep(JOURNAL_MODE, mode, reason, 1))
        automatic = before.get("auto_vacuum")
        if wanted.auto_vacuum and wanted.auto_vacuum != automatic:
            if "none" in (automatic, wanted.auto_vacuum):
                self._mode = wanted.auto_vacuum
            else:
                self.steps.append(OptimizeStep(AUTO_VACUUM, wanted.auto_vacuum, f"it is {automatic}", 1))

    def vacuum(self) -> None:
        """VACUUM, or its incremental form."""
        wanted, before = self._wanted, self._before
        if wanted.vacuum == "never":
            if self._mode:
                self.held.append(Held(AUTO_VACUUM, self._mode, "this requires vacuum=auto or full", True))
            return
        size, free = before.get("bytes"), before.get("free_bytes")
        if wanted.vacuum == "auto" and before.get("auto_vacuum") == "incremental" and not self._mode:
            self._incremental(size, before.get("free_page_bytes"))
            return
        if self._mode:
            reason = f"auto_vacuum is {before.get('auto_vacuum')}"
        elif free is None:
            self.held.append(Held(VACUUM, self._name, f"the free space is not known: {NO_DBSTAT}"))
            return
        else:
            share, win = _beyond(self._path, size, free)
            if not self._worth(VACUUM, share, win):
                return
            reason = f"{share:.1f} % can be freed ({format_size(win)})"
        used = size - before.get("free_page_bytes")
        step = OptimizeStep(VACUUM, self._mode or self._name, reason, 1 + (size + used) / 2 / _RATE)
        problem = self._live() or self._room(used)
        if problem:
            self.held.append(Held(VACUUM, self._name, problem, True))
        else:
            self.steps.append(step)

    def _incremental(self, size: int, free: int) -> None:
        share = 100.0 * free / size if size else 0.0
        if self._worth(INCREMENTAL, share, free):
            reason = f"{share:.1f} % are free pages ({format_size(free)})"
            pages = free / self._before.get("page_size")
            self.steps.append(OptimizeStep(INCREMENTAL, self._name, reason, 1 + pages / _BURST * (_GAP + 0.05)))

    def _worth(self, action: str, share: float, win: int) -> bool:
        wanted = self._wanted
        if share < wanted.free or not win:
            reason = f"{share:.1f} % can be freed, which is below free ({wanted.free:g} %)"
        elif win < wanted.min_bytes_freed:
            least = format_size(wanted.min_bytes_freed)
            reason = f"{format_size(win)} can be freed, which is below min_bytes_freed ({least})"
        else:
            return True
        self.held.append(Held(action, self._name, reason))
        return False

    def _live(self) -> str:
        if self._holders and not self._wanted.in_window:
            hint = "Set window to a time in which it may wait, or stop it"
            return f"{open_in(self._holders)}, and VACUUM would lock it out. {hint}"
        return ""

    def _room(self, used: int) -> str:
        """Why there is not enough free space for VACUUM, or "". It writes the result twice: to a temporary file, and
        to the journal or log.
        """
        need = used + used // _SPARE + files.LEAST
        places = [os.path.dirname(self._path), _temporary_directory()]
        try:
            if os.stat(places[0]).st_dev == os.stat(places[1]).st_dev:
                places, need = places[:1], 2 * need
            for place in places:
                files.need_space(place, need, "VACUUM")
        except NoSpace as exc:
            return exc.message.rstrip(".")
        return ""

    def analyze(self, connection: sqlite3.Connection) -> None:
        """ANALYZE of tables without statistics, or with those of another size, or with an index that has none.

        `PRAGMA optimize` does not decide: before SQLite 3.46, it only knows tables of which its own connection has run
        queries, and since then it takes the lock of writers even to list what it would do.
        """
        known, indexes = _statistics(connection)
        ordinary = {table.name for table in tables(connection) if not table.module}
        for one in self._before.get("collections"):
            name, records = one.get("name"), one.get("records")
            if name not in ordinary or not records:
                continue
            then = known.get(name)
            if then is None:
                reason = "it has no statistics"
            elif not then / 2 <= records <= then * 2 and records <= _LARGE:
                reason = f"it had {plural(then, 'record')} when it was analyzed, and has {records}"
            else:
                new = sorted(_indexes(connection, name) - indexes)
                if not new:
                    continue
                reason = f"the index {new[0]} has no statistics"
            self.steps.append(OptimizeStep(ANALYZE, name, reason, 0.1 + min(records, _LARGE) / _ROWS))


def _patience(until: Until) -> float:
    """How long to wait for locks of others."""
    left = until.left
    return PATIENCE if left is None else min(PATIENCE, max(0.0, left))


@contextlib.contextmanager
def _connected(path: str, mode: str) -> Iterator[sqlite3.Connection]:
    with (
        sqlite_errors(TargetError, "Can't optimize", path, "Nothing was changed by this step."),
        contextlib.closing(connect(path, mode)) as connection,
    ):
        connection.execute("PRAGMA busy_timeout=1000")
        yield connection


def _statistics(connection: sqlite3.Connection) -> tuple[dict[str, int], set[str]]:
    """The number of records of each table when it was analyzed, and the indexes that were."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone():
        return {}, set()
    found: dict[str, int] = {}
    indexes = set()
    for table, index, words in connection.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall():
        indexes.add(index)
        first = str(words).split(" ", maxsplit=1)[0]
        if first.isdigit():  # partial indexes have fewer
            found[table] = max(found.get(table, 0), int(first))
    return found, indexes


def _indexes(connection: sqlite3.Connection, table: str) -> set[str]:
    """The indexes that a table got by CREATE INDEX, but no partial ones: while empty, they have no statistics."""
    rows = connection.execute(f"PRAGMA index_list({identifier(table)})").fetchall()
    return {name for _number, name, _unique, origin, partial in rows if origin == "c" and not partial}


def _unkeyed(connection: sqlite3.Connection) -> list[str]:
    """The tables whose row IDs VACUUM may change, and that have nothing else by which others could refer to a row."""
    found = []
    for table in tables(connection):
        name = identifier(table.name)
        if table.module or connection.execute(f"PRAGMA index_list({name})").fetchone():
            continue
        columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
        keyed = any(one[5] and one[2].upper() == "INTEGER" for one in columns)
        if not keyed and connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone():
            found.append(table.name)
    return found


def _temporary_directory() -> str:
    """Where SQLite writes the temporary file of VACUUM."""
    for place in (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp"):  # noqa: S108
        if place and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
            return place
    return "."


def _key(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:32]


def _beyond(path: str, size: int, free: int) -> tuple[float, int]:
    """The share in percent and the bytes that VACUUM can win: large rows leave space that it can't."""
    kept: Any = host_state.read(_STATE, _key(path)).get("free_percent")
    share = 100.0 * free / size if size else 0.0
    if isinstance(kept, (int, float)) and 0 <= kept <= 100:
        share = max(0.0, share - kept)
    return share, round(size * share / 100)


def _remember(path: str, connection: sqlite3.Connection) -> None:
    """Keep what is free after a VACUUM."""
    (size,) = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    unused: Optional[int] = None
    with contextlib.suppress(sqlite3.OperationalError):  # no dbstat
        (unused,) = connection.execute("SELECT sum(unused) FROM dbstat").fetchone()
    if size and unused is not None:
        with contextlib.suppress(Day2Error):  # the next run may try once more
            host_state.write({"path": path, "free_percent": round(100.0 * unused / size, 2)}, _STATE, _key(path))
