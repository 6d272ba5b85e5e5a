# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB as a store from which old items are removed: each is read again, and deleted if it still is like that."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..._core.aws import Refused
from ..._core.errors import TargetError
from ..._core.tagged_json import decode as decode_json
from ..records.model import Info, Record
from ..records.purger import Batch, Item, Page, Relation, Removed, WithoutReferences, name_of, pages_of, token_of
from .client import describe_failure
from .editor import CHANGED, COMPARED, Condition, DynamodbEditor, differs, key_text
from .values import decode, encode

_THREADS = 8  # each waits for the network most of its time
_ATTEMPTS = 10  # to put an item back while transactions of others have its key
_PAUSE_S = 0.1
_SHOWN = 10  # attributes in an error


class DynamodbPurger(WithoutReferences, DynamodbEditor):
    """Tables from which items are removed."""

    def identity_of(self, info: Info) -> str:
        return f"{self.identity}/{self._native.table_name(info.name)}"

    def pages(self, info: Info, wanted: Collection[str], part: Any = None) -> Iterator[Page]:
        return pages_of(info, self.chunks(info))

    def remove(
        self, info: Info, relations: Sequence[Relation], batches: Iterable[Batch], action: str, max_wait: float
    ) -> Iterator[Removed]:
        with ThreadPoolExecutor(_THREADS) as threads:
            for batch in batches:
                total = Removed()
                for removed in threads.map(lambda item: self._remove(info, item), batch.items()):
                    total = total.plus(removed)
                yield total

    def _remove(self, info: Info, item: Item) -> Removed:
        key = dict(zip(info.key, decode_json(item.key[0])))
        found = self.find(info, [key])
        if not found:
            return Removed(gone=1, items=1)
        if token_of(info, found[0]) != item.token:
            return Removed(changed=1, items=1)
        if self._delete(info, found[0]):
            return Removed(deleted=1, items=1)
        # Without an item, the answer to the first of two calls was lost, or somebody else has deleted it.
        return Removed(changed=1, items=1) if self.find(info, [key]) else Removed(gone=1, items=1)

    def _delete(self, info: Info, old: Record) -> bool:
        """Delete an item, if it still is as it was read. Returns whether it was."""
        key = self._key(info)
        compared = [name for name in old if name not in info.key][:COMPARED]
        condition = Condition(key, {name: old[name] for name in (*info.key, *compared)})
        body = {"Key": key_text(key, old), **condition.members(), "ReturnValues": b'"ALL_OLD"'}
        try:
            deleted = decode(self._call("DeleteItem", info, body).get("Attributes") or {})
        except Refused as exc:
            if exc.code not in CHANGED:
                raise describe_failure(TargetError, f"Deleting from the table {info.name}", exc) from None
            return False
        written = {name for name, value in deleted.items() if differs(old, name, value)} | (old.keys() - deleted)
        if not written:
            return True
        try:
            self._put_back(info, deleted)  # no condition sees attributes that are new, or compares hundreds
        except (Refused, TargetError) as exc:
            raise TargetError(
                f"The item {name_of(info, old)} of the table {info.name} was written to while it was being deleted "
                f"({_listed(sorted(written))}), and could not be put back: {exc}",
                "The export contains its former state. Write it back, and grant dynamodb:PutItem.",
            ) from None
        return False

    def _put_back(self, info: Info, record: Record) -> None:
        """Raises Refused or TargetError. An item that others have written meanwhile stays."""
        names = {"ExpressionAttributeNames": json.dumps({"#k": info.key[0]}).encode()}
        condition = {"ConditionExpression": b'"attribute_not_exists(#k)"'}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._call("PutItem", info, {"Item": encode(record), **condition, **names})
                return
            except Refused as exc:
                if exc.code == "ConditionalCheckFailedException":
                    return
                if exc.code != "TransactionConflictException" or attempt == _ATTEMPTS:
                    raise
            time.sleep(_PAUSE_S * attempt)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
