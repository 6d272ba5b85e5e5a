# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file as it is stored: in one piece, or in several where the repository can't keep it in one."""

from __future__ import annotations

import hashlib
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
