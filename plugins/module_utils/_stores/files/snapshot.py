# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a snapshot of a tree: its archive and its index, from the tree itself or from a tar file made by hand."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Optional

from ..._core.errors import RepositoryError, SourceError
from ..._core.files import os_errors
from ..._core.units import plural
from ..._core.walk import walk
from ..base import Reader, Sink, Snapshot
from .archive import CHUNK, ArchiveWriter
from .identity import Identity, describe
from .index import ARCHIVE, INDEX, Index, collections_of, listed, shown
from .selection import Selection
from .write import Guarded, TreeWriter

_MOST_MARKED = 1000  # in a manifest


class TreeSnapshot:
    """The snapshot of the entries of a directory that a selection has.

    :param parameters: include and exclude, as the manifest has them.
    """

    def __init__(self, path: str, selection: Selection, parameters: Mapping[str, Any]) -> None:
        self._path, self._selection, self._parameters = path, selection, parameters
        self._name = _base_name(path)

    def take(self, sink: Sink) -> Snapshot:
        """Write the selected entries as they are, each at one moment."""
        root, spool = self._path, os.path.join(sink.scratch, "index")
        identity = Identity(root, describe(self._parameters), reading=True)
        sink.progress.start(f"Reading {root}", None, "bytes")
        with sink.file(self._name + ARCHIVE) as out, _spooled(spool) as index:
            writer = TreeWriter(Guarded(out), Guarded(index), identity, sink.progress, sink.strict)
            with os_errors(SourceError, "Can't read", root):
                for found in walk(root, self._selection, writer.failed):
                    writer.add(found)
            writer.finish(root)
            self._refuse_empty(root, writer.index)
        _copy_index(spool, sink, self._name)
        notes = []
        if writer.sockets:
            notes.append(f"Sockets are not backed up: {listed(writer.sockets)}.")
        snapshot = self._snapshot(writer.archive, writer.index, identity.value(), notes)
        return _marked(snapshot, writer.changed) if writer.changed else snapshot

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        """Take over a tar file made by hand. Names stay as they are: a leading directory is not taken away."""
        from .import_tar import import_tar  # only here: see registry.py

        spool = os.path.join(sink.scratch, "index")
        sink.progress.start(f"Importing {filename}", None, "bytes")
        with sink.file(self._name + ARCHIVE) as out, _spooled(spool) as handle:
            archive, index = ArchiveWriter(Guarded(out)), Index(Guarded(handle))
            left_out = import_tar(reader, filename, sink, archive=archive, index=index, selection=self._selection)
            self._refuse_empty(filename, index)
        _copy_index(spool, sink, self._name)
        notes = []
        if left_out:
            notes.append(f"Left out by include and exclude: {plural(left_out, 'entry', 'entries')}.")
        return self._snapshot(archive, index, None, notes)

    def _refuse_empty(self, root: str, index: Index) -> None:
        if not any(index.counts.values()):
            everything = self._selection.everything
            what = "is empty" if everything else "contains no entry that include and exclude select"
            raise SourceError(f"{root} {what}.")

    def _snapshot(
        self, archive: ArchiveWriter, index: Index, fingerprint: Optional[str], notes: Sequence[str]
    ) -> Snapshot:
        details = {"bytes": index.bytes, "archive_bytes": archive.bytes, **self._parameters}
        return Snapshot(index.content_digest, collections_of(index.counts), details, fingerprint, tuple(notes))


def _marked(snapshot: Snapshot, changed: Sequence[bytes]) -> Snapshot:
    """The snapshot with a note of the files that changed each time they were read."""
    details = {**snapshot.details, "changed_while_read": [shown(path) for path in changed[:_MOST_MARKED]]}
    note = (
        f"Changed while they were read, and backed up as read: {listed(changed)}. (With strict=true, this is an error.)"
    )
    return snapshot._replace(details=details, notes=(*snapshot.notes, note))


def _base_name(path: str) -> str:
    """The name of the files of a snapshot, from a path: valid on every system."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", os.path.basename(path)).lstrip(".-") or "tree"


@contextlib.contextmanager
def _spooled(path: str) -> Iterator[BinaryIO]:
    """A scratch file for the index: a sink accepts one file at a time."""
    with os_errors(RepositoryError, "Can't write", path), open(path, "wb") as handle:
        yield handle


def _copy_index(spool: str, sink: Sink, name: str) -> None:
    with sink.file(name + INDEX) as out, open(spool, "rb") as handle:
        while True:
            data = handle.read(CHUNK)
            if not data:
                return
            out.write(data)
