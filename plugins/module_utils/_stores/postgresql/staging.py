# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows for a table that an application has created: converted into a temporary table, compared there, and put in place.

Rows can also be put in place in a temporary copy of the table: so check mode meets every constraint without a lock on
the tables of the application, and without a row in them.
"""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.record_batches import BATCH, batches, digest_sum
from ..records.model import Odd, Record, Refused
from . import copies as postgresql_copies
from .application import Reference, Table
from .client import identifier
from .column_types import Codec, Column
from .ddl import listed

# Types whose equality is that of their text. Others are compared as text: 'a' may equal 'A', and json equals nothing.
_COMPARABLE = frozenset(
    {"int2", "int4", "int8", "float4", "float8", "numeric", "bool", "bytea", "uuid"}
    | {"date", "time", "timestamp", "timestamptz", "interval"}
)


class Staged(NamedTuple):
    """The converted rows of one table.

    :param number: of its temporary tables.
    :param key: the columns that identify its rows; () if none do.
    """

    table: Table
    number: int
    columns: tuple[Column, ...]
    codecs: tuple[Codec, ...]
    readers: tuple[Codec, ...]
    key: tuple[str, ...]
    records: int = 0
    digest: int = 0

    @property
    def names(self) -> list[str]:
        """The names of the columns with values."""
        return [column.name for column in self.columns]

    @property
    def extra(self) -> list[str]:
        """The writable columns that only the target has."""
        given = set(self.names)
        return [one.name for one in self.table.columns.values() if one.name not in given and not one.generated]

    @property
    def stage(self) -> str:
        return f"pg_temp.day2_stage_{self.number}"

    @property
    def copy(self) -> str:
        return f"pg_temp.day2_copy_{self.number}"

    @property
    def kept(self) -> str:
        return f"pg_temp.day2_kept_{self.number}"

    def place(self, rehearsal: bool) -> str:
        """The table that is written, for FROM."""
        if rehearsal:
            return self.copy
        return f"ONLY {self.table.sql}" if self.table.plain else self.table.sql


class Difference(NamedTuple):
    """How a table differs from its staged rows, in numbers of rows."""

    added: int
    changed: int
    removed: int
    left: int


def split(
    staged: Staged, records: Sequence[Record], odd: Callable[[Record, Sequence[Odd]], None]
) -> tuple[list[list[Any]], bytes]:
    """The values of records for the digest, and for COPY, without records that the table cannot store."""
    rows, lines = [], []
    for record in records:
        values, texts, wrong = _converted(staged, record)
        if wrong:
            odd(record, wrong)
        else:
            rows.append(values)
            lines.append("\t".join(texts) + "\n")
    return rows, "".join(lines).encode()


def _converted(staged: Staged, record: Record) -> tuple[list[Any], list[str], list[Odd]]:
    values: list[Any] = []
    texts: list[str] = []
    odd: list[Odd] = []
    for column, codec in zip(staged.columns, staged.codecs):
        value = record.get(column.name)
        try:
            model = None if value is None else codec.model(value)
            texts.append("\\N" if value is None else codec.text(value, model))
            values.append(model)
        except Refused as exc:
            odd.append(Odd(column.name, str(exc), value))
    return values, texts, odd


def create_stage(connection: Any, staged: Staged) -> None:
    """Create an empty temporary table with the columns that have values."""
    selected = ", ".join(map(identifier, staged.names)) or "1"
    connection.execute(
        f"CREATE TEMP TABLE day2_stage_{staged.number} ON COMMIT DROP AS SELECT {selected} FROM "
        f"{staged.table.sql} WITH NO DATA"
    )


def digest(staged: Staged, rows: Sequence[Sequence[Any]]) -> int:
    """The sum of the digests of rows, whose values are as in `converted`."""
    return digest_sum([(tuple(staged.names), list(zip(*rows)))]) if rows else 0


def difference(connection: Any, staged: Staged, rehearsal: bool = False) -> Difference:
    """How the table differs from what is staged."""
    place = staged.place(rehearsal)
    if not staged.key:
        return _by_rows(connection, staged, place)
    query = (
        "SELECT count(*) FILTER (WHERE t.here IS NULL), count(*) FILTER (WHERE t.here AND s.here AND NOT (%s)),"
        " count(*) FILTER (WHERE s.here IS NULL), count(*) FILTER (WHERE t.here AND s.here AND (%s))"
        " FROM (SELECT *, true AS here FROM %s) s FULL JOIN (SELECT %s, true AS here FROM %s) t ON %s"
    )
    same, keys = _same(staged), _keys(staged)
    names = ", ".join(map(identifier, staged.names))
    row = connection.execute(query % (same, same, staged.stage, names, place, keys)).fetchone()
    return Difference(*row)


def _by_rows(connection: Any, staged: Staged, place: str) -> Difference:
    values = ", ".join(_compared("", column) for column in staged.columns)
    rows = "SELECT count(*) FROM (SELECT %s FROM %s EXCEPT ALL SELECT %s FROM %s) d"
    (added,) = connection.execute(rows % (values, staged.stage, values, place)).fetchone()
    (removed,) = connection.execute(rows % (values, place, values, staged.stage)).fetchone()
    return Difference(added, 0, removed, staged.records - added)


def _compared(table: str, column: Column) -> str:
    name = table + identifier(column.name)
    return name if column.type in _COMPARABLE and column.labels is None else f'{name}::text COLLATE "C"'


def _same(staged: Staged) -> str:
    """A condition: a row `s` of the stage and a row `t` of the table have equal values."""
    parts = [f"{_compared('s.', column)} IS NOT DISTINCT FROM {_compared('t.', column)}" for column in staged.columns]
    return " AND ".join(parts)


def _keys(staged: Staged) -> str:
    return " AND ".join("s.{0} = t.{0}".format(identifier(name)) for name in staged.key)


def make_copy(connection: Any, staged: Staged) -> None:
    """Create a temporary copy of the table, with its rows, constraints and indexes."""
    real = staged.table.sql
    postgresql_copies.create(connection, staged.copy, real, staged.names, ending="ON COMMIT DROP")
    names = listed([*staged.names, *staged.extra])
    rows = f"INSERT INTO {staged.copy} {names} SELECT {names[1:-1]} FROM {staged.place(False)}"
    postgresql_copies.fill(connection, staged.copy, real, rows)


def put(connection: Any, staged: Staged, rehearsal: bool, merge: bool) -> None:
    """Make the table equal to the stage.

    Equal rows are kept. Others are removed first, and written then, as a unique value may move from one row to another.
    """
    place = staged.place(rehearsal)
    into = staged.copy if rehearsal else staged.table.sql
    if not staged.key:
        connection.execute(f"DELETE FROM {place}")
        connection.execute(_insert(into, staged, staged.names, f"SELECT * FROM {staged.stage}"))
        return
    same, keys = _same(staged), _keys(staged)
    extra = [identifier(name) for name in staged.extra]
    if extra:
        selected = ", ".join(f"t.{name}" for name in dict.fromkeys([*map(identifier, staged.key), *extra]))
        connection.execute(
            f"CREATE TEMP TABLE day2_kept_{staged.number} ON COMMIT DROP AS SELECT {selected} FROM {place} t "
            f"JOIN {staged.stage} s ON {keys} WHERE NOT ({same})"
        )
    if merge:
        connection.execute(f"DELETE FROM {place} t USING {staged.stage} s WHERE {keys} AND NOT ({same})")
    else:
        wrong = f"NOT EXISTS (SELECT FROM {staged.stage} s WHERE {keys} AND {same})"
        connection.execute(f"DELETE FROM {place} t WHERE {wrong}")
    if extra:
        values = ", ".join([f"s.{identifier(name)}" for name in staged.names] + [f"t.{name}" for name in extra])
        rows = f"SELECT {values} FROM {staged.stage} s JOIN {staged.kept} t ON {keys}"
        connection.execute(_insert(into, staged, [*staged.names, *staged.extra], rows))
    missing = f"SELECT * FROM {staged.stage} s WHERE NOT EXISTS (SELECT FROM {place} t WHERE {keys})"
    connection.execute(_insert(into, staged, staged.names, missing))


def without(staged: Staged, column: Optional[str], constraint: Optional[str]) -> list[str]:
    """The statements that may drop what was violated in the copy: the first one that succeeds has done it."""
    alter = f"ALTER TABLE {staged.copy}"
    if constraint:
        return [f"{alter} DROP CONSTRAINT {identifier(constraint)}", f"DROP INDEX pg_temp.{identifier(constraint)}"]
    return [f"{alter} ALTER COLUMN {identifier(column)} DROP NOT NULL"] if column else []


def _insert(into: str, staged: Staged, names: Sequence[str], rows: str) -> str:
    return f"INSERT INTO {into} {listed(names)} OVERRIDING SYSTEM VALUE {rows}"


def read_back(connection: Any, staged: Staged, rehearsal: bool, merge: bool) -> tuple[int, int]:
    """Number and digest of the rows, read from the table; with `merge`, of the staged ones."""
    selected = ", ".join(
        f"t.{identifier(column.name)}{('::text' if reader.as_text else '')}"
        for column, reader in zip(staged.columns, staged.readers)
    )
    query = f"COPY (SELECT {selected} FROM {staged.place(rehearsal)} t"
    if merge and staged.key:
        query += f" JOIN {staged.stage} s ON {_keys(staged)}"
    types = ["text" if one.as_text else column.type for column, one in zip(staged.columns, staged.readers)]
    count, total = 0, 0
    with connection.cursor() as cursor, cursor.copy(query + ") TO STDOUT") as copy:
        copy.set_types(types)
        for rows in batches(copy.rows(), BATCH):
            columns = [
                [None if value is None else reader.model(value) for value in column]
                for reader, column in zip(staged.readers, zip(*rows))
            ]
            count += len(rows)
            total += digest_sum([(tuple(staged.names), columns)])
    return count, total


def dangling(connection: Any, one: Reference, child: str, parent: str) -> tuple[int, Optional[str]]:
    """The number of rows without a parent in a foreign key, and one of their values.

    :param child: the current name of its table.
    :param parent: likewise.
    """
    given = " AND ".join(f"c.{identifier(name)} IS NOT NULL" for name in one.fields)
    pairs = zip(one.fields, one.to_fields)
    keys = " AND ".join(f"c.{identifier(field)} = p.{identifier(other)}" for field, other in pairs)
    value = f"concat_ws(', ', {', '.join(f'c.{identifier(name)}' for name in one.fields)})"
    query = "SELECT count(*), min(%s) FROM %s c WHERE %s AND NOT EXISTS (SELECT FROM %s p WHERE %s)"
    count, sample = connection.execute(query % (value, child, given, parent, keys)).fetchone()
    return count, sample
