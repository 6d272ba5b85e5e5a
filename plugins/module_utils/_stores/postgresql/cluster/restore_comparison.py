# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares single tables of a database with those in a backup."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ...._core.errors import InvalidRequest, TargetError
from .identity import Sums, Table, list_tables, relation, table_sums
from .restore_contents import Contents
from .restore_definitions import Definitions
from .restore_load import copy_statements, table_of
from .restore_owners import MAP, Owners
from .restore_schema import OtherSchema
from .restore_state import Name, as_in
from .restore_tools import Tools
from .row_text import FIELDS

_COLUMNS = """
SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
_RELATION = re.compile(r'COPY (?:"(?:[^"]|"")*"|[^"\s])+')
_NAME = re.compile(r'"((?:[^"]|"")*)"|([^", ]+)')


class Rows(NamedTuple):
    """A table whose rows are replaced."""

    table: Table
    statement: bytes  # of COPY
    file: str
    wanted: Sums
    before: Optional[Sums]  # None: the table does not exist
    source: Name  # in the backup
    created: bool = False  # with the definition in the backup

    @property
    def quoted(self) -> str:
        return relation(self.table.schema, self.table.name)


def definitions_of(tools: Tools, contents: Contents, options: Mapping[str, Any]) -> Optional[Definitions]:
    if not options.get("with_schema"):
        return None
    owners = Owners.of(options)
    if owners.mode == MAP:
        raise InvalidRequest("with_schema and owner=map are mutually exclusive.", "Set owner to keep or none.")
    return Definitions(tools, contents, owners.flags)


class Comparison:
    """The tables as they are in the database and in the backup."""

    def __init__(
        self,
        session: Any,
        tools: Tools,
        contents: Contents,
        definitions: Optional[Definitions],
        *,
        details: Mapping[str, Any],
        place: OtherSchema,
    ) -> None:
        self._session = session
        self._place = place
        self._details = details
        self._definitions = definitions
        statements, encoding = copy_statements(tools, contents.directory)
        session.execute("SELECT set_config('client_encoding', %s, false)", (encoding,))
        self._files = {table_of(statement): (statement, file) for file, statement in statements.items()}
        self._tables = {(one.schema, one.name): one for one in as_in(details, list_tables(session))}

    def rows(self, wanted: Mapping[Name, Sums], names: Sequence[Name]) -> list[Rows]:
        """Raises TargetError when a table is missing or has other columns, and is not to be created."""
        problems = [problem for name in names for problem in self._problems(name)]
        if problems:
            raise TargetError(
                f"The rows can't be restored: {'; '.join(problems)}.",
                "Set with_schema=true to create the tables as in the backup, or restore the whole database beside it "
                "(database), and copy what you need.",
            )
        there = {name: self._tables[self._place.of(name)] for name in names if self._place.of(name) in self._tables}
        before = table_sums(self._session, list(there.values()))
        return [
            Rows(
                self._table(name),
                *self._files[name],
                wanted[name],
                before.get(self._place.of(name)),
                name,
                name not in there or bool(self._other_columns(name)),
            )
            for name in names
        ]

    def _table(self, name: Name) -> Table:
        """The table as it will be."""
        wanted = self._place.of(name)
        return self._tables.get(wanted) or as_in(self._details, [Table(*wanted, "p", "", 0)])[0]

    def _problems(self, name: Name) -> list[str]:
        if name not in self._files:
            return [f"the backup has no rows of {'.'.join(name)}"]
        if self._definitions is not None:
            return [] if self._definitions.has(name) else [f"the backup has no definition of {'.'.join(name)}"]
        wanted = self._place.of(name)
        return self._other_columns(name) if wanted in self._tables else [f"{'.'.join(wanted)} does not exist"]

    def _other_columns(self, name: Name) -> list[str]:
        """Their order counts where the text of rows has it, and where the definition is the backup's."""
        wanted = self._place.of(name)
        ordered = self._definitions is not None or self._tables[wanted].form != FIELDS
        return _other_columns(self._session, wanted, self._files[name][0], ordered=ordered)


def columns_of(statement: bytes) -> list[str]:
    """The columns that a statement of COPY loads: all that are not generated."""
    text = _RELATION.sub("", statement.decode("utf-8", "surrogateescape"), count=1)
    inside = text[text.index("(") + 1 : text.rindex(")")] if "(" in text else ""
    return [quoted.replace('""', '"') or bare for quoted, bare in _NAME.findall(inside)]


def _other_columns(session: Any, name: Name, statement: bytes, *, ordered: bool) -> list[str]:
    ours = columns_of(statement)
    theirs = session.execute(_COLUMNS, (relation(*name),)).fetchone()[0] or []
    if ours == theirs or (not ordered and sorted(ours) == sorted(theirs)):
        return []
    added, lost = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
    words = [f"lacks {', '.join(lost)}"] if lost else []
    words += [f"has {', '.join(added)} in addition"] if added else []
    return [f"{'.'.join(name)} {' and '.join(words) or 'has its columns in another order'}"]
