# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which records an existing table does not take beside each other because of unique indexes on some rows, on
expressions or computed columns, or with other collations: they are tried on a copy of the table in a scratch file.
"""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..records import gaps
from ..records.model import Clash, Clashes, Info
from .file import any_text, sqlite3
from .schema import identifier
from .values import AnyText, by_placeholders, decoder

_FAILED = "UNIQUE constraint failed: "
_RULES = """
SELECT l.name, count(*) = count(x.name), group_concat(x.name, char(0)),
       l.partial OR max(upper(x.coll) NOT IN ('BINARY', 'NOCASE'))
         OR max(x.name IN (SELECT name FROM pragma_table_xinfo(:name) WHERE hidden > 1))
FROM pragma_index_list(:name) l, pragma_index_xinfo(l.name) x WHERE l."unique" AND x.key
GROUP BY l.name ORDER BY l.name"""
_Row = Sequence[Any]


def clashes(live: sqlite3.Connection, info: Info, rows: Iterable[_Row], scratch: str) -> Clashes:
    """What the table does not take.

    :param rows: the records as rows, with the columns that `gaps.selected` lists.
    :param scratch: a directory.
    """
    rules = _rules(live, info.stored.name)
    if not rules:
        return Clashes()
    # without keys it can't be said which rows stay
    if not info.key and live.execute(f"SELECT 1 FROM main.{identifier(info.stored.name)} LIMIT 1").fetchone():
        return Clashes(unknown=sorted(set(rules.values())))
    info = info if info.key else info._replace(key=tuple(field.name for field in info.fields))
    path = os.path.join(scratch, "clashes.db")
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.text_factory = any_text
            copy = _Copy(connection, live, info, rules)
            return Clashes([*copy.within(rows), *copy.beside()])
    except sqlite3.OperationalError:  # functions or collations of the application, or the scratch file is full
        return Clashes(unknown=sorted(set(rules.values())))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _rules(live: sqlite3.Connection, table: str) -> dict[str, str]:
    """The names of those indexes, by how SQLite names them when it refuses a row."""
    found = {}
    for name, on_columns, columns, is_special in live.execute(_RULES, {"name": table}):
        if is_special or not on_columns:
            words = (
                ", ".join(f"{table}.{column}" for column in columns.split("\0")) if on_columns else f"index '{name}'"
            )
            found[words] = name
    return found


class _Copy:
    """The table as it will be, row by row."""

    def __init__(
        self, connection: sqlite3.Connection, live: sqlite3.Connection, info: Info, rules: Mapping[str, str]
    ) -> None:
        self._connection, self._live, self._info, self._rules = connection, live, info, rules
        self._table = identifier(info.stored.name)
        stored = live.execute(f"PRAGMA table_xinfo({self._table})").fetchall()
        self._columns = [row[1] for row in stored if not row[6]]
        self._given = gaps.selected(info)
        self._extra = [name for name in self._columns if name not in self._given]
        self._where = " AND ".join(f"{identifier(name)} = ?" for name in info.stored.key)
        self._decoders = [decoder(field) for name in info.key for field in info.fields if field.name == name]
        query = "SELECT sql FROM sqlite_master WHERE type = ? AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL"
        for statement in ("PRAGMA journal_mode=MEMORY", "PRAGMA synchronous=OFF", "PRAGMA recursive_triggers=ON"):
            connection.execute(statement)
        for kind in ("table", "index"):
            for (sql,) in live.execute(query, (kind, info.stored.name)).fetchall():
                connection.execute(sql)
        columns = [identifier(name) for name in info.stored.key]
        connection.execute(f"CREATE TEMP TABLE day2_gone ({', '.join(columns)})")
        connection.execute(
            f"CREATE TEMP TRIGGER day2_goes AFTER DELETE ON main.{self._table} BEGIN"
            f" INSERT INTO day2_gone VALUES ({', '.join(f'OLD.{one}' for one in columns)}); END"
        )

    def within(self, rows: Iterable[_Row]) -> Iterator[Clash]:
        """Fill the copy with the records. Yields those that it does not take beside earlier ones."""
        self._connection.execute("BEGIN")
        for given in rows:
            row, names = self._complete(given)
            rule = self._refused(row, names)
            if rule:
                key = self._decoded(self._key_in(row))
                for other in self._others(row, names):
                    yield Clash(rule, other, key, of_the_target=False, stays=True)
        self._connection.execute("COMMIT")

    def beside(self) -> Iterator[Clash]:
        """The rows of the table that the copy does not take beside records with other keys."""
        listed = ", ".join(map(identifier, self._columns))
        places = [self._columns.index(name) for name in self._info.stored.key]
        for raw in self._live.execute(f"SELECT {listed} FROM main.{self._table}"):
            row = [_any(value) for value in raw]
            key = [row[place] for place in places]
            with self._undone():
                stays = self._connection.execute(f"DELETE FROM {self._table} WHERE {self._where}", key).rowcount > 0
                rule = self._refused(row, self._columns)
                others = self._others(row, self._columns) if rule else []
            for other in others:
                yield Clash(rule, other, self._decoded(key), of_the_target=True, stays=stays)

    def _complete(self, row: _Row) -> tuple[_Row, Sequence[str]]:
        """A record with the values of columns that only the table has, if it is put over another one."""
        if not self._extra:
            return row, self._given
        query = f"SELECT {', '.join(map(identifier, self._extra))} FROM main.{self._table} WHERE {self._where}"
        found = self._live.execute(query, self._key_in(row)).fetchone()
        if found is None:
            return row, self._given
        return [*row, *map(_any, found)], [*self._given, *self._extra]

    def _key_in(self, row: _Row) -> list[Any]:
        return [row[self._given.index(name)] for name in self._info.stored.key]

    def _decoded(self, key: _Row) -> tuple[Any, ...]:
        return tuple([decode(value) if decode else value for decode, value in zip(self._decoders, key)])

    def _refused(self, row: _Row, names: Sequence[str]) -> str:
        """Insert a row. Returns what refuses it, in words; "" if it was inserted, or if others tell of it."""
        try:
            self._insert("INSERT", row, names)
        except sqlite3.IntegrityError as exc:
            name = self._rules.get(str(exc).removeprefix(_FAILED) if str(exc).startswith(_FAILED) else "", "")
            return f"the unique index {name}" if name else ""
        return ""

    def _others(self, row: _Row, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """The keys of the rows that would have to go for this one."""
        with self._undone():
            self._connection.execute("DELETE FROM day2_gone")
            with contextlib.suppress(sqlite3.IntegrityError):
                self._insert("INSERT OR REPLACE", row, names)
            return [self._decoded(key) for key in self._connection.execute("SELECT * FROM day2_gone")]

    def _insert(self, how: str, row: _Row, names: Sequence[str]) -> None:
        for some, placeholders in by_placeholders([row]):
            values = ", ".join(placeholders or "?" * len(names))
            listed = ", ".join(map(identifier, names))
            self._connection.execute(f"{how} INTO {self._table} ({listed}) VALUES ({values})", some[0])

    @contextlib.contextmanager
    def _undone(self) -> Iterator[None]:
        """Whatever the block does to the copy."""
        self._connection.execute("SAVEPOINT day2")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK TO day2")
            self._connection.execute("RELEASE day2")


def _any(value: Any) -> Any:
    """A value as it is written: text that is not UTF-8 with a CAST."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return AnyText(value.encode("utf-8", "surrogateescape"))
    return value
