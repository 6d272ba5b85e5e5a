# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON document in one file: a copy as of one moment, and its restore, completely or by spliced bytes."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Callable, NamedTuple, Optional

from ..._core import files
from ..._core.errors import SourceError, TargetError
from ..._core.files import kind_of, look
from ..._core.fingerprint import attributes
from ..._core.owners import Owner
from ..._core.progress import Progress
from ..base import Change, Copy, Reader, Restoration, Sink, Snapshot
from .document import Document
from .identity import fingerprint
from .place import Swap, ready, resemble
from .read import CHUNK, WAITS, chunks, damaged, examine, is_quiet, reporting, settled_stat, stem
from .splice import Part, splice
from .stream import scan


class Target(NamedTuple):
    """The current content of the path. `document` is None if it is not valid; `problem` has the reason."""

    info: os.stat_result
    digest: str
    document: Optional[Document]
    problem: str


class SingleFile:
    """The layout single_file. A top-level list is a collection with the name of the file, without its suffix."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._directory, self._name = os.path.split(path)

    def snapshot(self, sink: Sink) -> Snapshot:
        self._refuse_others()
        before = fingerprint(self.path)
        with files.os_errors(SourceError, "Can't copy", self.path), tempfile.TemporaryFile(dir=sink.scratch) as held:
            info, document = _hold_still(self.path, held, sink.progress)
            unchanged = before is not None and before == fingerprint(self.path)
            snapshot = self._deliver(held, document, Owner.of(info).details(), sink)
        return snapshot._replace(fingerprint=before if unchanged else None)

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        sink.progress.start(f"Reading {filename}", unit="bytes")
        with files.os_errors(SourceError, "Can't copy", filename), tempfile.TemporaryFile(dir=sink.scratch) as held:
            for data in chunks(reporting(reader.read, sink.progress)):
                held.write(data)
            document = _check(held, filename, sink.progress)
            if document.members is None:  # the collection goes by the store's name
                document = document._replace(root=document.root._replace(name=stem(self._name)))
            return self._deliver(held, document, {}, sink)

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        notes = ready(self.path, dry)
        target = self._survey(copy.progress)
        new = os.path.join(scratch if dry else self._directory, files.prepared_name(self._name))
        try:
            if only:
                digest, changes = self._spliced(copy, target, only, scratch, new)
            else:
                digest, changes = self._unpacked(copy, target, "" if dry else new), _changes(copy, target)
                if target is not None and target.document is None:
                    notes.append(f"The data to be replaced is not a JSON document: {target.problem}")
            changed = target is None or digest != target.digest
            if changed and not dry:
                notes += self._dress(new, copy.details, target)
            else:
                files.discard(new)
                new = ""
        except BaseException:
            files.discard(new)
            raise
        return Swap(
            self.path,
            prepared=new,
            present=target is not None,
            check=self._checker(target and target.info),
            progress=copy.progress,
            changed=changed,
            changes=changes,
            notes=notes,
            damage="" if target is None or target.document is not None else target.problem,
        )

    def _deliver(self, held: BinaryIO, document: Document, owner: Mapping[str, Any], sink: Sink) -> Snapshot:
        """Write the private copy into the sink."""
        size = held.seek(0, os.SEEK_END)
        held.seek(0)
        sink.progress.start(f"Writing {self._name}", size, "bytes")
        with sink.file(self._name) as out:
            for data in chunks(held.read):
                out.write(data)
        details = {"layout": "single_file", "bytes": size, "values": document.values(), **owner}
        return Snapshot(out.sha256(), document.collections(), details, None, document.notes())

    def _refuse_others(self) -> None:
        info = look(self.path, SourceError)
        if info is None:
            raise SourceError(f"{self.path} does not exist.", "Set path to the file with the data of the application.")
        if stat.S_ISDIR(info.st_mode):
            raise SourceError(
                f"{self.path} is a directory, not a JSON document.",
                "Set layout to file_per_collection (NAME.json) or file_per_record (COLLECTION/KEY.json).",
            )
        if not stat.S_ISREG(info.st_mode):
            raise SourceError(f"{self.path} is {kind_of(info)}, not a regular file.")

    def _survey(self, progress: Progress) -> Optional[Target]:
        info = look(self.path, TargetError)
        if info is None:
            return None
        if not stat.S_ISREG(info.st_mode):
            hint = (
                "Set layout, or move it elsewhere."
                if stat.S_ISDIR(info.st_mode)
                else "Move it elsewhere and run again."
            )
            raise TargetError(f"{self.path} is {kind_of(info)}, not a JSON document.", hint)
        with os.fdopen(files.open_regular(self.path, TargetError), "rb", buffering=0) as handle:
            info = os.fstat(handle.fileno())
            progress.start(f"Reading {self.path}", info.st_size, "bytes")
            with files.os_errors(TargetError, "Can't read", self.path):
                found = examine(reporting(handle.read, progress), self.path, stem(self._name))
        self._checker(info)()
        return Target(info, *found)

    def _checker(self, before: Optional[os.stat_result]) -> Callable[[], None]:
        def check() -> None:
            now = look(self.path, TargetError)
            if (now and attributes(now)) != (before and attributes(before)):
                raise TargetError(
                    f"{self.path} was changed while its restore was prepared.",
                    "Nothing was changed. Stop the application that writes to it and run again.",
                )

        return check

    def _unpacked(self, copy: Copy, target: Optional[Target], new: str) -> str:
        """Read the backup, and write it to `new` (if not "") if it differs from the target; returns its digest."""
        if target is not None and target.digest == copy.content_digest:
            return _receive(copy, None)
        files.need_space(self._directory, int(copy.details.get("bytes") or 0), f"Restoring {self.path}")
        if not new:
            return _receive(copy, None)
        with _create(new) as out:
            return _receive(copy, out)

    def _spliced(
        self, copy: Copy, target: Optional[Target], only: Sequence[str], scratch: str, new: str
    ) -> tuple[str, list[Change]]:
        """Write the target, with some collections as they are in the backup. Returns its digest, and what changes."""
        if target is None:
            raise TargetError(
                f"{self.path} does not exist, so that {', '.join(only)} can't be restored into it.",
                "Restore everything (omit only).",
            )
        if target.document is None:
            raise TargetError(
                f"Can't restore only {', '.join(only)}: {target.problem}", "Restore the whole document (omit only)."
            )
        label = f"Can't restore {self.path}"
        with files.os_errors(TargetError, label, scratch), tempfile.TemporaryFile(dir=scratch) as source:
            _receive(copy, source)
            backup = _check(source, copy.names()[0], copy.progress)
            with _create(new) as out, os.fdopen(files.open_regular(self.path, TargetError), "rb") as base:
                splice(Part(base, target.document), Part(source, backup), only, out)
        self._checker(target.info)()
        with open(new, "rb", buffering=0) as handle:
            digest, spliced, problem = examine(handle.read, self.path, stem(self._name))
        if spliced is None:
            raise TargetError(problem)
        changes = []
        for name in only:
            old = target.document.find(name) if backup.members is not None else target.document.root
            after = backup.find(name)
            before = old.records if old is not None and old.kind != "value" else None
            changes.append(Change(name, before, after.records if after is not None else 0))
        return digest, changes

    def _dress(self, new: str, details: Mapping[str, Any], target: Optional[Target]) -> Sequence[str]:
        """Set the owner and mode of the new file, and make it durable. Returns sentences for the user."""
        notes: Sequence[str] = ()
        with files.os_errors(TargetError, "Can't prepare", new), open(new, "rb") as handle:
            if target is None:
                notes = Owner.recorded(details, self._directory, 0o600).give(handle.fileno())
            else:
                with os.fdopen(files.open_regular(self.path, TargetError), "rb") as old:
                    resemble(handle.fileno(), old.fileno(), self.path)
            os.fsync(handle.fileno())
        return notes


def _hold_still(path: str, held: BinaryIO, progress: Progress) -> tuple[os.stat_result, Document]:
    """Copy a document to `held` as it was at one moment.

    :raises SourceError: it changes all the time, or is not valid.
    """
    for wait in (*WAITS, None):
        info = _copy(path, held, progress)
        if info is not None:
            try:
                return info, _check(held, path, progress)
            except SourceError:
                if wait is None or is_quiet(info):
                    raise
        if wait is None:
            break
        progress.check()
        time.sleep(wait)
    raise SourceError(
        f"{path} changed each of {len(WAITS) + 1} times that it was read.",
        "Stop the application that writes to it, or run again when it is less busy.",
    )


def _copy(path: str, held: BinaryIO, progress: Progress) -> Optional[os.stat_result]:
    """Copy a file. Returns its attributes, or None if it was written meanwhile."""
    held.seek(0)
    held.truncate()
    with os.fdopen(files.open_regular(path, SourceError), "rb", buffering=0) as source:
        before = settled_stat(source.fileno())
        progress.start(f"Copying {path}", before.st_size, "bytes")
        left = before.st_size
        while left:
            data = source.read(min(CHUNK, left))
            if not data:
                return None
            held.write(data)
            left -= len(data)
            progress.advance(len(data))
        after = os.fstat(source.fileno())
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        return None
    # Losing its name moves a file's ctime, too: one that was replaced while we read it is whole all the same.
    named = look(path, SourceError)
    if named is not None and os.path.samestat(named, after) and after.st_ctime_ns != before.st_ctime_ns:
        return None
    return before


def _check(handle: BinaryIO, path: str, progress: Progress) -> Document:
    """Validate a copy. Messages call it `path`."""
    handle.seek(0)
    progress.start(f"Checking {path}", os.fstat(handle.fileno()).st_size, "bytes")
    return scan(reporting(handle.read, progress), path, stem(os.path.basename(path)))


@contextlib.contextmanager
def _create(path: str) -> Iterator[BinaryIO]:
    with files.os_errors(TargetError, "Can't write", path):
        fd = os.open(path, files.CREATE_FILE, 0o600)
        with os.fdopen(fd, "wb") as handle:
            yield handle


def _receive(copy: Copy, out: Optional[BinaryIO]) -> str:
    """Read the document of the backup to its end, and write it. Returns its digest.

    :raises DamagedBackup: the digest is not the one in the manifest.
    """
    name = copy.names()[0]
    copy.progress.start(f"Unpacking {name}", copy.details.get("bytes"), "bytes")
    with copy.open(name) as reader:
        for data in chunks(reader.read):
            if out is not None:
                out.write(data)
    digest = reader.sha256()
    if digest != copy.content_digest:
        raise damaged(name, f"it has the digest {digest} instead of {copy.content_digest}")
    return digest


def _changes(copy: Copy, target: Optional[Target]) -> list[Change]:
    before: dict[str, int] = {}
    if target is not None and target.document is not None:
        before = {one.name: one.records for one in target.document.collections()}
    after = {one.name: one.records for one in copy.collections}
    return [Change(name, before.get(name), after.get(name, 0)) for name in {**after, **before}]
