# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file as it is stored: its name, and the one piece or several that it lies in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import NamedTuple


class Piece(NamedTuple):
    """One stored object."""

    path: str
    bytes: int
    sha256: str


def digest_of(pieces: Sequence[Piece]) -> str:
    """The digest of a stored file: of its bytes, or of several pieces over their digests."""
    if len(pieces) == 1:
        return pieces[0].sha256
    return hashlib.sha256("".join(one.sha256 for one in pieces).encode("ascii")).hexdigest()


def key_of(name: str) -> str:
    """A name as a key of an object store, and as version 2 has it: what such a store could not keep is %XX."""
    return "".join(
        one if one.isprintable() and one not in "%\\" else "".join(f"%{byte:02X}" for byte in os.fsencode(one))
        for one in name
    )


def name_of(key: str) -> str:
    """The name that a key stands for."""
    from urllib.parse import unquote_to_bytes  # only here: see _stores/registry.py

    return os.fsdecode(unquote_to_bytes(key))
