# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compressions, by name and by suffix."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Callable, Optional

from ..errors import MissingDependency
from . import zstd
from .base import Compression, Readable, Writable


def _gzip() -> Any:
    from . import gzip_zlib

    return gzip_zlib


def _xz() -> Any:
    from . import xz

    return xz


def _plain() -> Any:
    from . import plain

    return plain


def _nothing() -> Optional[str]:
    return None


class _Loaded:
    """A compression whose code is imported when it is used: a module is compiled anew for each task, and most tasks
    find nothing to compress.

    :param load: returns the module with the functions `writer` and `reader`.
    """

    def __init__(
        self, name: str, suffix: str, load: Callable[[], Any], missing: Callable[[], Optional[str]] = _nothing
    ) -> None:
        self.name, self.suffix = name, suffix
        self.missing = missing
        self._load = load

    def writer(self, fd: int) -> AbstractContextManager[Writable]:
        opened: AbstractContextManager[Writable] = self._load().writer(fd)
        return opened

    def reader(self, source: Readable) -> AbstractContextManager[Readable]:
        opened: AbstractContextManager[Readable] = self._load().reader(source)
        return opened


COMPRESSIONS: dict[str, Compression] = {
    one.name: one
    for one in (
        _Loaded("zstd", ".zst", lambda: zstd, zstd.missing),
        _Loaded("gzip", ".gz", _gzip),
        _Loaded("xz", ".xz", _xz),
        _Loaded("none", "", _plain),
    )
}


def load_all() -> None:
    """Import what `COMPRESSIONS` imports when it is used.

    To be called before another user is taken: a task's code is in a file that only its own user can read.
    """
    from . import gzip_zlib, plain, xz, zstd_library, zstd_program  # noqa: F401


# Suffixes of copies that users made, in addition to our own.
_ALIASES = {".zstd": "zstd", ".tgz": "gzip", ".txz": "xz"}


def choose(name: str = "") -> tuple[Compression, str]:
    """The compression to use, and a note for the user if a better one is not available.

    Raises MissingDependency when zstd is requested but not installed.

    :param name: "" for the default: zstd if its program is found, otherwise gzip.
    """
    chosen = COMPRESSIONS[name or "zstd"]
    lacking = chosen.missing()
    if lacking is None:
        return chosen, ""
    if name:
        raise MissingDependency(
            f"The program {lacking}",
            f"for compression: {name}",
            f"Install the package {lacking}, or set compression=gzip.",
        )
    return COMPRESSIONS["gzip"], (
        f"Compressed with gzip, which is slower, because the program {lacking} was not found. Install the package "
        f"{lacking}."
    )


def usable(name: str) -> Compression:
    """The compression that something was written with. Raises MissingDependency when its program is missing."""
    return choose(name)[0]


def by_suffix(filename: str) -> tuple[Compression, str]:
    """The compression that the suffix of a file name stands for, and the name without it ("a.db.gz" -> gzip,
    "a.db")."""
    for suffix, name in _ALIASES.items():
        if filename.endswith(suffix):
            return COMPRESSIONS[name], filename[: -len(suffix)] + (".tar" if suffix.startswith(".t") else "")
    for one in COMPRESSIONS.values():
        if one.suffix and filename.endswith(one.suffix):
            return one, filename[: -len(one.suffix)]
    return COMPRESSIONS["none"], filename
