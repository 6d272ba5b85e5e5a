# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `files` store: a directory with everything below it, or what `include` and `exclude` leave of it.

A snapshot is two files: `NAME.tar` (POSIX tar, see tree_archive.py) and `NAME.index.jsonl` (one line an entry with
all that identifies it, see tree_index.py). Symbolic links are kept as links, sockets are left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Optional

from ..._core.errors import Day2Error, InvalidRequest, RepositoryError, SourceError
from ..._core.files import kind_of as kind_in_words
from ..._core.files import look, os_errors, resolve
from ..._core.units import plural
from ..._core.walk import ignore, walk
from ..base import Copy, Reader, Restoration, Sink, Snapshot
from .archive import CHUNK, ArchiveWriter
from .identity import Identity, identify
from .index import ARCHIVE, INDEX, Index, collections_of, listed, shown
from .read import kind_of
from .selection import Selection
from .write import Guarded, TreeWriter

_MOST_MARKED = 1000  # in a manifest


class FilesStore:
    """See `Store` in base.py."""

    type = "files"

    def __init__(self, path: str, options: Mapping[str, Any]) -> None:
        self.path = os.path.abspath(path)
        self.local_path: Optional[str] = self.path
        self._include = sorted(set(options.get("include") or ()))
        self._exclude = sorted(set(options.get("exclude") or ()))
        self._selection = Selection(self._include, self._exclude)

    def exists(self) -> bool:
        """Is there anything at the path that a backup would hold? (An empty directory is nothing, nor are sockets.)"""
        try:
            found = walk(self.path, self._selection, ignore)
            return any(one.selected and one.path and kind_of(one.info) for one in found)
        except FileNotFoundError:
            return os.path.lexists(self.path)
        except OSError:
            return True

    def parameters(self) -> dict[str, Any]:
        """The options in effect."""
        return {"include": list(self._include), "exclude": list(self._exclude)}

    def fingerprint(self) -> Optional[str]:
        """The attributes of all selected entries; None where they can't be trusted."""
        try:
            return identify(_existing(self.path), self._selection, self._description())
        except (Day2Error, OSError):
            return None

    def snapshot(self, sink: Sink) -> Snapshot:
        """Write the selected entries as they are, each at one moment."""
        root = _existing(self.path)
        name = _base_name(root)
        spool = os.path.join(sink.scratch, "index")
        identity = Identity(root, self._description(), reading=True)
        sink.progress.start(f"Reading {root}", None, "bytes")
        with sink.file(name + ARCHIVE) as out, _spooled(spool) as index:
            writer = TreeWriter(Guarded(out), Guarded(index), identity, sink.progress, sink.strict)
            with os_errors(SourceError, "Can't read", root):
                for found in walk(root, self._selection, writer.failed):
                    writer.add(found)
            writer.finish(root)
            self._refuse_empty(root, writer.index)
        _copy_index(spool, sink, name)
        notes = []
        if writer.sockets:
            notes.append(f"Sockets are not backed up: {listed(writer.sockets)}.")
        snapshot = self._told(writer.archive, writer.index, identity.value(), notes)
        return _marked(snapshot, writer.changed) if writer.changed else snapshot

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        """Take over a tar file made by hand. Names stay as they are: a leading directory is not taken away."""
        from .import_tar import import_tar  # only here: see registry.py

        name = _base_name(self.path)
        spool = os.path.join(sink.scratch, "index")
        sink.progress.start(f"Importing {filename}", None, "bytes")
        with sink.file(name + ARCHIVE) as out, _spooled(spool) as handle:
            archive, index = ArchiveWriter(Guarded(out)), Index(Guarded(handle))
            left_out = import_tar(reader, filename, sink, archive=archive, index=index, selection=self._selection)
            self._refuse_empty(filename, index)
        _copy_index(spool, sink, name)
        notes = (
            ["Not selected by include and exclude, and left out: %s." % plural(left_out, "entry", "entries")]
            if left_out
            else []
        )
        return self._told(archive, index, None, notes)

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        """Build the new tree beside the old one, verified, to be exchanged with it."""
        from .restore import TreeRestoration  # only here: see registry.py

        self._refuse_another_selection(copy.details)
        return TreeRestoration(self.path, copy, only=only, scratch=scratch, dry=dry)

    def _refuse_another_selection(self, recorded: Mapping[str, Any]) -> None:
        """What is replaced is what the backup selects: a safety backup of less would lose the rest."""
        wanted = {"include": recorded.get("include") or [], "exclude": recorded.get("exclude") or []}
        if (self._include or self._exclude) and self.parameters() != wanted:
            raise InvalidRequest(
                f"include and exclude of the target differ from those of the backup: {json.dumps(wanted)}.",
                "Omit them, as a restore uses those of the backup, or restore only some paths (only).",
            )

    def _description(self) -> str:
        return json.dumps(self.parameters(), sort_keys=True)

    def _refuse_empty(self, root: str, index: Index) -> None:
        if not any(index.counts.values()):
            what = "contains nothing that include and exclude select" if self._include or self._exclude else "is empty"
            raise SourceError(f"{root} {what}.")

    def _told(self, archive: ArchiveWriter, index: Index, fingerprint: Optional[str], notes: Sequence[str]) -> Snapshot:
        details = {"bytes": index.bytes, "archive_bytes": archive.bytes, **self.parameters()}
        return Snapshot(index.content_digest, collections_of(index.counts), details, fingerprint, tuple(notes))


def _marked(snapshot: Snapshot, changed: Sequence[bytes]) -> Snapshot:
    """Say which files changed each time they were read."""
    details = {**snapshot.details, "changed_while_read": [shown(path) for path in changed[:_MOST_MARKED]]}
    note = (
        f"Changed while they were read, and backed up as read: {listed(changed)}. (With strict=true, this is an error.)"
    )
    return snapshot._replace(details=details, notes=(*snapshot.notes, note))


def _existing(path: str) -> str:
    """The real path of the directory. Raises SourceError."""
    root = resolve(path, SourceError)
    info = look(root, SourceError)
    if info is None:
        raise SourceError(f"{root} does not exist.", "Check the path.")
    if not stat.S_ISDIR(info.st_mode):
        raise SourceError(f"{root} is {kind_in_words(info)}, not a directory.", "Check the path and the type.")
    return root


def _base_name(path: str) -> str:
    """What to call a tree's files: safe on every system."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", os.path.basename(path)).lstrip(".-") or "tree"


@contextlib.contextmanager
def _spooled(path: str) -> Iterator[BinaryIO]:
    """A scratch file to keep the index in: a sink takes one file after the other."""
    with os_errors(RepositoryError, "Can't write", path), open(path, "wb") as handle:
        yield handle


def _copy_index(spool: str, sink: Sink, name: str) -> None:
    with sink.file(name + INDEX) as out, open(spool, "rb") as handle:
        while True:
            data = handle.read(CHUNK)
            if not data:
                return
            out.write(data)
