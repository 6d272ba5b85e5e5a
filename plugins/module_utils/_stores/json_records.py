# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON document as a store of records: each top-level key whose value is a list or mapping is a collection.

A record of a mapping {key: record} has its key in the field that equals the key in every record, or else in `_key`;
a member that is no mapping is kept in `_value`. Top-level values that are no collections are records of the collection
`_document`. A target is gathered in a SQLite file beside the document, with the positions, and the new document takes
the place of the old one at once.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Optional

from .._core import files
from .._core.errors import InvalidRequest, SourceError, TargetError
from .._core.file_lock import FileLock
from .._core.record_batches import BATCH, batch, batches
from .._core.tagged_json import decode as decode_json
from .._core.tagged_json import encode as encode_json
from .._core.workers import in_order
from . import json_stream
from .json_parts import KEY, VALUE, Part, Place, looked_at, read_part, records_of, text_of
from .json_read import stem
from .json_stream import Document, Member
from .record_kinds import Kinds, Summary
from .record_store import DECIMAL, INTEGER, JSON, POSITIONS, TEXT, Account, Field, Info, Record
from .sql_schema import shaped
from .sqlite_records import SqliteRecords

SCALARS = "_document"
_CHUNK = 1 << 20
# Of a name that can be a table's: SQLite keeps some for itself, and does not tell capitals from others.
_TABLE, _CAPITAL = re.compile(r"(?!sqlite_|\^)[^A-Z]*", re.S), re.compile(r"[A-Z^]")


class JsonRecords:
    """See `RecordStore`. `keys` has the primary keys of collections that are lists."""

    type = "json"
    consistent = False
    typed = False
    stable = True
    whole = True
    columns = False
    takes_text = False

    def __init__(self, path: str, keys: Mapping[str, Sequence[str]], workers: int = 1) -> None:
        self.path = self.location = files.resolve(path, InvalidRequest)
        self.notes: list[str] = []
        self._keys = keys
        self._workers = workers
        self._summaries: dict[str, Summary] = {}  # of what `_open` holds
        directory, name = os.path.split(self.path)
        self._gathered = os.path.join(directory, "%s%s.migration" % (files.PREPARED, name[:200]))
        self._new = self._gathered + ".new"
        self._staging: Optional[SqliteRecords] = None
        self._lock = FileLock(self.path)
        self._open: Optional[tuple[str, BinaryIO, os.stat_result, Optional[Document]]] = None

    def __enter__(self) -> JsonRecords:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._open is not None:
            self._open[1].close()
        if self._staging is not None:
            self._staging.__exit__(*exc)
        self._open = self._staging = None
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._new)
        self._lock.release()

    def claim(self) -> bool:
        """See `RecordStore`."""
        with files.os_errors(TargetError, "Can't lock", self.path):
            return self._lock.take()

    def let_go(self) -> bool:
        """It reads through one descriptor, which holds no lock."""
        return False

    def _source(self) -> tuple[Optional[BinaryIO], Optional[Document]]:
        """The document as it is now, or as it will be once the new one is written."""
        path = self._new if os.path.exists(self._new) else self.path
        if self._open is not None and self._open[0] != path:
            self._open[1].close()
            self._open = None
        if self._open is None:
            if not os.path.lexists(path):
                return None, None
            handle = os.fdopen(files.open_regular(path, SourceError), "rb", buffering=0)
            info = os.fstat(handle.fileno())
            document = json_stream.scan(handle.read, path, stem(os.path.basename(self.path))) if info.st_size else None
            self._summaries = {}
            self.notes = list(document.notes()) if document else []
            self._open = (path, handle, info, document)
        return self._open[1], self._open[3]

    def collections(self) -> list[Info]:
        """See `RecordStore`."""
        handle, document = self._source()
        if handle is None or document is None:
            return []
        members = (document.root,) if document.members is None else document.members
        infos = []
        for one in document.collections():
            member = document.find(one.name) or document.root
            key = self._key(member)
            infos.append(Info(one.name, key, (Field(KEY, TEXT, True),) if key == (KEY,) and not member.records else ()))
        scalars = any(member.kind == "value" for member in members)
        return [*infos, Info(SCALARS, (KEY,))] if scalars else infos

    def _key(self, member: Member) -> tuple[str, ...]:
        given = self._keys.get(member.name)
        if member.kind == "list":
            if given is None and member.records == 0:
                return (KEY,)
            return tuple(given or ())
        digest, kinds = 0, Kinds()
        candidates: Optional[Sequence[str]] = given
        parts = [functools.partial(looked_at, part, given) for part in self._parts(member)]
        with contextlib.closing(in_order(parts, self._workers)) as results:
            for found, total, seen in results:
                candidates = found if candidates is None else [name for name in candidates if name in found]
                if not candidates:
                    return (KEY,)
                digest += total
                kinds.add(seen)
        if not candidates:
            return (KEY,)
        self._summaries[member.name] = Summary(member.records, digest, kinds)
        return (candidates[0],)

    def _parts(self, member: Member) -> list[Part]:
        """The members of a collection in parts that follow each other, each to be read by itself."""
        told = "%s (%s)" % (self.path, member.name)
        path = self._open[0] if self._open is not None else self.path
        bounds = [(member.start, 0), *member.marks, (member.end, member.records)]
        return [
            functools.partial(
                read_part, path, told, Place(start, end, member.kind, until - done, not done, end == member.end)
            )
            for (start, done), (end, until) in zip(bounds, bounds[1:])
            if until > done
        ]

    def chunks(self, info: Info, ordered: bool = True, text: bool = False) -> Iterator[Sequence[Record]]:
        """See `RecordStore`."""
        _handle, document = self._source()
        found = document.find(info.name) if document is not None else None
        if found is None or info.name == SCALARS:
            yield from map(batch, batches(self._scalars(info), BATCH))
            return
        parts = [functools.partial(records_of, part, info, self.path) for part in self._parts(found)]
        with contextlib.closing(in_order(parts, self._workers)) as results:
            yield from results

    def summary(self, info: Info) -> Optional[Summary]:
        """The search for the key has read all records."""
        self._source()
        return self._summaries.get(info.name) if info.key != (KEY,) else None

    def read(self, info: Info) -> Iterator[Record]:
        """See `RecordStore`."""
        return itertools.chain.from_iterable(self.chunks(info))

    def _scalars(self, info: Info) -> Iterator[Record]:
        """The top-level values that are no collections."""
        handle, document = self._source()
        if handle is not None and document is not None and info.name == SCALARS:
            for member in document.members or ():
                if member.kind == "value" and document.find(member.name) is member:
                    handle.seek(member.start)
                    yield {KEY: member.name, VALUE: decode_json(handle.read(member.end - member.start))}

    def kept(self, info: Info) -> Info:
        """There is nothing to keep to."""
        return info

    def bytes_of(self, info: Info) -> int:
        """See `RecordStore`."""
        _handle, document = self._source()
        member = document.find(info.name) if document is not None else None
        return member.end - member.start if member is not None else 0

    def check_unchanged(self) -> None:
        """See `RecordStore`."""
        if self._open is not None:
            then, now = self._open[2], os.fstat(self._open[1].fileno())
            if (then.st_size, then.st_mtime_ns) != (now.st_size, now.st_mtime_ns):
                raise SourceError(
                    "%s was written while it was read." % self.path, "Stop its writer, and run again to continue."
                )

    def check_writable(self, infos: Sequence[Info], size: int) -> None:
        """See `RecordStore`. What is new is gathered, and then the document is written beside the old one."""
        files.check_writable_parent(self.path)
        if os.path.lexists(self.path) and not stat.S_ISREG(os.lstat(self.path).st_mode):
            raise TargetError("%s is not a regular file." % self.path)
        files.need_space(os.path.dirname(self.path), max(2 * size, files.LEAST), "Migrating to %s" % self.path)

    def _stage(self) -> SqliteRecords:
        if self._staging is None:
            if not os.path.lexists(self._gathered):
                os.close(os.open(self._gathered, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
            elif not stat.S_ISREG(os.lstat(self._gathered).st_mode):
                raise TargetError("%s is not a regular file." % self._gathered, "Remove it.")
            self._staging = SqliteRecords(self._gathered, ordered=False)
        return self._staging

    def refuses(self, info: Info, record: Mapping[str, Any]) -> str:
        """A document holds whatever the model does."""
        return ""

    def positions(self, names: Sequence[str]) -> dict[str, Any]:
        """See `RecordStore`."""
        return self._stage().positions(names) if os.path.exists(self._gathered) else {}

    def keep_position(self, collection: str, position: Any) -> None:
        """See `RecordStore`."""
        self._stage().keep_position(collection, position)

    def ensure(self, info: Info, clear: bool, position: Any) -> None:
        """See `RecordStore`."""
        staging, held = self._stage(), _held(info)
        here = {one.name: one for one in self.collections()}
        if info.name in here and not clear and here[info.name].key != info.key:
            raise TargetError(
                "The collection %s has the key (%s), and in the target (%s)."
                % (info.name, ", ".join(info.key), ", ".join(here[info.name].key)),
                "Set primary_key for it, or on_existing=replace.",
            )
        if any(one.name == held.name for one in staging.collections()):
            staging.drop(held)
        staging.ensure(held, False, None)
        if not clear and info.name in here:
            batch: list[Record] = []
            for record in self.read(here[info.name]):
                batch.append(record)
                if len(batch) == 1000:
                    staging.write(held, batch, lambda rejects: None, False)
                    batch = []
            staging.write(held, batch, lambda rejects: None, False)
        staging.keep_position(info.name, position)

    def write(self, info: Info, records: Sequence[Record], account: Account, upsert: bool) -> None:
        """See `RecordStore`."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._new)
        self._stage().write(_held(info), records, account, upsert)

    def delete(self, info: Info, wanted: Sequence[tuple[Any, ...]]) -> None:
        """See `RecordStore`."""
        self._stage().delete(_held(info), wanted)

    def drop(self, info: Info) -> None:
        """See `RecordStore`."""
        raise TargetError("A collection can't be taken out of %s alone." % self.path, "Restore the document whole.")

    def finish(self, infos: Sequence[Info]) -> None:
        """Write the new document beside the old one."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._new)
        handle, document = self._source()
        with files.os_errors(TargetError, "Can't write", self._new):
            fd = os.open(self._new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "wb", buffering=_CHUNK) as out:
                self._write_document(out, infos, handle, document)
                if handle is not None:
                    owner = os.fstat(handle.fileno())
                    os.fchown(out.fileno(), owner.st_uid, owner.st_gid)
                    os.fchmod(out.fileno(), stat.S_IMODE(owner.st_mode))
                else:
                    files.give_to_owner_of(os.path.dirname(self.path), out.fileno())
                out.flush()
                os.fsync(out.fileno())

    def _write_document(
        self, out: BinaryIO, infos: Sequence[Info], handle: Optional[BinaryIO], document: Optional[Document]
    ) -> None:
        written = {info.name for info in infos}
        separator = b"{"
        for info in infos:
            if info.name == SCALARS:
                for record in self._stage().read(_held(info)):
                    out.write(separator + _member(str(record[KEY]), record.get(VALUE)))
                    separator = b",\n"
                continue
            out.write(separator + ("\n%s: " % encode_json(info.name)).encode())
            separator = b","
            self._write_collection(out, info)
        for member in (document.members or ()) if document is not None else ():
            scalar = member.kind == "value" and SCALARS in written
            if handle is None or document is None or scalar or member.name in written:
                continue
            if document.find(member.name) is member:
                out.write(separator + ("\n%s: " % encode_json(member.name)).encode())
                separator = b","
                handle.seek(member.start)
                _copy(handle, out, member.end - member.start)
        out.write(b"\n}\n" if separator != b"{" else b"{}\n")

    def _write_collection(self, out: BinaryIO, info: Info) -> None:
        as_list = info.name in self._keys or not self._is_named(info)
        separator = b"[\n" if as_list else b"{\n"
        empty = True
        for record in self._stage().read(_held(info)):
            if as_list:
                data = encode_json(record).encode()
            elif info.key == (KEY,):
                key = record.pop(KEY)
                data = _member(str(key), record[VALUE] if list(record) == [VALUE] else record)
            else:
                key = text_of(record[info.key[0]])
                data = _member(encode_json(record[info.key[0]]) if key is None else key, record)
            out.write(separator + b"  " + data)
            separator, empty = b",\n", False
        opening, closing = (b"[", b"]") if as_list else (b"{", b"}")
        out.write(opening + closing if empty else b"\n" + closing)

    def _is_named(self, info: Info) -> bool:
        """Can the key be the name of a member, by which it is found again?"""
        if len(info.key) != 1:
            return False
        kind = {field.name: field.kind for field in info.fields}.get(info.key[0], TEXT)
        if kind == DECIMAL:  # which most integers of others are
            return all(text_of(record[info.key[0]]) is not None for record in self._stage().read(_held(info)))
        return kind in (TEXT, INTEGER)

    def forget(self, names: Sequence[str]) -> None:
        """Put the new document in place, then remove what it was gathered in."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
        with files.os_errors(TargetError, "Can't replace", self.path):
            if os.path.exists(self._new):
                os.rename(self._new, self.path)
                files.fsync_directory(os.path.dirname(self.path))
            if self._staging is not None:
                self._staging.__exit__()
                self._staging = None
            for suffix in ("", "-journal", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._gathered + suffix)


def _held(info: Info) -> Info:
    """How the records are gathered: by their keys, whatever kinds these have."""
    name = info.name
    if not _TABLE.fullmatch(name) or name == POSITIONS:
        name = "^" + _CAPITAL.sub(lambda match: "^" + match[0].lower(), name)
    return shaped(Info(name, info.key, tuple(Field(name, JSON) for name in info.key)), True)


def _member(key: str, value: Any) -> bytes:
    return ("%s: %s" % (encode_json(key), encode_json(value))).encode()


def _copy(source: BinaryIO, out: BinaryIO, size: int) -> None:
    while size > 0:
        data = source.read(min(size, _CHUNK))
        if not data:
            raise SourceError("A document became shorter while it was read.")
        out.write(data)
        size -= len(data)
