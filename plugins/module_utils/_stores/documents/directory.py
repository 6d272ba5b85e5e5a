# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON documents in a directory: one file for each collection or for each record. All are copied as at one moment."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Optional

from ..._core import files, tar_members
from ..._core.errors import Day2Error, SourceError
from ..._core.files import OPEN_DIRECTORY, kind_of, look
from ..._core.fingerprint import attributes, combine, settled, trusted_file_system
from ..._core.owners import Owner
from ..._core.progress import Progress
from ..._core.units import plural
from ..base import Copy, Reader, Restoration, Sink, Snapshot
from .index import Index, Row, index_errors
from .layout import OPEN_FILE, Layout, listing, opened
from .read import WAITS, chunks, examine, is_quiet, reporting, settled_stat
from .tar import import_tar, write_tar
from .window import Read

_BATCH = 500


class Directory:
    """A store that consists of several files."""

    def __init__(self, path: str, layout: Layout) -> None:
        self.path = path
        self.layout = layout
        self._parent, self._name = os.path.split(path)

    def exists(self) -> bool:
        info = look(self.path, SourceError)
        if info is None or not stat.S_ISDIR(info.st_mode):
            return info is not None
        return any(True for _found in listing(self.path, self.layout, SourceError))

    def fingerprint(self) -> Optional[str]:
        try:
            return combine(self._identities()) if trusted_file_system(self.path) else None
        except (OSError, Day2Error):
            return None

    def _identities(self) -> Iterator[str]:
        """A line for each file and directory.

        :raises SourceError: the attributes cannot be trusted.
        """
        now = time.time_ns()
        trusted = {os.lstat(self.path).st_dev}
        for name, info in listing(self.path, self.layout, SourceError):
            # a file on a layer of an overlay has another device than its directory
            if info.st_dev not in trusted and not trusted_file_system(os.path.join(self.path, name)):
                raise SourceError(f"{name} is on a file system whose times can't be trusted.")
            trusted.add(info.st_dev)
            if not (name.endswith("/") or settled([info], now)):
                raise SourceError(f"{name} has just been written.")
            yield name if name.endswith("/") else f"{name} {attributes(info)}"

    def snapshot(self, sink: Sink) -> Snapshot:
        self._refuse_others()
        before = self.fingerprint()
        with self._workshop(SourceError, f"Can't read {self.path}", sink) as (index, spool):
            self._gather(index, spool, sink.progress)
            unchanged = before is not None and before == self.fingerprint()
            self._refuse_empty(index)
            snapshot = self._deliver(index, spool, Owner.of(os.lstat(self.path)).details(), sink)
        return snapshot._replace(fingerprint=before if unchanged else None)

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        hint = "Pack the directory with tar, or set layout to single_file."
        if not filename.endswith(".tar"):
            raise SourceError(f"{filename} is not a tar file.", hint)
        sink.progress.start(f"Importing {filename}", unit="bytes")
        with self._workshop(SourceError, f"Can't import {filename}", sink) as (index, spool):
            for data in chunks(reporting(reader.read, sink.progress)):
                spool.write(data)
            try:
                with Index(sink.scratch) as raw:
                    left_out = import_tar(spool, self.layout, index, raw)
            except tar_members.ERRORS as exc:
                raise SourceError(f"{filename}: {exc}.", hint) from exc
            self._check_imported(index, spool, filename)
            snapshot = self._deliver(index, spool, {}, sink)
        if not left_out:
            return snapshot
        return snapshot._replace(notes=(f"{plural(left_out, 'file')} not named {self.layout.pattern} left out.",))

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        from .directory_restore import DirectoryRestore  # only here: see registry.py

        return DirectoryRestore(self, copy, only).prepare(scratch, dry)

    @contextlib.contextmanager
    def _workshop(self, kind: type[Day2Error], doing: str, sink: Sink) -> Iterator[tuple[Index, BinaryIO]]:
        """The index, and the spool with the contents, from which a snapshot is written."""
        with index_errors(kind, doing), Index(sink.scratch) as index, files.os_errors(kind, doing, self.path):
            with tempfile.TemporaryFile(dir=sink.scratch) as spool:
                yield index, spool

    def _deliver(self, index: Index, spool: BinaryIO, owner: Mapping[str, Any], sink: Sink) -> Snapshot:
        count, size = index.totals()
        collections = index.counted()
        sink.progress.start(f"Writing {self._name}.tar", size, "bytes")
        with sink.file(self._name + ".tar") as out:
            write_tar(index, spool, out)
        details = {"layout": self.layout.name, "bytes": size, "files": count, **owner}
        return Snapshot(index.digest(), collections, details, None)

    def _gather(self, index: Index, spool: BinaryIO, progress: Progress) -> None:
        """Read every file, then again what has changed, until a listing shows no change."""
        progress.start(f"Reading {self.path}", unit="bytes")
        problem: Optional[SourceError] = None
        for wait in (0.0, *WAITS, None):
            if self.see_all(index, SourceError):
                return
            if wait is None:
                break
            progress.check()
            time.sleep(wait)
            problem = self.read_stale(index, spool, progress)
        if problem is None:
            unsteady = ", ".join(row.name for row in index.stale(5)) or "its list of files"
            problem = SourceError(
                f"{self.path} changed each of {len(WAITS) + 1} times that it was read: {unsteady}.",
                "Stop the application that writes to it, or run again when it is less busy.",
            )
        raise problem

    def see_all(self, index: Index, kind: type[Day2Error]) -> bool:
        """Update the index from a listing. Returns whether everything is as it was read."""
        index.start_listing()
        for name, info in listing(self.path, self.layout, kind):
            about = "" if name.endswith("/") else attributes(info)
            owner = (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, int(info.st_mtime))
            index.see(Row(name, self.layout.collection(name) or "", about, *owner))
        return index.end_listing()

    def read_stale(self, index: Index, spool: Optional[BinaryIO], progress: Progress) -> Optional[SourceError]:
        """Read the files that are stale in the index. Those that are written meanwhile remain stale.

        :param spool: receives the contents; None for a target, which need not be valid.
        :returns: the problem of a file that someone may be writing, or None.
        :raises SourceError: a file is not valid, and was not written for a while.
        """
        problem = None
        root = os.open(self.path, OPEN_DIRECTORY)
        try:
            after = ""
            while True:
                batch = index.stale(_BATCH, after)
                if not batch:
                    return problem
                for row in batch:
                    if row.name.endswith("/"):
                        index.put(row._replace(stale=0))
                        continue
                    with opened(row.name, OPEN_FILE, root) as fd:
                        wrong = fd is not None and self._read(fd, row, index, spool, progress)
                    problem = wrong or problem
                after = batch[-1].name
        finally:
            os.close(root)

    def _read(
        self, fd: int, row: Row, index: Index, spool: Optional[BinaryIO], progress: Progress
    ) -> Optional[SourceError]:
        info = settled_stat(fd)
        position = 0 if spool is None else spool.seek(0, os.SEEK_END)

        def read(size: int) -> bytes:
            data = os.read(fd, size)
            if spool is not None:
                spool.write(data)
            progress.advance(len(data))
            return data

        digest, records, problem = self._examine(read, row.name, os.path.join(self.path, row.name))
        after = os.fstat(fd)
        if attributes(info) != row.attributes or attributes(after) != row.attributes:
            return None
        if problem and spool is not None:
            error = SourceError(problem, "Repair it, or remove it from the store.")
            if is_quiet(info):
                raise error
            return error
        index.put(row._replace(position=position, size=info.st_size, sha256=digest, records=records, stale=0))
        return None

    def _examine(self, read: Read, name: str, path: str) -> tuple[str, Optional[int], str]:
        """Read a whole file. Returns its digest, its number of records, and its problem, or ""."""
        digest, document, problem = examine(read, path, name, listed=False)
        if document is None:
            return digest, None, problem
        if self.layout.depth == 2:
            return digest, 1, ""
        if document.root.kind == "value":
            return digest, None, f"{path} is a single value, not a list or mapping of records."
        return digest, document.root.records, ""

    def _check_imported(self, index: Index, spool: BinaryIO, filename: str) -> None:
        while True:
            batch = index.stale(_BATCH)
            if not batch:
                return
            for row in batch:
                if row.name.endswith("/"):
                    index.put(row._replace(stale=0))
                    continue
                spool.seek(row.position)
                left = row.size

                def read(size: int) -> bytes:
                    nonlocal left
                    data = spool.read(min(size, left))
                    left -= len(data)
                    return data

                digest, records, problem = self._examine(read, row.name, f"{row.name} in {filename}")
                if problem:
                    raise SourceError(problem, "Repair it, or remove it from the tar file.")
                index.put(row._replace(sha256=digest, records=records, stale=0))

    def _refuse_others(self) -> None:
        info = look(self.path, SourceError)
        if info is None:
            raise SourceError(
                f"{self.path} does not exist.", "Set path to the directory with the data of the application."
            )
        if stat.S_ISREG(info.st_mode):
            raise SourceError(f"{self.path} is a file, not a directory.", "Set layout to single_file.")
        if not stat.S_ISDIR(info.st_mode):
            raise SourceError(f"{self.path} is {kind_of(info)}, not a directory.")

    def _refuse_empty(self, index: Index) -> None:
        if index.totals()[0] == 0 and (self.layout.depth == 1 or not index.collections() or self._has_other_layout()):
            raise SourceError(
                f"{self.path} contains no file named {self.layout.pattern}.",
                "Set layout to match the files: file_per_collection is NAME.json, file_per_record is "
                "COLLECTION/KEY.json.",
            )

    def _has_other_layout(self) -> bool:
        with os.scandir(self.path) as entries:
            return any(entry.name.endswith(".json") for entry in entries)
