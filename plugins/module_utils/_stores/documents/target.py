# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON document as a target of records.

A target is gathered in a SQLite file beside the document, with the checkpoints. The new document is written beside the
old one, read back, and takes its place at once. Only the holder of the target's lock creates, renames or removes
anything; `recover` brings whatever a killed run left into one of these states:

| state | on disk | `recover` |
|---|---|---|
| none | perhaps a new document | removes it |
| gathering | the gather file; perhaps a new document, whole or not | removes the new document: it is written again |
| publishing | the gather file, marked; the new document | as gathering: it was not renamed |
| published | the gather file, marked; no new document | forgets what was published: it was renamed |

The mark names the collections that are published. What was gathered of others by a run that was killed stays with its
checkpoints, and the gather file goes with the last of these.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._core import files, plain_json
from ..._core.errors import SourceError, TargetError
from ..._core.file_lock import FileLock
from ..._core.owners import check_replaceable, take_after
from ..._core.record_batches import batches
from ..._core.tagged_json import encode as encode_json
from ..records.model import (
    CHECKPOINTS,
    INTEGER,
    JSON,
    LIST,
    NO_RIGHTS,
    Account,
    Clashes,
    Field,
    Info,
    Note,
    Overtaken,
    Record,
    Rights,
    Start,
    check_same_key,
)
from ..records.note import as_wanted
from ..sql.schema import shaped
from ..sqlite.target import SqliteTarget
from .open import OpenDocument
from .source import JsonSource
from .write import Writing, write_document

_CHUNK = 1 << 20
_PUBLISHING = "^publishing"  # beside the checkpoints; no collection has a table of that name
# Of a name that can be a table's: SQLite keeps some for itself, does not tell capitals from others, and ends at NUL.
_TABLE, _CAPITAL = re.compile(r"(?!sqlite_|\^)[^A-Z\0]*", re.S), re.compile(r"[A-Z^\0]")


class JsonTarget(JsonSource):
    """A document as a target."""

    replaces_atomically = True
    columns = False
    takes_copy_lines = False
    undoes = True

    def __init__(
        self,
        path: str,
        keys: Mapping[str, Sequence[str]],
        workers: int = 1,
        exact: bool = False,
        *,
        bytes_as: str = "base64",
    ) -> None:
        super().__init__(path, keys, workers, exact)
        self.hex = bytes_as == "hex"
        directory, name = os.path.split(self.path)
        self._gathered = os.path.join(directory, f"{files.PREPARED}{files.shortened(name)}.migration")
        self._new = self._gathered + ".new"
        self._staging: Optional[SqliteTarget] = None
        self._lock = FileLock(self.path)
        self._written: Optional[OpenDocument] = None  # the new document, by this run

    def __enter__(self) -> JsonTarget:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._written is not None:
            self._written.close()
            self._written = None
        self._close_staging()
        self._close()
        self._lock.release()

    def check_state(self) -> None:
        self._lock.check(TargetError)
        for path in (self._gathered, self._gathered + "-journal"):
            files.check_own_file(path, TargetError)
        files.check_regular(self._new, TargetError)  # it belongs to whom the document will belong to

    def lock(self) -> bool:
        with files.os_errors(TargetError, "Can't lock", self.path):
            return self._lock.take()

    def recover(self) -> None:
        """The states are at the top of this file."""
        published = None
        if os.path.lexists(self._gathered):
            published = self._stage().checkpoints([_PUBLISHING]).get(_PUBLISHING)
        if published is None or os.path.lexists(self._new):
            self._remove_new()
            published = []
        self._forget(published)

    def _mark(self, names: Sequence[str]) -> None:
        """Record whether the new document is complete and about to be renamed."""
        self._stage().keep([(_PUBLISHING, list(names))])

    def _forget(self, names: Sequence[str]) -> None:
        """Remove the mark and what was gathered of these, and all of it with the last checkpoint."""
        if not os.path.lexists(self._gathered):
            return
        if not self._stage().forget([_table(name) for name in names], [_PUBLISHING]):
            self._remove_gathered()

    def _close_staging(self) -> None:
        if self._staging is not None:
            self._staging.__exit__()
            self._staging = None

    def _remove_new(self) -> None:
        if self._written is not None:
            self._written.close()
            self._written = None
            self._is_another(self._old)
        self._unlink(self._new)

    def _remove_gathered(self) -> None:
        self._close_staging()
        for suffix in ("-journal", ""):
            self._unlink(self._gathered + suffix)

    def _unlink(self, path: str) -> None:
        with files.os_errors(TargetError, "Can't remove", path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _source(self) -> Optional[OpenDocument]:
        """The document as it will be once this run has written it."""
        return self._written or super()._source()

    def check_writable(self, infos: Sequence[Info], size: int, rights: Rights = NO_RIGHTS) -> None:
        """What is new is gathered, and then the document is written beside the old one."""
        files.check_writable_parent(self.path)
        info = files.look(self.path, TargetError)
        if info is not None:
            if not stat.S_ISREG(info.st_mode):
                raise TargetError(f"{self.path} is not a regular file.")
            check_replaceable(info.st_uid, info.st_gid, self.path)
        document = self._document()
        if document is not None and document.members is None and not (len(infos) == 1 and infos[0].note.root):
            raise TargetError(
                f"{self.path} is a {document.root.kind}, not a mapping of collections.",
                "Migrate to another document.",
            )
        if size:  # the rest of the document is written anew, too
            size += (info.st_size if info is not None else 0) + max(0, size - sum(map(self.bytes_of, infos)))
        files.need_space(os.path.dirname(self.path), max(size, files.LEAST), f"Writing to {self.path}")

    def _stage(self) -> SqliteTarget:
        if self._staging is None:
            if not os.path.lexists(self._gathered):
                os.close(os.open(self._gathered, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
            self.check_state()
            self._staging = SqliteTarget(self._gathered, ordered=False)
        return self._staging

    def refuses(self, info: Info, record: Mapping[str, Any]) -> str:
        """Nothing: a document can store everything that the model can."""
        return ""

    def interference(self, infos: Sequence[Info], removing: Collection[str]) -> list[str]:
        """A document has no triggers."""
        return []

    def folded(self, info: Info) -> Collection[str]:
        """None: text is compared as it is."""
        return ()

    def clashes(self, info: Info, existing: Info, chunks: Iterable[Sequence[Record]], scratch: str) -> Clashes:
        """None: nothing but the key is unique."""
        return Clashes()

    def doubts(self) -> list[str]:
        """None: a document can store everything that the model can."""
        return []

    def checkpoints(self, names: Sequence[str]) -> dict[str, Any]:
        if not os.path.exists(self._gathered):
            return {}
        if self._staging is not None:
            return _checkpoints(self._staging, names)
        # a reader beside the writer, who must be able to commit: never longer than for this look
        with SqliteTarget(self._gathered) as gathered:
            try:
                return _checkpoints(gathered, names)
            except SourceError:
                if os.path.exists(self._gathered):
                    raise
                return {}  # it was published at this moment

    def begin(self, starts: Sequence[Start], new: Collection[str] = ()) -> None:
        """What is to stay of the old document is copied before the checkpoints are kept."""
        here = as_wanted({info.name: info for info, _clear, _checkpoint in starts}, self._by_name())
        staged = [_staged(info) for info, _clear, _checkpoint in starts]
        # first: a checkpoint must never stand beside records that it does not count
        self._stage().commit([one.name for one in staged])
        for one, (info, clear, _checkpoint) in zip(staged, starts):
            existing = here.get(info.name) if not clear else None
            if existing is not None:
                check_same_key(info, existing)
            self._copy(one, existing)
        self._stage().keep([(one.name, checkpoint) for one, (_info, _clear, checkpoint) in zip(staged, starts)])

    def _by_name(self) -> dict[str, Info]:
        return {one.name: one for one in self.collections()}

    def _copy(self, staged: Info, existing: Optional[Info]) -> None:
        """Gather the records of the old document, or none."""
        staging = self._stage()
        if any(one.name == staged.name for one in staging.collections()):
            staging.drop([staged])
        staging.begin([(staged, False, None)])
        for records in batches(self.read(existing), 1000) if existing is not None else ():
            staging.write(staged, records, lambda rejects: None, False)

    def write(self, info: Info, records: Sequence[Record], account: Account, upsert: bool) -> None:
        self._remove_new()
        self._stage().write(_staged(info), records, account, upsert)

    def by_place(self, info: Info) -> Info:
        """Never called: a document is rewritten."""
        return info

    def delete(self, info: Info, wanted: Sequence[tuple[Any, ...]], checkpoint: Any = None) -> None:
        self._remove_new()
        self._stage().delete(_staged(info), wanted, checkpoint)

    def drop(self, infos: Sequence[Info]) -> None:
        names = [info.name for info in infos]
        if set(names).issuperset(info.name for info in self.collections()):
            self._unlink(self.path)
            return
        self._write_new([], infos)
        self._publish(names)

    def undo(self, infos: Sequence[Info]) -> None:
        self._remove_new()
        self._forget([info.name for info in infos])

    def build_indexes(self, infos: Sequence[Info]) -> None:
        """Write the new document beside the old one. From now on, it is the one that is read."""
        self._write_new(infos, ())

    def _write_new(self, infos: Sequence[Info], without: Sequence[Info]) -> None:
        self._remove_new()
        old = self._source()
        with files.os_errors(TargetError, "Can't write", self._new):
            fd = os.open(self._new, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(os.dup(fd), "wb", buffering=_CHUNK) as out:
                    encode = encode_json if self.exact else plain_json.encode
                    write_document(Writing(out, self._keys, self._records, encode), infos, old, without)
                if old is not None:
                    take_after(fd, os.fstat(old.fd), self.path)
                else:
                    files.give_to_owner_of(os.path.dirname(self.path), fd)
                os.fsync(fd)
                self._written = OpenDocument(self._new, fd, os.path.basename(self.path), self.exact)
            except BaseException:
                os.close(fd)
                os.unlink(self._new)
                raise
        self._is_another(self._written)

    def commit(self, names: Sequence[str]) -> None:
        """Move the new document into place, then remove the file with the gathered records."""
        if self._written is not None:
            self._publish(names)
        else:
            self._forget(names)

    def _records(self, info: Info) -> Iterator[Record]:
        """What was gathered of a collection."""
        return self._stage().read(_staged(info))

    def _publish(self, names: Sequence[str]) -> None:
        if self._is_changed():
            raise Overtaken(
                f"{self.path} was written or replaced during this run.",
                "This task has not changed it. Stop the application that writes to it, and run again.",
            )
        self._mark(names)
        with files.os_errors(TargetError, "Can't replace", self.path):
            try:
                if self._written is None or self._written.changed():
                    raise FileNotFoundError
                os.rename(self._new, self.path)
            except FileNotFoundError:
                self._forget([])
                raise TargetError(
                    f"{self._new} was to be published, but is missing, or not the file that was written.",
                    "The target was not changed. Run again.",
                ) from None
            files.fsync_directory(os.path.dirname(self.path))
        self._written.close()
        self._written = None
        self._close()  # what is read from here on is the new document
        self._forget(names)


def _checkpoints(gathered: SqliteTarget, names: Sequence[str]) -> dict[str, Any]:
    by_table = {_table(name): name for name in names}
    return {by_table[table]: checkpoint for table, checkpoint in gathered.checkpoints(list(by_table)).items()}


def _table(name: str) -> str:
    """The table for the records of a collection."""
    if not _TABLE.fullmatch(name) or name.startswith(CHECKPOINTS):
        return "^" + _CAPITAL.sub(lambda match: "^" + match[0].lower().replace("\0", "0"), name)
    return name


def _staged(info: Info) -> Info:
    """How the records are gathered: by their keys, whatever kinds these have, and in the order of a list."""
    name, note = _table(info.name), Note()
    fields = [Field(one, JSON) for one in info.key]
    if info.note.shape == LIST and info.note.key:
        note = Note(LIST, key=info.note.key)
        fields = [Field(one.name, INTEGER if one.name == note.key else JSON) for one in fields]
    staged = shaped(Info(name, info.key, tuple(fields), note=note), True)
    if note.key and note.key not in info.key:  # it is known to be none of the fields of the records
        staged = staged._replace(fields=(*staged.fields[:-1], Field(note.key, INTEGER), staged.fields[-1]))
    return staged
