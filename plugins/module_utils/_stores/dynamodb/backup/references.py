# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that AWS keeps. What is stored here refers to them, and has the settings that AWS does not restore."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Protocol

from ...._core.errors import Day2Error, RepositoryError, SourceError
from ...._core.progress import Progress
from ...base import Sink, Snapshot
from ..client import Client
from ..tables import Table
from .native import NativeBackups, Reference, Steps, ask
from .settings import RECOVERY, Settings, check_readable, enable_recovery, period_in, read_settings

if TYPE_CHECKING:
    from .store import DynamodbStore

FILE = "references.jsonl"
S3_EXPORT = "s3_export"


def references_of(details: Mapping[str, Any]) -> list[Reference]:
    """Those of a backup; [] for one that has its items here."""
    fields = Reference._fields
    return [Reference(**{name: one.get(name) for name in fields}) for one in details.get("references") or ()]


def chains_of(details: Mapping[str, Any]) -> dict[str, list[Reference]]:
    """The same by collection: a full one, and the incremental ones that continue it. Raises RepositoryError."""
    chains: dict[str, list[Reference]] = {}
    for one in references_of(details):
        chain = chains.setdefault(one.name, [])
        if one.since != (chain[-1].created if chain else None):
            raise RepositoryError(
                f"The reference to {one.arn} does not continue the one before it.", "Choose another backup."
            )
        chain.append(one)
    return chains


class Engine(Protocol):
    """How AWS keeps the backups of a method."""

    def steps(self, name: str, table: Table, earlier: Sequence[Reference]) -> Steps:
        """How the table of a collection is backed up. Raises SourceError.

        :param earlier: of the newest backup, which may be continued.
        """

    def complete(self, reference: Reference, progress: Progress) -> Reference:
        """Wait until it is complete, and check it. Returns it with its figures. Raises SourceError."""

    def trouble(self, reference: Reference) -> str:
        """Why it can't be restored, as a clause; "" if it can. Raises SourceError if AWS does not tell."""

    def remove(self, reference: Reference) -> None:
        """Remove it, if it exists. Raises SourceError."""


def engine_of(store: DynamodbStore, method: str) -> Engine:
    """What makes the backups of a method."""
    if method == S3_EXPORT:
        from .s3_export import S3Exports  # only here: see registry.py

        return S3Exports(store)
    return NativeBackups(store.client)


def take(store: DynamodbStore, sink: Sink, made: list[Reference]) -> Snapshot:
    """Back up the tables in AWS, all at the same time, and wait for it. In check mode, only describe them.

    :param made: receives what was made, also if another table fails.
    """
    names = store.selected()
    tables = {name: store.described(name) for name in names}
    for table in tables.values():
        check_readable(table)
    settings = {name: read_settings(store.client, table) for name, table in tables.items()}
    notes = [note for one in settings.values() for note in one.notes]
    if sink.strict and notes:
        raise SourceError(" ".join(notes), "Nothing was published. Run again, or omit strict.")
    if store.recovery_period is not None:
        settings = _recoverable(store, tables, settings, sink.dry)
    if store.method == S3_EXPORT:
        _check_exportable(store, tables, settings)
    engine, earlier = engine_of(store, store.method), chains_of(store.earlier)
    steps = {name: engine.steps(name, table, earlier.get(name, ())) for name, table in tables.items()}
    if not sink.dry:
        starts = [start for one in steps.values() for start in one.starts]
        sink.progress.start(f"Backing up {len(tables)} DynamoDB tables in AWS", len(starts), "backups")
        for start in starts:
            with sink.progress.critical():  # whatever AWS has begun is in the list
                made.append(start())
        for number, reference in enumerate(list(made)):
            made[number] = engine.complete(reference, sink.progress)
            sink.progress.advance(1)
    chains = {name: [*one.earlier, *(each for each in made if each.name == name)] for name, one in steps.items()}
    return _snapshot(store, sink, tables, settings, chains)


def _snapshot(
    store: DynamodbStore,
    sink: Sink,
    tables: Mapping[str, Table],
    settings: Mapping[str, Settings],
    chains: Mapping[str, Sequence[Reference]],
) -> Snapshot:
    described = {name: {"table": tables[name].name, "settings": settings[name].to_json()} for name in sorted(tables)}
    references = {name: [one.to_json() for one in chains[name]] for name in described}
    lines = [
        json.dumps({**one, **described[name]}, sort_keys=True) + "\n" for name in described for one in references[name]
    ]
    sink.progress.start("Recording the backups in AWS", unit="bytes")
    with sink.file(FILE) as target:
        for line in lines:
            target.write(line.encode())
    details = {
        "method": store.method,
        "references": [one for name in described for one in references[name]],
        "tables": described,
    }
    # No two backups are equal: what a table has cannot be told from them.
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    return Snapshot(digest, (), details, None, tuple(note for one in settings.values() for note in one.notes))


def outdated(store: DynamodbStore, details: Mapping[str, Any]) -> str:
    """Why an earlier backup is not enough, as a clause; "" if it is. Raises SourceError if AWS does not tell."""
    references = references_of(details)
    has, wanted = {one.name for one in references}, set(store.selected())
    if has != wanted:
        return f"the tables are no longer the same ({', '.join(sorted(has ^ wanted))})"
    engine = engine_of(store, str(details["method"]))
    for reference in references:
        trouble = engine.trouble(reference)
        if trouble:
            return trouble
    if store.recovery_period is not None:
        for name in sorted(wanted):
            found = read_settings(store.client, store.described(name)).recovery_period
            if found != store.recovery_period:
                return f"the point-in-time recovery of {store.table_of(name)} {_shown(found)}"
    return ""


def unshared(details: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[Reference]:
    """What a backup refers to, and the others do not. The later ones come first: what is interrupted has no gaps."""
    shared = {one.arn for each in others for one in references_of(each)}
    return [one for one in reversed(references_of(details)) if one.arn not in shared]


def remove(store: DynamodbStore, references: Sequence[Reference], method: str) -> None:
    """Remove what a backup refers to. One that can't be removed does not keep the others. Raises SourceError."""
    engine, problems = engine_of(store, method), []
    for reference in references:
        try:
            engine.remove(reference)
        except Day2Error as exc:
            problems.append(str(exc))
    if problems:
        raise SourceError(" ".join(problems))


def _shown(days: Optional[int]) -> str:
    return "is off" if days is None else f"reaches back {days} days"


def _recoverable(
    store: DynamodbStore, tables: Mapping[str, Table], settings: Mapping[str, Settings], dry: bool
) -> dict[str, Settings]:
    """The settings once point-in-time recovery reaches back as far as it should. Raises SourceError."""
    days, found = store.recovery_period, dict(settings)
    for name, table in tables.items():
        before = settings[name]
        if before.hides(RECOVERY):
            raise SourceError(
                f"The point-in-time recovery of the DynamoDB table {table.name} can't be read.",
                "Allow dynamodb:DescribeContinuousBackups, or omit recovery_period.",
            )
        if before.recovery_period == days or days is None or dry:
            continue
        enable_recovery(store.client, table.name, days, before.recovery_period)
        found[name] = before._replace(recovery_period=_period(store.client, table))
        if found[name].recovery_period != days:
            raise SourceError(
                f"The point-in-time recovery of the DynamoDB table {table.name} was set to {days} days, but "
                f"{_shown(found[name].recovery_period)}.",
                "Check whether something else changes it.",
            )
    return found


def _check_exportable(store: DynamodbStore, tables: Mapping[str, Table], settings: Mapping[str, Settings]) -> None:
    off = [tables[name].name for name, one in settings.items() if one.recovery_period is None]
    if off and store.recovery_period is None:
        raise SourceError(
            f"AWS exports from point-in-time recovery only, which is off for: {', '.join(sorted(off))}.",
            "Set recovery_period to switch it on.",
        )


def _period(client: Client, table: Table) -> Optional[int]:
    what = f"Reading the point-in-time recovery of the DynamoDB table {table.name}"
    answer = ask(client, what, "describe_continuous_backups", TableName=table.name)["ContinuousBackupsDescription"]
    return period_in(answer)
