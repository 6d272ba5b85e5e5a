# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the rows of a table with those of the same table in an attached backup, and replaces them.

Everything is done in SQL: rows stay inside SQLite, which keeps memory bounded and every value as it is.
"""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..._core.errors import TargetError
from .file import sqlite3
from .schema import fold, identifier

BACKUP = "day2_backup"  # the schema name of the attached backup
WHOLE = "Restore the whole database (omit only), or migrate it to the schema of the backup first."

_GENERATED = (2, 3)  # virtual, stored
_COMPARED_AT_ONCE = 500  # values; SQLite takes 2,000


class _Columns(NamedTuple):
    """What identifies the rows of a table, and their values (quoted for SQL).

    `key` is the name of the row id, or the primary key of a table WITHOUT ROWID. `mixed` are those of the `values` that
    can contain an integer in one row and a float in another.
    """

    key: tuple[str, ...]
    has_row_id: bool
    values: tuple[str, ...]
    mixed: tuple[str, ...]


def check_same(live: sqlite3.Connection, name: str) -> None:
    """Compare the schema of a table with the backup.

    :raises TargetError: it differs; with the columns that do.
    """
    ours, theirs = _described(live, "main", name), _described(live, BACKUP, name)
    differing = sorted(one for one in {**ours, **theirs} if ours.get(one) != theirs.get(one))
    if differing:
        which = f"these columns differ: {', '.join(repr(one) for one in differing)}"
    elif _statement(live, "main", name) != _statement(live, BACKUP, name):
        which = "the columns are the same, but the rest of its CREATE TABLE differs"
    else:
        return
    raise TargetError(f"The table {name} differs from that in the backup: {which}.", WHOLE, {"columns": differing})


def differ(live: sqlite3.Connection, name: str) -> bool:
    """Whether the rows differ in any row id, value or storage class (1, 1.0 and '1' are three), or in the next number
    of AUTOINCREMENT.

    Zero has no sign.
    """
    if _sequence(live, "main", name) != _sequence(live, BACKUP, name):
        return True
    ours, theirs = (f"{schema}.{identifier(name)}" for schema in ("main", BACKUP))
    counts = f"SELECT (SELECT count(*) FROM {ours}) <> (SELECT count(*) FROM {theirs})"
    if live.execute(counts).fetchone()[0]:
        return True
    columns = _columns(live, name)
    same_row = " AND ".join(f"a.{one} = b.{one}" for one in columns.key)
    # `+` takes away a column's affinity, which would make '1' equal to 1
    pairs = [(f"(+a.{one}) COLLATE BINARY", f"+b.{one}") for one in columns.values]
    pairs += [(f"typeof(a.{one})", f"typeof(b.{one})") for one in columns.mixed]
    parts = (pairs[at : at + _COMPARED_AT_ONCE] for at in range(0, len(pairs), _COMPARED_AT_ONCE))
    same_values = " AND ".join(
        f"({', '.join((one for one, dummy in part))}) IS ({', '.join((other for dummy, other in part))})"
        for part in parts
    )
    other_rows = (
        f"SELECT 1 FROM {theirs} AS b LEFT JOIN {ours} AS a ON {same_row}"
        f" WHERE a.{columns.key[0]} IS NULL OR NOT ({same_values})"
    )
    return bool(live.execute(f"SELECT EXISTS ({other_rows})").fetchone()[0])


def replace_rows(live: sqlite3.Connection, name: str) -> list[str]:
    """Replace the rows with those of the backup, in the transaction of the caller. Returns the triggers that were not
    fired.
    """
    triggers, indexes = (belongings(live, "main", kind, name) for kind in ("trigger", "index"))
    statistics = _take_statistics(live, name)
    for trigger, _statement_of_it in triggers:
        live.execute(f"DROP TRIGGER main.{identifier(trigger)}")
    for index, _statement_of_it in indexes:  # building one anew is many times as fast as keeping it up to date
        live.execute(f"DROP INDEX main.{identifier(index)}")
    columns = _columns(live, name)
    listed = ", ".join((columns.key if columns.has_row_id else ()) + columns.values)
    table = identifier(name)
    live.execute(f"DELETE FROM main.{table}")
    live.execute(f"INSERT INTO main.{table}({listed}) SELECT {listed} FROM {BACKUP}.{table}")
    if _exists(live, "main", "sqlite_sequence"):
        live.execute("DELETE FROM main.sqlite_sequence WHERE name = ?", (name,))
        for (value,) in _sequence(live, BACKUP, name):
            live.execute("INSERT INTO main.sqlite_sequence(name, seq) VALUES(?, ?)", (name, value))
    for _name, statement in (*indexes, *triggers):
        live.execute(statement)
    for place, rows in statistics:
        live.executemany(f"INSERT INTO main.{place} VALUES({', '.join('?' * len(rows[0]))})", rows)
    if differ(live, name):
        raise TargetError(f"After the restore, the table {name} differs from the backup.", WHOLE)
    return [trigger for trigger, _statement_of_it in triggers]


def _take_statistics(live: sqlite3.Connection, name: str) -> list[tuple[str, list[tuple[object, ...]]]]:
    """Remove and return what ANALYZE has recorded for a table (a few rows): it would be lost with the indexes, and is
    still useful.
    """
    taken = []
    for place in ("sqlite_stat1", "sqlite_stat4"):
        if _exists(live, "main", place):
            rows = live.execute(f"SELECT * FROM main.{place} WHERE tbl = ? COLLATE NOCASE", (name,)).fetchall()
            live.execute(f"DELETE FROM main.{place} WHERE tbl = ? COLLATE NOCASE", (name,))
            taken += [(place, rows)] if rows else []
    return taken


def belongings(live: sqlite3.Connection, schema: str, kind: str, table: str) -> list[tuple[str, str]]:
    """Names and CREATE statements of the indexes or triggers of a table, in the order of their creation."""
    return list(
        live.execute(
            f"SELECT name, sql FROM {schema}.sqlite_master"
            " WHERE type = ? AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL ORDER BY rowid",
            (kind, table),
        )
    )


def _statement(live: sqlite3.Connection, schema: str, name: str) -> object:
    query = f"SELECT sql FROM {schema}.sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"
    return live.execute(query, (name,)).fetchone()


def _exists(live: sqlite3.Connection, schema: str, name: str) -> bool:
    return _statement(live, schema, name) is not None


def _described(live: sqlite3.Connection, schema: str, name: str) -> dict[str, tuple[object, ...]]:
    rows = live.execute(f"PRAGMA {schema}.table_xinfo({identifier(name)})")
    return {row[1]: tuple(row[2:]) for row in rows}


def _columns(live: sqlite3.Connection, name: str) -> _Columns:
    rows = live.execute(f"PRAGMA main.table_xinfo({identifier(name)})").fetchall()
    stored = [row for row in rows if row[6] not in _GENERATED]
    values = tuple(identifier(row[1]) for row in stored)
    mixed = tuple(identifier(row[1]) for row in stored if _mixes(row[2]))
    primary = tuple(identifier(row[1]) for row in sorted(rows, key=lambda row: int(row[5])) if row[5])
    taken = {fold(row[1]) for row in rows}
    free = [one for one in ("rowid", "_rowid_", "oid") if one not in taken]
    if not free:
        raise TargetError(
            f"The table {name} has columns called rowid, _rowid_ and oid, so that its rows can't be identified.", WHOLE
        )
    try:
        live.execute(f"SELECT {free[0]} FROM main.{identifier(name)} LIMIT 0")
    except sqlite3.OperationalError:
        if not primary:
            raise
        return _Columns(primary, False, values, mixed)
    return _Columns((free[0],), True, values, mixed)


def _mixes(declared: str) -> bool:
    """Whether a column can contain integers and floats: not if its declared type gives it TEXT or REAL affinity, which
    converts numbers to one class.
    """
    declared = declared.upper()
    if "INT" in declared:
        return True
    if any(word in declared for word in ("CHAR", "CLOB", "TEXT")):
        return False
    return "BLOB" in declared or not any(word in declared for word in ("REAL", "FLOA", "DOUB"))


def _sequence(live: sqlite3.Connection, schema: str, name: str) -> Sequence[tuple[object, ...]]:
    """The number that AUTOINCREMENT has recorded for a table."""
    if not _exists(live, schema, "sqlite_sequence"):
        return []
    return live.execute(f"SELECT seq FROM {schema}.sqlite_sequence WHERE name = ?", (name,)).fetchall()
