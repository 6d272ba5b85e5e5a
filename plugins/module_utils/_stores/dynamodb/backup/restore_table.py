# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings one table to its state in a backup."""

from __future__ import annotations

import abc
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Optional

from ...._core.errors import DamagedBackup, NoSpace, TargetError
from ...._core.files import os_errors
from ...._core.repeated_files import RepeatedFiles
from ...base import Copy
from ..tables import Table, check_key, create_table, drop_table, ensure_table, find_table
from ..values import KeyField
from ..write import Writer
from .index import Index
from .items import DELETE, PUT, SUFFIX, key_digest, key_shown, key_text, text_in
from .reading import Tally
from .settings import additions, check_writable, creation, differing, read_settings, settings_from, unprotect

if TYPE_CHECKING:
    from .store import DynamodbStore

_BLOCK = 1 << 20
_NAMED = 5  # keys in a message


class Part:
    """One collection of a backup, and the table that it goes to."""

    def __init__(self, store: DynamodbStore, copy: Copy, name: str, scratch: str) -> None:
        self.store, self.name, self.scratch = store, name, scratch
        self.table_name = store.table_of(name)
        self._files = RepeatedFiles(copy.open)
        described = copy.details["tables"][name]
        self.items: int = described["items"]
        self.tally = Tally(described["items"], described["sum"])
        self.settings = settings_from(described["settings"])
        self.progress = copy.progress

    @property
    def key(self) -> tuple[KeyField, ...]:
        """Of the table in the backup."""
        types = {one["AttributeName"]: one["AttributeType"] for one in self.settings.arguments["AttributeDefinitions"]}
        schema = sorted(self.settings.arguments["KeySchema"], key=lambda one: str(one["KeyType"]))
        return tuple(KeyField(one["AttributeName"], types[one["AttributeName"]]) for one in schema)

    def find(self) -> Optional[Table]:
        """The existing table. Raises TargetError."""
        return find_table(self.store.client, self.table_name, TargetError)

    def verify(self) -> None:
        """Read the whole file. Raises DamagedBackup."""
        with self._files.open(self.name + SUFFIX) as reader:
            while reader.read(_BLOCK):
                pass

    def texts(self) -> Iterator[bytes]:
        """The items as JSON."""
        rest = b""
        with self._files.open(self.name + SUFFIX) as reader:
            for data in iter(lambda: reader.read(_BLOCK), b""):
                *lines, rest = (rest + data).split(b"\n")
                yield from map(text_in, lines)
        if rest:
            raise DamagedBackup(self.name, [{"path": self.name + SUFFIX, "problem": "its last line is incomplete"}])

    def put(self, table: Table, requests: Iterable[bytes]) -> None:
        """Send requests, until every one of them is carried out. Raises TargetError."""
        with Writer(self.store.client, table, self.store.jobs) as writer:
            for one in requests:  # not many at a time: each can have 400 KB
                writer.put_texts((one,))
                self.progress.advance(len(one))
            writer.flush()
            if writer.rejects:
                first = writer.rejects[0]
                raise TargetError(
                    f"The DynamoDB table {self.table_name} rejects {len(writer.rejects)} items, such as "
                    f"{', '.join(map(str, first.key or ()))}: {first.reason}"
                )

    def check(self, table: Table) -> list[str]:
        """Compare the table with the backup. Returns sentences on what others have written meanwhile.

        :raises TargetError: items are missing; with the keys of some.
        """
        self.progress.start(f"Reading back {self.table_name}", unit="bytes")
        if self.store.reader.tally(table) == self.tally:
            return []
        with Index(self.scratch, self.texts(), self.key) as index:
            found = index.count(self.store.reader.lines(table))
            if not found.missing:
                changed = found.other + found.surplus
                return (
                    [f"Other programs have written {changed} items to {self.table_name} during the restore."]
                    if changed
                    else []
                )
            items = (json.loads(text) for text in self.texts())
            lost = (one for one in items if index.is_missing(key_digest(one, self.key)))
            some = [key_shown(one, self.key) for one in itertools.islice(lost, _NAMED)]
        raise TargetError(
            f"{found.missing} items are missing in the DynamoDB table {self.table_name} after the restore: "
            f"{'; '.join(some)}{' …' if found.missing > len(some) else ''}.",
            "Stop the program that deletes them, and run again.",
            {"table": self.table_name, "keys": some},
        )


class TableRestoration(abc.ABC):
    """What both kinds have in common."""

    replaces = False  # something that exists is changed or removed
    changed = True

    def __init__(self, part: Part, before: Optional[int]) -> None:
        self.part = part
        self.before = before
        self.added: list[str] = []
        self.notes: list[str] = []

    @abc.abstractmethod
    def apply(self) -> None:
        """Write. Raises TargetError, with the table as the failure left it."""

    @abc.abstractmethod
    def undo(self) -> None:
        """Take it back, also after a failure. Raises TargetError."""

    def close(self) -> None:  # noqa: B027 not each of them has something there
        """Remove what is in scratch."""

    def _complete(self, table: Table) -> None:
        """Give it the settings that it lacks; what is refused is a note, as its items are complete."""
        client = self.part.store.client
        described = find_table(client, table.name, TargetError) or table
        for one in additions(client, described, self.part.settings, read_settings(client, described)):
            try:
                one.make()
            except TargetError as exc:
                self.notes.append(f"{table.name}: {one.what} could not be restored: {exc.message}")


class CreatedTable(TableRestoration):
    """A table that does not exist is created, filled and compared, and gets its other settings last."""

    def __init__(self, part: Part) -> None:
        super().__init__(part, None)
        self._made: Optional[Table] = None
        if part.settings.elsewhere:
            self.notes.append(f"Not restored to {part.table_name}: {', '.join(part.settings.elsewhere)}.")

    def apply(self) -> None:
        part = self.part
        part.progress.start(f"Restoring {part.table_name}", unit="bytes")
        self._made = create_table(part.store.client, part.table_name, creation(part.settings))
        self._made = ensure_table(part.store.client, part.table_name, part.key, creation(part.settings))
        part.put(self._made, (PUT % text for text in part.texts()))
        self.notes += part.check(self._made)
        self._complete(self._made)

    def undo(self) -> None:
        found = self.part.find() if self._made is not None else None
        if found is None or self._made is None or _identity(found) != _identity(self._made):
            return
        if found.described.get("DeletionProtectionEnabled"):
            unprotect(self.part.store.client, found.name)
        drop_table(self.part.store.client, found.name)


class ExistingTable(TableRestoration):
    """Items that differ are put, and those that the backup does not have are deleted."""

    def __init__(self, part: Part, table: Table) -> None:
        check_writable(table)
        check_key(table.name, table.key, part.key)
        self._table = table
        client = part.store.client
        current = read_settings(client, table)
        with Index(part.scratch, part.texts(), part.key) as index:
            found = index.count(part.store.reader.lines(table))
        super().__init__(part, part.items - found.missing + found.surplus)
        self.replaces = bool(found.other or found.surplus)
        missing = additions(client, table, part.settings, current)
        self.added = [one.what for one in missing]
        self.changed = any(found) or bool(missing)
        self._items = any(found)
        kept = differing(part.settings, current, missing)
        if kept:
            self.notes.append(f"{table.name} keeps settings that differ from the backup: {', '.join(kept)}.")
        self._index: Optional[Index] = None
        self._writing = False
        self._log = os.path.join(part.scratch, "before.jsonl")

    def apply(self) -> None:
        part = self.part
        if self._items:
            part.progress.start(f"Restoring {part.table_name}", unit="bytes")
            self._index = Index(part.scratch, part.texts(), part.key)
            self._keep(self._index)
            self._writing = True
            part.put(self._table, self._surplus())
            part.put(self._table, self._lacking(self._index))
            self.notes += part.check(self._table)
        self._complete(self._table)

    def undo(self) -> None:
        if self._index is not None and self._writing:
            self.part.put(self._table, self._new(self._index))
            self.part.put(self._table, (PUT % text for text, _known in self._kept()))

    def close(self) -> None:
        if self._index is not None:
            self._index.close()

    def _keep(self, index: Index) -> None:
        """Write the items that will be replaced or deleted to scratch."""
        with os_errors(NoSpace, "Can't keep the items that are replaced in", self._log), open(self._log, "wb") as log:
            for line, known in index.compare(self.part.store.reader.lines(self._table)):
                log.write((b"+" if known else b"-") + line.text + b"\n")

    def _kept(self) -> Iterator[tuple[bytes, bool]]:
        """The former items, each with whether the backup has its key."""
        with os_errors(TargetError, "Can't read", self._log), open(self._log, "rb") as log:
            for line in log:
                yield line[1:-1], line[:1] == b"+"

    def _surplus(self) -> Iterator[bytes]:
        return (DELETE % key_text(json.loads(text), self._table.key) for text, known in self._kept() if not known)

    def _lacking(self, index: Index) -> Iterator[bytes]:
        for text in self.part.texts():
            if not index.is_equal(key_digest(json.loads(text), self._table.key)):
                yield PUT % text

    def _new(self, index: Index) -> Iterator[bytes]:
        """Requests to delete what the table did not have."""
        for text in self.part.texts():
            item = json.loads(text)
            if index.is_missing(key_digest(item, self._table.key)):
                yield DELETE % key_text(item, self._table.key)


def _identity(table: Table) -> tuple[Any, ...]:
    return table.described.get("TableId"), str(table.described.get("CreationDateTime"))
