# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB as a target whose items are changed while its application writes to it, too."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ..._core.aws import Exhausted, Refused
from ..._core.errors import TargetError, Violation
from ..._core.records import canonical
from ..records.editor import Change, Incomplete, cannot_write
from ..records.model import Field, Info, Record
from .client import describe_failure
from .target import DynamodbTarget
from .values import DynamoSet, KeyField, Unstorable, decode, encode, key_json, key_values

# It is not as it was read, or a transaction of another client is changing it.
CHANGED = ("ConditionalCheckFailedException", "TransactionConflictException")
_OPERATORS, _BYTES = 300, 4096  # of an expression, at most
COMPARED = _OPERATORS // 2 - 1  # attributes, besides that of the key: each with a comparison and an AND


class DynamodbEditor(DynamodbTarget):
    """Tables as a target. Each item is changed by a call of its own, with the condition that it is as it was read."""

    def change(self, info: Info, changes: Sequence[Change]) -> list[Record]:
        for change in changes:
            fault = self.fault(info, change)
            if fault:
                raise Violation(f"{fault}.")
        lost: list[Change] = []
        for number, change in enumerate(changes):
            try:
                self._call("UpdateItem", info, _update(self._key(info), change))
            except Refused as exc:
                if exc.code not in CHANGED:
                    words = cannot_write(info, change, f"DynamoDB rejects it: {exc.message.rstrip('.')}")
                    raise Incomplete(f"{words}.", [*lost, *changes[number:]]) from None
                lost.append(change)
            except TargetError as exc:
                raise Incomplete(exc.message, [*lost, *changes[number:]]) from None
        return [one.old for one in lost]

    def fault(self, info: Info, change: Change) -> str:
        try:
            _update(self._key(info), change)
        except Unstorable as exc:
            return cannot_write(info, change, exc)
        return ""

    def respells(self, field: Field) -> bool:
        return False

    def respelled(self, field: Field, values: Sequence[Any]) -> Sequence[Any]:
        return values

    def find(self, info: Info, records: Sequence[Record]) -> list[Record]:
        return list(self._found(info, records))

    def _found(self, info: Info, records: Sequence[Record]) -> Iterator[Record]:
        for record in records:
            body = {"Key": key_text(self._key(info), record), "ConsistentRead": b"true"}
            try:
                item = self._call("GetItem", info, body).get("Item")
            except Refused as exc:
                raise describe_failure(TargetError, f"Reading the table {info.name}", exc) from None
            if item is not None:
                yield decode(item)

    def _call(self, operation: str, info: Info, body: Mapping[str, bytes]) -> dict[str, Any]:
        members = {**body, "TableName": json.dumps(self._native.table_name(info.name)).encode()}
        text = b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), value) for name, value in members.items())
        try:
            answer: dict[str, Any] = self._native.client.call(operation, text, threading.Event())
        except Exhausted as exc:
            raise describe_failure(TargetError, f"Writing to the table {info.name}", exc) from None
        return answer


def key_text(key: tuple[KeyField, ...], record: Record) -> bytes:
    return key_json(key_values(record, key), key).encode()


class Condition:
    """That an item is as it was read, and lacks all other attributes that the call names.

    :param named: by the call.
    """

    def __init__(self, key: tuple[KeyField, ...], old: Record, named: Collection[str] = ()) -> None:
        self.names = {name: f"#f{number}" for number, name in enumerate({**old, **dict.fromkeys(named)})}
        self._keys, self._first = {field.name for field in key}, key[0].name
        self._expected = {name: value for name, value in old.items() if name not in self._keys}
        self._lacking = sorted(set(named) - set(old))

    def members(self, assigned: Sequence[Any] = ()) -> dict[str, bytes]:
        """The members of the call.

        :param assigned: values that an expression of the call names :n0, :n1 …
        :raises Unstorable: there are too many attributes for one condition.
        """
        conditions = [f"attribute_exists({self.names[self._first]})"]
        conditions += [f"{self.names[name]} = :o{number}" for number, name in enumerate(self._expected)]
        conditions += [f"attribute_not_exists({self.names[name]})" for name in self._lacking]
        text = " AND ".join(conditions)
        if len(conditions) > COMPARED + 1 or len(text) > _BYTES:
            raise Unstorable(
                f"it has {len(conditions) - 1} attributes to compare, and a condition of DynamoDB can compare at most "
                f"{COMPARED}, in {_BYTES} bytes"
            )
        used = {place: name for name, place in self.names.items() if name not in self._keys or name == self._first}
        found = {
            "ConditionExpression": json.dumps(text).encode(),
            "ExpressionAttributeNames": json.dumps(used).encode(),
        }
        values = [
            encode({f":{prefix}{number}": value for number, value in enumerate(part)})
            for prefix, part in (("n", assigned), ("o", list(self._expected.values())))
            if part
        ]
        if values:
            found["ExpressionAttributeValues"] = b"{%s}" % b",".join(text[1:-1] for text in values)
        return found


def _update(key: tuple[KeyField, ...], change: Change) -> dict[str, bytes]:
    """The members of the call that assigns what differs, on the condition that the item is as it was read."""
    old, new = change.old, change.new
    condition = Condition(key, old, [*new, *change.absent])
    names = condition.names
    assigned = {name: _kept_kind(old.get(name), value) for name, value in new.items() if differs(old, name, value)}
    setting = ", ".join(f"{names[name]} = :n{number}" for number, name in enumerate(assigned))
    removing = ", ".join(names[name] for name in old if name not in new)
    update = " ".join(f"{word} {text}" for word, text in (("SET", setting), ("REMOVE", removing)) if text)
    return {
        "Key": key_text(key, old),
        "UpdateExpression": json.dumps(update).encode(),
        **condition.members(list(assigned.values())),
    }


def differs(old: Record, name: str, value: Any) -> bool:
    """Whether a record has another value of this name, or none."""
    return name not in old or canonical(old[name]) != canonical(value)


def _kept_kind(old: Any, new: Any) -> Any:
    """A list in place of a set is a set of the same kind."""
    return DynamoSet(old.kind, new) if isinstance(old, DynamoSet) and isinstance(new, list) and new else new
