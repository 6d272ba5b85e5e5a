# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that a table which exists allows only once, beside its key: whether the records can have them is found out
before anything is written.

In the end each value must belong to one record. On the way there, one may have to be taken from a record of the target
before another gets it: that record is deleted first, and written again if the source has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._core.errors import TargetError
from ..._core.record_batches import Layout, keys_of, layouts, regrouped
from ..._core.records import canonical
from ..._core.scratch import scratch_database
from ..._core.tagged_json import decode
from ..._stores.records.model import Info, Record
from ..._stores.records.store import TargetStore
from .compare import LISTED, shown_row
from .plan import Job, MigratePlan, Moving
from .target_schema import in_target

_Fields = tuple[str, ...]
# By whether the second record is one of the target.
_PAIRS = ("the records %s and %s of the source", "the record %s of the source and %s of the target")


def with_moves(ready: MigratePlan) -> MigratePlan:
    """The plan with the records that have to be deleted before others are written, and with what is not foreseen.

    :raises TargetError: two records would have the same value in the end, or a record can't be deleted first.
    """
    if not ready.target.columns:
        return ready
    present = {info.stored.name: info for info in ready.target.collections()}
    jobs: list[Job] = []
    problems: list[str] = []
    unforeseen: list[str] = []
    for job in ready.jobs:
        existing = present.get(job.target.stored.name)
        moving: Sequence[Moving] = ()
        if existing is not None and job.changes:
            found, moving, unknown = _found(ready, job, existing)
            problems += found
            unforeseen += _unforeseen(job, unknown)
            problems += _kept_where_they_are(ready.target, job, existing, moving, list(present.values()))
        jobs.append(job._replace(moving=moving))
    if problems:
        raise TargetError(
            f"{ready.target.location} can't store the records: {'; '.join(problems[:LISTED])}.",
            "Nothing was changed. Correct the source or the target. Tables of PostgreSQL can be written in one "
            "transaction, with target_tables=existing.",
            {"problems": problems},
        )
    return ready._replace(jobs=jobs, unforeseen=unforeseen)


def _unforeseen(job: Job, names: Sequence[str]) -> Iterator[str]:
    """A sentence on what must be unique in an existing table, but can't be compared."""
    if names:
        listed = ", ".join(names)
        yield f"Whether the records of {job.source.name} comply with {listed} is only known when they are written."


def _beside_the_key(info: Info, existing: Info, folded: Collection[str]) -> list[_Fields]:
    """The fields of the source whose values are unique in the table that exists, the key if it is compared otherwise.

    :param folded: fields that must differ in more than the case of letters.
    """
    names = {column: name for name, column in info.columns.items()}
    found = [existing.stored.key, *(one.fields for one in existing.stored.indexes if one.unique)]
    given = [tuple(names[column] for column in one) for one in found if one and names.keys() >= set(one)]
    return [one for one in dict.fromkeys(given) if frozenset(one) != frozenset(info.key) or {*one} & {*folded}]


def _found(ready: MigratePlan, job: Job, existing: Info) -> tuple[list[str], Sequence[Moving], Sequence[str]]:
    """What can't be in the end, which records must go first, and the names of what is not known."""
    told = ready.target.clashes(job.target, existing, storable(ready, job), ready.scratch)
    problems, moving = _compared(ready, job, existing) if job.target.key else ([], {})
    for one in told.found:
        if one.of_the_target and (one.stays or ready.request.mode != "merge"):
            moving[canonical(list(one.other))] = one.stays
        elif len(problems) < LISTED:
            first, other = (shown_row(canonical(list(key))) for key in (one.key, one.other))
            pair = _PAIRS[one.of_the_target] % (first, other)
            problems.append(f"{job.source.name}: {pair} violate {one.rule}")
    return problems, [Moving(tuple(decode(key)), stays) for key, stays in moving.items()], told.unknown


def _compared(ready: MigratePlan, job: Job, existing: Info) -> tuple[list[str], dict[bytes, bool]]:
    """Of what can be compared here: what can't be in the end, and the keys of records that must go first, with whether
    the source has them, too.
    """
    to_source = {column: name for name, column in job.target.columns.items()}
    theirs = existing.columns
    folded = {to_source.get(theirs[name], "") for name in ready.target.folded(existing)}
    unique = _beside_the_key(job.target, existing, folded)
    if not unique:
        return [], {}
    problems: list[str] = []
    moving: dict[bytes, bool] = {}

    def told(one: bytes, other: bytes, of_the_target: bool, fields: _Fields) -> None:
        if len(problems) < LISTED and one != other:  # a key that the source has twice is told elsewhere
            keys = _PAIRS[of_the_target] % (shown_row(one), shown_row(other))
            problems.append(f"{job.source.name}: {keys} have the same {', '.join(fields)}, which must be unique")

    ready.progress.start(f"Checking unique values of {job.source.name}", unit="records")
    with scratch_database(ready.scratch) as connection:
        connection.execute("CREATE TABLE known (key BLOB PRIMARY KEY) WITHOUT ROWID")
        connection.execute("CREATE TABLE taken (value BLOB PRIMARY KEY, key BLOB) WITHOUT ROWID")
        for key, values in _values(storable(ready, job), job.target.key, unique, folded):
            connection.execute("INSERT OR IGNORE INTO known VALUES (?)", (key,))
            for fields, value in values:
                if not connection.execute("INSERT OR IGNORE INTO taken VALUES (?, ?)", (value, key)).rowcount:
                    (other,) = connection.execute("SELECT key FROM taken WHERE value = ?", (value,)).fetchone()
                    told(other, key, False, fields)
        rows = ready.target.chunks(in_target(job.target, existing), ordered=False)
        for key, values in _values(rows, job.target.key, unique, folded):
            for fields, value in values:
                row = connection.execute("SELECT key FROM taken WHERE value = ? AND key <> ?", (value, key)).fetchone()
                if row is None:
                    continue
                stays = bool(connection.execute("SELECT 1 FROM known WHERE key = ?", (key,)).fetchone())
                if stays or ready.request.mode != "merge":
                    moving[key] = stays
                else:
                    told(row[0], key, True, fields)
    return problems, moving


def storable(ready: MigratePlan, job: Job) -> Iterator[Sequence[Record]]:
    """The records that the target can hold, in the batches in which they are written."""
    for chunk in regrouped(ready.source.chunks(job.source), ready.request.params["batch_size"], 0):
        if job.comparison.rejected:
            yield [record for record in chunk if not ready.target.refuses(job.target, record)]
        else:
            yield chunk


def _values(
    chunks: Iterable[Sequence[Record]], key: Sequence[str], unique: Sequence[_Fields], folded: Collection[str]
) -> Iterator[tuple[bytes, list[tuple[_Fields, bytes]]]]:
    """The key of each record, and what stands for its unique values; those with a null are none."""
    for chunk in chunks:
        for found in layouts(chunk):
            given = dict(zip(*found))
            complete = [fields for fields in unique if given.keys() >= set(fields)]
            columns = [_marks(found, given, fields, unique.index(fields), folded) for fields in complete]
            for text, *values in zip(keys_of(found, key), *columns):
                yield text, [(fields, value) for fields, value in zip(complete, values) if value is not None]


def _marks(
    found: Layout, given: Mapping[str, Sequence[Any]], fields: _Fields, number: int, folded: Collection[str]
) -> Iterator[Optional[bytes]]:
    texts = [keys_of(found, [name]) for name in fields]
    for row, *parts in zip(zip(*(given[name] for name in fields)), *texts):
        same = [text.lower() if name in folded else text for name, text in zip(fields, parts)]
        yield None if None in row else hashlib.sha256(b"%d" % number + b"".join(same)).digest()


def _kept_where_they_are(
    target: TargetStore, job: Job, existing: Info, moving: Sequence[Moving], present: Sequence[Info]
) -> Iterator[str]:
    """Why records can't be deleted before they are written again."""
    if not moving:
        return
    listed = ", ".join(map(str, [list(one.key) for one in moving[:LISTED]]))
    what = f"{job.source.name}: unique values of the records {listed} of the target move to other records"
    if existing.stored.columns.keys() - set(job.target.columns.values()) and any(one.stays for one in moving):
        yield f"{what}, and its other columns would be lost"
    elif target.type == "postgresql" and any(key.to == existing.name for one in present for key in one.foreign_keys):
        yield f"{what}, and other tables refer to it"
