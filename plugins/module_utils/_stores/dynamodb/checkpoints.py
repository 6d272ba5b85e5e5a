# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkpoints of migrations, in a table beside the data that they write."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, Optional

from ..._core.aws import Exhausted, Refused
from ..._core.errors import TargetError
from .client import Client, describe_failure
from .tables import ensure_table, find_table
from .values import KeyField

TABLE = "day2_migrations"  # after the prefix
_KEY = (KeyField("migration", "S"), KeyField("collection", "S"))


class Checkpoints:
    """The checkpoints of one migration, by collection.

    A checkpoint is stored once its data is safe; writing that data again changes nothing, so a crash between the two is
    harmless. Each one is written on the condition that nobody else has written it meanwhile.
    """

    def __init__(self, client: Client, prefix: str, migration: str) -> None:
        self.table = prefix + TABLE
        self._client = client
        self._migration = migration
        self._ready = False
        self._version: dict[str, int] = {}

    def load(self, collection: str) -> Optional[Any]:
        """The stored JSON value, or None.

        :raises TargetError: it cannot be read.
        """
        if not self._ready and find_table(self._client, self.table, TargetError) is None:
            return None
        request = {"TableName": self.table, "Key": self._key(collection), "ConsistentRead": True}
        item = self._call("GetItem", request).get("Item")
        if item is None:
            return None
        self._version[collection] = int(item["version"]["N"])
        return json.loads(item["checkpoint"]["S"])

    def keep(self, collection: str, checkpoint: Any) -> None:
        """Replace the checkpoint.

        :raises TargetError: it cannot be written, or another run has written one since it was loaded.
        """
        if not self._ready:
            ensure_table(self._client, self.table, _KEY)
            self._ready = True
        version = self._version.get(collection, 0)
        item = {
            **self._key(collection),
            "checkpoint": {"S": json.dumps(checkpoint)},
            "version": {"N": str(version + 1)},
        }
        request: dict[str, Any] = {
            "TableName": self.table,
            "Item": item,
            # The second half: an answer that was lost, and the same call again.
            "ConditionExpression": "%s OR (version = :new AND #checkpoint = :checkpoint)"
            % ("version = :old" if version else "attribute_not_exists(version)"),
            "ExpressionAttributeNames": {"#checkpoint": "checkpoint"},
            "ExpressionAttributeValues": {":new": item["version"], ":checkpoint": item["checkpoint"]},
        }
        if version:
            request["ExpressionAttributeValues"][":old"] = {"N": str(version)}
        self._call("PutItem", request)
        self._version[collection] = version + 1

    def remove(self, collection: str) -> None:
        """Remove the checkpoint, if there is one.

        :raises TargetError: it cannot be removed.
        """
        if self._ready or find_table(self._client, self.table, TargetError) is not None:
            self._call("DeleteItem", {"TableName": self.table, "Key": self._key(collection)})
            self._version.pop(collection, None)

    def _key(self, collection: str) -> dict[str, Any]:
        return {"migration": {"S": self._migration}, "collection": {"S": collection}}

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._client.call(operation, json.dumps(request).encode(), threading.Event())
        except Refused as exc:
            if exc.code == "ConditionalCheckFailedException":
                raise TargetError(
                    f"Another run is also writing the migration {self._migration}: its checkpoint in the "
                    f"DynamoDB table {self.table} has changed.",
                    "Wait for the other run to end, and run it again.",
                ) from None
            raise self._failure(exc) from None
        except Exhausted as exc:
            raise self._failure(exc) from None
        self._client.pace.progressed()
        return answer

    def _failure(self, exc: Exception) -> Exception:
        what = f"Writing the checkpoint of the migration {self._migration} to the DynamoDB table {self.table}"
        return describe_failure(TargetError, what, exc)
