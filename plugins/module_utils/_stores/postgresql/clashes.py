# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which records an existing table does not take beside each other, as only its server can tell: unique indexes on some
rows, on expressions or computed columns, with collations or on types that take different values as equal, exclusion
constraints, and nulls that are not distinct.

The server compares the records, in a temporary table, with each other and with the rows that the table has. Nothing is
written to the table.
"""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ..records import gaps
from ..records.model import Clash, Clashes, Info
from . import client as postgresql_client
from . import copies as postgresql_copies
from .catalog import index_method
from .client import identifier
from .source import selected

STAGE = "pg_temp.day2_clashes"
_LISTED = 20  # pairs of records of the source that a rule names
# Types whose equal values are written in one way.
_USUAL = (
    "('int2', 'int4', 'int8', 'text', 'varchar', 'name', 'uuid', 'bool', 'bytea', 'date', 'timestamp', 'timestamptz',"
    " 'numeric', 'float4', 'float8')"
)
_RULES = f"""
SELECT i.relname, x.indisexclusion, pg_get_indexdef(i.oid), pg_get_expr(x.indpred, x.indrelid),
       coalesce(to_jsonb(x) ->> 'indnullsnotdistinct' = 'true', false), k.expressions, k.operators
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid LEFT JOIN pg_constraint c ON c.conindid = i.oid
  AND c.conrelid = x.indrelid AND c.contype IN ('p', 'u', 'x')
CROSS JOIN LATERAL (
  SELECT array_agg(format('(%%s)%%s', pg_get_indexdef(i.oid, n, true),
           CASE WHEN l.oid IS NOT NULL THEN format(' COLLATE %%I.%%I', ln.nspname, l.collname) END) ORDER BY n),
         array_agg(format('OPERATOR(%%I.%%s)', pn.nspname, p.oprname) ORDER BY n),
         coalesce(bool_or(NOT l.collisdeterministic OR a.attgenerated <> ''), false)
           OR coalesce(bool_or(t.typtype <> 'e' AND coalesce(b.typname, t.typname) NOT IN {_USUAL}), false)
  FROM generate_series(1, x.indnkeyatts) n
  LEFT JOIN pg_collation l ON l.oid = x.indcollation[n - 1]
  LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[n - 1] AND a.attnum > 0
  LEFT JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
  JOIN pg_opclass o ON o.oid = x.indclass[n - 1]
  LEFT JOIN pg_amop m ON m.amopfamily = o.opcfamily AND m.amopstrategy = 3
    AND m.amoplefttype = o.opcintype AND m.amoprighttype = o.opcintype
  JOIN pg_operator p ON p.oid = coalesce(c.conexclop[n], m.amopopr)
  JOIN pg_namespace pn ON pn.oid = p.oprnamespace
) k (expressions, operators, unusual)
WHERE x.indrelid = %s::regclass AND (x.indisunique OR x.indisexclusion) AND x.indisvalid
  AND (x.indexprs IS NOT NULL OR x.indpred IS NOT NULL OR c.conexclop IS NOT NULL OR k.unusual
       OR to_jsonb(x) ->> 'indnullsnotdistinct' = 'true')
ORDER BY 1"""


class _Rule(NamedTuple):
    """`method`: of its index, with what it is on. `expressions` and `operators`: rows for which all of them are true
    are not taken together. `condition`: which rows it is about; None: all. `nulls`: they are equal.
    """

    name: str
    is_exclusion: bool
    method: str
    condition: Any
    nulls: bool
    expressions: Sequence[str]
    operators: Sequence[str]

    def __str__(self) -> str:
        return f"the {'exclusion constraint' if self.is_exclusion else 'unique index'} {self.name}"

    def side(self, table: str, more: Sequence[str]) -> str:
        """The rows of a table that it is about, with the values that it compares."""
        values = [f"{one} AS day2_v{number}" for number, one in enumerate(self.expressions)]
        where = f" WHERE {self.condition}" if self.condition else ""
        return f"(SELECT {', '.join([*more, *values])} FROM {table}{where})"

    @property
    def same(self) -> str:
        """That rows `a` and `b` are not taken together."""
        parts = []
        for number, operator in enumerate(self.operators):
            a, b = f"a.day2_v{number}", f"b.day2_v{number}"
            nulls = f" OR ({a} IS NULL AND {b} IS NULL)" if self.nulls else ""
            parts.append(f"({a} {operator} {b}{nulls})")
        return " AND ".join(parts)


def clashes(connection: Any, real: str, own: str, info: Info, parts: Iterable[tuple[str, bytes]]) -> Clashes:
    """What the table does not take.

    :param real: the table in SQL, for commands; `own`: without the rows of tables that inherit from it.
    :param parts: the records, as `Rows.parts` returns them.
    """
    every = [
        _Rule(name, exclusion, index_method(sql), *rest)
        for name, exclusion, sql, *rest in connection.execute(_RULES, (real,)).fetchall()
    ]
    # without keys it can't be said which rows stay
    if every and not info.key and connection.execute(f"SELECT 1 FROM {own} LIMIT 1").fetchone():
        return Clashes(unknown=[rule.name for rule in every])
    if not every:
        return Clashes()
    found: list[Clash] = []
    unknown: list[str] = []
    with connection.transaction(force_rollback=True):
        if not _is_staged(connection, real, own, info, parts):
            return Clashes(unknown=[rule.name for rule in every])
        for rule in every:
            try:
                with connection.transaction():
                    found += _asked(connection, rule, own, info)
            except postgresql_client.psycopg.OperationalError:
                raise
            except postgresql_client.psycopg.Error:
                unknown.append(rule.name)
    return Clashes(found, unknown)


def _is_staged(connection: Any, real: str, own: str, info: Info, parts: Iterable[tuple[str, bytes]]) -> bool:
    """Copy the records into a temporary table. Returns False if there can be none."""
    try:
        with connection.transaction():
            postgresql_copies.create(connection, STAGE, real, gaps.selected(info), including="INCLUDING GENERATED")
    except postgresql_client.psycopg.OperationalError:
        raise
    except postgresql_client.psycopg.Error:
        return False
    for form, data in parts:
        with connection.cursor() as cursor, cursor.copy(f"COPY {STAGE} {form}") as copy:
            copy.write(data)
    _take_over(connection, real, own, info)
    return True


def _take_over(connection: Any, real: str, own: str, info: Info) -> None:
    """The values of columns that only the table has remain when a record is put over another one."""
    connection.execute(f"ANALYZE {STAGE}")
    if not info.key:
        return
    query = (
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attgenerated = '' AND attname <> ALL (%s)"
    )
    extra = [name for (name,) in connection.execute(query, (real, list(info.columns.values())))]
    if extra:
        given = ", ".join("{0} = t.{0}".format(identifier(name)) for name in extra)
        connection.execute(f"UPDATE {STAGE} s SET {given} FROM {own} t WHERE {_keys(info, 's', 't')}")


def _keys(info: Info, one: str, other: str) -> str:
    return " AND ".join("{0}.{2} = {1}.{2}".format(one, other, identifier(name)) for name in info.stored.key)


def _asked(connection: Any, rule: _Rule, own: str, info: Info) -> Iterator[Clash]:
    fields = {field.name: field for field in info.fields}
    names = info.key or tuple(fields)  # a record without a key is shown as a whole
    shown = [f"{selected(fields[name])} AS day2_k{number}" for number, name in enumerate(names)]
    plain = [f"{identifier(name)} AS day2_p{number}" for number, name in enumerate(info.stored.key)]
    keys = ", ".join(f"{side}.day2_k{number}" for side in "ab" for number in range(len(names)))
    connection.execute(f"CREATE INDEX ON {STAGE} {rule.method}")
    within = (
        f"SELECT {keys} FROM {rule.side(STAGE, [*shown, 'ctid AS day2_place'])} a"
        f" JOIN {rule.side(STAGE, [*shown, 'ctid AS day2_place'])} b"
        f" ON a.day2_place < b.day2_place AND {rule.same} ORDER BY a.day2_place, b.day2_place LIMIT {_LISTED}"
    )
    for row in connection.execute(within):
        yield Clash(str(rule), *_halves(row), of_the_target=False, stays=True)
    if not info.key:
        return
    others = " OR ".join(f"a.day2_p{number} <> b.day2_p{number}" for number in range(len(info.key)))
    known = " AND ".join(f"s.{identifier(name)} = b.day2_p{number}" for number, name in enumerate(info.stored.key))
    beside = (
        f"SELECT {keys}, EXISTS (SELECT FROM {STAGE} s WHERE {known}) FROM {rule.side(STAGE, [*shown, *plain])} a"
        f" JOIN {rule.side(own, [*shown, *plain])} b ON {rule.same} AND ({others})"
    )
    for *row, stays in connection.execute(beside):
        yield Clash(str(rule), *_halves(row), of_the_target=True, stays=stays)


def _halves(row: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    middle = len(row) // 2
    return tuple(row[:middle]), tuple(row[middle:])
