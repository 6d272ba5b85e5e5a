# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compressions, by name and by suffix."""

from __future__ import annotations

from ..errors import MissingDependency
from .base import Compression
from .gzip_threads import Gzip
from .plain import Plain
from .xz import Xz
from .zstd_library import LIMIT, SmallZstd
from .zstd_program import Zstd

COMPRESSIONS: dict[str, Compression] = {one.name: one for one in (Zstd(), Gzip(), Xz(), Plain())}

# What users' own copies end in, beside our own suffixes.
_ALIASES = {".zstd": "zstd", ".tgz": "gzip", ".txz": "xz"}


def choose(name: str = "") -> tuple[Compression, str]:
    """The compression to use, and a note for the user when it is not the best one.

    :param name: "" for the default: zstd where its program is found, else gzip.
    :raises MissingDependency: when zstd is asked for and can't be had.
    """
    chosen = COMPRESSIONS[name or "zstd"]
    lacking = chosen.missing()
    if lacking is None:
        return chosen, ""
    if name:
        raise MissingDependency(
            f"The program {lacking}",
            f"for compression: {name}",
            f"Install the package {lacking}, or choose compression: gzip.",
        )
    return COMPRESSIONS[
        "gzip"
    ], f"The program {lacking} was not found: compressed with gzip, which is slower. Install the package {lacking}."


def for_size(compression: Compression, size: int) -> Compression:
    """The same compression in the way that suits a file of that size."""
    small = SmallZstd()
    if compression.name == small.name and size <= LIMIT and small.missing() is None:
        return small
    return compression


def usable(name: str) -> Compression:
    """The compression that something was written with. Raises MissingDependency."""
    return choose(name)[0]


def by_suffix(filename: str) -> tuple[Compression, str]:
    """The compression that a file's name tells, and the name without it ("a.db.gz" -> gzip, "a.db")."""
    for suffix, name in _ALIASES.items():
        if filename.endswith(suffix):
            return COMPRESSIONS[name], filename[: -len(suffix)] + (".tar" if suffix.startswith(".t") else "")
    for one in COMPRESSIONS.values():
        if one.suffix and filename.endswith(one.suffix):
            return one, filename[: -len(one.suffix)]
    return COMPRESSIONS["none"], filename
