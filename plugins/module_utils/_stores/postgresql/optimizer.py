# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Optimizes the tables of a schema of PostgreSQL: VACUUM, ANALYZE, and REINDEX CONCURRENTLY of indexes that are half
empty. Nothing here locks readers or writers out.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core import files, host_state
from ..._core.errors import Cancelled, Day2Error, TargetError
from ..._core.progress import Progress
from ..records.inspection import Figures, moment
from ..records.optimizing import (
    ANALYZE,
    DROP_INDEX,
    REINDEX,
    VACUUM,
    Held,
    NotDone,
    OptimizePlan,
    OptimizeStep,
    OutOfTime,
    Until,
    Wanted,
)
from .client import connect, errors
from .ddl import qualified
from .inspection import Index, PostgresqlInspection, indexes_of, leaf_density, stat_functions

_STATE = "optimize"  # how full an index was after its REINDEX, by its name
_RATE = 20 << 20  # bytes a second that are read or written on a slow host
_FEW_DEAD = 50  # rows that are not worth a VACUUM, whatever their share is; as for autovacuum
_PATIENCE = 10_000  # milliseconds to wait for locks and for transactions that began before a REINDEX
_FILLED = 90.0  # percent of a leaf page that a new index fills
_HALF = 2 / 3  # an index is worth a REINDEX if it is filled to less than this part of that
_ESTIMATE = 50.0  # percent of free space below which an estimate says nothing
_LEFT = re.compile(r"(.+)_cc(?:new|old)[0-9]*", re.DOTALL)
_CANCELLED, _LOCKED = "57014", "55P03"
_TABLES = """
SELECT c.relname, pg_has_role(c.relowner, 'USAGE') OR pg_has_role(d.datdba, 'USAGE'),
  s.n_mod_since_analyze, s.n_live_tup, greatest(s.last_vacuum, s.last_autovacuum),
  greatest(s.last_analyze, s.last_autoanalyze)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_database d ON d.datname = current_database()
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE n.nspname = %s AND c.relkind IN ('r', 'm') ORDER BY c.relname"""
_OLDEST = """
SELECT min(xact_start) FROM pg_stat_activity
WHERE backend_xmin IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()"""
_DEFINITIONS = """
SELECT i.oid, pg_get_indexdef(i.oid), (
  SELECT option_value::float8 FROM pg_options_to_table(i.reloptions) WHERE option_name = 'fillfactor'),
  EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype = 'x'), i.reltablespace <> 0
FROM pg_class i JOIN pg_namespace n ON n.oid = i.relnamespace WHERE n.nspname = %s AND i.relkind = 'i'"""
_NOT_OWNED = "only its owner, the owner of the database or a superuser can do this"


class _Table(NamedTuple):
    owned: bool
    changed: Optional[int]
    live: Optional[int]
    last_vacuum: Any
    last_analyze: Any


class _Definition(NamedTuple):
    text: str
    fillfactor: Optional[float]
    exclusion: bool
    elsewhere: bool  # in a tablespace

    @property
    def columns(self) -> str:
        """All of it but the name."""
        return self.text.partition(" ON ")[2]


class PostgresqlOptimizer:
    """The tables of a schema."""

    type = "postgresql"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._schema: str = options.get("schema") or "public"
        self.location = PostgresqlInspection(options).location
        self._session: Any = None
        self._told: list[str] = []  # warnings of the server
        self._truncate = False
        self._below: dict[str, float] = {}  # the densities below which indexes are worth a REINDEX

    def __enter__(self) -> PostgresqlOptimizer:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._session is not None:
            self._session.close()

    @property
    def _connection(self) -> Any:
        if self._session is None:
            self._session = connect(self._options)
            self._session.add_notice_handler(self._tell)
        return self._session

    def _tell(self, diagnosis: Any) -> None:
        if diagnosis.severity_nonlocalized == "WARNING":
            self._told.append(str(diagnosis.message_primary))

    def lock(self) -> bool:
        with errors(TargetError, "Can't lock the schema"):
            row = self._connection.execute(
                "SELECT pg_try_advisory_lock(hashtext(%s))", (f"day2 store_optimize of {self._schema}",)
            ).fetchone()
        return bool(row[0])

    def plan(self, wanted: Wanted, progress: Progress) -> OptimizePlan:
        with errors(TargetError, "Can't read the catalog"):
            if self._connection.execute("SELECT pg_is_in_recovery()").fetchone()[0]:
                raise TargetError(f"{self.location} is a standby, where nothing can be optimized.", "Use its primary.")
        before = self._look(progress, wanted.min_bytes_freed)
        self._truncate = wanted.in_window
        with errors(TargetError, "Can't read the catalog"):
            planner = _Planner(self._connection, self._schema, self.location, before, wanted)
            planner.tables()
            if wanted.reindex:
                planner.leftovers()
                planner.indexes(self._free_bytes())
            self._below = planner.below
        return OptimizePlan(planner.steps, planner.held, before, notes=planner.notes)

    def _look(self, progress: Progress, least_index: int = 0) -> Figures:
        with PostgresqlInspection(self._options, counting=False, least_index=least_index) as inspection:
            return inspection.figures(True, progress)

    def after(self, progress: Progress) -> Figures:
        return self._look(progress, 1 << 62)  # the density of indexes is not asked for any more

    def _free_bytes(self) -> Optional[int]:
        """Free space where the server keeps its data; None if it can't be determined."""
        host = self._options.get("host")
        if host and not host.startswith("/"):
            return None
        try:
            with errors(TargetError, "data_directory"):
                directory = self._connection.execute("SHOW data_directory").fetchone()[0]
            return files.free_bytes(directory) if os.path.isdir(directory) else None
        except (Day2Error, OSError):
            return None

    def apply(self, step: OptimizeStep, until: Until, progress: Progress) -> list[str]:
        progress.start(f"{step.action.replace('_', ' ').capitalize()} of {step.name}")
        name = qualified(self._schema, step.name)
        statement = {
            VACUUM: f"VACUUM (TRUNCATE {'true' if self._truncate else 'false'}) {name}",
            ANALYZE: f"ANALYZE {name}",
            REINDEX: f"REINDEX INDEX CONCURRENTLY {name}",
            DROP_INDEX: f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
        }[step.action]
        self._told.clear()
        try:
            with _cancelled_with(self._connection), errors(TargetError, f"{step.action} of {step.name}"):
                self._limit(until)
                if step.action == DROP_INDEX:
                    self._check_left(step.name)
                elif step.action == REINDEX:
                    self._check_density(step.name)
                self._connection.execute(statement)
        except TargetError as exc:
            if step.action == REINDEX:
                self._drop_own(step.name)
            state = getattr(exc.__cause__, "sqlstate", "")
            if state == _CANCELLED and until.left is not None:
                raise OutOfTime from None
            if state == _LOCKED:
                raise NotDone("locked by another session, or an old transaction is still running") from None
            raise
        if self._told:  # without the right, VACUUM and ANALYZE only warn
            raise TargetError(f"{step.action} of {step.name}: {'; '.join(self._told)}.")
        if step.action == REINDEX:
            self._remember(step.name)
        return []

    def _limit(self, until: Until) -> None:
        left = until.left
        self._connection.execute(f"SET lock_timeout = {_PATIENCE}")
        self._connection.execute(f"SET statement_timeout = {0 if left is None else max(1, int(left * 1000))}")

    def _check_left(self, name: str) -> None:
        index = next((one for one in indexes_of(self._connection, self._schema) if one.name == name), None)
        if index is not None and (index.valid or index.building):
            raise NotDone("another session is using or building it")

    def _density(self, name: str) -> Any:
        index = next((one for one in indexes_of(self._connection, self._schema) if one.name == name), None)
        tuples = stat_functions(self._connection)
        return leaf_density(self._connection, tuples, index.oid) if index is not None and tuples else None

    def _check_density(self, name: str) -> None:
        """Measure it again: before VACUUM, this was an estimate."""
        density = self._density(name)
        if not isinstance(density, float):
            raise NotDone("it was dropped, or the density of its leaf pages can no longer be measured")
        if density >= self._below.get(name, _FILLED):
            raise NotDone(f"it is no longer worthwhile: its leaf pages are {density} % full")

    def _drop_own(self, name: str) -> None:
        """Remove what a REINDEX of ours that failed has left. Otherwise the next run does."""
        with contextlib.suppress(TargetError, NotDone), errors(TargetError, "drop"):
            self._limit(Until(None))
            for one in indexes_of(self._connection, self._schema):
                match = _LEFT.fullmatch(one.name)
                if match and match[1] == name and not one.valid and not one.building:
                    self._connection.execute(f"DROP INDEX CONCURRENTLY {qualified(self._schema, one.name)}")

    def _remember(self, name: str) -> None:
        """Keep how full an index is when it is new: large keys do not fill a page."""
        with contextlib.suppress(Day2Error), errors(TargetError, name):
            density = self._density(name)
            if isinstance(density, float):
                host_state.write({"leaf_density": density, "index": name}, _STATE, _key(self.location, name))


class _Planner:
    """Decides what is worth doing."""

    def __init__(self, connection: Any, schema: str, location: str, before: Figures, wanted: Wanted) -> None:
        self.steps: list[OptimizeStep] = []
        self.held: list[Held] = []
        self.notes: list[str] = []
        self.below: dict[str, float] = {}
        self._connection = connection
        self._schema = schema
        self._location = location
        self._before = before
        self._wanted = wanted
        rows = connection.execute(_TABLES, (schema,)).fetchall()
        self._tables = {name: _Table(*rest) for name, *rest in rows}

    def tables(self) -> None:
        """VACUUM and ANALYZE."""
        (oldest,) = self._connection.execute(_OLDEST).fetchone()
        for figures in self._before.get("collections"):
            name = figures.get("name")
            table = self._tables.get(name)
            if table is None:  # dropped meanwhile
                continue
            if self._wanted.vacuum == "auto":
                self._vacuum(name, table, figures, oldest)
            if self._wanted.analyze:
                self._analyze(name, table, figures)

    def _add(self, action: str, name: str, table: _Table, reason: str, size: int) -> None:
        if table.owned:
            self.steps.append(OptimizeStep(action, name, reason, 1 + size / _RATE))
        else:
            self.held.append(Held(action, name, _NOT_OWNED, True))

    def _vacuum(self, name: str, table: _Table, figures: Figures, oldest: Any) -> None:
        dead, share = figures.get("dead_rows"), figures.get("dead_percent")
        if dead is None:
            self.held.append(Held(VACUUM, name, "the number of its dead rows is unknown"))
        elif dead >= _FEW_DEAD and share is not None and share >= self._wanted.dead_rows:
            if oldest is not None and table.last_vacuum is not None and oldest < table.last_vacuum:
                self.held.append(Held(VACUUM, name, f"a transaction since {moment(oldest)} still sees its dead rows"))
            else:
                size = figures.get("bytes") + figures.get("index_bytes")
                self._add(VACUUM, name, table, f"{share:g} % of its rows are dead ({dead})", size)
        free, part = figures.get("free_bytes"), figures.get("free_percent")
        least = max(self._wanted.free, _ESTIMATE) if figures.is_estimated("free_percent") else self._wanted.free
        if free is not None and part is not None and part >= least and free >= max(1, self._wanted.min_bytes_freed):
            reason = (
                f"{part:g} % of it is free, which new rows will use. Only VACUUM FULL, which locks it, can shrink it"
            )
            self.held.append(Held("vacuum_full", name, reason))

    def _analyze(self, name: str, table: _Table, figures: Figures) -> None:
        if not figures.get("bytes") or table.changed is None or table.live is None:
            return
        if table.last_analyze is None and (table.live or table.changed):
            reason = "it was not analyzed since its statistics began"
        elif table.changed > _FEW_DEAD + table.live / 10:
            reason = f"{table.changed} of its rows were changed since"
        else:
            return
        self._add(ANALYZE, name, table, reason, 0)

    def leftovers(self) -> None:
        """Invalid indexes: those of a REINDEX that was cancelled are dropped, others are reported."""
        indexes = {one.name: one for one in indexes_of(self._connection, self._schema)}
        definitions = self._definitions()
        for one in indexes.values():
            if one.valid or one.building:
                continue
            match = _LEFT.fullmatch(one.name)
            base = indexes.get(match[1]) if match else None
            if base is not None and _same(one, base, definitions):
                reason = f"it is a leftover of a REINDEX of {base.name}, and slows down each write"
                table = self._tables.get(one.table)
                if table is not None:
                    self._add(DROP_INDEX, one.name, table, reason, 0)
            else:
                self.held.append(Held(DROP_INDEX, one.name, "it is invalid: REINDEX or drop it manually"))

    def _definitions(self) -> dict[int, _Definition]:
        rows = self._connection.execute(_DEFINITIONS, (self._schema,)).fetchall()
        return {oid: _Definition(*rest) for oid, *rest in rows}

    def indexes(self, room: Optional[int]) -> None:
        """REINDEX.

        :param room: free bytes of the server; None if that can't be determined.
        """
        definitions = self._definitions()
        figures = {one.get("name"): one for one in self._before.get("indexes")}
        vacuumed = {one.name for one in self.steps if one.action == VACUUM}
        dead = {one.get("name"): one.get("dead_percent") for one in self._before.get("collections")}
        for index in indexes_of(self._connection, self._schema):
            density = figures[index.name].get("leaf_density") if index.name in figures else None
            definition, table = definitions.get(index.oid), self._tables.get(index.table)
            if density is None or definition is None or table is None:
                continue
            after = ""
            if index.table in vacuumed:  # which removes the entries of dead rows
                density, after = density * (1 - dead[index.table] / 100), "after VACUUM "
            full = _full(self._location, index.name, definition)
            win = round(index.bytes * (1 - density / full))
            if density >= full * _HALF or win < self._wanted.min_bytes_freed:
                continue
            problem = self._room(index, definition, room)
            if problem:
                self.held.append(Held(REINDEX, index.name, problem, True))
            else:
                self.below[index.name] = full * _HALF
                reason = f"{after}its leaf pages are {density:.0f} % full, new ones {full:.0f} %"
                self._add(REINDEX, index.name, table, reason, 2 * index.bytes)
        if not stat_functions(self._connection):
            self.held.append(
                Held(REINDEX, self._schema, "the extension pgstattuple, which measures indexes, is missing")
            )

    def _room(self, index: Index, definition: _Definition, room: Optional[int]) -> str:
        """Why an index can't be built anew, or ""."""
        if definition.exclusion:
            return "it belongs to an exclusion constraint, which PostgreSQL can't reindex concurrently"
        if room is None or definition.elsewhere:
            self.notes.append(f"Whether there are {index.bytes} free bytes for {index.name} can't be determined.")
        elif room < index.bytes + index.bytes // 4:
            return f"it needs {index.bytes + index.bytes // 4} bytes, and {room} are free"
        return ""


def _full(location: str, name: str, definition: _Definition) -> float:
    """How full an index is when it is new, in percent."""
    kept: Any = host_state.read(_STATE, _key(location, name)).get("leaf_density")
    if isinstance(kept, (int, float)) and 0 < kept <= 100:
        return float(kept)
    return definition.fillfactor or _FILLED


def _same(left: Index, base: Index, definitions: Mapping[int, _Definition]) -> bool:
    """Whether an index is another form of a valid one."""
    if not base.valid or (left.table, left.unique) != (base.table, base.unique):
        return False
    found: Sequence[Optional[_Definition]] = [definitions.get(one.oid) for one in (left, base)]
    return None not in found and len({one.columns for one in found if one is not None}) == 1


def _key(location: str, name: str) -> str:
    return hashlib.sha256(f"{location}/{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


@contextlib.contextmanager
def _cancelled_with(connection: Any) -> Iterator[None]:
    """End the statement on the server, too, if the task is cancelled."""
    try:
        yield
    except Cancelled:
        with contextlib.suppress(TargetError), errors(TargetError, "cancel"):
            connection.cancel()
        raise
