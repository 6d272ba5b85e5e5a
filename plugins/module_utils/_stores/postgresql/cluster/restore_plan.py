# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring whole databases: each into a new one, which is verified, and takes the place of the old one by a rename."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Optional

from ...._core.errors import Day2Error, Differs, InvalidRequest, SourceError, TargetError, TaskEnded
from ...base import Change, Copy, Restoration
from ..client import errors
from .restore_contents import Contents
from .restore_databases import (
    Place,
    Swap,
    check_free,
    check_replaceable,
    check_space,
    create,
    drop,
    exists,
    lock,
    remove_leftovers,
)
from .restore_load import Load
from .restore_owners import Owners, statements_for_others
from .restore_places import choose, replaceable
from .restore_properties import Properties
from .restore_requires import check_requirements, refuse
from .restore_state import State, entries_of, expected, invalid_indexes, present
from .restore_tools import Tools
from .server import Server

_JOBS = 2
_NOT_COMPARED = (
    "Only data was compared: definitions can't be, as the backup was made with another major version of PostgreSQL or "
    "pg_dump."
)


class _Part(NamedTuple):
    """One database of the backup, and the one on the server."""

    place: Place
    details: Mapping[str, Any]
    properties: Properties
    contents: Contents
    expected: State
    present: Optional[State]  # None: it does not exist, or can't be read
    exists: bool
    damage: str

    @property
    def changed(self) -> bool:
        return self.present is None or bool(self.expected.differences(self.present))

    def changes(self) -> list[Change]:
        """One line for each table that is or will be there."""
        before = self.present.sums if self.present else {}
        names = sorted({**before, **self.expected.sums})
        return [
            Change(
                ".".join((self.place.name, *name)),
                before[name][0] if name in before else None,
                self.expected.sums[name][0] if name in self.expected.sums else 0,
            )
            for name in names
        ]

    def differences(self) -> list[tuple[str, str]]:
        """Differences other than the numbers of rows."""
        found = self.expected.differences(self.present) if self.present else []
        return [(f"{self.place.name}: {what}", "changed") for what in found]


def prepare(
    server: Server, options: Mapping[str, Any], copy: Copy, only: Sequence[str], *, scratch: str, dry: bool
) -> Restoration:
    """See `Store.prepare`."""
    if only:
        from .restore_only import prepare_only  # only here: see registry.py

        return prepare_only(server, options, copy, only, scratch=scratch, dry=dry)
    if options.get("schema") is not None:
        raise InvalidRequest("schema is for single tables.", "Name them in only, or omit schema.")
    pairs = choose(copy.details, options)
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(server.connect())
        stack.enter_context(errors(TargetError, f"Can't prepare the restore to {server.shown}"))
        tools = Tools(server, scratch, next(iter(copy.details["databases"].values())))
        how = (bool(options.get("disconnect")), options.get("jobs") or _JOBS, options.get("compare") != "counts")
        work = _Work(session, tools, copy, Owners.of(options), *how)
        pairs, notes = replaceable(pairs, copy.details["databases"], options, server.maintenance)
        notes += work.take_places([place for _name, place in pairs], dry)
        notes += work.check(pairs)
        parts = [work.compare(pair, index) for index, pair in enumerate(pairs)]
        notes += [] if tools.comparable else [_NOT_COMPARED]
        changed = [part for part in parts if part.changed]
        for part in changed:
            notes += work.check_part(part)
        swap = Swap(server, session, [(part.place, part.properties) for part in changed], work.disconnect)
        ready = WholeRestoration(work, parts, swap, notes)
        stack.callback(swap.close)
        stack.push(ready.clean)
        for part in changed if dry else ():
            part.contents.verify()
        ready.held = stack.pop_all()
        return ready


class _Work(NamedTuple):
    """The steps of preparing a restore."""

    session: Any  # in the maintenance database
    tools: Tools
    copy: Copy
    owners: Owners
    disconnect: bool
    jobs: int
    digests: bool

    def take_places(self, places: Sequence[Place], dry: bool) -> list[str]:
        """Lock the databases, and remove what killed runs left of them. Returns notes."""
        notes = []
        for place in places:
            if not dry:
                lock(self.session, place)
                notes += remove_leftovers(self.session, place)
            check_free(self.session, place)
        return notes

    def check(self, pairs: Sequence[tuple[str, Place]]) -> list[str]:
        """Raise TargetError, listing everything that the server lacks. Returns notes."""
        missing, notes = [], []
        for name, place in pairs:
            own = self.copy.details["databases"][name]
            lack = check_requirements(self.session, place.name, own, self.owners)
            missing += [f"{place.name}: {one}" for one in lack.missing]
            notes += lack.notes
        refuse(self.tools.server.shown, missing)
        return notes

    def compare(self, pair: tuple[str, Place], index: int) -> _Part:
        name, place = pair
        self.copy.progress.start(f"Comparing the database {place.name}")
        details = self.copy.details["databases"][name]
        contents = Contents(self.copy, name, os.path.join(self.tools.scratch, f"archive-{index}"))
        wanted = expected(self.tools, contents, details, self.owners.flags)
        there, damage, found = exists(self.session, place.name), "", None
        if there:
            try:
                found = present(self.tools, place.name, details, self.owners.flags)
            except SourceError as exc:
                damage = exc.message
        properties = self.owners.of_database(Properties.of(details["properties"]), self.session.info.user)
        return _Part(place, details, properties, contents, wanted, found, there, damage)

    def check_part(self, part: _Part) -> list[str]:
        """Raise TargetError when a database can't be replaced. Returns notes."""
        check_space(self.tools.server, self.session, part.place, part.properties, part.details["bytes"])
        left_out = part.details["without_rows"]
        notes = self._notes(part)
        if part.exists:
            check_replaceable(self.session, part.place, self.disconnect)
            if left_out:
                raise TargetError(
                    f"The backup has no rows of {', '.join(left_out)}, which a restore of {part.place.name} would "
                    "empty.",
                    "Restore into another database, or only the tables that the backup has (only).",
                )
        elif left_out:
            notes.append(f"The backup has no rows of {', '.join(left_out)}: they are empty in {part.place.name}.")
        return notes

    def _notes(self, part: _Part) -> list[str]:
        found = entries_of(self.tools, part.contents.directory, "SUBSCRIPTION")
        names = ", ".join(entry[2:].rpartition(" ")[0] for entry in found)
        if not names:
            return []
        why = "as each would use the replication slot of the original. The backup has their definitions"
        return [f"Subscriptions of {part.place.name} are not restored, {why} (pg_restore -s): {names}."]

    def fill(self, part: _Part) -> None:
        """Create the new database and make it equal to the backup. Raises TargetError, DamagedBackup."""
        place = part.place
        self.copy.progress.start(f"Restoring the database {place.name}", unit="bytes")
        create(self.session, place, part.properties)
        load = Load(self.tools, part.contents, place.new, self.jobs, self.owners.flags)
        load.schema()
        load.rows({name: sums[0] for name, sums in part.expected.sums.items()})
        load.rest()
        statements = statements_for_others(self.tools, part.contents.directory, self.owners)
        about_event_triggers = [one for one in statements if one.startswith("ALTER EVENT TRIGGER ")]
        self._run(place.new, [one for one in statements if one not in about_event_triggers])
        load.event_triggers()  # from here on, these fire
        self._run(place.new, about_event_triggers)
        self.copy.progress.start(f"Verifying the database {place.name}")
        with ThreadPoolExecutor(1, "day2-analyze") as pool:  # of the processors, the digests of one table use few
            analyzed = pool.submit(self._analyze, place.new)
            self._verify(part)
            analyzed.result()

    def _run(self, database: str, statements: Sequence[str]) -> None:
        if not statements:
            return
        with self.tools.server.connect(database) as new, errors(TargetError, "Can't set owners and privileges"):
            for one in statements:
                new.execute(one)

    def _analyze(self, database: str) -> None:
        with self.tools.server.connect(database) as new, errors(TargetError, f"Can't analyze {database}"):
            new.execute("ANALYZE")

    def _verify(self, part: _Part) -> None:
        new = part.place.new
        expected_now = part.expected if self.digests else part.expected.counted()
        found = present(self.tools, new, part.details, self.owners.flags, digests=self.digests)
        wrong = expected_now.differences(found)
        wrong += [f"index {name} (invalid)" for name in invalid_indexes(self.tools.server, new)]
        if wrong:
            raise Differs(
                f"The restored copy of {part.place.name} differs from the backup: {', '.join(wrong)}.",
                "Nothing was changed. Check that nobody writes to databases whose names start with day2_.",
            )


class WholeRestoration:
    """Databases that are built beside those that they replace."""

    def __init__(self, work: _Work, parts: Sequence[_Part], swap: Swap, notes: list[str]) -> None:
        self._work = work
        self._parts = [part for part in parts if part.changed]
        self._swap = swap
        self._applied = False
        self._kept = False  # the old databases, as the new ones could not be taken back
        self.notes = tuple(notes)
        self.held: Optional[contextlib.ExitStack] = None
        self.changed = bool(self._parts)
        self.changes = tuple(change for part in parts for change in part.changes())
        self.differences = tuple(line for part in self._parts for line in part.differences())
        self.damage = "; ".join(part.damage for part in self._parts if part.damage)

    def build(self) -> None:
        """All of them, before any takes its place."""
        for part in self._parts:
            with errors(TargetError, f"Can't restore the database {part.place.name}"):
                self._work.fill(part)

    def apply(self) -> None:
        self._swap.apply()
        self._applied = True

    def undo(self) -> None:
        try:
            self._swap.undo()
        except TaskEnded as exc:
            self._kept = True
            raise self._swap.keep(exc) from exc
        self._applied = False

    def clean(self, *_exc: object) -> None:
        """Drop databases that are no longer needed: the old ones, or new ones that have not replaced them."""
        for part in self._parts if not self._kept else ():
            name = part.place.old if self._applied else part.place.new
            try:
                with errors(TargetError, f"Can't drop the database {name}"):
                    if exists(self._swap.session, name):
                        drop(self._swap.session, name)
            except Day2Error as exc:
                self.notes += (f"{exc.message} The next restore will drop it.",)

    def __enter__(self) -> Restoration:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.held is not None:
            self.held.close()
