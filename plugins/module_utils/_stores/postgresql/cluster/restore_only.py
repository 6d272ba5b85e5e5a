# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring the rows of some tables, in one transaction that is verified before it is committed.

The tables keep their definitions, and readers see either all old or all new rows. Triggers do not fire, nor do event
triggers unless others own them, and sequences are never set back, so that no number is given out twice. Check mode
loads the rows into temporary tables, so that it finds whatever the run would refuse.
"""

# ruff: noqa: S608 names are quoted by `relation`
from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ...._core.errors import InvalidRequest, TargetError
from ...base import Change, Copy, Restoration
from ..client import errors, psycopg
from .commits import commit
from .identity import Table, relation, table_sums
from .restore_comparison import Comparison, Rows, definitions_of
from .restore_contents import Contents
from .restore_definitions import Definitions, check_dependents
from .restore_keys import dangling, foreign_keys
from .restore_load import copy_in
from .restore_places import choose
from .restore_schema import OtherSchema
from .restore_state import Name, parts_of, sums_of
from .restore_tools import Tools
from .restore_triggers import Triggers
from .server import Server

_PATIENCE = "10s"
_HOLDERS = """
SELECT DISTINCT a.pid, a.usename, a.application_name, a.state FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'relation' AND l.granted AND l.mode <> ALL(%s)
AND l.relation = ANY(%s::regclass[]) AND l.pid <> %s ORDER BY 1
"""
_SEQUENCES = """
SELECT n.nspname::text, k.relname::text, q.seqincrement
FROM pg_depend d JOIN pg_sequence q ON q.seqrelid = d.objid
JOIN pg_class k ON k.oid = d.objid JOIN pg_namespace n ON n.oid = k.relnamespace
WHERE d.classid = 'pg_class'::regclass AND d.refobjid = %(table)s::regclass AND d.deptype IN ('a', 'i')
UNION SELECT n.nspname::text, k.relname::text, q.seqincrement
FROM pg_attrdef a JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
JOIN pg_sequence q ON q.seqrelid = d.refobjid
JOIN pg_class k ON k.oid = d.refobjid JOIN pg_namespace n ON n.oid = k.relnamespace
WHERE a.adrelid = %(table)s::regclass AND d.refclassid = 'pg_class'::regclass AND n.nspname = %(brought)s
"""


def prepare_only(
    server: Server, options: Mapping[str, Any], copy: Copy, only: Sequence[str], *, scratch: str, dry: bool
) -> Restoration:
    """See `Store.prepare`."""
    source, target, names = _match(options, copy, only)
    details = copy.details["databases"][source]
    with contextlib.ExitStack() as stack:
        session = _enter(server, target, stack)
        stack.enter_context(errors(TargetError, f"Can't prepare the restore of tables of {target}"))
        tools = Tools(server, scratch, details)
        contents = Contents(copy, source, os.path.join(scratch, "archive"))
        copy.progress.start(f"Comparing tables of {target}")
        with errors(TargetError, f"Can't compare the tables of {target}"):
            definitions = definitions_of(tools, contents, options)
            place = OtherSchema(session, options.get("schema"), names)
            compared = Comparison(session, tools, contents, definitions, details=details, place=place)
            found = compared.rows(sums_of(details, contents), names)
        changed = [one for one in found if one.created or one.before != one.wanted]
        work = _Work(session, tools, contents, changed, definitions=definitions, place=place)
        sequences = {parts_of(name): (value, called) for name, value, called in details["sequences"]}
        ready = TablesRestoration(work, target, found, sequences)
        ready.notes += tuple(work.notes())
        stack.push(ready.clean)
        if changed and dry:
            copy.progress.start(f"Checking the rows of tables of {target}", unit="bytes")
            with errors(TargetError, f"Can't create and fill temporary tables to check the restore of {target}"):
                work.rehearse()
        ready.held = stack.pop_all()
        return ready


def _match(options: Mapping[str, Any], copy: Copy, only: Sequence[str]) -> tuple[str, str, list[Name]]:
    """The database in the backup, the one on the server, and the tables. Raises InvalidRequest."""
    pairs, databases = choose(copy.details, options), copy.details["databases"]
    known: dict[str, list[tuple[str, str, str]]] = {}
    single = len(pairs) == 1
    for source, _place in pairs:
        for schema, table in _tables_of(databases[source], source, copy):
            label = f"{schema}.{table}"
            for name in (f"{source}.{label}", *((label, table) if single else ())):
                known.setdefault(name, []).append((source, schema, table))
    unknown = [name for name in only if name not in known]
    if unknown:
        listed = sorted(one.name for one in copy.collections)
        shown = ", ".join(listed[:30]) + (f" and {len(listed) - 30} more" if len(listed) > 30 else "")
        raise InvalidRequest(f"The backup has no table {', '.join(unknown)}.", f"Its tables are: {shown or 'none'}.")
    several = [name for name in only if len(known[name]) > 1]
    if several:
        raise InvalidRequest(f"Several schemas have a table {several[0]}.", "Write schema.table.")
    found = sorted({known[name][0] for name in only})
    if len({source for source, _schema, _table in found}) > 1:
        raise InvalidRequest("only is for tables of one database.", "Run once for each database.")
    if options.get("schema") is not None and len({schema for _source, schema, _table in found}) > 1:
        raise InvalidRequest("schema is for tables of one schema.", "Run once for each schema in the backup.")
    source = found[0][0]
    (place,) = [place for name, place in pairs if name == source]
    return source, place.name, [(schema, table) for _source, schema, table in found]


def _tables_of(details: Mapping[str, Any], database: str, copy: Copy) -> list[Name]:
    if details["sums"] is not None:
        return [(one[0], one[1]) for one in details["sums"]]
    # sums of many tables are in the pack, which is read once the database is known; dots in their schemas don't matter
    labels = (one.name[len(database) + 1 :] for one in copy.collections if one.name.startswith(database + "."))
    return [(schema, table) for schema, _dot, table in (label.partition(".") for label in labels)]


def _enter(server: Server, database: str, stack: contextlib.ExitStack) -> Any:
    with server.connect() as session, errors(TargetError, "Can't query the server"):
        if session.execute("SELECT FROM pg_database WHERE datname = %s", (database,)).fetchone() is None:
            raise TargetError(
                f"The database {database} does not exist, so that single tables can't be restored into it.",
                "Restore the whole database (omit only).",
            )
    return stack.enter_context(server.connect(database))


class _Work:
    """The steps in the transaction, which is left open."""

    def __init__(
        self,
        session: Any,
        tools: Tools,
        contents: Contents,
        tables: Sequence[Rows],
        *,
        definitions: Optional[Definitions],
        place: OtherSchema,
    ) -> None:
        self.session = session
        self.tables = tables
        self._server = tools.server
        self._contents = contents
        self._definitions = definitions
        self._place = place
        self._created = [one for one in tables if one.created]
        self._kept = [one for one in tables if not one.created]
        names = [one.quoted for one in self._kept]
        self._keys = foreign_keys(session, names)
        self._triggers = Triggers(session, names, self._keys)

    def rehearse(self) -> None:
        """Try everything that could be refused with temporary tables."""
        self._begin()
        instead: dict[str, str] = {}
        for number, one in enumerate(self._kept):
            name = f'"day2_{number}"'
            # generated columns are part of a row's text; the rest is what rows could violate
            like = f"LIKE {one.quoted} INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING INDEXES"
            self.session.execute(f"CREATE TEMP TABLE {name} ({like}) ON COMMIT DROP")
            instead[one.quoted] = f"pg_temp.{name}"
            self._load(one, f"pg_temp.{name}")
            self._verify(one, Table("pg_temp", f"day2_{number}", "t", "", 0, one.table.form))
        # the server shows names without quotes that they don't need
        shown = {self._shown(table): temporary for table, temporary in instead.items()}
        self._check_keys(shown)
        new = [one for one in self._created if one.before is None]
        self._create(new)
        for one in self._created:
            if one.before is None:
                self._load(one, one.quoted)
                self._verify(one, one.table)
            else:  # its definition would have to be dropped first
                for _data in self._contents.rows(one.file):
                    pass
        if self._place.elsewhere:  # elsewhere only, as foreign keys would lock tables that are in use
            self._create(new, "post-data")
        self.session.execute("ROLLBACK")

    def begin(self) -> None:
        """Lock the tables against writing by others."""
        self._begin()
        self._lock(self._involved(), "SHARE ROW EXCLUSIVE")

    def _begin(self) -> None:
        if self.session.execute("SELECT pg_is_in_recovery()").fetchone()[0]:
            raise TargetError(f"{self._server.shown} is a standby, where nothing can be restored.", "Use its primary.")
        self._triggers.check()
        check_dependents(self.session, self._replaced())
        self.session.execute("BEGIN")
        self._triggers.silence()

    @property
    def excludes_readers(self) -> bool:
        """Would `replace` keep others from reading, such as a safety backup?"""
        return bool(self._replaced()) or self._triggers.drops_keys

    def _involved(self) -> list[str]:
        partners = {key.child for key in self._keys} | {key.parent for key in self._keys}
        names = [one.quoted for one in self._kept] + [relation(*name) for name in self._replaced()]
        return sorted({self._shown(name) for name in names} | partners)

    def replace(self, sequences: Mapping[Name, tuple[int, bool]]) -> tuple[str, ...]:
        """After `begin`. Returns notes."""
        triggers = self._triggers
        if self.excludes_readers:
            self._lock(self._involved(), "ACCESS EXCLUSIVE")
        triggers.disable()
        self._recreate()
        for one in self.tables:
            # TRUNCATE would show an empty table to those who read with an older snapshot
            self.session.execute(f"DELETE FROM ONLY {one.quoted} t {one.table.condition}")
            self._load(one, one.quoted)
        self._check_keys({})
        triggers.enable()
        self._create(self._created, "post-data")
        for one in self.tables:
            self._advance(one.quoted, sequences)
        for one in self.tables:  # last, as event triggers may have written to one of them
            self._verify(one, one.table)
        triggers.unsilence()
        return triggers.notes

    def commit(self) -> Any:
        """Returns the session to continue with."""
        return commit(self._server, self.session)

    def _replaced(self) -> list[Name]:
        """Tables that exist with another definition."""
        return [(one.table.schema, one.table.name) for one in self._created if one.before is not None]

    def _recreate(self) -> None:
        replaced = self._replaced()
        if replaced:
            check_dependents(self.session, replaced)
            self.session.execute(f"DROP TABLE {', '.join(relation(*name) for name in replaced)}")
        self._create(self._created)

    def _create(self, tables: Sequence[Rows], section: str = "pre-data") -> None:
        names = [one.source for one in tables]
        if self._definitions is None or not names:
            return
        with self._place.named_like_theirs() as present:
            if self._place.elsewhere:
                self._run(self._definitions.text_alone(names, section, present))
            else:
                self._run(self._definitions.text(names, section))

    def notes(self) -> list[str]:
        """On event triggers, and what is created in another schema. Raises TargetError for what can't be."""
        notes = []
        if self.tables and self._triggers.heard:
            heard = ", ".join(self._triggers.heard)
            notes.append(f"The restore fires event triggers that this role can't disable: {heard}.")
        names = [one.source for one in self._created]
        if self._definitions is None or not names or not self._place.elsewhere:
            return notes
        return notes + self._definitions.notes_alone(names, self._place.of(names[0])[0])

    def _run(self, text: bytes) -> None:
        self.session.execute(text)
        # what it has set for itself
        self.session.execute("SET search_path = ''; SET row_security = off")

    def _shown(self, name: str) -> str:
        (shown,) = self.session.execute("SELECT %s::regclass::text", (name,)).fetchone()
        return str(shown)

    def _lock(self, names: Sequence[str], mode: str) -> None:
        if not names:
            return
        self.session.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
        try:
            self.session.execute(f"LOCK TABLE {', '.join(names)} IN {mode} MODE")
        except psycopg.errors.LockNotAvailable as exc:
            raise TargetError(
                f"{', '.join(names)} can't be locked: {self._holders(names, mode)}.",
                f"The restore waited {_PATIENCE}. End that session, or run again later.",
            ) from exc
        self.session.execute("SET LOCAL lock_timeout = 0")

    def _holders(self, names: Sequence[str], mode: str) -> str:
        harmless = [] if mode == "ACCESS EXCLUSIVE" else ["AccessShareLock", "RowShareLock"]
        me = self.session.info.backend_pid
        with self._server.connect(self.session.info.dbname) as other:
            found = other.execute(_HOLDERS, (harmless, list(names), me)).fetchall()
        shown = [
            f"pid {pid} (user {user}, {application or 'no name'}, {state})" for pid, user, application, state in found
        ]
        return f"in use by {', '.join(shown)}" if shown else "the session that held a lock has just ended"

    def _load(self, one: Rows, into: str) -> None:
        whole = one.statement.decode("utf-8", "surrogateescape")
        start = re.match(r'COPY ((?:"(?:[^"]|"")*"|[^"\s])+)', whole)
        rest = whole[start.end() :] if start else ""
        statement = f"COPY {into}{rest}".encode("utf-8", "surrogateescape")
        copy_in(self.session, statement, self._contents.rows(one.file), one.file)

    def _verify(self, one: Rows, table: Table) -> None:
        got = next(iter(table_sums(self.session, [table]).values()))
        if got != one.wanted:
            raise TargetError(
                f"The restored rows of {one.table.shown} differ from the backup.",
                "Nothing was changed. Its columns may have other types than in the backup, or an event trigger may "
                "have changed it.",
            )

    def _check_keys(self, instead: Mapping[str, str]) -> None:
        found = dangling(self.session, self._keys, instead)
        if found:
            raise TargetError(
                f"The restore would leave dangling references: {'; '.join(found)}.",
                "Restore the other table(s) as well: add them to only.",
            )

    def _advance(self, table: str, sequences: Mapping[Name, tuple[int, bool]]) -> None:
        """Sequences of the table, and those that came along, give no number that the backup has seen."""
        given = {"table": table, "brought": self._place.name}
        for schema, name, step in self.session.execute(_SEQUENCES, given).fetchall():
            source = self._place.source((schema, name))
            if source not in sequences:
                continue
            quoted, wanted = relation(schema, name), sequences[source]
            value, called = self.session.execute(f"SELECT last_value, is_called FROM {quoted}").fetchone()
            if (_next(*wanted, step) - _next(value, called, step)) * step > 0:
                # alone, setval() would survive a rollback; after this, it writes to what only this transaction sees
                self.session.execute(f"ALTER SEQUENCE {quoted} RESTART")
                self.session.execute("SELECT setval(%s, %s, %s)", (quoted, *wanted))


def _next(value: int, called: bool, step: int) -> int:
    return value + step if called else value


class TablesRestoration:
    """A transaction that waits to be committed."""

    damage = ""

    def __init__(
        self, work: _Work, database: str, found: Sequence[Rows], sequences: Mapping[Name, tuple[int, bool]]
    ) -> None:
        self._work = work
        self._session = work.session
        self._sequences = sequences
        self._applied = False
        self._database = database
        self.held: Optional[contextlib.ExitStack] = None
        self.changed = bool(work.tables)
        self.changes = tuple(
            Change(f"{database}.{one.table.shown}", one.before[0] if one.before else None, one.wanted[0])
            for one in found
        )
        self.differences = tuple((f"{database}: {one.table.shown}", "changed") for one in work.tables)
        self.notes: tuple[str, ...] = ()

    def build(self) -> None:
        """Everything but the commit, unless that would keep the safety backup from reading."""
        with errors(TargetError, f"Can't restore tables of {self._database}"):
            self._work.begin()
            if not self._work.excludes_readers:
                self.notes += self._work.replace(self._sequences)

    def apply(self) -> None:
        with errors(TargetError, f"Can't restore tables of {self._database}"):
            if self._work.excludes_readers:
                self.notes += self._work.replace(self._sequences)
            self._session = self._work.commit()
        self._applied = True

    def undo(self) -> None:
        raise TargetError(
            f"Rows in {self._database} that were replaced can't be restored by this run.", "Restore the safety backup."
        )

    def clean(self, *_exc: object) -> None:
        """Roll back, or update what the planner knows."""
        with contextlib.suppress(psycopg.Error):  # a closed session has rolled back
            if self._applied:
                for one in self._work.tables:
                    self._session.execute(f"ANALYZE {one.quoted}")
            else:
                self._session.execute("ROLLBACK")
        self._session.close()

    def __enter__(self) -> Restoration:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.held is not None:
            self.held.close()
