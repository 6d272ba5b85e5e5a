# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SHA256SUMS, as `sha256sum -c` reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Optional

from .pieces import Piece

_SUM = re.compile(rb"(\\?)([0-9a-f]{64})  (.+)", re.DOTALL)


def written(pieces: Iterable[Piece]) -> bytes:
    """A line for each."""
    return b"".join(_sum_line(piece.sha256, piece.path) for piece in pieces)


def _sum_line(digest: str, path: str) -> bytes:
    """A line as sha256sum writes it: a name with a backslash or a line end is escaped, after a backslash."""
    name = path.encode("utf-8", "surrogateescape")
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"\\" if escaped != name else b"") + digest.encode("ascii") + b"  " + escaped + b"\n"


def parse_sums(sums_bytes: bytes) -> dict[str, str]:
    """The digest of each path. Raises ValueError."""
    sums: dict[str, str] = {}
    lines = sums_bytes.split(b"\n")
    if lines.pop() != b"":
        raise ValueError("its last line is incomplete")
    for line in lines:
        match = _SUM.fullmatch(line)
        name = None if match is None else _unescaped(match[3]) if match[1] else match[3]
        path = (name or b"").decode("utf-8", "surrogateescape")
        if match is None or not path or path in sums:
            raise ValueError(f"{ascii(line[:100])[1:]} is not a line of sha256sum")
        sums[path] = match[2].decode("ascii")
    return sums


def _unescaped(name: bytes) -> Optional[bytes]:
    """The name in an escaped line, or None if it is invalid."""
    if not re.fullmatch(rb"(?:[^\\]|\\[\\nr])+", name):
        return None
    return re.sub(rb"\\(.)", lambda match: {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}[match[1]], name)
