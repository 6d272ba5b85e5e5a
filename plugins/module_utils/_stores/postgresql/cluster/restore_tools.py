# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client programs of one restore, with its scratch directory."""

from __future__ import annotations

from typing import Optional

from ...._core.errors import Day2Error
from .programs import find
from .server import Server


class Tools:
    """pg_restore and pg_dump against a server.

    :param archive_version: major version of the pg_dump that wrote the archive, which older programs can't read.
    """

    def __init__(self, server: Server, scratch: str, archive_version: int) -> None:
        self.server = server
        self.scratch = scratch
        self._version = max(server.version // 10_000, archive_version)

    def run(self, name: str, words: list[str], database: Optional[str], kind: type[Day2Error]) -> bytes:
        """What the program writes. Raises an error of that kind.

        :param database: where to connect to, if at all.
        """
        where = [] if database is None else [f"--dbname={self.server.conninfo(database, self.scratch)}"]
        return self.server.run([find(name, self._version, self.server.options.get("bin")), *where, *words], kind)
