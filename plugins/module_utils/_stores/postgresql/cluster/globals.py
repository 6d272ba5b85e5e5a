# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that all databases of a cluster share: roles with their settings, and tablespaces. Passwords are optional."""

from __future__ import annotations

import hashlib

from ...base import Sink
from .archive import normalised
from .server import Server


def write_globals(server: Server, sink: Sink, passwords: bool) -> str:
    """Write `globals.sql` into the sink. Returns the hex digest of its content.

    :param passwords: include passwords of roles, which only a superuser can read.
    """
    text = server.run(
        [
            server.program("pg_dumpall"),
            "--globals-only",
            *([] if passwords else ["--no-role-passwords"]),
            "-w",
            f"--database={server.maintenance}",
            f"--dbname={server.conninfo(None, sink.scratch)}",
        ]
    )
    with sink.file("globals.sql") as out:
        out.write(text)
    return hashlib.sha256(normalised(text)).hexdigest()
