# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of a database, and the content that a backup should restore."""

# ruff: noqa: S608 names are quoted by `qualified`
from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ...._core.errors import SourceError, TargetError
from ..client import errors
from ..ddl import qualified
from .archive import normalised
from .identity import Table, large_objects, list_tables, table_sums
from .restore_contents import Contents
from .restore_tools import Tools
from .row_text import RECORD, WHOLE
from .server import Server

Name = tuple[str, str]  # of a table or sequence: schema and name
Sums = Mapping[Name, tuple[int, str, str]]
_LOCK_WAIT = "15s"
_WORD = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')
_SEQUENCES = """
SELECT n.nspname, k.relname FROM pg_sequence s JOIN pg_class k ON k.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = k.relnamespace WHERE k.relpersistence <> 't' AND (NOT EXISTS (
 SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = k.oid AND d.deptype = 'e')
 OR EXISTS (SELECT FROM pg_extension x WHERE k.oid = ANY(x.extconfig))) ORDER BY 1, 2
"""
_POPULATED = """
SELECT n.nspname || ' ' || k.relname FROM pg_class k JOIN pg_namespace n ON n.oid = k.relnamespace
WHERE k.relkind = 'm' AND k.relispopulated AND NOT EXISTS (
 SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = k.oid AND d.deptype = 'e')
"""
_REFRESH = re.compile(rb"^REFRESH MATERIALIZED VIEW [^\n]*;\n", re.MULTILINE)  # pg_dump -s omits them
_BLANK = re.compile(rb"\n\n+")
_INVALID = """
SELECT format('%I.%I', n.nspname, k.relname) FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = k.relnamespace WHERE NOT i.indisvalid AND k.relkind = 'i' ORDER BY 1
"""


class State(NamedTuple):
    """Everything in a database that a restore restores. `schema` is None if it can't be compared."""

    sums: Sums
    sequences: Mapping[Name, tuple[int, bool]]
    large_objects: tuple[Any, ...]
    populated: frozenset[str]  # materialized views that have rows
    schema: Optional[bytes]

    def counted(self) -> State:
        """The same with the numbers of rows alone."""
        return self._replace(sums={name: (rows, "", "") for name, (rows, _one, _two) in self.sums.items()})

    def differences(self, other: State) -> list[str]:
        """The differences, as text for messages: tables first, then everything else."""
        names = sorted(name for name in {**self.sums, **other.sums} if self.sums.get(name) != other.sums.get(name))
        found = [f"{'.'.join(name)}" for name in names]
        moved = {**self.sequences, **other.sequences}
        found += [
            f"sequence {'.'.join(name)}"
            for name in sorted(moved)
            if self.sequences.get(name) != other.sequences.get(name)
        ]
        if not _same_objects(self.large_objects, other.large_objects):
            found.append("large objects")
        found += [f"materialized view {name.replace(' ', '.', 1)}" for name in sorted(self.populated ^ other.populated)]
        if self.schema != other.schema:
            found.append("schema")
        return found


def _same_objects(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Sums of a superuser are of pages, those of others are of whole objects: of both, only the numbers are equal."""
    if bool(one[2]) != bool(other[2]):
        return bool(one[0] == other[0])
    return list(one) == list(other)


def expected(tools: Tools, contents: Contents, details: Mapping[str, Any], flags: Sequence[str]) -> State:
    """The state in the backup.

    :param details: of the database, from the manifest.
    """
    return State(
        sums_of(details, contents),
        {parts_of(name): (value, called) for name, value, called in details["sequences"]},
        tuple(details["large_objects"]),
        frozenset(line.rsplit(" ", 1)[0] for line in entries_of(tools, contents.directory, "MATERIALIZED VIEW DATA")),
        _schema(tools, "pg_restore", ["-s", "-f", "-", *flags, contents.directory]),
    )


def sums_of(details: Mapping[str, Any], contents: Contents) -> dict[Name, tuple[int, str, str]]:
    """The sums of the tables in the backup."""
    sums = details["sums"]
    if sums is None:
        with open(contents.path("sums.json"), encoding="utf-8") as handle:
            sums = json.load(handle)
    return {(schema, table): (rows, one, two) for schema, table, rows, one, two in sums}


def as_in(details: Mapping[str, Any], tables: Sequence[Table]) -> list[Table]:
    """Tables whose rows are made into text as for the sums in the backup."""
    form = details.get("row_text") or (RECORD if details.get("without_generated") else WHOLE)
    return [one._replace(form=form) for one in tables]


def present(
    tools: Tools, database: str, details: Mapping[str, Any], flags: Sequence[str], *, digests: bool = True
) -> State:
    """The state of a database on the server, as far as the backup knows it.

    :param details: of the database in the backup.
    :param digests: False: tables are only counted, as in `State.counted`.
    """
    without = set(details["without_rows"])
    with tools.server.connect(database) as session, errors(SourceError, f"Can't read the database {database}"):
        tables = [one for one in as_in(details, list_tables(session)) if one.shown not in without]
        sums = table_sums(session, tables) if digests else _counts(session, tables)
        sequences = read_sequences(session)
        objects = tuple(large_objects(session))
        populated = frozenset(name for (name,) in session.execute(_POPULATED).fetchall())
    words = ["-s", "--lock-wait-timeout", _LOCK_WAIT, *flags]
    return State(sums, sequences, objects, populated, _schema(tools, "pg_dump", words, database))


def _schema(tools: Tools, program: str, words: list[str], database: Optional[str] = None) -> Optional[bytes]:
    if not tools.comparable:
        return None
    text = tools.run(program, words, database, TargetError if database is None else SourceError)
    return _BLANK.sub(b"\n", _REFRESH.sub(b"", normalised(text)))


def lines_of(tools: Tools, archive: str, kind: str) -> list[str]:
    """The entries of one type, a regular expression, in an archive, as `pg_restore -L` takes them."""
    start = re.compile(rf"\d+; \d+ \d+ {kind} ")
    listed = tools.run("pg_restore", ["-l", archive], None, TargetError).decode("utf-8", "surrogateescape")
    return [line for line in listed.split("\n") if start.match(line)]


def entries_of(tools: Tools, archive: str, kind: str) -> list[str]:
    """What these entries are: C(schema name owner), separated by blanks, which names can contain, too."""
    return [line.partition(f" {kind} ")[2] for line in lines_of(tools, archive, kind)]


def _counts(session: Any, tables: Sequence[Table]) -> dict[Name, tuple[int, str, str]]:
    found: dict[Name, tuple[int, str, str]] = {}
    for one in tables:
        query = f"SELECT count(*) FROM ONLY {qualified(one.schema, one.name)} t {one.condition}"
        found[one.schema, one.name] = (session.execute(query).fetchone()[0], "", "")
    return found


def read_sequences(session: Any) -> dict[Name, tuple[int, bool]]:
    """Sequences with their values; `pg_sequence_last_value` does not tell all of it."""
    found = session.execute(_SEQUENCES).fetchall()
    values: dict[Name, tuple[int, bool]] = {}
    for schema, name in found:
        values[schema, name] = session.execute(
            f"SELECT last_value, is_called FROM {qualified(schema, name)}"
        ).fetchone()
    return values


def invalid_indexes(server: Server, database: str) -> list[str]:
    with server.connect(database) as session, errors(SourceError, f"Can't read the database {database}"):
        return [name for (name,) in session.execute(_INVALID).fetchall()]


def parts_of(name: str) -> Name:
    """The schema and name in a text like C(public."Odd name")."""
    parts = [quoted.replace('""', '"') if quoted or not bare else bare for quoted, bare in _WORD.findall(name)]
    return (parts[0], parts[1]) if len(parts) == 2 else ("", name)
