# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB behind the contract of `_stores/records/store.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._core.errors import TargetError
from ..._core.record_batches import BATCH, batch, batches
from ..records.kinds import Summary
from ..records.model import (
    BYTES,
    DECIMAL,
    INTEGER,
    REAL,
    TEXT,
    Account,
    Field,
    Info,
    Note,
    Record,
    Refused,
    Start,
    Statement,
    sort_out,
)
from .definition import Definition, parsed
from .tables import check_key
from .tables_store import DynamodbRecords
from .values import KeyField, Unstorable
from .write import Request, prepared

_TYPES = {TEXT: "S", INTEGER: "N", REAL: "N", DECIMAL: "N", BYTES: "B"}
_KINDS = {"S": TEXT, "N": DECIMAL, "B": BYTES}
_MIGRATION, _NOTES = "migrate", "note"


class DynamodbRecordStore:
    """See `TargetStore`. There are no snapshots, and no order."""

    type = "dynamodb"
    consistent = False
    typed = False
    deterministic_order = False
    replaces_atomically = False
    columns = False
    takes_copy_lines = False

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._native = DynamodbRecords(options)
        # Two places with the same tables are two stores.
        place = [
            options.get("endpoint_url") or options.get("region") or options.get("profile") or "",
            options.get("prefix"),
        ]
        self.location = "dynamodb:%s" % "/".join(
            [one for one in place if one] + sorted((options.get("tables") or {}).values())
        )
        self.identity = self.location
        self.notes: list[str] = []
        self._definitions: dict[str, Definition] = {}
        self._checkpoints: dict[str, Any] = {}

    def __enter__(self) -> DynamodbRecordStore:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing stays open."""

    def collections(self) -> list[Info]:
        """See `TargetStore`."""
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
        """What is known of a collection from a document: a table itself has no place for notes."""
        says = self._store(_NOTES).load(name)
        key = self._native.key(name)
        if not isinstance(says, dict) or says.get("of") != [one.name for one in key]:  # of a table before this one
            return Note()
        return Note(**{**says["note"], "absent": ()})

    def check_state(self) -> None:
        """All of it is in a table."""

    def lock(self) -> bool:
        """It has no locks; who writes a checkpoint that somebody else has moved finds out."""
        return True

    def recover(self) -> None:
        """Batches that were written without their checkpoint are written again."""

    def end_reading(self) -> bool:
        """Nothing stays open."""
        return False

    def read(self, info: Info) -> Iterator[Record]:
        """See `TargetStore`."""
        for page in self._native.read(info.name):
            yield from page

    def chunks(self, info: Info, ordered: bool = True, text: bool = False) -> Iterator[Sequence[Record]]:
        """See `TargetStore`."""
        return map(batch, batches(self.read(info), BATCH))

    def summary(self, info: Info) -> Optional[Summary]:
        """Only reading tells."""
        return None

    def kept(self, info: Info) -> Info:
        """There is nothing to keep to."""
        return info

    def bytes_of(self, info: Info) -> int:
        """See `TargetStore`."""
        return self._native.size(info.name)

    def check_unchanged(self) -> None:
        """The verb compares the digests of two readings."""

    def check_writable(self, infos: Sequence[Info], size: int) -> None:
        """See `TargetStore`."""
        present = self._native.collections()
        for info in infos:
            key, name = self._key(info), self._native.table_name(info.name)
            if info.name in present:
                check_key(name, self._native.key(info.name), key)

    def _key(self, info: Info) -> tuple[KeyField, ...]:
        kinds = {field.name: field.kind for field in info.fields}
        if not info.key:
            raise TargetError(
                "The collection %s has no key, and a table of DynamoDB needs one." % info.name,
                "Name the fields of one in primary_keys, or name the other collections in only.",
            )
        if len(info.key) > 2:
            raise TargetError(
                "The collection %s has a key of %d fields; DynamoDB's have one or two." % (info.name, len(info.key))
            )
        fields = []
        for name in info.key:
            if kinds.get(name, TEXT) not in _TYPES:
                raise TargetError(
                    "The key field %s of the collection %s is of kind %s; DynamoDB's are text, numbers or bytes."
                    % (name, info.name, kinds[name])
                )
            fields.append(KeyField(name, _TYPES[kinds.get(name, TEXT)]))
        return tuple(fields)

    def refuses(self, info: Info, record: Mapping[str, Any]) -> str:
        """See `TargetStore`."""
        try:
            prepared(record, self._key(info))
        except Unstorable as exc:
            return str(exc)
        return ""

    def checkpoints(self, names: Sequence[str]) -> dict[str, Any]:
        """See `TargetStore`."""
        store = self._store(_MIGRATION)
        found = {name: store.load(name) for name in names}
        return {name: checkpoint for name, checkpoint in found.items() if checkpoint is not None}

    def _store(self, what: str) -> Any:
        if what not in self._checkpoints:
            self._checkpoints[what] = self._native.checkpoints(what)
        return self._checkpoints[what]

    def begin(self, starts: Sequence[Start]) -> None:
        """See `TargetStore`. There are no commits: all tables first, so that an error leaves no checkpoint."""
        for info, _clear, _checkpoint in starts:
            self._ensure(info)
        for info, _clear, checkpoint in starts:
            self._keep(info.name, checkpoint)

    def _ensure(self, info: Info) -> None:
        definition = parsed(info.statements[0].sql) if info.statements and not info.native else None
        if info.note.shape and info.name not in self._native.collections():
            note = info.note._replace(absent=(), marker="", document="")
            self._store(_NOTES).load(info.name)
            self._store(_NOTES).keep(info.name, {"of": list(info.key), "note": note._asdict()})
        self._native.create_collection(info.name, self._key(info), definition)

    def _keep(self, collection: str, checkpoint: Any) -> None:
        if checkpoint is not None:
            self._store(_MIGRATION).keep(collection, checkpoint)

    def write(self, info: Info, records: Sequence[Record], account: Account, upsert: bool) -> None:
        """See `TargetStore`. Writing is always by key; a key that is there twice shows in the verification."""
        key = self._key(info)

        def storable(record: Record) -> Request:
            try:
                return prepared(record, key)
            except Unstorable as exc:
                raise Refused(str(exc)) from None

        _taken, requests, rejects = sort_out(info, records, storable)
        checkpoint = account(rejects)
        self._native.write_prepared(info.name, requests)
        self._keep(info.name, checkpoint)

    def by_place(self, info: Info) -> Info:
        """Never asked for: a table has a key."""
        return info

    def delete(self, info: Info, wanted: Sequence[tuple[Any, ...]], checkpoint: Any = None) -> None:
        """See `TargetStore`. Removed twice is removed, so the count comes first."""
        self._keep(info.name, checkpoint)
        self._native.delete(info.name, wanted)

    def drop(self, infos: Sequence[Info]) -> None:
        """See `TargetStore`."""
        for info in infos:
            self._native.drop(info.name)
            self._store(_NOTES).remove(info.name)

    def build_indexes(self, infos: Sequence[Info]) -> None:
        """Nothing waits for the data."""

    def commit(self, names: Sequence[str]) -> None:
        """See `TargetStore`."""
        for name in names:
            self._store(_MIGRATION).remove(name)
