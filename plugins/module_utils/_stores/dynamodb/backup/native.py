# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On-demand backups of AWS: made of a table, followed until they are available, removed."""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Callable, NamedTuple, Optional

from ...._core.aws import Exhausted, Refused
from ...._core.errors import Day2Error, SourceError
from ...._core.progress import Progress
from ...._core.units import format_time
from ..client import Client, describe_failure
from ..tables import Table

_SHORTEST, _LONGEST = 0.1, 5.0  # seconds between two questions
_MAKING = 30.0  # seconds that a backup may take until it can be removed; usually one
_NAMED = "day2-"  # what the names of our backups start with


class Reference(NamedTuple):
    """What a backup of one collection refers to.

    `arn` and `label` are the identifier and the name that the backup has in AWS; of an export, the label is its address
    in S3. `created` is ISO 8601, `bytes` the size according to AWS, `records` the number of items in an export; both
    can be None. An incremental export has what was written between `since` and `created`; of all others, `since` is
    None.
    """

    name: str
    table: str
    table_arn: str
    table_id: str
    arn: str
    label: str
    created: str
    bytes: Optional[int] = None
    records: Optional[int] = None
    since: Optional[str] = None

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return self._asdict()


class Steps(NamedTuple):
    """How a table is backed up: by what begins backups, of which each is to be followed. `earlier` are the ones that
    these continue.
    """

    earlier: Sequence[Reference]
    starts: Sequence[Callable[[], Reference]]


def ask(client: Client, what: str, operation: str, kind: type[Day2Error] = SourceError, **arguments: Any) -> Any:
    """Make a rare call.

    :param what: the beginning of the message if it is refused.
    :raises kind: the call failed.
    """
    try:
        return client.ask(operation, **arguments)
    except (Refused, Exhausted) as exc:
        raise describe_failure(kind, what, exc) from None


def follow(progress: Progress, done: Callable[[], bool]) -> None:
    """Ask until something is done. How long this may take is the user's to limit, as AWS says nothing of it."""
    delay = _SHORTEST
    while not done():
        progress.check()
        time.sleep(delay)
        delay = min(delay * 1.5, _LONGEST)


class NativeBackups:
    """Those of one region."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def steps(self, name: str, table: Table, _earlier: Sequence[Reference]) -> Steps:
        """How the table of a collection is backed up."""
        return Steps((), (functools.partial(self.start, name, table),))

    def start(self, name: str, table: Table) -> Reference:
        """Begin a backup of the table of a collection. Raises SourceError."""
        label = f"{_NAMED}{datetime.now(timezone.utc).strftime('%Y%m%dT%H%M%SZ')}-{secrets.token_hex(4)}"
        what = f"Backing up the DynamoDB table {table.name} in AWS"
        made = ask(self._client, what, "create_backup", TableName=table.name, BackupName=label)["BackupDetails"]
        return Reference(
            *(name, table.name, str(table.described.get("TableArn", "")), str(table.described.get("TableId", ""))),
            *(made["BackupArn"], label, format_time(made["BackupCreationDateTime"])),
        )

    def complete(self, reference: Reference, progress: Progress) -> Reference:
        """Wait until a backup is available, and compare it with what was asked for. Returns it with its size.

        :raises SourceError: it failed, or is of something else.
        """
        found: list[Mapping[str, Any]] = []

        def available() -> bool:
            described = self._find(reference)
            if described is not None and described["BackupDetails"]["BackupStatus"] == "CREATING":
                return False
            found.extend([] if described is None else [described])
            return True

        follow(progress, available)
        trouble = self._trouble(reference, found[0] if found else None)
        if trouble:
            raise SourceError(
                f"The backup of the DynamoDB table {reference.table} in AWS is not usable: {trouble}.", "Run again."
            )
        size = found[0]["BackupDetails"].get("BackupSizeBytes")
        return reference._replace(bytes=None if size is None else int(size))

    def trouble(self, reference: Reference) -> str:
        """Why a backup can't be restored, as a clause; "" if it can. Raises SourceError if AWS does not tell."""
        return self._trouble(reference, self._find(reference))

    def remove(self, reference: Reference) -> None:
        """Remove a backup, if it is the one that is recorded and exists.

        :raises SourceError: it is another one, or can't be removed.
        """
        found = self._find(reference)
        until = time.monotonic() + _MAKING
        while found is not None and found["BackupDetails"]["BackupStatus"] == "CREATING" and time.monotonic() < until:
            time.sleep(_SHORTEST)  # AWS removes none that it is making
            found = self._find(reference)
        if found is None or found["BackupDetails"]["BackupStatus"] == "DELETED":
            return
        if not reference.label.startswith(_NAMED) or found["BackupDetails"]["BackupName"] != reference.label:
            raise SourceError(
                f"{reference.arn} was not removed, as its name differs from the recorded one: {reference.label}, not "
                f"{found['BackupDetails']['BackupName']}."
            )
        try:
            self._client.ask("delete_backup", BackupArn=reference.arn)
        except (Refused, Exhausted) as exc:
            if not _is_gone(exc):
                raise describe_failure(SourceError, f"Removing {reference.arn}", exc) from None

    def _find(self, reference: Reference) -> Optional[Mapping[str, Any]]:
        """What AWS says of a backup; None: it does not exist (any more)."""
        try:
            found: dict[str, Any] = self._client.ask("describe_backup", BackupArn=reference.arn)["BackupDescription"]
            return found
        except (Refused, Exhausted) as exc:
            if _is_gone(exc):
                return None
            what = f"Describing the backup of the DynamoDB table {reference.table} in AWS"
            raise describe_failure(SourceError, what, exc) from None

    def _trouble(self, reference: Reference, found: Optional[Mapping[str, Any]]) -> str:
        if found is None:
            return f"{reference.arn} does not exist"
        details, source = found["BackupDetails"], found.get("SourceTableDetails") or {}
        if details["BackupStatus"] != "AVAILABLE":
            return f"the status of {reference.arn} is {details['BackupStatus']}"
        if details["BackupName"] != reference.label:
            return f"{reference.arn} has the name {details['BackupName']} instead of {reference.label}"
        if source and str(source.get("TableId") or "") != reference.table_id:
            return f"{reference.arn} is the backup of another table"
        return ""


def _is_gone(exc: Exception) -> bool:
    return isinstance(exc, Refused) and exc.code == "BackupNotFoundException"
