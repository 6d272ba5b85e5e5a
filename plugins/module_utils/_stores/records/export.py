# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A portable copy of a record store (JSON lines) as a snapshot, for stores that have no native backup here."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._core.collection import Collection
from ..._core.errors import InvalidRequest, SourceError
from ..._core.tagged_json import decode, encode
from ..base import Copy, Reader, Restoration, Sink, Snapshot
from .as_stored import as_stored
from .model import Field, ForeignKey, Index, Info, Note, Record, Statement
from .store import SourceStore

_CHUNK = 1 << 20
_NO_EXPORT = "The manifest of the backup does not describe the collections of an export."
_ANOTHER = "Choose another backup."


class ExportStore:
    """The part of `Store` (base.py) that a backup needs. `details` map files to collections."""

    def __init__(self, records: SourceStore) -> None:
        self.type = records.type
        self.path = records.location
        self.local_path: Optional[str] = None
        self._records = records

    def exists(self) -> bool:
        """Whether there are any collections."""
        return bool(self._records.collections())

    def parameters(self) -> dict[str, Any]:
        """Nothing: no options select the content."""
        return {}

    def fingerprint(self) -> Optional[str]:
        """None: the content has to be read."""
        return None

    def snapshot(self, sink: Sink) -> Snapshot:
        """Write one file of JSON lines for each collection."""
        with _own_values(self._records):
            return self._snapshot(sink)

    def _snapshot(self, sink: Sink) -> Snapshot:
        infos = [as_stored(info) for info in self._records.collections()]
        total = hashlib.sha256()
        counts = []
        sink.progress.start(f"Exporting {self.path}", unit="records")
        for number, info in enumerate(infos):
            digest, count = hashlib.sha256(), 0
            with sink.file(f"{number}.jsonl") as out:
                for record in self._records.read(info):
                    line = encode(record).encode() + b"\n"
                    digest.update(line)
                    out.write(line)
                    count += 1
                    sink.progress.advance(1)
            counts.append(Collection(info.name, count))
            total.update(json.dumps([info.name, digest.hexdigest()]).encode())
        return Snapshot(
            total.hexdigest(), tuple(counts), {"format": "jsonl", "schema": [plain_info(info) for info in infos]}, None
        )

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        """Not possible."""
        raise InvalidRequest(f"Copies made by hand can't be imported into stores of type {self.type}.")

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        """Not possible."""
        raise InvalidRequest("An export can only be restored by migrate with state=reverted.")


@contextlib.contextmanager
def _own_values(records: Any) -> Iterator[None]:
    """Read arrays as their database has them: lists would lose their bounds."""
    lists = getattr(records, "lists", False)
    if lists:
        records.lists = False
    try:
        yield
    finally:
        if lists:
            records.lists = True


def plain_info(info: Info) -> dict[str, Any]:
    """A collection as the manifest has it."""
    value = info._asdict()
    for name in ("fields", "indexes", "foreign_keys"):
        value[name] = [one._asdict() for one in value[name]]
    value["note"] = info.note._asdict()
    return value


def exported(details: Mapping[str, Any]) -> list[Info]:
    """The collections of an export.

    :raises SourceError: the details are not those of an export.
    """
    try:
        infos = [_info(one) for one in details["schema"]]
        texts = [
            text
            for info in infos
            for text in (info.name, *info.key, *itertools.chain(*info.statements), *(one.name for one in info.fields))
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise SourceError(_NO_EXPORT, _ANOTHER) from exc
    if not all(isinstance(text, str) for text in texts):
        raise SourceError(_NO_EXPORT, _ANOTHER)
    return infos


def _info(one: Mapping[str, Any]) -> Info:
    fields = tuple(Field(**dict(field, size=tuple(field.get("size", ())))) for field in one["fields"])
    indexes = tuple(Index(**dict(index, fields=tuple(index["fields"]))) for index in one["indexes"])
    foreign = tuple(
        ForeignKey(
            **dict(
                key,
                fields=tuple(key["fields"]),
                to_fields=tuple(key["to_fields"]),
                to_columns=tuple(key.get("to_columns", ())),
            )
        )
        for key in one["foreign_keys"]
    )
    note = one.get("note", {})
    return Info(
        **dict(
            one,
            key=tuple(one["key"]),
            fields=fields,
            indexes=indexes,
            foreign_keys=foreign,
            statements=tuple(Statement(*statement) for statement in one["statements"]),
            dialect_specific=tuple(one.get("dialect_specific", ())),
            note=Note(**dict(note, absent=tuple(note.get("absent", ())))),
        )
    )


def lines(reader: Reader) -> Iterator[Record]:
    """The records of one file."""
    rest = b""
    while True:
        data = reader.read(_CHUNK)
        if not data:
            return
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield decode(line)
