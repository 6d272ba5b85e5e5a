# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sqlite: whether a database is sound, has the right version, and does not consist mostly of free space."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from .._core.errors import InvalidRequest
from .._stores.sqlite.check import PRAGMAS, check
from .._stores.sqlite.file import connect, is_busy, sqlite3
from .base import UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed, check_file

_SHOWN = 3  # problems in a message
_WHOLE = re.compile("-?[0-9]{1,10}")
# What a database file stores, and the values of those that are no numbers.
_SETTINGS: dict[str, tuple[str, ...]] = {
    "application_id": (),
    "auto_vacuum": ("none", "full", "incremental"),
    "encoding": ("utf-8", "utf-16le", "utf-16be"),
    "journal_mode": ("delete", "wal"),
    "page_size": (),
    "user_version": (),
}


class SqliteProbe(BaseProbe):
    SUMMARY = (
        "Opens an SQLite database read-only, while other processes may write to it, and runs the checks of SQLite."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "path": Option("path", "Path of the database file.", required=True),
        "check": Option(
            "text",
            ("`quick` runs PRAGMA quick_check. `full` also compares indexes with their tables, and takes longer."),
            "quick",
            choices=("quick", "full", "none"),
        ),
        "schema_version": Option("ranges", "Values of PRAGMA user_version that are ok."),
        "pragmas": Option(
            "mapping",
            "Settings that the file must have: `journal_mode` (`wal`, or `delete` for all others, which the file does"
            " not tell apart), `auto_vacuum` (`none`, `full`, `incremental`), `page_size`, `encoding`,"
            " `application_id` and `user_version`. All others, such as `foreign_keys` and `synchronous`, belong to each"
            " connection of the application, and can't be seen from outside.",
        ),
        "query": Option("text", "A SELECT that returns one number, which is used as the value."),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("", "The number returned by `query`."),
        Limit(
            "percent",
            "Free pages, as a percentage of all pages. VACUUM would release them.",
            warn=50,
            name="free_pages",
        ),
        Limit("bytes", "Size of the write-ahead log.", name="wal"),
        Limit("s", "Time taken by the checks.", name="time"),
    )
    ON_TIMEOUT = UNKNOWN

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        for name, value in (options["pragmas"] or {}).items():
            if name not in _SETTINGS:
                raise InvalidRequest(
                    f"pragmas: the file does not store {name}, so it can't be checked.",
                    f"Those that it stores are {', '.join(_SETTINGS)}. All others are set by each connection.",
                )
            choices = _SETTINGS[name]
            if value.lower() not in choices if choices else not _WHOLE.fullmatch(value):
                raise InvalidRequest(f"pragmas: {name} is {value}, not {', '.join(choices) or 'a whole number'}.")

    def run(self, deadline: Deadline) -> Finding:
        path = self.options["path"]
        deadline.doing = f"checking {path}"
        check_file(path)
        finding = self.finding()
        finding.good = f"{path} is sound" if self.options["check"] != "none" else f"{path} can be read"
        try:
            connection = connect(path, "ro")
            connection.execute(f"PRAGMA busy_timeout={int(deadline.left() * 500)}")
            with contextlib.closing(connection), deadline.stop_with(connection.interrupt):
                self._look(connection, path, finding)
        except sqlite3.Error as exc:
            deadline.left()  # the interruption is ours
            if is_busy(exc):
                raise ProbeFailed(f"{path} remains locked by another process", UNKNOWN) from None
            raise ProbeFailed(f"{path}: {exc}") from None
        finding.measure(deadline.elapsed(), "time", f"the time of the checks of {path}")
        return finding

    def _look(self, connection: Any, path: str, finding: Finding) -> None:
        version = _number(connection, "PRAGMA user_version")
        wanted = self.options["schema_version"]
        if wanted is not None and not any(low <= version <= high for low, high in wanted):
            finding.problem(f"{path} has the schema version {version}")
        finding.metric("schema_version", version)
        pages, free = _number(connection, "PRAGMA page_count"), _number(connection, "PRAGMA freelist_count")
        finding.metric("size", pages * _number(connection, "PRAGMA page_size"), "bytes")
        with contextlib.suppress(OSError):
            finding.measure(os.stat(path + "-wal").st_size, "wal", f"the write-ahead log of {path}")
        if not pages:
            finding.problem(f"{path} is empty: it has no tables")
        else:
            finding.measure(round(100.0 * free / pages, 2), "free_pages", f"the free space in {path}")
        self._settings(connection, path, finding)
        if self.options["query"]:
            self._query(connection, finding)
        if self.options["check"] != "none":
            problems, notes, made = check(connection, self.options["check"])
            if problems:
                finding.problem(f"{path} is damaged according to {PRAGMAS[made]}: {'; '.join(problems[:_SHOWN])}")
            elif notes:
                finding.problem("; ".join(notes), UNKNOWN)

    def _settings(self, connection: Any, path: str, finding: Finding) -> None:
        for name, value in (self.options["pragmas"] or {}).items():
            found = str(connection.execute(f"PRAGMA {name}").fetchone()[0]).lower()
            if name == "auto_vacuum":
                found = _SETTINGS[name][int(found)]
            same = found == value.lower() if _SETTINGS[name] else int(found) == int(value)
            if not same:
                finding.problem(f"{name} of {path} is {found}, not {value}")

    def _query(self, connection: Any, finding: Finding) -> None:
        query = self.options["query"]
        try:
            row = connection.execute(query).fetchone()
        except sqlite3.OperationalError as exc:
            finding.problem(f"the query fails: {exc}", UNKNOWN)
            return
        if not row or isinstance(row[0], bool) or not isinstance(row[0], (int, float)):
            finding.problem("the query does not return a number", UNKNOWN)
            return
        finding.good += f", the query returned {row[0]:g}"
        finding.measure(row[0], what="the result of the query")


def _number(connection: Any, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
