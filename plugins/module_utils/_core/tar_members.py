# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of an untrusted tar file: nothing in a header is used before it is checked."""

from __future__ import annotations

import contextlib
import os
import tarfile
from collections.abc import Iterator
from typing import IO, Any

from .paths import is_safe

# What the parser of somebody else's bytes may raise.
ERRORS = (tarfile.TarError, ValueError, LookupError, TypeError, ArithmeticError, EOFError, RecursionError)

_LONGEST_HEADER = 1 << 20
_BLOCK = 512
# tarfile copies what is left of it at each reading of a stream.
_BUFFER = 32 * 1024
_EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class _Header(tarfile.TarInfo):
    """tarfile reads extended headers into memory, however large they claim to be."""

    # Meant to be overridden, a comment in tarfile says; `frombuf` is not called by all its versions.
    # pylint: disable-next=arguments-renamed
    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENDED and self.size > _LONGEST_HEADER:
            raise ValueError(f"it has a header of {self.size} bytes")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member


@contextlib.contextmanager
def opened(source: Any, mode: str) -> Iterator[tarfile.TarFile]:
    """A tar file to be read with `members`; `mode` is "r:" for a file that can be sought, "r|" for a stream.

    Raises one of ERRORS when it is damaged, as everything here does.
    """
    buffer = {"bufsize": _BUFFER} if mode == "r|" else {}
    with tarfile.open(fileobj=source, mode=mode, tarinfo=_Header, encoding="utf-8", errorlevel=2, **buffer) as tar:  # type: ignore[call-overload]
        yield tar


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members in the order of the file."""
    reached = -1
    # without a first member, next() fails on older Pythons
    info = tar.next() if tar.firstmember is not None else None  # type: ignore[attr-defined]
    while info is not None:
        if info.offset <= reached or info.size < 0:  # sizes in extended headers can lead back
            raise ValueError(f"it contains {info.name!r}, whose size is not valid")
        reached = info.offset
        tar.members = []  # type: ignore[attr-defined]  # it would keep them all
        yield info
        info = tar.next()


def spooled(handle: IO[bytes]) -> Iterator[tarfile.TarInfo]:
    """The members of a file that can be sought, and that ends as a tar file does."""
    handle.seek(0)
    with opened(handle, "r:") as tar:
        size = os.fstat(handle.fileno()).st_size
        for info in members(tar):
            if tar.offset > size:  # where the next header is
                raise ValueError("it is truncated: the size of its last member exceeds the rest of the file")
            yield info
        # tarfile also stops, without a word, at what it does not understand
        handle.seek(tar.offset)
        if handle.read(_BLOCK) != bytes(_BLOCK):
            raise ValueError("it is damaged or truncated")


def path_of(info: tarfile.TarInfo) -> bytes:
    """The path of a member below the directory that it is extracted to; b"" for that itself. Raises ValueError."""
    path = info.name.encode("utf-8", "surrogateescape")
    while path.startswith(b"./"):
        path = path[2:].lstrip(b"/")
    path = b"" if path == b"." else path.rstrip(b"/")
    if not (is_safe(path) if path else info.isdir()):
        raise ValueError(f"it contains {info.name!r}, which is outside of the store")
    return path
