# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pg_restore reports about an archive in the directory format. Only toc.dat is needed here."""

from __future__ import annotations

import os
import re

from ...._core.errors import SourceError
from ...._core.files import os_errors
from .server import Server

# Comments of pg_dump itself (never those in the body of a function, which are data), and what is random.
_COMMENT = re.compile(
    rb"^--\n(?:-- (?:Name: |TOC entry |Data for Name: |Dependencies: |PostgreSQL database )[^\n]*\n)+--\n", re.MULTILINE
)
_LINE = re.compile(
    rb"^(?:-- Dumped from database version [^\n]*|-- Dumped by pg_dump version [^\n]*|\\(?:un)?restrict \w+)\n",
    re.MULTILINE,
)
_SETVAL = re.compile(r"setval\('((?:[^']|'')+)', (-?\d+), (true|false)\)")


def entries(server: Server, directory: str) -> list[tuple[int, str]]:
    """The number and the line of each entry of the table of contents."""
    lines = server.run([server.program("pg_restore"), "-l", directory]).decode("utf-8", "surrogateescape").split("\n")
    return [(int(line.split(";")[0]), line) for line in lines if line and not line.startswith(";")]


def normalised(text: bytes) -> bytes:
    """SQL of pg_restore or pg_dumpall without the parts that differ even if the schema is the same."""
    return _LINE.sub(b"", _COMMENT.sub(b"", text))


def schema_text(server: Server, directory: str) -> bytes:
    """The definitions in the archive, normalised; without the properties of the database itself."""
    return normalised(server.run([server.program("pg_restore"), "-s", "-f", "-", directory]))


def sequences(server: Server, directory: str, scratch: str) -> list[tuple[str, int, bool]]:
    """(name, last value, is_called) of each sequence, as pg_dump has read them: sequences obey no snapshot, so that
    another look at them could differ.
    """
    lines = [line for _number, line in entries(server, directory) if " SEQUENCE SET " in line]
    if not lines:
        return []
    wanted = os.path.join(scratch, "sequences.list")
    with os_errors(SourceError, "Can't write", wanted), open(wanted, "wb") as handle:
        handle.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
    said = server.run([server.program("pg_restore"), "-f", "-", "-L", wanted, directory])
    os.unlink(wanted)
    found = _SETVAL.findall(said.decode("utf-8", "surrogateescape"))
    return sorted((name.replace("''", "'"), int(value), called == "true") for name, value, called in found)
