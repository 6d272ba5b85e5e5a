# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `json` store: an application's data in one JSON document, or in a directory of them.

| layout | a collection is | a record is |
|---|---|---|
| single_file (default) | a top-level key whose value is a list or mapping | a member of it |
| file_per_collection | NAME.json, a list or mapping | a member of it |
| file_per_record | a directory | COLLECTION/KEY.json |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from ..._core import files
from ..._core.errors import DamagedBackup, InvalidRequest
from ..base import Copy, Reader, Restoration, Sink, Snapshot
from . import identity

if TYPE_CHECKING:
    from .directory import Directory
    from .file import SingleFile

_SINGLE_FILE = "single_file"


class JsonStore:
    """JSON documents in any layout (`Store` in base.py)."""

    type = "json"

    def __init__(self, path: str, options: Mapping[str, Any]) -> None:
        self.path = files.resolve(path, InvalidRequest)
        self.local_path: Optional[str] = self.path
        self._layout = str(options.get("layout") or _SINGLE_FILE)

    def exists(self) -> bool:
        """Whether there is anything at the path. Empty files and directories without documents do not count."""
        return identity.exists(self.path) if self._layout == _SINGLE_FILE else self._directory().exists()

    def parameters(self) -> dict[str, Any]:
        """The options in effect."""
        return {"layout": self._layout}

    def fingerprint(self) -> Optional[str]:
        """The attributes of all documents; None if they cannot be trusted."""
        return identity.fingerprint(self.path) if self._layout == _SINGLE_FILE else self._directory().fingerprint()

    def snapshot(self, sink: Sink) -> Snapshot:
        """Write the document as it is, byte for byte, or a directory as a tar file. All of it is valid JSON."""
        return self._native().snapshot(sink)

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        """Import a document, or a tar file of a directory, that was copied by hand."""
        return self._native().convert(reader, filename, sink)

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        """Write the new document or directory beside the old one, to be exchanged with it."""
        layout = copy.details.get("layout")
        if layout != self._layout:
            raise InvalidRequest(
                f"The backup has the layout {layout}, but the target has the layout {self._layout}.",
                f"Set layout of the target to {layout}.",
            )
        if len(copy.names()) != 1:
            problem = {"path": "data", "problem": f"it has {len(copy.names())} files instead of one"}
            raise DamagedBackup("data", [problem])
        known = [one.name for one in copy.collections]
        unknown = [name for name in only if name not in known]
        if unknown:
            raise InvalidRequest(
                f"The backup has no collection {', '.join(unknown)}.",
                f"Its collections are: {', '.join(known) or 'none'}.",
            )
        return self._native().prepare(copy, only, scratch, dry)

    def _native(self) -> Union[SingleFile, Directory]:
        if self._layout != _SINGLE_FILE:
            return self._directory()
        from .file import SingleFile  # only here: see registry.py

        return SingleFile(self.path)

    def _directory(self) -> Directory:
        from .directory import Directory  # only here: see registry.py
        from .layout import LAYOUTS

        return Directory(self.path, LAYOUTS[self._layout])
