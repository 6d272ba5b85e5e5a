# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client programs of one restore, with its scratch directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...._core.errors import Day2Error
from .programs import find, major_of
from .server import Server


class Tools:
    """pg_restore and pg_dump against a server.

    :param details: of a database in the backup.
    """

    def __init__(self, server: Server, scratch: str, details: Mapping[str, Any]) -> None:
        self.server = server
        self.scratch = scratch
        here, there = server.version // 10_000, int(details["server_version"]) // 10_000
        dumped_by = int(str(details["pg_dump_version"]).split(".", maxsplit=1)[0])
        # older programs can't read the archive
        self._version = max(here, dumped_by)
        # Definitions are compared as text, which each major version of server or program writes in another way.
        self.comparable = here == there and major_of(self._find("pg_dump")) == dumped_by

    def run(self, name: str, words: list[str], database: Optional[str], kind: type[Day2Error]) -> bytes:
        """The output of the program. Raises an error of that kind.

        :param database: where to connect to, if at all.
        """
        where = [] if database is None else [f"--dbname={self.server.conninfo(database, self.scratch)}"]
        return self.server.run([self._find(name), *where, *words], kind)

    def _find(self, name: str) -> str:
        return find(name, self._version, self.server.options.get("bin"))
