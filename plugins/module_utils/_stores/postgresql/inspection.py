# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a schema of PostgreSQL says of itself: by its catalog, its statistics, and pgstattuple if it is installed."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional

from ..._core.errors import SourceError
from ..._core.progress import Progress
from ..records.inspection import OF_INDEX, Figures, moment, percent
from ..records.versions import TABLE as VERSIONS
from .client import connect, errors, identifier, with_values
from .ddl import qualified
from .versions import read_versions

SHALLOW = "only known with deep=true, which reads the tables"
_NO_STATISTICS = "the server has no statistics of it, for example because they were reset or it crashed"
_SCHEMA = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
_DATABASES = """
SELECT datname, CASE WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'MEMBER')
  THEN pg_database_size(oid) END, pg_get_userbyid(datdba), pg_encoding_to_char(encoding)
FROM pg_database WHERE NOT datistemplate ORDER BY datname"""
_SETTINGS = ("server_version", "autovacuum", "track_counts")
# Partitioned tables store nothing themselves; their partitions are listed.
_TABLES = """
SELECT c.oid, c.relname, p.relname, pg_table_size(c.oid), pg_indexes_size(c.oid),
  pg_relation_size(c.oid), c.reltuples::float8, c.relpages, s.n_live_tup, s.n_dead_tup,
  greatest(s.last_vacuum, s.last_autovacuum), greatest(s.last_analyze, s.last_autoanalyze),
  current_setting('block_size')::int
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relispartition LEFT JOIN pg_class p ON p.oid = i.inhparent
WHERE n.nspname = %s AND c.relkind IN ('r', 'm') ORDER BY c.relname"""
# Bytes that the rows of a table should take: their columns, a header of 24 and a pointer of 4.
_WIDTH = """
SELECT sum((1 - null_frac) * avg_width)::float8 + 28, count(*)
FROM pg_stats WHERE schemaname = %s AND tablename = %s AND NOT inherited"""
_COLUMNS = "SELECT count(*) FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped"
_INDEXES = """
SELECT i.oid, i.relname, c.relname, m.amname, pg_relation_size(i.oid), x.indisunique, x.indisvalid, x.indisready,
  EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x')),
  x.indisreplident, s.idx_scan, EXISTS (
    -- what others build is hidden from roles without pg_read_all_stats
    SELECT FROM pg_stat_progress_create_index b
    WHERE b.datname = current_database() AND (b.relid = c.oid OR b.relid IS NULL))
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = i.relam
LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = i.oid
WHERE n.nspname = %s AND i.relkind = 'i' ORDER BY c.relname, i.relname"""
_RESET = "SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()"
_UNINDEXED = """
SELECT c.relname, f.relname, (
  SELECT array_agg(a.attname::text ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY u(num, n)
  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class f ON f.oid = k.confrelid
WHERE n.nspname = %s AND k.contype = 'f' AND k.conparentid = 0 AND NOT EXISTS (
  SELECT FROM pg_index x WHERE x.indrelid = k.conrelid AND x.indpred IS NULL AND (x.indisvalid OR c.relkind = 'p')
  AND (x.indkey::int2[])[0 : cardinality(k.conkey) - 1] @> k.conkey)
ORDER BY c.relname, k.conname"""
_EXTENSION = """
SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pgstattuple'"""


class Index(NamedTuple):
    """An index in the catalog. `building`: a session builds indexes of its table now."""

    oid: int
    name: str
    table: str
    method: str
    bytes: int
    unique: bool
    valid: bool
    ready: bool
    constraint: bool
    identity: bool
    scans: Optional[int]
    building: bool


class _Table(NamedTuple):
    oid: int
    name: str
    partition_of: Optional[str]
    bytes: int
    index_bytes: int
    heap_bytes: int
    reltuples: float
    relpages: int
    live: Optional[int]
    dead: Optional[int]
    last_vacuum: Any
    last_analyze: Any
    block: int


class PostgresqlInspection:
    """The tables of a schema.

    :param counting: whether a deep look counts records.
    :param least_index: bytes below which it does not measure indexes.
    """

    type = "postgresql"

    def __init__(self, options: Mapping[str, Any], *, counting: bool = True, least_index: int = 0) -> None:
        self._options = options
        self._counting = counting
        self._least_index = least_index
        self._schema: str = options.get("schema") or "public"
        self.location = f"postgresql:{options.get('host') or ''}/{options.get('database') or ''}/{self._schema}"
        self._connection: Any = None

    def __enter__(self) -> PostgresqlInspection:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def figures(self, deep: bool, progress: Progress) -> Figures:
        self._connection = connect(self._options)
        with errors(SourceError, "Can't read the catalog"):
            self._connection.execute("SET default_transaction_read_only = on")
            if self._connection.execute(_SCHEMA, (self._schema,)).fetchone() is None:
                raise SourceError(f"{self.location}: the schema {self._schema} does not exist.", "Check schema.")
            return self._seen(deep, progress)

    def _seen(self, deep: bool, progress: Progress) -> Figures:
        connection = self._connection
        figures = Figures()
        figures.know("databases", list(self._databases()), "pg_database")
        (reset,) = connection.execute(_RESET).fetchone()
        since = moment(reset)
        figures.know("statistics_since", since, "stats_reset (null: never reset)")
        for name in _SETTINGS:
            figures.know(name, connection.execute(f"SHOW {name}").fetchone()[0], f"SHOW {name}")
        self._version(figures)
        tuples = stat_functions(connection)
        tables = [_Table(*row) for row in connection.execute(_TABLES, (self._schema,)).fetchall()]
        tables = [one for one in tables if one.bytes is not None]  # without those that were dropped meanwhile
        progress.start(f"Reading {self.location}", len(tables), "tables")
        collections = []
        for table in tables:
            collections.append(self._collection(table, tuples, deep))
            progress.advance(1)
        figures.know("collections", collections, "pg_class")
        figures.know("bytes", sum(one.bytes + one.index_bytes for one in tables), "pg_table_size and pg_indexes_size")
        self._free(figures, collections)
        self._index_figures(figures, tuples, deep)
        missing = [
            {"collection": child, "fields": list(fields), "references": parent}
            for child, parent, fields in connection.execute(_UNINDEXED, (self._schema,))
        ]
        figures.know("foreign_keys_without_index", missing, "pg_constraint and pg_index")
        figures.unknown("journal_mode", "PostgreSQL always has a write-ahead log")
        return figures

    def _databases(self) -> Iterator[Figures]:
        for name, size, owner, encoding in self._connection.execute(_DATABASES).fetchall():
            figures = Figures(name=name, owner=owner, encoding=encoding)
            if size is None:
                figures.unknown("bytes", "requires CONNECT on this database, or the role pg_read_all_stats")
            else:
                figures.know("bytes", size, "pg_database_size")
            yield figures

    def _version(self, figures: Figures) -> None:
        try:
            with errors(SourceError, VERSIONS):
                steps = read_versions(self._connection, self._schema)
        except SourceError as exc:  # no right to read it
            figures.unknown("schema_version", exc.message)
            return
        if steps:
            figures.know("schema_version", max(steps), f"table {VERSIONS}")
        else:
            figures.unknown("schema_version", f"there is no table {VERSIONS}, which day2.ops.migrate keeps")

    def _collection(self, table: _Table, tuples: str, deep: bool) -> Figures:
        figures = Figures(name=table.name)
        if table.partition_of:
            figures.know("partition_of", table.partition_of, "pg_inherits")
        figures.know("bytes", table.bytes, "pg_table_size, with TOAST")
        figures.know("index_bytes", table.index_bytes, "pg_indexes_size")
        self._records(figures, table, deep and self._counting)
        self._dead(figures, table)
        if not (deep and tuples and self._measured(figures, table, tuples)):
            self._estimated(figures, table, tuples, deep)
        for name, when in (("last_vacuum", table.last_vacuum), ("last_analyze", table.last_analyze)):
            if when is None:
                figures.unknown(name, "none since the statistics began")
            else:
                figures.know(name, moment(when), "pg_stat_all_tables, by hand or by autovacuum")
        return figures

    def _records(self, figures: Figures, table: _Table, deep: bool) -> None:
        if deep:
            name = qualified(self._schema, table.name)
            try:
                with errors(SourceError, "count(*)"):
                    (count,) = self._connection.execute(f"SELECT count(*) FROM ONLY {name}").fetchone()
                figures.know("records", count, "count(*)")
                return
            except SourceError as exc:
                figures.unknown("records", exc.message)
        if not table.heap_bytes:
            figures.know("records", 0, "the table has no pages")
        elif table.relpages > 0 and table.reltuples >= 0:
            count = round(table.reltuples / table.relpages * (table.heap_bytes // table.block))
            figures.know("records", count, "reltuples of the last VACUUM or ANALYZE, by size", estimated=True)
        elif table.live:
            figures.know("records", table.live, "n_live_tup of the statistics", estimated=True)
        elif not deep:
            figures.unknown("records", "the table was never analyzed; deep=true counts them")

    def _dead(self, figures: Figures, table: _Table) -> None:
        if table.dead is None or table.live is None or (table.heap_bytes and not table.live and not table.dead):
            for name in ("dead_rows", "dead_percent"):
                figures.unknown(name, _NO_STATISTICS)
            return
        source = "n_dead_tup of the statistics; 0 after VACUUM, whatever space is free then"
        figures.know("dead_rows", table.dead, source, estimated=True)
        share = percent(table.dead, table.live + table.dead)
        if share is None:
            figures.unknown("dead_percent", "the table has no rows")
        else:
            figures.know("dead_percent", share, "dead_rows of all rows", estimated=True)

    def _measured(self, figures: Figures, table: _Table, tuples: str) -> bool:
        query = f"SELECT approx_free_space::bigint, dead_tuple_len FROM {tuples}.pgstattuple_approx(%s::regclass)"
        try:
            with errors(SourceError, "pgstattuple_approx"):
                free, dead = self._connection.execute(query, (table.oid,)).fetchone()
        except SourceError as exc:
            for name in ("free_bytes", "free_percent"):
                figures.unknown(name, exc.message)
            return False
        figures.know("free_bytes", free, "pgstattuple_approx, without TOAST and dead rows")
        figures.know("dead_bytes", dead, "pgstattuple_approx")
        share = percent(free, table.heap_bytes)
        figures.know("free_percent", share if share is not None else 0.0, "free_bytes of the table without TOAST")
        return True

    def _estimated(self, figures: Figures, table: _Table, tuples: str, deep: bool) -> None:
        """What the rows should take, by the averages of ANALYZE."""
        why = SHALLOW if tuples else "the extension pgstattuple is not installed in this database"
        if deep and tuples:
            why = figures.result()["unknown"].get("free_bytes", why)
        records = figures.get("records")
        width, seen = self._connection.execute(_WIDTH, (self._schema, table.name)).fetchone()
        (columns,) = self._connection.execute(_COLUMNS, (table.oid,)).fetchone()
        if not table.heap_bytes:
            figures.know("free_bytes", 0, "the table has no pages")
            figures.know("free_percent", 0.0, "the table has no pages")
        elif records is None or width is None or seen < columns:
            for name in ("free_bytes", "free_percent"):
                figures.unknown(name, f"{why}, and there are no statistics of its columns")
        else:
            free = max(0, table.heap_bytes - round(records * width))
            source = f"estimate from the number and average width of rows, including dead ones ({why})"
            figures.know("free_bytes", free, source, estimated=True)
            figures.know("free_percent", percent(free, table.heap_bytes), "free_bytes of bytes", estimated=True)

    def _free(self, figures: Figures, collections: list[Figures]) -> None:
        """The sum of the tables, if all are known."""
        lacking = [one.get("name") for one in collections if one.get("free_bytes") is None]
        if lacking:
            for name in ("free_bytes", "free_percent"):
                figures.unknown(name, f"not known of {', '.join(lacking[:5])}{' …' if len(lacking) > 5 else ''}")
            return
        estimated = any(one.is_estimated("free_bytes") for one in collections)
        free = sum(one.get("free_bytes") for one in collections)
        figures.know("free_bytes", free, "sum of the tables, without indexes", estimated=estimated)
        share = percent(free, sum(one.get("bytes") for one in collections))
        figures.know("free_percent", share or 0.0, "free_bytes of the bytes of all tables", estimated=estimated)

    def _index_figures(self, figures: Figures, tuples: str, deep: bool) -> None:
        indexes = indexes_of(self._connection, self._schema)
        found = []
        for one in indexes:
            entry = Figures(name=one.name, collection=one.table, method=one.method, valid=one.valid, ready=one.ready)
            entry.know("bytes", one.bytes, "pg_relation_size")
            if one.scans is None:
                entry.unknown("scans", _NO_STATISTICS)
            else:
                entry.know("scans", one.scans, "idx_scan, of this server since statistics_since")
            density = None
            if one.method != "btree" or not one.valid:
                entry.unknown("leaf_density", "only valid indexes of the method btree have it")
            elif not (deep and tuples):
                entry.unknown("leaf_density", SHALLOW if tuples else "the extension pgstattuple is not installed")
            elif one.bytes < self._least_index:
                entry.unknown("leaf_density", f"only measured from {self._least_index} bytes on")
            else:
                density = leaf_density(self._connection, tuples, one.oid)
            if isinstance(density, float):
                entry.know("leaf_density", density, "avg_leaf_density of pgstatindex, in percent")
            elif density is not None:
                entry.unknown("leaf_density", density)
            entry.complete(OF_INDEX, "the index is empty")
            found.append(entry)
        figures.know("indexes", found, "pg_index")
        if figures.get("track_counts") == "on":
            plain = [one for one in indexes if one.valid and not (one.unique or one.constraint or one.identity)]
            unused = [one.name for one in plain if one.scans == 0]
            figures.know("unused_indexes", unused, "no idx_scan of this server since statistics_since, and not unique")
        else:
            figures.unknown("unused_indexes", "track_counts is off")
        invalid = [one.name for one in indexes if not one.valid and not one.building]
        figures.know("invalid_indexes", invalid, "indisvalid, without those that are being built")


def indexes_of(connection: Any, schema: str) -> list[Index]:
    """All indexes of the tables of a schema, without those of partitioned tables, which store nothing."""
    found = [Index(*row) for row in connection.execute(_INDEXES, (schema,)).fetchall()]
    return [one for one in found if one.bytes is not None]


def stat_functions(connection: Any) -> str:
    """The schema of pgstattuple, quoted; "" if it is not installed."""
    row = connection.execute(_EXTENSION).fetchone()
    return with_values(identifier(row[0])) if row else ""


def leaf_density(connection: Any, tuples: str, index: int) -> Any:
    """How full the leaf pages of a B-tree are in percent; a text if that can't be seen; None if it is empty.

    :param tuples: the schema of pgstattuple, quoted.
    """
    try:
        with errors(SourceError, "pgstatindex"):
            row = connection.execute(
                f"SELECT avg_leaf_density, leaf_pages FROM {tuples}.pgstatindex(%s::regclass)", (index,)
            ).fetchone()
    except SourceError as exc:
        return exc.message
    return float(row[0]) if row[1] else None
