# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a table as a backup has them, and how a table gets those that it lacks."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional

from ...._core.aws import Exhausted, Refused
from ...._core.errors import SourceError, TargetError
from ..client import Client, describe_failure
from ..definition import Definition, definition_of, enable_ttl
from ..tables import Table, find_table
from .scaling import Scaling, missing_scaling, put_scaling, read_scaling

_POLL = 0.5
_BUILDING = 24 * 3600.0  # seconds that an index may take
_CAPACITY = "ProvisionedThroughput"
_INDEXES = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
# Names in the identity.
TAGS, TTL, RECOVERY, PROTECTION = "Tags", "ttl", "recovery_period", "deletion_protection"
SCALING = "scaling"
_SHOWN = {
    "BillingMode": "billing mode",
    "GlobalSecondaryIndexes": "global secondary indexes",
    "LocalSecondaryIndexes": "local secondary indexes",
    "StreamSpecification": "stream",
    "TableClass": "table class",
    TAGS: "tags",
    TTL: "time to live",
    RECOVERY: "point-in-time recovery",
    PROTECTION: "deletion protection",
    SCALING: "scaling",
}
_UNKNOWN = ("UnknownOperationException", "UnsupportedOperationException")  # of servers that are not AWS


class Settings(NamedTuple):
    """What CreateTable takes, without the name, and what is set afterwards.

    `recovery_period` are the days of point-in-time recovery, or None where it is off. `unseen` has sentences on what
    could not be read, and `elsewhere` on what belongs to the account and is not in the backup.
    """

    arguments: Mapping[str, Any]
    ttl: str
    recovery_period: Optional[int]
    deletion_protection: bool
    unseen: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    scaling: Optional[Scaling] = None  # what scales its capacity

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {**self._asdict(), "unseen": list(self.unseen), "elsewhere": list(self.elsewhere)}

    @property
    def identity(self) -> dict[str, Any]:
        """What counts as content. Provisioned capacity does not: scaled automatically, it is never equal."""
        plain = {name: value for name, value in self.arguments.items() if name != _CAPACITY}
        for kind in _INDEXES:
            if kind in plain:
                indexes = [{part: one[part] for part in one if part != _CAPACITY} for one in plain[kind]]
                plain[kind] = sorted(indexes, key=lambda one: str(one["IndexName"]))
        plain["AttributeDefinitions"] = sorted(plain["AttributeDefinitions"], key=lambda one: str(one["AttributeName"]))
        plain["KeySchema"] = sorted(plain["KeySchema"], key=lambda one: str(one["KeyType"]))
        plain["Tags"] = sorted(plain.get("Tags", ()), key=lambda one: str(one["Key"]))
        scaling = {SCALING: self.scaling} if self.scaling else {}
        return {**plain, TTL: self.ttl, RECOVERY: self.recovery_period, PROTECTION: self.deletion_protection, **scaling}

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what could not be read, although the server has it."""
        return tuple(one for one in self.unseen if not any(code in one for code in _UNKNOWN))

    def hides(self, setting: str) -> bool:
        """Whether it could not be read."""
        return any(f"The {_SHOWN[setting]} of" in one for one in self.unseen)


def settings_from(value: Mapping[str, Any]) -> Settings:
    """Of a manifest."""
    fields = {name: value[name] for name in Settings._fields if name in value or name != SCALING}
    return Settings(**{**fields, "unseen": tuple(value["unseen"]), "elsewhere": tuple(value["elsewhere"])})


def read_settings(client: Client, table: Table) -> Settings:
    """The settings of an existing table.

    :raises SourceError: the server can't be reached.
    """
    unseen: list[str] = []
    definition = definition_of(client, table.described, unseen)
    period = _recovery_period(client, table.name, unseen)
    scaling = read_scaling(client.scaling(), table, unseen)
    return Settings(
        definition.arguments,
        definition.ttl,
        period,
        bool(table.described.get("DeletionProtectionEnabled")),
        tuple(unseen),
        tuple(_elsewhere(table)),
        scaling,
    )


def _recovery_period(client: Client, name: str, unseen: list[str]) -> Optional[int]:
    try:
        answer = client.ask("describe_continuous_backups", TableName=name)["ContinuousBackupsDescription"]
    except (Refused, Exhausted) as exc:
        unseen.append(f"The point-in-time recovery of the DynamoDB table {name} can't be read: {str(exc).strip('. ')}.")
        return None
    return period_in(answer)


def period_in(answer: Mapping[str, Any]) -> Optional[int]:
    """The days of point-in-time recovery in a ContinuousBackupsDescription, or None where it is off."""
    found = answer.get("PointInTimeRecoveryDescription") or {}
    if found.get("PointInTimeRecoveryStatus") != "ENABLED":
        return None
    return int(found.get("RecoveryPeriodInDays") or 35)


def _elsewhere(table: Table) -> Iterator[str]:
    found = table.described
    if (found.get("SSEDescription") or {}).get("KMSMasterKeyArn"):
        yield f"its encryption with the key {found['SSEDescription']['KMSMasterKeyArn']}"
    if found.get("Replicas"):
        yield f"its replicas in {', '.join(sorted(str(one.get('RegionName')) for one in found['Replicas']))}"


class Addition(NamedTuple):
    """Something that a table lacks. `setting` is its name in the identity."""

    setting: str
    what: str  # for people
    make: Callable[[], None]


def additions(client: Client, table: Table, wanted: Settings, current: Settings) -> list[Addition]:
    """What an existing table lacks of the settings in a backup. What it has otherwise is kept.

    Of a table that was just created, that is what `creation` leaves for later.
    """
    return [
        *_missing_indexes(client, table, wanted),
        *_missing_stream(client, table, wanted, current),
        *_missing_tags(client, table, wanted, current),
        *_missing_protection(client, table, wanted, current),
        *_missing_scaling(client, table, wanted, current),
    ]


def _missing_indexes(client: Client, table: Table, wanted: Settings) -> Iterator[Addition]:
    for index in wanted.arguments.get(_INDEXES[0], ()):
        if index["IndexName"] not in table.indexes:
            make = functools.partial(_add_index, client, table, wanted, index)
            yield Addition(_INDEXES[0], f"the index {index['IndexName']}", make)


def _missing_stream(client: Client, table: Table, wanted: Settings, current: Settings) -> Iterator[Addition]:
    stream = wanted.arguments.get("StreamSpecification")
    if stream and "StreamSpecification" not in current.arguments:
        make = functools.partial(_update_table, client, table.name, StreamSpecification=stream)
        yield Addition("StreamSpecification", "the stream", make)


def _missing_tags(client: Client, table: Table, wanted: Settings, current: Settings) -> Iterator[Addition]:
    has = {one["Key"] for one in current.arguments.get("Tags", ())}
    tags = [one for one in wanted.arguments.get("Tags", ()) if one["Key"] not in has]
    if tags and not current.hides(TAGS):
        make = functools.partial(
            _ask, client, table.name, "tag_resource", ResourceArn=table.described["TableArn"], Tags=tags
        )
        yield Addition(TAGS, f"the tags {', '.join(one['Key'] for one in tags)}", make)


def _missing_protection(client: Client, table: Table, wanted: Settings, current: Settings) -> Iterator[Addition]:
    name = table.name
    if wanted.ttl and not current.ttl and not current.hides(TTL):
        yield Addition(TTL, f"the time to live ({wanted.ttl})", functools.partial(enable_ttl, client, name, wanted.ttl))
    if wanted.recovery_period and not current.recovery_period and not current.hides(RECOVERY):
        make = functools.partial(enable_recovery, client, name, wanted.recovery_period)
        yield Addition(RECOVERY, "point-in-time recovery", make)
    if wanted.deletion_protection and not current.deletion_protection:
        make = functools.partial(_update_table, client, name, DeletionProtectionEnabled=True)
        yield Addition(PROTECTION, "deletion protection", make)


def _missing_scaling(client: Client, table: Table, wanted: Settings, current: Settings) -> Iterator[Addition]:
    service = client.scaling() if wanted.scaling else None
    lacking = missing_scaling(wanted.scaling or {}, current.scaling or {}, table)
    if lacking and service is not None and not current.hides(SCALING):
        yield Addition(SCALING, "scaling", functools.partial(put_scaling, service, table.name, lacking))


def differing(wanted: Settings, current: Settings, added: Sequence[Addition]) -> list[str]:
    """What an existing table has otherwise than the backup, for people, apart from what is added."""
    ours, theirs = wanted.identity, current.identity
    made = {one.setting for one in added}
    return [
        shown
        for setting, shown in _SHOWN.items()
        if ours.get(setting) != theirs.get(setting) and setting not in made and not current.hides(setting)
    ]


def enable_recovery(client: Client, name: str, days: int, current: Optional[int] = None) -> None:
    """Switch point-in-time recovery on, or change how many days it reaches back. Raises TargetError."""
    recovery: dict[str, Any] = {"PointInTimeRecoveryEnabled": True}
    if days != 35 or current is not None:  # an older boto3 does not know the parameter
        recovery["RecoveryPeriodInDays"] = days
    _ask(
        *(client, name, "update_continuous_backups"),
        TableName=name,
        PointInTimeRecoverySpecification=recovery,
    )


def creation(settings: Settings) -> Definition:
    """How a table is created that gets the rest by `additions`, after its items: they would expire while they are
    compared, and a protected table could not be removed if the restore fails."""
    return Definition({name: value for name, value in settings.arguments.items() if name != TAGS}, "")


def _add_index(client: Client, table: Table, wanted: Settings, index: Mapping[str, Any]) -> None:
    name = table.name
    plain = dict(index)
    if table.described.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST":
        plain.pop(_CAPACITY, None)
    else:
        plain.setdefault(_CAPACITY, {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})
    used = {one["AttributeName"] for one in index["KeySchema"]}
    attributes = [one for one in wanted.arguments["AttributeDefinitions"] if one["AttributeName"] in used]
    _update_table(client, name, AttributeDefinitions=attributes, GlobalSecondaryIndexUpdates=[{"Create": plain}])
    until = time.monotonic() + _BUILDING
    while time.monotonic() < until:  # AWS builds one index at a time
        found = find_table(client, name, TargetError)
        indexes = found.described.get("GlobalSecondaryIndexes", ()) if found else ()
        if all(one.get("IndexStatus", "ACTIVE") == "ACTIVE" for one in indexes):
            return
        time.sleep(_POLL)
    raise TargetError(f"The index {plain['IndexName']} of the DynamoDB table {name} is still being built.")


def _update_table(client: Client, name: str, **arguments: Any) -> None:
    _ask(client, name, "update_table", TableName=name, **arguments)


def _ask(client: Client, name: str, operation: str, **arguments: Any) -> None:
    try:
        client.ask(operation, **arguments)
    except (Refused, Exhausted) as exc:
        raise describe_failure(TargetError, f"Changing the settings of the DynamoDB table {name}", exc) from None


def check_readable(table: Table) -> None:
    """Raise SourceError when items of a table can't be read completely."""
    if table.status not in ("ACTIVE", "UPDATING"):
        raise SourceError(
            f"The DynamoDB table {table.name} can't be read, as its status is {table.status}.",
            "Run again once it is active, or exclude it.",
        )


def check_writable(table: Table) -> None:
    """Raise TargetError when items can't be written to a table."""
    if table.status not in ("ACTIVE", "UPDATING"):
        raise TargetError(
            f"The DynamoDB table {table.name} can't be written to, as its status is {table.status}.",
            "Run again once it is active.",
        )


def unprotect(client: Client, name: str) -> None:
    """Let a table be removed. Raises TargetError."""
    _update_table(client, name, DeletionProtectionEnabled=False)
