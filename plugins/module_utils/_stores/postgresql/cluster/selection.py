# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selects the tables whose rows are backed up. (All definitions are, as other objects can refer to any table.)"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Optional

from ...._core.errors import SourceError
from ..client import errors
from .identity import Table, list_tables
from .server import Server


class Selection:
    """Globs of `schema.table`. One without a dot is matched against the names of tables in all schemas."""

    def __init__(self, options: Optional[Mapping[str, Any]]) -> None:
        given = options or {}
        self.include = sorted(set(given.get("include") or ()))
        self.exclude = sorted(set(given.get("exclude") or ()))
        self._matched: set[str] = set()

    def divide(self, tables: Iterable[Table]) -> tuple[list[Table], list[Table]]:
        """Those with rows in the backup, and those without."""
        chosen: list[Table] = []
        rest: list[Table] = []
        for one in tables:
            wanted = (not self.include or self._any(self.include, one)) and not self._any(self.exclude, one)
            (chosen if wanted else rest).append(one)
        return chosen, rest

    def check(self, server: Server, databases: Sequence[str]) -> None:
        """Raise SourceError if a pattern of `include` matches no table of the databases."""
        for name in databases if self.include else ():
            with contextlib.closing(server.connect(name)) as connection:
                with errors(SourceError, f"Can't list the tables of {name}"):
                    self.divide(list_tables(connection))
        missing = [pattern for pattern in self.include if pattern not in self._matched]
        if missing:
            raise SourceError(
                f"No table in {', '.join(databases)} matches {', '.join(missing)}.",
                "Correct tables.include. Write schema.table, such as public.users or audit.*.",
            )

    def _any(self, patterns: Iterable[str], table: Table) -> bool:
        found = [one for one in patterns if fnmatchcase(table.shown if "." in one else table.name, one)]
        self._matched.update(found)
        return bool(found)
