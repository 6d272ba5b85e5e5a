# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB as a source: each table is a collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._core.record_batches import batch
from ..records.kinds import Summary
from ..records.model import (
    BYTES,
    DECIMAL,
    TEXT,
    Field,
    Info,
    Note,
    Record,
    Statement,
)
from .definition import Definition
from .tables_store import DynamodbTables

_KINDS = {"S": TEXT, "N": DECIMAL, "B": BYTES}
MIGRATION, NOTES = "migrate", "note"  # what checkpoints and notes of collections are kept as


class DynamodbSource:
    """Tables as a source. There are no snapshots, and no order."""

    type = "dynamodb"
    typed = False
    deterministic_order = False

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._native = DynamodbTables(options)
        # Two places with the same tables are two stores.
        place = [
            options.get("endpoint_url") or options.get("region") or options.get("profile") or "",
            options.get("prefix"),
        ]
        named = sorted((options.get("tables") or {}).values())
        self.location = f"dynamodb:{'/'.join([one for one in place if one] + named)}"
        self.identity = self.location
        self.notes = ["DynamoDB has no snapshots: if it is written to during the migration, the verification fails."]
        self._definitions: dict[str, Definition] = {}
        self._checkpoints: dict[str, Any] = {}

    def __enter__(self) -> DynamodbSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self._checkpoints = {}
        self._native.close()

    def collections(self) -> list[Info]:
        infos = []
        notes = self._native.has_checkpoints()
        for name in self._native.collections():
            key = self._native.key(name)
            fields = tuple(Field(one.name, _KINDS[one.type], True) for one in key)
            found = self._definition(name)
            infos.append(
                Info(
                    *(name, tuple(one.name for one in key), fields),
                    statements=(Statement("table", found.text),),
                    dialect_specific=tuple(found.words),
                    note=self._note(name) if notes else Note(),
                )
            )
        return infos

    def _definition(self, name: str) -> Definition:
        if name not in self._definitions:
            self._definitions[name] = self._native.definition(name, self.notes)
        return self._definitions[name]

    def _note(self, name: str) -> Note:
        """The note on a collection that was written from a document; a table itself cannot store notes."""
        says = self._store(NOTES).load(name)
        key = self._native.key(name)
        if not isinstance(says, dict) or says.get("of") != [one.name for one in key]:  # of a table before this one
            return Note()
        return Note(**{**says["note"], "absent": ()})

    def end_reading(self) -> bool:
        """Nothing to end: no reading lasts longer than a call."""
        return False

    def read(self, info: Info) -> Iterator[Record]:
        for page in self._native.read(info.name):
            yield from page

    def chunks(self, info: Info, ordered: bool = True, copy_lines: bool = False) -> Iterator[Sequence[Record]]:
        return map(batch, self._native.read(info.name))

    def summary(self, info: Info) -> Optional[Summary]:
        """None: the records have to be read."""
        return None

    def holding_constraints(self, info: Info) -> Info:
        """The collection: a table has no constraints."""
        return info

    def bytes_of(self, info: Info) -> int:
        return self._native.size(info.name)

    def cautions(self) -> list[str]:
        """Writers of a table do not wait for readers."""
        return []

    def check_unchanged(self) -> None:
        """Nothing: the verb compares the digests of two readings."""

    def _store(self, what: str) -> Any:
        if what not in self._checkpoints:
            self._checkpoints[what] = self._native.checkpoints(what)
        return self._checkpoints[what]
