# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The definitions of single tables in an archive, with all that belongs to them alone."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple, Optional

from ...._core.errors import TargetError
from .archive import normalised
from .identity import relation
from .restore_contents import Contents
from .restore_load import list_of
from .restore_state import Name
from .restore_tools import Tools

# What is part of a table, or goes with it; of these types, the name of the table is the first word of their own.
_NAMED = ("CHECK CONSTRAINT", "FK CONSTRAINT", "CONSTRAINT", "DEFAULT", "POLICY", "ROW SECURITY", "RULE", "TRIGGER")
_ATTACHED = (
    *_NAMED,
    "SEQUENCE OWNED BY",
    "SEQUENCE",
    "TABLE ATTACH",
    "INDEX ATTACH",
    "INDEX",
    "STATISTICS",
    "COMMENT",
    "ACL",
    "SECURITY LABEL",
    "PUBLICATION TABLE",
)
_OTHERS = ("TABLE DATA", "SEQUENCE SET")
# What a table brings along into another schema, as types of PostgreSQL; of each, what may be there already.
_BROUGHT = {
    "SHELL TYPE": "TYPE",
    "TYPE": "TYPE",
    "DOMAIN": "TYPE",
    "FUNCTION": "FUNCTION",
    "PROCEDURE": "FUNCTION",
    "AGGREGATE": "FUNCTION",
    "COLLATION": "COLLATION",
    "SEQUENCE": "SEQUENCE",
    "OPERATOR CLASS": "",
    "OPERATOR FAMILY": "",
    "OPERATOR": "",
}
_EVERYWHERE = ("SCHEMA", "EXTENSION")
_RELATIONS = ("TABLE", "INDEX", "CONSTRAINT")  # those of others are never brought along, nor referred to
_UNSAID = ("COMMENT", "ACL", "SECURITY LABEL")
_KINDS = (*_OTHERS, *_ATTACHED, *_BROUGHT, *_EVERYWHERE, "TABLE")
_ENTRY = re.compile(r"(\d+); \d+ \d+ (.*)")
# Views, foreign keys of other tables and the like, which would be lost with the table.
_DEPENDENTS = """
SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) FROM (
  SELECT CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass::oid END AS classid,
    coalesce(r.ev_class, d.objid) AS objid, k.conrelid, r.ev_class
  FROM pg_depend d LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
  LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = %(table)s::regclass AND d.deptype = 'n') d
WHERE (d.ev_class IS NOT NULL AND d.ev_class <> %(table)s::regclass)
  OR (d.conrelid IS NOT NULL AND d.conrelid <> %(table)s::regclass) ORDER BY 1
"""


class _Entry(NamedTuple):
    number: int
    line: str
    type: str
    rest: str  # "schema name owner"
    needs: frozenset[int]

    def name_in(self, schema: str) -> str:
        """Its name without schema and owner."""
        return self.rest[len(schema) + 1 :].rpartition(" ")[0]


class Definitions:
    """The definitions of tables in an archive."""

    def __init__(self, tools: Tools, contents: Contents, flags: Sequence[str]) -> None:
        """
        :param flags: options of pg_restore for owners and privileges.
        """
        self._tools = tools
        self._flags = list(flags)
        self._contents = contents
        listed = tools.run("pg_restore", ["-l", "-v", contents.directory], None, TargetError)
        self._entries = {entry.number: entry for entry in _parsed(listed.decode("utf-8", "surrogateescape"))}

    def text(self, tables: Sequence[Name], section: str) -> bytes:
        """The statements that create these tables, of one section."""
        return self._text(self._of(tables), section)

    def text_alone(self, tables: Sequence[Name], section: str, present: Collection[tuple[str, str]]) -> bytes:
        """The same, with all that these tables of one schema need of it, and without what would lead out of it.

        :param present: (kind, name) of what exists already.
        """
        schema = tables[0][0]
        numbers, _left_out = self._alone(tables)
        brought = [self._entries[number] for number in numbers - self._of(tables)]
        again = {one.number for one in brought if (_BROUGHT.get(one.type), one.name_in(schema)) in present}
        return self._text(numbers - again, section)

    def notes_alone(self, tables: Sequence[Name], place: str) -> list[str]:
        """What tables in another schema are without, and what is in there unchanged. Raises TargetError."""
        schema = tables[0][0]
        numbers, left_out = self._alone(tables)
        lost = [f"{one.type} {one.name_in(schema)}" for one in left_out if one.type not in _UNSAID]
        functions = [one for number, one in self._entries.items() if number in numbers]
        bodies = [one.name_in(schema) for one in functions if _BROUGHT.get(one.type) == "FUNCTION"]
        notes = []
        if lost:
            notes.append(f"Left out of {place}, as other tables or publications are involved: {', '.join(lost)}.")
        if bodies:
            notes.append(f"The bodies of functions in {place} keep the names of schemas: {', '.join(bodies)}.")
        return notes

    def _text(self, numbers: Collection[int], section: str) -> bytes:
        lines = [entry.line for number, entry in self._entries.items() if number in numbers]
        path = self._contents.path(f"{section}.list")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        wanted = list_of(lines, path)
        words = [f"--section={section}", *self._flags, "-L", wanted, "-f", "-", self._contents.directory]
        return normalised(self._tools.run("pg_restore", words, None, TargetError))

    def _alone(self, tables: Sequence[Name]) -> tuple[set[int], list[_Entry]]:
        """The entries to create in another schema, and those that belong to the tables and can't be."""
        schema = tables[0][0]
        found = self._of(tables)
        first = {number for number in found if self._entries[number].type == "TABLE"}
        without: set[int] = set()
        while True:
            whole = self._with_needs(found - without, without, schema)
            lacking = {number: self._lacks(self._entries[number], whole, schema) for number in whole}
            bad = {number for number, lacks in lacking.items() if lacks}
            if not bad:
                return whole, [self._entries[number] for number in sorted(without & found)]
            for number in bad & first:
                raise TargetError(
                    f"{_shown(self._entries[number], schema)} can't be created in another schema without "
                    f"{lacking[number]}.",
                    "Add it to only, or restore into another database (database).",
                )
            without |= bad

    def _with_needs(self, found: set[int], without: Collection[int], schema: str) -> set[int]:
        """These, and the types, functions and the like of the schema that they need."""
        whole, new = set(found), set(found)
        while new:
            needs = set().union(*(self._entries[number].needs for number in new)) - whole - set(without)
            new = {number for number in needs if self._is_brought(number, schema)}
            whole |= new
        return whole

    def _is_brought(self, number: int, schema: str) -> bool:
        entry = self._entries.get(number)
        return entry is not None and entry.type in _BROUGHT and entry.rest.startswith(f"{schema} ")

    def _lacks(self, entry: _Entry, whole: Collection[int], schema: str) -> str:
        """What an entry needs that will not be there; "": nothing."""
        if entry.type == "PUBLICATION TABLE":
            return "its publication"
        for number in entry.needs - set(whole):
            other = self._entries.get(number)
            if other is None or other.type in _EVERYWHERE or self._is_partition(entry, other):
                continue
            if other.type in _RELATIONS or f" {schema} " in other.line:
                return f"{other.type} {_shown(other, schema)}"
        return ""

    def has(self, table: Name) -> bool:
        return self._table(table) is not None

    def _table(self, table: Name) -> Optional[_Entry]:
        start = f"{table[0]} {table[1]} "
        found = (one for one in self._entries.values() if one.type == "TABLE" and one.rest.startswith(start))
        return next((one for one in found if " " not in one.rest[len(start) :]), None)

    def _is_partition(self, entry: _Entry, parent: _Entry) -> bool:
        """Whether a table or index is attached to another by a statement of its own, and can be without it."""
        both = {entry.number, parent.number}
        return entry.type in _RELATIONS and any(
            one.type in ("TABLE ATTACH", "INDEX ATTACH") and both <= one.needs for one in self._entries.values()
        )

    def _of(self, tables: Sequence[Name]) -> set[int]:
        return set().union(*(self._belongings(table) for table in tables))

    def _belongings(self, table: Name) -> set[int]:
        first = self._table(table)
        if first is None:
            raise TargetError(f"The backup has no definition of {'.'.join(table)}.")
        found = {first.number}
        while True:
            more = {one.number for one in self._entries.values() if self._belongs(one, found, table)} - found
            if not more:
                return found
            for number in more:
                if self._entries[number].type == "SEQUENCE OWNED BY":
                    needed = self._entries[number].needs & set(self._entries)
                    found |= {other for other in needed if self._entries[other].type == "SEQUENCE"}
            found |= more

    @staticmethod
    def _belongs(entry: _Entry, found: Collection[int], table: Name) -> bool:
        if entry.type not in _ATTACHED or entry.needs.isdisjoint(found):
            return False
        names = (f"{table[0]} {table[1]} ",)
        return entry.type not in _NAMED or entry.rest.startswith(names)


def _shown(entry: _Entry, schema: str) -> str:
    """Its name. It can contain blanks, as the schema can: only of a known schema it is certain where it ends."""
    own = entry.rest.startswith(f"{schema} ")
    return f"{schema}.{entry.name_in(schema)}" if own else entry.rest.rpartition(" ")[0]


def _parsed(text: str) -> Iterator[_Entry]:
    entry: Optional[_Entry] = None
    for line in text.split("\n"):
        needs = line.partition("depends on:")[2]
        if entry is not None and line.startswith(";") and needs:
            entry = entry._replace(needs=frozenset(int(number) for number in needs.split()))
            continue
        if entry is not None:
            yield entry
            entry = None
        found = _ENTRY.fullmatch(line)
        if found is not None:
            kind = next((one for one in _KINDS if found[2].startswith(one + " ")), "")
            entry = _Entry(int(found[1]), line, kind, found[2][len(kind) + 1 :], frozenset())
    if entry is not None:
        yield entry


def check_dependents(session: Any, tables: Sequence[Name]) -> None:
    """Raise TargetError, listing everything that would be lost if these tables were dropped."""
    found = []
    for table in tables:
        rows = session.execute(_DEPENDENTS, {"table": relation(*table)}).fetchall()
        found += [f"{what} (on {'.'.join(table)})" for (what,) in rows]
    if found:
        raise TargetError(
            f"Tables that have another definition than in the backup can't be recreated, as others depend on them: "
            f"{', '.join(found)}.",
            "Drop them first, and recreate them after the restore.",
        )
