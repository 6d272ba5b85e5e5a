# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB as a target."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ..._core.errors import TargetError
from ..records.model import (
    BYTES,
    DECIMAL,
    INTEGER,
    NO_RIGHTS,
    REAL,
    TEXT,
    Account,
    Clashes,
    Info,
    Record,
    Refused,
    Rights,
    Start,
    appeared,
    sort_out,
)
from .definition import parsed
from .source import MIGRATION, NOTES, DynamodbSource
from .tables import check_key, is_name
from .values import KeyField, Unstorable
from .write import Request, prepared

_TYPES = {TEXT: "S", INTEGER: "N", REAL: "N", DECIMAL: "N", BYTES: "B"}


class DynamodbTarget(DynamodbSource):
    """Tables as a target. There are no commits."""

    replaces_atomically = False
    columns = False
    takes_copy_lines = False
    undoes = False

    def check_state(self) -> None:
        """Nothing to check: everything is stored in a table."""

    def __enter__(self) -> DynamodbTarget:
        return self

    def lock(self) -> bool:
        """There are no locks: a run that writes a checkpoint notices that another run has changed it."""
        return True

    def recover(self) -> None:
        """Nothing to do: batches that were written without their checkpoint are written again."""

    def check_writable(self, infos: Sequence[Info], size: int, rights: Rights = NO_RIGHTS) -> None:
        present = self._native.collections()
        invalid = [name for info in infos for name in [self._native.table_name(info.name)] if not is_name(name)]
        invalid += ['""' for info in infos if not info.name]
        if invalid:
            raise TargetError(
                f"DynamoDB can't have tables called {', '.join(invalid)}.",
                "Their names have 3 to 255 letters, digits, underscores, hyphens and periods. Set others in tables.",
            )
        for info in infos:
            key, name = self._key(info), self._native.table_name(info.name)
            if info.name in present:
                check_key(name, self._native.key(info.name), key)

    def _key(self, info: Info) -> tuple[KeyField, ...]:
        kinds = {field.name: field.kind for field in info.fields}
        if not info.key:
            raise TargetError(
                f"The collection {info.name} has no key, which a table of DynamoDB requires.",
                "Set its key in primary_keys, or exclude it with only.",
            )
        if len(info.key) > 2:
            raise TargetError(
                f"The key of the collection {info.name} has {len(info.key)} fields, but DynamoDB supports one or two."
            )
        fields = []
        for name in info.key:
            if kinds.get(name, TEXT) not in _TYPES:
                raise TargetError(
                    f"The key field {name} of the collection {info.name} is of kind {kinds[name]}, but DynamoDB "
                    "supports text, numbers or bytes."
                )
            fields.append(KeyField(name, _TYPES[kinds.get(name, TEXT)]))
        return tuple(fields)

    def refuses(self, info: Info, record: Mapping[str, Any]) -> str:
        try:
            prepared(record, self._key(info))
        except Unstorable as exc:
            return str(exc)
        return ""

    def interference(self, infos: Sequence[Info], removing: Collection[str]) -> list[str]:
        """A table has no triggers."""
        return []

    def folded(self, info: Info) -> Collection[str]:
        """None: text is compared as it is."""
        return ()

    def clashes(self, info: Info, existing: Info, chunks: Iterable[Sequence[Record]], scratch: str) -> Clashes:
        """None: nothing but the key is unique."""
        return Clashes()

    def doubts(self) -> list[str]:
        """None: the rules of DynamoDB are known."""
        return []

    def checkpoints(self, names: Sequence[str]) -> dict[str, Any]:
        store = self._store(MIGRATION)
        found = {name: store.load(name) for name in names}
        return {name: checkpoint for name, checkpoint in found.items() if checkpoint is not None}

    def begin(self, starts: Sequence[Start], new: Collection[str] = ()) -> None:
        """Create all tables first, so that an error leaves no checkpoint."""
        if new:
            present = set(self._native.collections())
            for name in sorted(present.intersection(new)):
                raise appeared(name, self.location)
        for info, _clear, _checkpoint in starts:
            self._ensure(info)
        for info, _clear, checkpoint in starts:
            self._keep(info.name, checkpoint)

    def _ensure(self, info: Info) -> None:
        definition = parsed(info.statements[0].sql) if info.statements and not info.native else None
        if info.note.shape and info.name not in self._native.collections():
            note = info.note._replace(absent=(), marker="", document="")
            self._store(NOTES).load(info.name)
            self._store(NOTES).keep(info.name, {"of": list(info.key), "note": note._asdict()})
        self._native.create_collection(info.name, self._key(info), definition)

    def _keep(self, collection: str, checkpoint: Any) -> None:
        if checkpoint is not None:
            self._store(MIGRATION).keep(collection, checkpoint)

    def write(self, info: Info, records: Sequence[Record], account: Account, upsert: bool) -> None:
        """Records are always written by key. A duplicate key shows in the verification."""
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
        """Never called: a table has a key."""
        return info

    def delete(self, info: Info, wanted: Sequence[tuple[Any, ...]], checkpoint: Any = None) -> None:
        """Remove records. The checkpoint is written first: removing a record again changes nothing."""
        self._keep(info.name, checkpoint)
        self._native.delete(info.name, wanted)

    def drop(self, infos: Sequence[Info]) -> None:
        for info in infos:
            self._native.drop(info.name)
            self._store(NOTES).remove(info.name)

    def undo(self, infos: Sequence[Info]) -> None:
        """Refused: nothing keeps others from writing between a check and the removal."""
        raise TargetError(f"The tables of {self.location} are kept, as other programs may have written to them.")

    def build_indexes(self, infos: Sequence[Info]) -> None:
        """Nothing has to wait for the data."""

    def commit(self, names: Sequence[str]) -> None:
        for name in names:
            self._store(MIGRATION).remove(name)
