# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores records to existing tables of PostgreSQL in one transaction, whatever refers to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Optional

from ..._core.errors import TargetError
from ..._core.progress import Progress
from ..._stores.postgresql.application import Table
from ..._stores.postgresql.column_types import Codec, Column, Given, codec
from ..._stores.postgresql.schema import SchemaTransaction
from ..._stores.postgresql.target import PostgresqlTarget
from ..._stores.records.model import JSON, Info, Odd, Record
from ..._stores.records.store import TargetStore
from ..._stores.records.times import TimeOptions

Chunks = Callable[[Info], Iterable[Sequence[Record]]]


def put_back(target: TargetStore, infos: Sequence[Info], chunks: Chunks, timeout: float, progress: Progress) -> bool:
    """Make the tables contain exactly these records. Returns False, with nothing done, if they are not such tables.

    :raises TargetError: they violate a constraint; nothing was changed.
    """
    if not isinstance(target, PostgresqlTarget) or not infos:
        return False
    target.release()
    with target.schema_transaction(rehearsal=False, merge=False) as into:
        columns = {info.name: _columns(into.tables.get(info.name), info) for info in infos}
        if not all(columns.values()) or not _owned(into, columns):
            return False
        into.lock(list(columns), timeout)
        for info in infos:
            progress.start(f"Restoring {info.name}", unit="records")
            into.stage(into.tables[info.name], columns[info.name] or [], chunks(info), _refused(info))
        differences = {name: into.difference(name) for name in columns}
        names = [name for name, one in differences.items() if one.added or one.changed or one.removed]
        done = into.put(names, timeout)
        differing = [name for name in names if into.differs(name)]
        if done.problems or differing:
            raise TargetError(
                f"The old records can't be restored in {target.location}: {'; '.join([*done.problems, *differing])}.",
                "Nothing was changed.",
            )
        into.commit({})
    return True


def _columns(table: Optional[Table], info: Info) -> Optional[list[tuple[Column, Codec, Codec]]]:
    """How each field is converted back; None if the table is not the same as before."""
    if table is None or info.document or table.rules:
        return None
    pairs = []
    for field in info.fields:
        column = table.columns.get(field.name)
        if column is None or column.generated:
            return None
        write = codec(column, TimeOptions(), Given(field.kind == JSON, same_type=True))
        read = codec(column, TimeOptions(), Given(same_type=True))
        if write is None or read is None:
            return None
        pairs.append((column, write, read))
    return pairs


def _owned(into: SchemaTransaction, names: Mapping[str, object]) -> bool:
    concerned = [one for one in into.references if one.child in names or one.parent in names]
    return all(into.tables[name].owned for name in names) and all(one.owned for one in concerned)


def _refused(info: Info) -> Callable[[Record, Sequence[Odd]], None]:
    def refused(_record: Record, wrong: Sequence[Odd]) -> None:
        raise TargetError(
            f"{info.name}: a record of the backup can't be written: {wrong[0].column} {wrong[0].reason}.",
            "Nothing was changed.",
        )

    return refused
