# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""migrate to the tables that an application has created: nothing is created, and everything is one transaction.

Check mode does everything on temporary copies of the tables, so that it meets each constraint that the run would meet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest, TargetError
from ..._core.progress import Progress
from ..._core.units import plural
from ..._core.unordered import MODULUS
from ..._stores.postgresql.application import LEFT_ALONE, VERSION_TABLES, Table
from ..._stores.postgresql.column_types import Codec, Column, Given, codec
from ..._stores.postgresql.schema import Put, SchemaTransaction
from ..._stores.postgresql.staging import Staged
from ..._stores.postgresql.target import PostgresqlTarget
from ..._stores.records.as_stored import as_stored
from ..._stores.records.kinds import Kinds
from ..._stores.records.model import JSON, Field, Info, Reject
from ..._stores.records.note import without_place
from ..._stores.records.store import SourceStore, TargetStore
from ..._stores.records.times import TimeOptions, zone_named
from ..arguments import duration
from .asked_types import Types, types_from
from .compare import Comparison
from .odd import Oddities
from .plan import Job, MigratePlan, MigrateRequest, selected
from .profiles import Profile, dangles, dangling, profile
from .rejects import add_rejects
from .report import Check, Done, report
from .safety import check_repository, saved, ways_of

_LISTED = 20  # problems in a message; the details have all


_NOT_WRITTEN = frozenset([*VERSION_TABLES, *LEFT_ALONE])


_NOTHING: tuple[Put, Optional[str], dict[str, int]] = (Put(), None, {})


class _Move(NamedTuple):
    """A migration to existing tables."""

    request: MigrateRequest
    source: SourceStore
    target: PostgresqlTarget
    into: SchemaTransaction
    infos: Sequence[Info]
    types: Types
    zone: Optional[tzinfo]
    scratch: str
    progress: Progress


class _Found(NamedTuple):
    """One table, staged and compared."""

    info: Info
    staged: Staged
    comparison: Comparison
    rejects: Sequence[Reject]
    odd: bool = False  # more of its records can't be converted than may be rejected

    @property
    def changes(self) -> bool:
        one = self.comparison
        return bool(one.added or one.changed or one.removed)


def existing_tables(request: MigrateRequest, source: SourceStore, target: TargetStore) -> Optional[PostgresqlTarget]:
    """The target, if its tables belong to the application.

    :raises TargetError: they should, but contain an unfinished migration.
    """
    if not isinstance(target, PostgresqlTarget):
        return None
    names = {info.name for info in selected(request, source)}
    present = {info.name for info in target.collections()}
    under_way = target.checkpoints(sorted(names))
    if request.params["target_tables"] == "existing":
        if under_way:
            raise TargetError(
                f"{target.location} has an unfinished migration.",
                "Complete it with target_tables=create, or revert it with state=reverted.",
            )
        return target
    known = names & present & VERSION_TABLES.keys()
    return target if known and not under_way and names - _NOT_WRITTEN <= present else None


def run_existing(
    request: MigrateRequest,
    source: SourceStore,
    target: PostgresqlTarget,
    *,
    check: bool,
    scratch: str,
    progress: Progress,
) -> dict[str, Any]:
    """Migrate the records to the existing tables.

    :raises TargetError: something prevents this; the error lists everything.
    """
    with _opened(request, source, target, check=check, scratch=scratch, progress=progress) as move:
        compared, found, problems = _looked(move)
        _check_references(move)
        put, safety, counters = _NOTHING
        if any(one.changes for one in found):
            if not check and not problems:
                move.into.lock([one.info.name for one in found], duration(request.params["lock_timeout"]))
                found = [_compared(move, one) for one in found]
            _refuse(move, [*problems, *_conflicts(move, found)], found)
            put, safety, counters = _written(move, found, check)
        _refuse(move, problems)
        return _result(move, found, put, compared=compared, counters=counters, safety=safety, check=check)


def compare_existing(
    request: MigrateRequest, source: SourceStore, target: PostgresqlTarget, scratch: str, progress: Progress
) -> dict[str, Any]:
    """What `run_existing` would find to do, even if it would refuse to do it."""
    with _opened(request, source, target, check=True, scratch=scratch, progress=progress) as move:
        compared, found, problems = _looked(move)
        _refuse(move, problems)
        return _result(move, found, Put(), compared=compared, counters={}, safety=None, check=True)


@contextlib.contextmanager
def _opened(
    request: MigrateRequest,
    source: SourceStore,
    target: PostgresqlTarget,
    *,
    check: bool,
    scratch: str,
    progress: Progress,
) -> Iterator[_Move]:
    zone = zone_named(request.params["timezone"]) if request.params["timezone"] else None
    types = types_from(request.params)
    target.release()
    infos = [without_place(info) for info in selected(request, source)]
    with target.schema_transaction(rehearsal=check, merge=request.mode == "merge") as into:
        yield _Move(request, source, target, into, infos, types, zone, scratch, progress)


def _looked(move: _Move) -> tuple[list[str], list[_Found], list[str]]:
    """The tables of schema versions, compared, all others with their rows converted, and what stands in the way."""
    compared, problems = _versions(move)
    if move.into.lacking:
        problems.append(f"the role does not have the privilege {move.into.lacking}, in which records are converted")
    wanted = [info for info in move.infos if info.name not in _NOT_WRITTEN]
    if move.source.type == "postgresql":
        wanted = [as_stored(info) for info in wanted]
    found = [one for info in wanted for one in _staged(move, info, problems)]
    return compared, found, problems


def _refuse(move: _Move, problems: Sequence[str], found: Sequence[_Found] = ()) -> None:
    """:param found: tables whose constraints have not been tried yet: rows that could be converted may violate them.
    :raises TargetError: there are problems.
    """
    if not problems:
        return
    names = [one.info.name for one in found if one.changes]
    complete = {one.info.name for one in found if not one.odd}
    incomplete = {info.name for info in move.infos} - complete
    if names:
        timeout = duration(move.request.params["lock_timeout"])
        problems = [*problems, *move.into.violations(names, timeout, incomplete)]
    listed = "; ".join(problems[:_LISTED])
    if len(problems) > _LISTED:
        listed += f"; and {len(problems) - _LISTED} more"
    raise TargetError(
        f"The tables of {move.target.location} can't store the records: {listed}.",
        "Nothing was changed.",
        {"problems": list(problems)},
    )


def _versions(move: _Move) -> tuple[list[str], list[str]]:
    """The tables of schema versions that were compared, and their differences."""
    compared, problems = [], []
    for info in move.source.collections():
        if info.name not in VERSION_TABLES or info.name not in move.into.tables:
            continue
        names = VERSION_TABLES[info.name]
        ours = {tuple(str(record.get(name)) for name in names) for record in move.source.read(info)}
        theirs = {tuple(map(str, row)) for row in move.into.versions(info.name)}
        compared.append(info.name)
        for side, more in (("source", ours - theirs), ("target", theirs - ours)):
            if more:
                listed = ", ".join(" ".join(one) for one in sorted(more)[:5])
                problems.append(
                    f"{info.name}: only the {side} has {listed}{', …' if len(more) > 5 else ''}; upgrade both to "
                    "the same version of the schema"
                )
    return compared, problems


def _staged(move: _Move, info: Info, problems: list[str]) -> Iterator[_Found]:
    """The table with its rows converted, unless there are problems, which are added to `problems`."""
    table = move.into.tables.get(info.name)
    if table is None:
        problems.append(f"{info.name}: the table does not exist in the target")
        return
    pairs, against = _columns(move, info, table)
    problems += against
    if against or move.into.lacking:
        return
    most = move.request.params["max_rejects"]
    oddities = Oddities(info, most)
    move.progress.start(f"Converting {info.name}", unit="records")
    staged = move.into.stage(table, pairs, move.source.chunks(info, ordered=False), oddities.add)
    odd = oddities.count > most
    if odd:
        problems += oddities.problems()
    yield _compared(move, _Found(info, staged, Comparison(), oddities.rejects, odd))


def _columns(move: _Move, info: Info, table: Table) -> tuple[list[tuple[Column, Codec, Codec]], list[str]]:
    """How each field is converted for its column and back, and the problems."""
    fields = {field.name: field for field in _fields(move, info)}
    problems = (
        [] if table.owned else [f"{table.name} belongs to the role {table.owner}, which alone is permitted to do this"]
    )
    problems += [f"{table.name} has rewrite rules"] * table.rules
    missing = [name for name in fields if name not in table.columns]
    problems += [f"{table.name}.{name}: the column does not exist in the target" for name in missing]
    pairs = []
    for name, column in table.columns.items():
        if name not in fields:
            if not column.optional:
                problems.append(f"{table.name}.{name}: this column exists only in the target, and requires a value")
        elif not column.generated:
            times = TimeOptions(_unit(move, table, column), move.zone)
            given = Given(fields[name].kind == JSON, fields[name].kind == "numeric", move.source.type == "postgresql")
            write, read = codec(column, times, given), codec(column, times, Given(same_type=given.same_type))
            if write is None or read is None:
                problems.append(f"{table.name}.{name}: values of type {column.native} can't be written")
            else:
                pairs.append((column, write, read))
    return pairs, problems


def _fields(move: _Move, info: Info) -> Sequence[Field]:
    if info.fields and not info.document:
        return info.fields
    kinds = profile(move.source, info, move.progress).kinds
    return [field for field in kinds.fields() if kinds.sole(field.name) != ""]  # not those that are null everywhere


def _unit(move: _Move, table: Table, column: Column) -> str:
    """:raises InvalidRequest: `types` gives the column another type than it has."""
    wanted = move.types.get((table.name, column.name))
    if wanted is None:
        return ""
    known = {column.type, column.native, {"bool": "boolean", "int8": "bigint", "int4": "integer"}.get(column.type)}
    if wanted.kind not in known:
        raise InvalidRequest(
            f"types: {table.name}.{column.name} is of type {column.native} in the target.",
            f"Only the unit of numbers can be set for it, as in '{column.type} from ms'.",
        )
    return wanted.unit


def _compared(move: _Move, one: _Found) -> _Found:
    added, changed, removed, left = move.into.difference(one.info.name)
    return one._replace(comparison=Comparison(added, changed, removed, left, len(one.rejects)))


def _check_references(move: _Move) -> None:
    infos = {info.name: info for info in move.infos}
    for reference in move.request.references:
        count, listed = dangling(move.source, infos, reference, move.scratch)
        if count:
            raise dangles(reference, count, listed)


def _conflicts(move: _Move, found: Sequence[_Found]) -> Iterator[str]:
    """The reasons not to write to these tables."""
    changing = [one for one in found if one.changes]
    for one in changing:
        name, counts = one.info.name, one.comparison
        if move.request.mode == "fail" and counts.left + counts.changed + counts.removed:
            yield f"{name} already contains other records (set on_existing=replace to replace them)"
        elif counts.changed or counts.removed:
            for other in move.into.referring(name):
                yield f"{other} is not migrated, but has records that refer to {name}"
        if move.request.mode == "merge" and not one.staged.key:
            yield f"{name} has no key with which records could be merged"
    if any(one.comparison.changed or one.comparison.removed for one in changing):
        check_repository(move.request, move.target)
    names = [one.info.name for one in changing]
    for reference in move.into.references:
        if not reference.owned and (reference.child in names or reference.parent in names):
            yield f"the foreign key {reference.name} of {reference.child} belongs to another role"


def _written(move: _Move, found: Sequence[_Found], check: bool) -> tuple[Put, Optional[str], dict[str, int]]:
    """Put the rows in place and verify them. Then commit, or in check mode roll back."""
    names = [one.info.name for one in found if one.changes]
    safety = None
    if not check:
        safety = _saved(move, found)
    move.progress.start(f"Writing {move.target.location}")
    put = move.into.put(names, duration(move.request.params["lock_timeout"]))
    _refuse(move, put.problems)
    differing = [name for name in names if move.into.differs(name)]
    if differing:
        raise TargetError(
            f"The written records differ from the source in {', '.join(differing)}.", "Nothing was changed."
        )
    move.source.check_unchanged()
    if check:
        return put, None, {}
    for one in found:
        add_rejects(move.request, one.rejects)
    return put, safety, move.into.commit(_counters(found))


def _saved(move: _Move, found: Sequence[_Found]) -> Optional[str]:
    """The safety backup of the content of the tables."""
    counts = {one.info.name: one.comparison for one in found if one.changes}
    holding = {name: bool(one.left or one.changed or one.removed) for name, one in counts.items()}
    safety = saved(move.request, move.target, ways_of(move.request, holding), move.progress).backup
    move.target.release()  # its locks would hold up ours
    return safety


def _counters(found: Sequence[_Found]) -> dict[tuple[str, str], int]:
    """The columns that may have a sequence, with the highest number that the source has assigned."""
    given = {(one.info.name, field.name): field.counter for one in found for field in one.info.fields}
    return {
        (one.info.name, column.name): given.get((one.info.name, column.name), 0)
        for one in found
        if one.changes
        for column in one.staged.columns
        if column.type in ("int2", "int4", "int8") and column.required and column.optional
    }


def _result(
    move: _Move,
    found: Sequence[_Found],
    put: Put,
    *,
    compared: Sequence[str],
    counters: Mapping[str, int],
    safety: Optional[str],
    check: bool,
) -> dict[str, Any]:
    jobs = [_job(one) for one in found]
    ready = MigratePlan(move.request, move.source, move.target, jobs, move.scratch, move.progress)
    changes = any(one.changes for one in found)
    if check or not changes:
        result = report(ready, check=check)
    else:
        done = [
            Done(one.comparison.added + one.comparison.changed, len(one.rejects), 0.0, one.comparison.removed)
            for one in found
        ]
        words = "%s: %s, equal digests."
        checks = [
            Check(one.info.name, True, words % (one.info.name, plural(one.staged.records, "record")))
            for one in found
            if one.changes
        ]
        result = report(ready, done, checks, safety)
    result["application_schema"] = {
        "compared": list(compared),
        "foreign_keys": list(put.foreign_keys),
        "triggers_disabled": list(put.triggers),
        "counters": dict(counters),
    }
    return result


def _job(one: _Found) -> Job:
    read = Profile(one.staged.records + len(one.rejects), one.staged.digest % MODULUS, Kinds())
    return Job(one.info, one.info, read, one.comparison, True, False, None)
