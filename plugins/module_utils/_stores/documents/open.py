# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON document that is opened once: everything is read through one descriptor, which worker processes inherit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Optional

from ..._core import files
from ..._core.errors import SourceError
from ..._core.fingerprint import attributes
from . import stream as json_stream
from .document import Document, Member
from .doubles import Doubles
from .parts import Part, parts_of
from .read import settled_stat, stem

_CHUNK = 1 << 20


class OpenDocument:
    """The document that was at `path` when it was opened, whatever replaces it."""

    def __init__(self, path: str, fd: int, name: str, tags: bool = False) -> None:
        """:param name: of the document, whose stem names a collection that is a top-level list.
        :param tags: they stand for values that JSON lacks.
        """
        self.fd = fd
        self._tags = tags
        self._path = path
        self._seen = attributes(settled_stat(fd))
        self.document: Optional[Document] = None
        self.doubles = Doubles()
        if os.fstat(fd).st_size:
            place = _Reading(fd)
            self.document = json_stream.scan(place.read, path, stem(name), doubles=self.doubles)

    def close(self) -> None:
        os.close(self.fd)

    def whole(self) -> Iterator[bytes]:
        """The text of the whole document, in pieces."""
        return self.content(self.document.root) if self.document is not None else iter(())

    def changed(self) -> bool:
        """Whether there is another file at the path now, or another content."""
        try:
            return attributes(os.stat(self._path)) != self._seen
        except FileNotFoundError:
            return True

    def content(self, member: Member) -> Iterator[bytes]:
        """The text of a member, in pieces."""
        place = _Reading(self.fd, member.start)
        while place.at < member.end:
            data = place.read(min(_CHUNK, member.end - place.at))
            if not data:
                raise SourceError(f"{self._path} became shorter while it was read.")
            yield data

    def parts(self, member: Member) -> list[Part]:
        """The members of a collection, in consecutive parts that can be read independently."""
        return parts_of(self.fd, f"{self._path} ({member.name})", member, self._tags)


class _Reading:
    """A position of its own in a file: workers share the descriptor."""

    def __init__(self, fd: int, at: int = 0) -> None:
        self.at = at
        self._fd = fd

    def read(self, size: int) -> bytes:
        data = os.pread(self._fd, size, self.at)
        self.at += len(data)
        return data


def open_document(path: str, name: str, tags: bool = False) -> Optional[OpenDocument]:
    """The document at the path; None if there is none."""
    if files.look(path, SourceError) is None:
        return None
    fd = files.open_regular(path, SourceError)
    try:
        return OpenDocument(path, fd, name, tags)
    except BaseException:
        os.close(fd)
        raise
