# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A SQLite database: one file that its application may have open, with a WAL or a rollback journal."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..._core import files
from ..._core.errors import SourceError
from ..._core.owners import Owner
from ..base import Copy, Reader, Restoration, Sink, Snapshot
from .file import PATIENCE, check_installed, check_magic, is_wal, normalise_file
from .file_copy import copy_database, fingerprint, stream

_CHUNK = 1 << 20
_WITHOUT_WAL = (
    "%s was copied from a database in WAL mode without its -wal file: the last transactions before the copy may "
    "be missing."
)
_NOT_FULL = (
    "%s has indexes with functions or collations that only its application defines: PRAGMA quick_check was used "
    "instead of integrity_check."
)


class SqliteStore:
    """A database (`Store` in base.py). Collections are tables, records are rows.

    :param patience: seconds to wait for locks of others.
    """

    type = "sqlite"

    def __init__(self, path: str, options: Mapping[str, Any], patience: float = PATIENCE) -> None:
        check_installed()
        self.path = files.resolve(path, SourceError)
        self.local_path: Optional[str] = self.path
        self._patience = patience
        self._check: Optional[str] = options.get("check")

    def exists(self) -> bool:
        info, log = files.look(self.path, SourceError), files.look(self.path + "-wal", SourceError)
        # beside an empty file, a log may hold everything
        return info is not None and bool(info.st_size or not stat.S_ISREG(info.st_mode) or (log and log.st_size))

    def parameters(self) -> dict[str, Any]:
        return {}

    def fingerprint(self) -> str | None:
        found = fingerprint(self.path)
        return None if found is None else f"{self._check or 'default'} {found}"  # another check has to look again

    def snapshot(self, sink: Sink) -> Snapshot:
        before = self.fingerprint()
        native = os.path.join(sink.scratch, "native.db")
        journal_mode = copy_database(self.path, native, sink.progress, self._patience)
        with files.os_errors(SourceError, "Can't read", self.path):
            details = {"journal_mode": journal_mode, **Owner.of(os.stat(self.path)).details()}
        snapshot = self._deliver(native, self.path, details, sink)
        return snapshot._replace(fingerprint=before if before == self.fingerprint() else None)

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        native = os.path.join(sink.scratch, "native.db")
        if filename.endswith(".sql"):
            from .dump import execute_dump  # only here: see registry.py

            execute_dump(reader, filename, native, sink.progress)
            return self._deliver(native, filename, {"journal_mode": "delete"}, sink)
        sink.progress.start(f"Reading {filename}", unit="bytes")
        with files.os_errors(SourceError, "Can't write", native), open(native, "x+b", buffering=0) as handle:
            while True:
                data = reader.read(_CHUNK)
                if not data:
                    break
                handle.write(data)
                sink.progress.advance(len(data))
            in_wal_mode = is_wal(check_magic(handle.fileno(), filename))
        snapshot = self._deliver(native, filename, {"journal_mode": "wal" if in_wal_mode else "delete"}, sink)
        return snapshot._replace(notes=snapshot.notes + ((_WITHOUT_WAL % filename,) if in_wal_mode else ()))

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        if only:
            from .tables import prepare_tables  # only here: see registry.py

            return prepare_tables(self.path, copy, only, scratch, self._patience)
        from .restore import prepare_whole  # only here: see registry.py

        return prepare_whole(self.path, copy, scratch, dry, self._patience)

    def _deliver(self, native: str, label: str, details: Mapping[str, Any], sink: Sink) -> Snapshot:
        """Check a private copy while it is written to the sink.

        :param label: the path for errors.
        """
        from .check import default_check, inspecting  # only here: see registry.py

        header = normalise_file(native, label)
        sink.progress.start(f"Backing up {label}", header.bytes, "bytes")
        wanted = self._check or default_check(header.bytes)
        with inspecting(native, label, wanted) as inspection, sink.file(os.path.basename(self.path)) as writer:
            stream(native, writer.write)
            found = inspection()
        notes = found.notes
        if self._check not in (None, found.made):
            notes = (*notes, _NOT_FULL % label)
        details = {**details, **header.details(), "check": found.made}
        return Snapshot(writer.sha256(), found.collections, details, None, notes)
