# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of DynamoDB: lists and describes them, creates them, and waits for them."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.aws import Exhausted, Refused
from ..._core.errors import Day2Error, SourceError, TargetError
from .client import Client, describe_failure
from .definition import Definition, enable_ttl
from .values import KeyField

_POLL = 0.2
_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_MAKING = 300.0  # seconds that a table may take to become active


class Table(NamedTuple):
    """A table as DescribeTable returns it. Its figures are hours old: the size is only an estimate."""

    name: str
    key: tuple[KeyField, ...]
    status: str
    indexes: tuple[str, ...]  # names of its secondary indexes
    size: int  # bytes
    described: Mapping[str, Any] = {}  # all of it


def is_name(name: str) -> bool:
    """Whether a table can have this name."""
    return _NAME.fullmatch(name) is not None


def table_names(client: Client, prefix: str) -> list[str]:
    """The tables whose names start with the prefix, in order.

    :raises SourceError: they cannot be listed.
    """
    names: list[str] = []
    arguments: dict[str, str] = {}
    try:
        while True:
            answer = client.ask("list_tables", **arguments)
            names += [name for name in answer["TableNames"] if name.startswith(prefix)]
            last = answer.get("LastEvaluatedTableName")
            if not last:
                return sorted(names)
            arguments = {"ExclusiveStartTableName": last}
    except (Refused, Exhausted) as exc:
        raise describe_failure(SourceError, f"Listing the tables of DynamoDB at {client.url}", exc) from None


def find_table(client: Client, name: str, kind: type[Day2Error] = SourceError) -> Optional[Table]:
    """The table, or None if there is none with that name.

    :raises kind: it cannot be described.
    """
    try:
        document = client.ask("describe_table", TableName=name)["Table"]
    except Refused as exc:
        if exc.code == "ResourceNotFoundException":
            return None
        raise describe_failure(kind, f"Describing the DynamoDB table {name}", exc) from None
    except Exhausted as exc:
        raise describe_failure(kind, f"Describing the DynamoDB table {name}", exc) from None
    return _table(document)


def key_of(document: Mapping[str, Any]) -> tuple[KeyField, ...]:
    """The key of a table as DescribeTable returns it, or as CreateTable takes it."""
    types = {one["AttributeName"]: one["AttributeType"] for one in document["AttributeDefinitions"]}
    # The partition key comes first, whatever the server's order.
    schema = sorted(document["KeySchema"], key=lambda one: str(one["KeyType"]))
    return tuple(KeyField(one["AttributeName"], types[one["AttributeName"]]) for one in schema)


def _table(document: Mapping[str, Any]) -> Table:
    indexes = [*document.get("GlobalSecondaryIndexes", ()), *document.get("LocalSecondaryIndexes", ())]
    return Table(
        document["TableName"],
        key_of(document),
        document["TableStatus"],
        tuple(sorted(one["IndexName"] for one in indexes)),
        int(document.get("TableSizeBytes") or 0),
        document,
    )


def ensure_table(client: Client, name: str, key: Sequence[KeyField], definition: Optional[Definition] = None) -> Table:
    """Create a table unless it exists, and wait until it is active. Without a definition, it is paid per request.

    :raises TargetError: it exists with another key, cannot be created, or does not become active.
    """
    table = find_table(client, name, TargetError)
    made = table is None
    if made:
        with contextlib.suppress(_Exists):  # somebody else has just made it
            _create(client, name, definition.arguments if definition is not None else _plain(key))
    until = time.monotonic() + _MAKING
    while table is None or table.status not in ("ACTIVE", "UPDATING"):
        if time.monotonic() > until:
            raise TargetError(
                f"The DynamoDB table {name} is still {(table.status if table else 'missing')} after {int(_MAKING)} s.",
                "Check it in the console, and run again once it is active.",
            )
        time.sleep(_POLL if table else 0)
        table = find_table(client, name, TargetError)
    check_key(name, table.key, key)
    if made and definition is not None and definition.ttl:
        enable_ttl(client, name, definition.ttl)
    return table


def create_table(client: Client, name: str, definition: Definition) -> Table:
    """Create a table that nobody else has made. It need not be active yet.

    :raises TargetError: it exists, or cannot be created.
    """
    return _table(_create(client, name, definition.arguments)["TableDescription"])


def check_key(name: str, existing: Sequence[KeyField], key: Sequence[KeyField]) -> None:
    """Compare the key of an existing table.

    :raises TargetError: it differs.
    """
    if tuple(existing) != tuple(key):
        raise TargetError(
            f"The DynamoDB table {name} has the key {_spell(existing)}, but the records have the key {_spell(key)}.",
            "Choose another prefix or table, or remove the table.",
        )


def _plain(key: Sequence[KeyField]) -> Mapping[str, Any]:
    return {
        "AttributeDefinitions": [{"AttributeName": field.name, "AttributeType": field.type} for field in key],
        "KeySchema": [{"AttributeName": field.name, "KeyType": kind} for field, kind in zip(key, ("HASH", "RANGE"))],
        "BillingMode": "PAY_PER_REQUEST",
    }


class _Exists(TargetError):
    """There is a table with that name already."""


def _create(client: Client, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return client.ask("create_table", TableName=name, **arguments)
    except Refused as exc:
        if exc.code == "ResourceInUseException":
            raise _Exists(
                f"The DynamoDB table {name} was created by another program at the same time.", "Run again."
            ) from None
        raise describe_failure(TargetError, f"Creating the DynamoDB table {name}", exc) from None
    except Exhausted as exc:
        raise describe_failure(TargetError, f"Creating the DynamoDB table {name}", exc) from None


def drop_table(client: Client, name: str) -> None:
    """Remove a table, if it exists, and wait until it no longer exists.

    :raises TargetError: it cannot be removed.
    """
    until = time.monotonic() + _MAKING
    while True:
        table = find_table(client, name, TargetError)
        if table is None:
            return
        if time.monotonic() > until:
            raise TargetError(f"The DynamoDB table {name} still exists after {int(_MAKING)} s.")
        try:
            if table.status != "DELETING":
                client.ask("delete_table", TableName=name)
        except Refused as exc:
            if exc.code not in ("ResourceNotFoundException", "ResourceInUseException"):
                raise describe_failure(TargetError, f"Removing the DynamoDB table {name}", exc) from None
        except Exhausted as exc:
            raise describe_failure(TargetError, f"Removing the DynamoDB table {name}", exc) from None
        time.sleep(_POLL)


def _spell(key: Sequence[KeyField]) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in key)
