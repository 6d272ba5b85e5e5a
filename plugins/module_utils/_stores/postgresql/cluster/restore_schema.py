# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring tables into another schema than theirs.

Definitions name their schema everywhere, also in expressions. They are not edited: for a moment, in a transaction that
nobody else sees, the other schema has the name of theirs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any, Optional

from ...._core.errors import InvalidRequest, TargetError
from ..client import identifier, psycopg
from .restore_state import Name

_ASIDE = "day2_aside"
_LONGEST = 63  # bytes of a name; PostgreSQL cuts off the rest
_SYSTEM = ("pg_", "information_schema")
_PRESENT = """
SELECT 'TYPE', typname::text FROM pg_catalog.pg_type WHERE typnamespace = %(schema)s::regnamespace
UNION ALL SELECT 'FUNCTION', proname || '(' || oidvectortypes(proargtypes) || ')' FROM pg_catalog.pg_proc
  WHERE pronamespace = %(schema)s::regnamespace
UNION ALL SELECT 'SEQUENCE', relname::text FROM pg_catalog.pg_class
  WHERE relnamespace = %(schema)s::regnamespace AND relkind = 'S'
UNION ALL SELECT 'COLLATION', collname::text FROM pg_catalog.pg_collation
  WHERE collnamespace = %(schema)s::regnamespace
"""


class OtherSchema:
    """Where tables of one schema go.

    :param name: of the schema; None: tables stay in theirs.
    :raises InvalidRequest: no schema of users can have this name.
    """

    def __init__(self, session: Any, name: Optional[str], tables: Collection[Name]) -> None:
        self._session = session
        if name is not None and (not 0 < len(name.encode()) <= _LONGEST or name.startswith(_SYSTEM) or "\0" in name):
            raise InvalidRequest(
                f"schema is {name!r}, which can't be the name of a schema.",
                f"Set it to 1 to {_LONGEST} bytes that do not start with pg_.",
            )
        (self._theirs,) = {schema for schema, _table in tables} if name is not None else {""}
        self.name = name if name != self._theirs else None

    @property
    def elsewhere(self) -> bool:
        """Whether tables do not stay in their schema."""
        return self.name is not None

    def of(self, table: Name) -> Name:
        """The table on the server."""
        return table if self.name is None else (self.name, table[1])

    def source(self, sequence: Name) -> Name:
        """The name in the backup of a sequence on the server."""
        return (self._theirs, sequence[1]) if sequence[0] == self.name else sequence

    @contextlib.contextmanager
    def named_like_theirs(self) -> Iterator[Collection[tuple[str, str]]]:
        """Between these, the other schema has the name of theirs. It is created if it does not exist.

        Returns the (kind, name) of its types, functions, sequences and collations. Raises TargetError.
        """
        if self.name is None:
            yield ()
            return
        aside = self._exists(self._theirs)
        if aside:
            self._rename(self._theirs, _ASIDE)
        if self._exists(self.name):
            self._rename(self.name, self._theirs)
        else:
            self._session.execute(f"CREATE SCHEMA {identifier(self._theirs)}")
        present = self._session.execute(_PRESENT, {"schema": identifier(self._theirs)}).fetchall()
        try:
            yield set(present)
        except (psycopg.errors.UndefinedObject, psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedTable) as exc:
            raise TargetError(
                f"The tables can't be created in {self.name}: {exc.diag.message_primary}.",
                f"Definitions can't use extensions in {self._theirs} from another schema. Restore into another "
                "database (database).",
            ) from exc
        self._rename(self._theirs, self.name)
        if aside:
            self._rename(_ASIDE, self._theirs)

    def _exists(self, schema: str) -> bool:
        query = "SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s"
        return self._session.execute(query, (schema,)).fetchone() is not None

    def _rename(self, schema: str, name: str) -> None:
        self._session.execute(f"ALTER SCHEMA {identifier(schema)} RENAME TO {identifier(name)}")
