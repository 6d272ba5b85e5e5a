# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a JSON document says of itself."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import Any

from ..._core import files
from ..._core.errors import InvalidRequest, SourceError
from ..._core.progress import Progress
from ..records.inspection import OF_COLLECTION, Figures, file_figures, listed
from .open import open_document

_NONE = "a JSON document has none"
_DIRECTORY = "the path is a directory: name one of its files to see more"


class JsonInspection:
    """A document, or a directory with several."""

    type = "json"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.location = self._path = files.resolve(options["path"], InvalidRequest)

    def __enter__(self) -> JsonInspection:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is open."""

    def figures(self, deep: bool, progress: Progress) -> Figures:
        info = files.look(self._path, SourceError)
        if info is None:
            raise SourceError(f"{self._path} does not exist.", "Check the path of store.")
        if stat.S_ISDIR(info.st_mode):
            return self._directory()
        return self._document(progress)

    def _directory(self) -> Figures:
        figures = Figures()
        found = [
            file_figures(one.name, one.path, one.info)
            for one in listed(self._path, lambda path: "document" if path.endswith(".json") else "")
        ]
        figures.know("databases", found, "files of the directory that end in .json")
        figures.know("bytes", sum(one.get("bytes") for one in found), "sizes of the files")
        figures.unknown("collections", _DIRECTORY)
        return figures

    def _document(self, progress: Progress) -> Figures:
        progress.start(f"Reading {self._path}")
        source = open_document(self._path, os.path.basename(self._path))
        if source is None:  # removed meanwhile
            raise SourceError(f"{self._path} does not exist.", "Check the path of store.")
        try:
            info = os.fstat(source.fd)
            database = file_figures(os.path.basename(self._path), self._path, info)
            figures = Figures()
            figures.know("databases", [database], "the file")
            figures.know("bytes", info.st_size, "size of the file")
            collections = []
            document = source.document
            for one in document.collections() if document is not None else ():
                entry = Figures(name=one.name)
                entry.know("records", one.records, "members of the list or mapping")
                member = document.find(one.name) if document is not None else None
                if member is not None:
                    entry.know("bytes", member.end - member.start, "text of the collection")
                entry.complete(OF_COLLECTION, _NONE)
                collections.append(entry)
            figures.know("collections", collections, "top-level keys")
        finally:
            source.close()
        return figures
