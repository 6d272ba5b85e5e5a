# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Determines whether replaced tables leave rows with dangling references."""

from __future__ import annotations

from collections.abc import Sequence

from ..._core.errors import TargetError
from .file import sqlite3
from .schema import fold, identifier, tables

_SHOWN = 5  # row ids in an error

# Rows of tables WITHOUT ROWID have no number: they are counted instead.
_NEW = """
SELECT child, parent, group_concat(CASE WHEN place <= %d THEN id END, ', '), sum(n) FROM (
  SELECT child, parent, id, 1 AS n, row_number() OVER (PARTITION BY child, parent ORDER BY id) AS place FROM (
    SELECT child, parent, key, id FROM temp.day2_after WHERE id IS NOT NULL
    EXCEPT SELECT child, parent, key, id FROM temp.day2_before)
  UNION ALL
  SELECT child, parent, NULL, n, 0 FROM (
    SELECT a.child, a.parent, count(*) - (SELECT count(*) FROM temp.day2_before AS b
      WHERE b.child = a.child AND b.key = a.key AND b.id IS NULL) AS n
    FROM temp.day2_after AS a WHERE a.id IS NULL GROUP BY a.child, a.parent, a.key)
  WHERE n > 0)
GROUP BY child, parent ORDER BY child, parent"""


class ForeignKeys:
    """Records which references of a database were dangling before.

    :param names: the tables that will be replaced. References between them are as in the backup, and thus valid.
    """

    def __init__(self, live: sqlite3.Connection, names: Sequence[str]) -> None:
        self._live = live
        self._only = names
        self._names = {fold(name) for name in names}
        self._record("day2_before")

    def check(self) -> None:
        """Compare with the state before.

        :raises TargetError: there are new dangling references; with the tables, row ids, and the tables to restore as
            well.
        """
        self._record("day2_after")
        broken, missing = [], set()
        for child, parent, ids, count in self._live.execute(_NEW % _SHOWN):
            rows = f"rows {ids}" if ids else "rows"
            broken.append(f"{count} in {child} ({rows}{(', …' if count > _SHOWN else '')}) to {parent}")
            missing |= {name for name in (child, parent) if fold(name) not in self._names}
        if broken:
            raise TargetError(
                f"Restoring only {', '.join(self._only)} would leave rows with dangling foreign keys: "
                f"{'; '.join(broken)}.",
                f"Nothing was changed. Add {', '.join(sorted(missing))} to only, or restore the whole database.",
                {"missing": sorted(missing)},
            )

    def _record(self, table: str) -> None:
        """Store the result of PRAGMA foreign_key_check for the tables involved: in a table, as it may be large."""
        self._live.execute(f"CREATE TEMP TABLE {table}(child TEXT, parent TEXT, key INTEGER, id INTEGER)")
        for child in tables(self._live):
            parents = self._parents(child.name)
            if not parents or (fold(child.name) not in self._names and not parents & self._names):
                continue
            try:
                rows = self._live.execute(f"PRAGMA main.foreign_key_check({identifier(child.name)})")
                self._live.executemany(
                    f"INSERT INTO temp.{table} VALUES(?, ?, ?, ?)",
                    (
                        (name, parent, key, row_id)
                        for name, row_id, parent, key in rows
                        if not {fold(name), fold(parent)} <= self._names
                    ),
                )
            except sqlite3.OperationalError as exc:
                if "foreign key mismatch" not in str(exc):  # a key that SQLite itself can't hold to
                    raise

    def _parents(self, name: str) -> set[str]:
        return {fold(row[2]) for row in self._live.execute(f"PRAGMA main.foreign_key_list({identifier(name)})")}
