# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has AWS restore its own backups, or the tables as they were at a time: always into new tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Optional

from ...._core.errors import InvalidRequest, RepositoryError, TargetError, TaskEnded
from ...._core.progress import Progress
from ...._core.units import format_time
from ...base import Change, Copy, Restoration
from ..tables import Table, drop_table, find_table
from .native import Reference, ask, follow
from .references import FILE, S3_EXPORT, chains_of, engine_of
from .settings import Addition, Settings, additions, check_writable, differing, read_settings, settings_from, unprotect

if TYPE_CHECKING:
    from .store import DynamodbStore

_BLOCK = 1 << 20
_WAITING = 24 * 3600.0  # seconds to wait for others that AWS restores for this account
_CALLS = {False: "RestoreTableFromBackup", True: "RestoreTableToPointInTime"}
_ELSEWHERE = "AWS restores no alarms, resource policies and IAM policies of a table: set them up again."


class ReferenceRestoration:
    """What AWS has was looked at, and the new tables do not exist yet, or were restored from the same backup.

    AWS restores without reading what it restores: the items are as AWS kept them.
    """

    damage = ""
    replaces = False  # AWS never restores into a table that exists

    def __init__(self, store: DynamodbStore, copy: Copy, only: Sequence[str]) -> None:
        _read(copy)
        self._progress = copy.progress
        self._applied = False
        method = str(copy.details["method"])
        parameters = {} if method == S3_EXPORT else _overrides(store)
        chains = _chosen(store, chains_of(copy.details), only)
        store.replaced = []
        kind = _table_of(store, method)
        self._tables = [
            kind(store, chain, settings_from(copy.details["tables"][chain[0].name]["settings"]), parameters)
            for chain in chains
        ]
        engine = engine_of(store, method)
        for one in self._tables:
            wanted = one.references if store.restore_time is None and (one.missing or one.unfinished) else ()
            one.check(next(filter(None, map(engine.trouble, wanted)), ""))
        changed = [one for one in self._tables if one.changed]
        self.changed = bool(changed)
        self.changes: tuple[Change, ...] = ()
        self.differences: tuple[tuple[str, str], ...] = tuple(
            (f"{one.reference.name}: {what}", "added") for one in changed for what in one.added
        )
        self.notes: tuple[str, ...] = self._notes()

    def _notes(self) -> tuple[str, ...]:
        notes = [note for one in self._tables for note in one.notes]
        return (*notes, *([_ELSEWHERE] if any(one.missing or one.made for one in self._tables) else []))

    def __enter__(self) -> Restoration:
        return self

    def __exit__(self, *exc: object) -> None:
        if exc[0] is not None and not self._applied:  # something else has failed
            _undo(self._tables)

    def build(self) -> None:
        """All of it, as nothing is replaced, and as it can take hours: until `apply`, a task can be stopped."""
        changed = [one for one in self._tables if one.changed]
        self._progress.start(f"Restoring {len(changed)} DynamoDB tables in AWS", len(changed), "tables")
        try:
            for one in changed:
                one.start(self._progress)
            for one in changed:
                one.finish(self._progress)
                self._progress.advance(1)
        except BaseException as exc:
            made = any(one.made for one in self._tables)
            said = _undo(self._tables) or ("The new tables were removed." if made else "")
            if isinstance(exc, TaskEnded):
                raise TargetError(f"{exc.message} {said}".rstrip(), exc.hint) from exc
            raise
        self.notes = self._notes()

    def apply(self) -> None:
        self._applied = True

    def undo(self) -> None:
        problem = _undo(self._tables)
        if problem:
            raise TargetError(problem)


class NewTable:
    """One table that AWS restores. `missing`: it does not exist yet; `made`: this run has begun to restore it;
    `underway`: an earlier run has; `unfinished`: AWS has restored it, and more is to be written to it.
    """

    def __init__(
        self, store: DynamodbStore, references: Sequence[Reference], settings: Settings, parameters: Mapping[str, Any]
    ) -> None:
        self.store, self.references, self.reference = store, references, references[0]
        self.settings, self._parameters = settings, parameters
        self.name = store.table_of(self.reference.name)
        self.made = self.unfinished = False
        found = self._find()
        self.missing = found is None
        self.notes: list[str] = []
        self._additions: list[Addition] = []
        self.underway = found is not None and found.status == "CREATING"
        if found is not None:
            self.check_origin(found)
            if not self.underway:
                check_writable(found)
                self._compare(found)
            if not self.underway and not self.unfinished:
                self.notes.append(
                    f"The DynamoDB table {self.name} was restored from this backup before. Later writes to it were not "
                    "examined."
                )

    @property
    def changed(self) -> bool:
        return self.missing or self.underway or self.unfinished or bool(self._additions)

    @property
    def added(self) -> list[str]:
        more = ["what incremental exports have"] if self.unfinished else []
        return ["the table"] if self.missing else [*more, *(one.what for one in self._additions)]

    def check(self, trouble: str) -> None:
        """:param trouble: why AWS can't restore the backup.
        :raises RepositoryError: it can't, or it has no data of the requested time.
        """
        if trouble:
            raise RepositoryError(
                f"AWS can't restore the DynamoDB table {self.reference.table}: {trouble}.", "Choose another backup."
            )
        if self.missing and self.store.restore_time is not None:
            self._check_time(self.store.restore_time)

    def start(self, progress: Progress) -> None:
        """Have AWS begin. Raises TargetError."""
        if not self.missing:
            return
        until = time.monotonic() + _WAITING

        def begun() -> bool:
            try:
                with progress.critical():  # what AWS has begun is known to be ours
                    self.begin()
                    self.made = True
            except TargetError as exc:  # AWS restores 50 tables of an account at a time
                if "LimitExceededException" not in exc.message or time.monotonic() > until:
                    raise
                progress.waiting("AWS restores other tables")
                return False
            return True

        follow(progress, begun)

    def finish(self, progress: Progress) -> None:
        """Wait for the table, and give it the settings that AWS does not restore. Raises TargetError."""
        found: list[Table] = []

        def active() -> bool:
            table = self._find()
            if table is None:
                raise TargetError(f"The DynamoDB table {self.name} was removed while AWS restored it.", "Run again.")
            found.append(table)
            return table.status != "CREATING"

        follow(progress, active)
        if found[-1].status not in ("ACTIVE", "UPDATING"):
            raise TargetError(f"AWS did not restore the DynamoDB table {self.name}: its status is {found[-1].status}.")
        self.complete(found[-1], progress)
        self._compare(found[-1])
        for one in self._additions:
            one.make()
        self.missing = self.underway = self.unfinished = False

    def complete(self, table: Table, progress: Progress) -> None:
        """Write what AWS does not restore. Raises TargetError."""

    def undo(self) -> None:
        """Remove the table if this run has begun to restore it. Raises TargetError."""
        if not self.made:
            return
        found = self._find()
        if found is not None and found.status == "CREATING":
            raise TargetError(
                "AWS is still creating it, which can't be stopped. Run again to continue, or remove it later."
            )
        if found is not None and found.described.get("DeletionProtectionEnabled"):
            unprotect(self.store.client, self.name)
        drop_table(self.store.client, self.name)
        self.made = False

    def begin(self) -> None:
        at, reference = self.store.restore_time, self.reference
        arguments: dict[str, Any] = {"TargetTableName": self.name, **self._parameters}
        if at is None:
            operation, arguments["BackupArn"] = "restore_table_from_backup", reference.arn
        else:
            operation = "restore_table_to_point_in_time"
            arguments.update(SourceTableArn=reference.table_arn, RestoreDateTime=at)
        what = f"Restoring the DynamoDB table {reference.table} as {self.name} in AWS"
        ask(self.store.client, what, operation, TargetError, **arguments)

    def _find(self) -> Optional[Table]:
        return find_table(self.store.client, self.name, TargetError)

    def _compare(self, table: Table) -> None:
        current = read_settings(self.store.client, table)
        self._additions = additions(self.store.client, table, self.settings, current)
        different = differing(self.settings, current, self._additions)
        self.notes = [
            *(
                [f"The DynamoDB table {self.name} differs from the backup in: {', '.join(different)}."]
                * bool(different)
            ),
            *(f"Not restored of the DynamoDB table {self.name}: {one}." for one in self.settings.elsewhere),
        ]

    def check_origin(self, table: Table) -> None:
        """A table that exists is only accepted if AWS says that it was restored from the same backup."""
        summary = table.described.get("RestoreSummary") or {}
        if self.store.restore_time is None:
            same = summary.get("SourceBackupArn") == self.reference.arn
        else:
            at = summary.get("RestoreDateTime")
            same = summary.get("SourceTableArn") == self.reference.table_arn and not summary.get("SourceBackupArn")
            same = same and at is not None and _seconds(at) == _seconds(self.store.restore_time)
        if not same:
            raise self.exists()

    def exists(self) -> TargetError:
        """The error for a table that is in the way."""
        return TargetError(
            f"The DynamoDB table {self.name} exists, and AWS restores only into new tables.",
            "Set another prefix of the target, or remove or rename the table.",
        )

    def _check_time(self, at: datetime) -> None:
        table = self.reference.table
        what = f"Reading the point-in-time recovery of the DynamoDB table {table}"
        answer = ask(self.store.client, what, "describe_continuous_backups", RepositoryError, TableName=table)
        found = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription") or {}
        if found.get("PointInTimeRecoveryStatus") != "ENABLED":
            raise RepositoryError(
                f"The DynamoDB table {table} has no point-in-time recovery, so that restore_time is not possible.",
                "Omit restore_time to restore the backup.",
            )
        first, last = found["EarliestRestorableDateTime"], found["LatestRestorableDateTime"]
        if not first <= at <= last:
            raise RepositoryError(
                f"restore_time is {format_time(at)}, but the DynamoDB table {table} can be restored as it was between "
                f"{format_time(first)} and {format_time(last)}.",
                "Choose a time in this range.",
            )


def _table_of(store: DynamodbStore, method: str) -> type[NewTable]:
    """How the tables of a method are made. Raises InvalidRequest for what the method does not have."""
    if method != S3_EXPORT:
        return NewTable
    from .restore_import import ImportedTable  # only here: see registry.py

    if store.restore_time is not None or store.overrides:
        raise InvalidRequest(
            "restore_time and overrides are not possible for this backup, as it was exported to S3.",
            "Omit them, or choose a backup that was made with method=native.",
        )
    return ImportedTable


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _read(copy: Copy) -> None:
    """Verify the file of the backup. Raises DamagedBackup."""
    with copy.open(FILE) as reader:
        while reader.read(_BLOCK):
            pass


def _overrides(store: DynamodbStore) -> dict[str, Any]:
    """What is given to the call that restores. Raises InvalidRequest for what it does not have."""
    if not store.overrides:
        return {}
    operation = _CALLS[store.restore_time is not None]
    return store.client.checked(operation, "Override", store.overrides, "overrides")


def _chosen(
    store: DynamodbStore, chains: Mapping[str, Sequence[Reference]], only: Sequence[str]
) -> list[Sequence[Reference]]:
    has = set(chains)
    unknown = sorted(set(only) - has)
    if unknown:
        raise InvalidRequest(
            f"The backup has no table {', '.join(unknown)}.",
            f"It has: {', '.join(sorted(has))} (without their prefix).",
        )
    names = store.selection.of(only or has)
    if not names:
        raise InvalidRequest(
            "The backup contains none of the tables that the option tables selects.",
            f"It has: {', '.join(sorted(has))}.",
        )
    return [chain for name, chain in chains.items() if name in names]


def _undo(tables: Sequence[NewTable]) -> str:
    """Remove the new tables. Returns what stays, as sentences."""
    problems = []
    for one in tables:
        try:
            one.undo()
        except TaskEnded as exc:
            problems.append(f"The new DynamoDB table {one.name} could not be removed: {exc.message}")
    return " ".join(problems)
