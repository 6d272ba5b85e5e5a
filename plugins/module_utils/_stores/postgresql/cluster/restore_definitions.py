# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The definitions of single tables in an archive, with all that belongs to them alone."""

from __future__ import annotations

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
        numbers: set[int] = set().union(*(self._belongings(table) for table in tables))
        lines = [entry.line for number, entry in self._entries.items() if number in numbers]
        wanted = list_of(lines, self._contents.path(f"{section}.list"))
        words = [f"--section={section}", *self._flags, "-L", wanted, "-f", "-", self._contents.directory]
        return normalised(self._tools.run("pg_restore", words, None, TargetError))

    def has(self, table: Name) -> bool:
        return self._table(table) is not None

    def _table(self, table: Name) -> Optional[_Entry]:
        start = f"{table[0]} {table[1]} "
        found = (one for one in self._entries.values() if one.type == "TABLE" and one.rest.startswith(start))
        return next((one for one in found if " " not in one.rest[len(start) :]), None)

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
            kind = next((one for one in (*_OTHERS, *_ATTACHED, "TABLE") if found[2].startswith(one + " ")), "")
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
            "Drop these first, and create them again after the restore.",
        )
