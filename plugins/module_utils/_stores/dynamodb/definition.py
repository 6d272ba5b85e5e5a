# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The definition of a DynamoDB table apart from its items, for another table like it: secondary indexes, billing,
stream, time to live, tags. Encryption with a key of the customer, replicas, autoscaling and backups belong to an
account, and are not copied.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..._core.aws import Exhausted, Refused
from ..._core.errors import TargetError
from .client import Client, describe_failure

_INDEX = ("IndexName", "KeySchema", "Projection")
_PROVISIONED = "PROVISIONED"
_TAKEN = ("aws:", "day2-restore")  # tags that AWS gives, or a restore


class Definition(NamedTuple):
    """`arguments` are those of CreateTable without the name. `ttl` is the name of the attribute, or ""."""

    arguments: Mapping[str, Any]
    ttl: str = ""

    @property
    def text(self) -> str:
        """The definition as text for `parsed`."""
        return json.dumps(self._asdict(), sort_keys=True)

    @property
    def words(self) -> list[str]:
        """The parts of it that other stores lack."""
        names = [
            one["IndexName"]
            for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
            for one in self.arguments.get(kind, ())
        ]
        words = [f"the index {name}" for name in names]
        if "StreamSpecification" in self.arguments:
            words.append("its stream")
        return words + ([f"its time to live ({self.ttl})"] if self.ttl else [])


def parsed(text: str) -> Definition:
    """The definition that `Definition.text` describes."""
    return Definition(**json.loads(text))


def definition_of(client: Client, table: Mapping[str, Any], notes: list[str]) -> Definition:
    """The definition of a table.

    :param table: as DescribeTable returns it.
    :param notes: receives sentences on what the user has no permission to see.
    """
    name = table["TableName"]
    billing = table.get("BillingModeSummary", {}).get("BillingMode", _PROVISIONED)
    arguments: dict[str, Any] = {
        "AttributeDefinitions": table["AttributeDefinitions"],
        "KeySchema": table["KeySchema"],
        "BillingMode": billing,
    }
    if billing == _PROVISIONED:
        arguments["ProvisionedThroughput"] = _throughput(table)
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        indexes = [{part: one[part] for part in _INDEX} for one in table.get(kind, ())]
        if billing == _PROVISIONED and kind.startswith("Global"):
            for index, one in zip(indexes, table[kind]) if indexes else ():
                index["ProvisionedThroughput"] = _throughput(one)
        if indexes:
            arguments[kind] = indexes
    stream = table.get("StreamSpecification") or {}
    if stream.get("StreamEnabled"):
        arguments["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
    tier = (table.get("TableClassSummary") or {}).get("TableClass", "STANDARD")
    if tier != "STANDARD":
        arguments["TableClass"] = tier
    tags = _tags(client, table.get("TableArn", ""), name, notes)
    if tags:
        arguments["Tags"] = tags
    return Definition(arguments, _ttl(client, name, notes))


def _throughput(one: Mapping[str, Any]) -> dict[str, int]:
    found = one.get("ProvisionedThroughput", {})
    return {unit: max(int(found.get(unit) or 1), 1) for unit in ("ReadCapacityUnits", "WriteCapacityUnits")}


def _ttl(client: Client, name: str, notes: list[str]) -> str:
    try:
        found = client.ask("describe_time_to_live", TableName=name)["TimeToLiveDescription"]
    except (Refused, Exhausted) as exc:
        notes.append(f"The time to live of the DynamoDB table {name} can't be read: {str(exc).strip('. ')}.")
        return ""
    enabled = found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return str(found.get("AttributeName", "")) if enabled else ""


def _tags(client: Client, arn: str, name: str, notes: list[str]) -> list[dict[str, str]]:
    tags: list[dict[str, str]] = []
    arguments = {"ResourceArn": arn}
    try:
        while arn:
            answer = client.ask("list_tags_of_resource", **arguments)
            tags += [one for one in answer.get("Tags", ()) if not one["Key"].startswith(_TAKEN)]
            if not answer.get("NextToken"):
                break
            arguments["NextToken"] = answer["NextToken"]
    except (Refused, Exhausted) as exc:
        notes.append(f"The tags of the DynamoDB table {name} can't be read: {str(exc).strip('. ')}.")
    return tags


def enable_ttl(client: Client, name: str, attribute: str) -> None:
    """Let items of an active table expire.

    :raises TargetError: it is refused.
    """
    try:
        client.ask(
            "update_time_to_live",
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute},
        )
    except (Refused, Exhausted) as exc:
        raise describe_failure(TargetError, f"Setting the time to live of the DynamoDB table {name}", exc) from None
