# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that only the server can check: their index entries may be too large, or an existing table may have checks,
domains, enumerations and other types of its own.

An entry of a B-tree takes at most a third of a page, and its size depends on how well the server compresses it. So the
server is asked about each row that is not certain to fit, with a temporary copy of the table. The table itself is not
touched, and need not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._core.record_batches import CopyLines, layouts
from ..records.model import BYTES, DECIMAL, JSON, TEXT, Info, Record
from . import client
from . import copies as postgresql_copies
from . import ddl as postgresql_ddl
from .catalog import describe
from .ddl import listed, qualified
from .values import lines

_TEMPORARY = "pg_temp"
_IS_TEXT = re.compile(r"text|character|name\b")
# Bytes that fit into an entry of any index, whatever else is in it.
_CERTAIN = 2000
# How many bytes a character of a value can become at most. In jsonb, each number takes at least 12 bytes.
_BYTES = {TEXT: 4, BYTES: 1, DECIMAL: 1, JSON: 8}


class RowRules:
    """The rules of one table."""

    def __init__(self, schema: str, info: Info, existing: Optional[Info] = None) -> None:
        """:param info: the collection, with the indexes that its table has or will have.
        :param existing: the table, if it existed before the migration.
        """
        self._schema, self._info = schema, info
        self.unknown = ""  # that the server can't be asked, and why
        self._ask = existing is not None and _has_rules(existing)
        self._indexed = [names for names in map(frozenset, _indexed(info)) if names]
        every = frozenset().union(*self._indexed)
        self._kinds = {one.name: one.kind for one in info.fields if one.kind in _BYTES and one.name in every}
        self._places = {field.name: place for place, field in enumerate(info.fields)}

    @property
    def matter(self) -> bool:
        """Whether a row can be refused at all."""
        return self._ask or bool(self._kinds)

    def are_certain(self, columns: Mapping[str, Sequence[Any]]) -> bool:
        """Whether the index entries of all these records fit; False if some may not."""
        longest = {name: _longest(columns.get(name, ())) * _BYTES[kind] for name, kind in self._kinds.items()}
        return all(sum(longest.get(name, 0) for name in names) <= _CERTAIN for names in self._indexed)

    def surely_fit(self, records: Sequence[Record]) -> bool:
        """As `are_certain`, for records."""
        if self._ask or not self._kinds:
            return not self._ask
        if isinstance(records, CopyLines):
            if max(map(len, records.lines), default=0) * max(_BYTES.values()) <= _CERTAIN:
                return True
            columns = zip(*(line.split("\t") for line in records.lines))
            return self.are_certain(dict(zip(records.kinds, columns)))
        return all(self.are_certain(dict(zip(names, columns))) for names, columns in layouts(records))

    def refusal(self, connection: Any, columns: Sequence[str], row: Sequence[Any]) -> str:
        """Why the server refuses a row; "" if it does not, if there is another reason, or if it cannot be asked.

        :param columns: of the table.
        :param row: as for COPY.
        """
        values = {name: (row[place],) for name, place in self._places.items() if name in self._kinds}
        if not self._ask and self.are_certain(values):
            return ""
        found = "" if self.unknown else self._tried(connection, columns, row)
        if found is None and self._copied(connection, columns):
            found = self._tried(connection, columns, row)
        return found or ""

    def _tried(self, connection: Any, columns: Sequence[str], row: Sequence[Any]) -> Optional[str]:
        """The words of the server; "" if it accepts the row, None if there is no copy of the table."""
        errors = client.psycopg.errors
        table = qualified(_TEMPORARY, self._info.stored.name)
        try:
            with connection.transaction(force_rollback=True), connection.cursor() as cursor:
                with cursor.copy(f"COPY {table} {listed(columns)} FROM STDIN") as copy:
                    copy.write(lines([row]))
        except (errors.UndefinedTable, errors.InvalidSchemaName):
            return None
        except errors.ProgramLimitExceeded as exc:
            return f"an entry of an index would be too large: {_words(exc)}"
        except (errors.DataError, errors.CheckViolation, errors.NotNullViolation) as exc:
            return f"PostgreSQL rejects it: {_words(exc)}"
        except client.psycopg.Error:  # another question
            return ""
        return ""

    def _copied(self, connection: Any, columns: Sequence[str]) -> bool:
        """Create the copy. Returns False if it cannot be created."""
        try:
            self._copy(connection, columns)
        except client.psycopg.OperationalError:
            raise
        except client.psycopg.Error as exc:
            self.unknown = postgresql_copies.unknown(self._info.stored.name, exc)
        return not self.unknown

    def _copy(self, connection: Any, columns: Sequence[str]) -> None:
        """An empty copy of the table, with all indexes and checks."""
        name = self._info.stored.name
        real = qualified(self._schema, name)
        info = self._info._replace(foreign_keys=())
        with connection.transaction():
            (exists,) = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (real,)).fetchone()
            if exists:
                postgresql_copies.create(connection, qualified(_TEMPORARY, name), real, columns)
            else:
                connection.execute(postgresql_ddl.create_table(info, _TEMPORARY))
            there = next((one for one in describe(connection, self._schema) if one.stored.name == name), None)
            have = there.stored.indexes if there is not None else ()
            info = info._replace(fields=tuple(field._replace(identity=False) for field in info.fields))
            had = info._replace(indexes=have, statements=())
            for statement in postgresql_ddl.after_data(info, _TEMPORARY, had, (), set()):
                connection.execute(statement)


def _has_rules(existing: Info) -> bool:
    """Whether a table has checks, or types whose values are unknown here."""
    own = any(one.kind == "type" or "CHECK" in one.sql.upper() for one in existing.statements)
    return own or any(field.kind == TEXT and not _IS_TEXT.match(field.native) for field in existing.fields)


def _words(exc: Any) -> str:
    return re.sub(r"\s+", " ", exc.diag.message_primary or str(exc))


def _indexed(info: Info) -> Iterator[Sequence[str]]:
    yield info.key
    for one in info.indexes:
        yield one.fields


def _longest(column: Sequence[Any]) -> int:
    """The length of the longest value, in characters or bytes."""
    return max((len(value) if isinstance(value, (str, bytes)) else len(str(value)) for value in column), default=0)
