# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compressions, by name and by suffix."""

from __future__ import annotations

from ..errors import MissingDependency
from .base import Compression
from .gzip_zlib import Gzip
from .plain import Plain
from .xz import Xz
from .zstd import Zstd

COMPRESSIONS: dict[str, Compression] = {one.name: one for one in (Zstd(), Gzip(), Xz(), Plain())}

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
