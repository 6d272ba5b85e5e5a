# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign keys from and to existing tables: whether all records will keep to them, before anything is written.

A record of another table must not lose the record that it refers to: a database would refuse that, delete it as well,
or leave it dangling. And while PostgreSQL is written, each batch has to find what it refers to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import TargetError
from ..._core.record_batches import keys_of, layouts
from ..._core.scratch import scratch_database
from ..._core.units import plural
from ..._stores.records.model import ForeignKey, Info, Record
from ..._stores.sql.schema import names_a_key, parents_first
from .compare import LISTED, shown_row
from .plan import Job, MigratePlan
from .unique import storable

_LISTED = 5  # values in a message
_EARLIER, _NEVER = -1, 1 << 60  # batches: what is there before a table is written, and what comes after it


class _Values:
    """Some values: how many there are, and the first."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[bytes] = []

    def add(self, value: bytes) -> None:
        self.count += 1
        if len(self._first) < _LISTED:
            self._first.append(value)

    def __str__(self) -> str:
        return ", ".join(map(shown_row, self._first)) + (", …" if self.count > _LISTED else "")


class _Case(NamedTuple):
    """A foreign key, in the names of the database, with the table that it refers to: as it is, and what becomes of it
    if it is migrated. `order`: in which tables are written.
    """

    ready: MigratePlan
    key: ForeignKey
    parent: Info
    job: Optional[Job]
    order: Sequence[str]


def check_foreign_keys(ready: MigratePlan) -> None:
    """:raises TargetError: records would refer to nothing, or to what is not there when they are written."""
    if not ready.target.columns:
        return
    present = {info.stored.name: info for info in ready.target.collections()}
    jobs = {job.target.stored.name: job for job in ready.jobs}
    order = [info.stored.name for info in parents_first([job.target for job in ready.jobs])]
    problems: list[str] = []
    for name in dict.fromkeys([*jobs, *present]):
        job = jobs.get(name)
        keys = (job.target if job is not None else present[name]).stored.foreign_keys
        if not all(names_a_key(key, present[key.to].stored, False) for key in keys if key.to in present):
            continue  # which SQLite can't hold to itself
        for key in keys:
            parent = jobs.get(key.to)
            if key.to in present and any(one is not None and one.changes for one in (job, parent)):
                case = _Case(ready, key, present[key.to], parent, order)
                if job is None:
                    problems += _of_others(case, present[name])
                else:
                    problems += _of_migrated(case, job, present.get(name))
    if problems:
        raise TargetError(
            f"{ready.target.location} can't store the records: {'; '.join(problems[:LISTED])}.",
            "Nothing was changed. Correct the source, or migrate tables that refer to each other together (only).",
            {"problems": problems},
        )


def _of_migrated(case: _Case, job: Job, existing: Optional[Info]) -> Iterator[str]:
    """What is against the records of a table that is migrated."""
    names = {column: name for name, column in job.target.columns.items()}
    fields = [names[column] for column in case.key.fields if column in names]
    if not case.key.valid or len(fields) < len(case.key.fields):  # not all rows keep to it, or it is the target's own
        return
    missing, late = _Values(), _Values()
    with scratch_database(case.ready.scratch) as connection:
        _gather(case, job, connection)
        for number, value in _given(storable(case.ready, job), fields):
            query = "SELECT final, batch FROM parent WHERE value = ?"
            final, batch = connection.execute(query, (value,)).fetchone() or (0, _NEVER)
            if not final:
                missing.add(value)
            elif batch > number:
                late.add(value)
        if existing is not None and case.ready.request.mode == "merge" and case.ready.target.type == "sqlite":
            for value in _unfounded(case, existing, connection):  # which only SQLite lets be there
                missing.add(value)

    def told(values: _Values, what: str) -> str:
        records = f"{plural(values.count, 'record')} with a reference to {case.parent.name} ({', '.join(fields)})"
        return f"{job.source.name}: {records} that {what}: {values}"

    if missing.count:
        yield told(missing, "does not exist")
    enforced = existing is not None and any(
        (one.fields, one.to) == (case.key.fields, case.key.to) for one in existing.stored.foreign_keys
    )
    if late.count and enforced and case.ready.target.type == "postgresql":
        yield told(late, "is written in a later batch (increase batch_size, or set target_tables=existing)")


def _unfounded(case: _Case, existing: Info, connection: Any) -> Iterator[bytes]:
    """The references of records that are there and stay, to what will not be there."""
    names = {column: name for name, column in existing.columns.items()}
    fields = [names.get(column, column) for column in case.key.fields]
    for _number, value in _given(case.ready.target.chunks(existing, ordered=False), fields):
        row = connection.execute("SELECT final FROM parent WHERE value = ?", (value,)).fetchone()
        if row is None or not row[0]:
            yield value


def _of_others(case: _Case, other: Info) -> Iterator[str]:
    """What records of a table that is not migrated would lose."""
    if case.job is None or case.ready.request.mode == "merge":
        return
    names = {column: name for name, column in other.columns.items()}
    losing = _Values()
    with scratch_database(case.ready.scratch) as connection:
        _gather(case, None, connection)
        fields = [names.get(column, column) for column in case.key.fields]
        for _number, value in _given(case.ready.target.chunks(other, ordered=False), fields):
            if connection.execute("SELECT 1 FROM parent WHERE value = ? AND NOT final", (value,)).fetchone():
                losing.add(value)
    if losing.count:
        yield (
            f"{other.name} is not migrated, but has {plural(losing.count, 'record')} with a reference to "
            f"{case.parent.name} ({', '.join(case.key.fields)}) that would be removed: {losing}"
        )


def _gather(case: _Case, job: Optional[Job], connection: Any) -> None:
    """What can be referred to: whether it will be there in the end, and from which batch of `job` on."""
    connection.execute("CREATE TABLE parent (value BLOB PRIMARY KEY, final INT, batch INT) WITHOUT ROWID")
    add = (
        "INSERT INTO parent VALUES (?, ?, ?) ON CONFLICT (value) DO UPDATE"
        " SET final = max(final, excluded.final), batch = min(batch, excluded.batch)"
    )
    names = {column: name for name, column in case.parent.columns.items()}
    fields = [names.get(column, column) for column in case.key.to_fields]
    stays = case.job is None or case.ready.request.mode == "merge"
    rows = _given(case.ready.target.chunks(case.parent, ordered=False), fields)
    connection.executemany(add, ((value, stays, _EARLIER) for _number, value in rows))
    if case.job is None:
        return
    names = {column: name for name, column in case.job.target.columns.items()}
    fields = [names.get(column, column) for column in case.key.to_fields]
    if case.job is not job:
        before = job is None or case.order.index(case.key.to) < case.order.index(job.target.stored.name)
        batch = _EARLIER if before else _NEVER
        rows = ((batch, value) for _number, value in _given(storable(case.ready, case.job), fields))
    else:
        rows = _given(storable(case.ready, case.job), fields)
    connection.executemany(add, ((value, True, number) for number, value in rows))


def _given(chunks: Iterable[Sequence[Record]], fields: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """The values of these fields that are complete, with the number of their chunk (of `storable`, the batch)."""
    for number, batch in enumerate(chunks):
        for found in layouts(batch):
            given = dict(zip(*found))
            if given.keys() >= set(fields):
                for row, text in zip(zip(*(given[name] for name in fields)), keys_of(found, fields)):
                    if None not in row:
                        yield number, text
