# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of a state machine in SQLite."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ..._core import files
from ..._core.errors import InvalidRequest, SourceError, TargetError, Violation
from ..sql.lifecycle import LifecycleTables
from .file import check_installed, connect, sqlite3, sqlite_errors
from .schema import identifier

_PAGE = 500  # subjects in one query: older versions take 999 values
_PATIENCE = 30_000  # milliseconds to wait for other writers


class SqliteLifecycle(LifecycleTables):
    """A database, read in one transaction unless it is written."""

    abort = " OR ABORT"

    def __init__(self, options: Mapping[str, Any], machine: str, history: str, *, write: bool) -> None:
        check_installed()
        self.location = self._path = files.resolve(options["path"], InvalidRequest)
        super().__init__(machine, history)
        if files.look(self._path, SourceError) is None:
            raise SourceError(f"{self._path} does not exist.", "Check the path of store.")
        with sqlite_errors(SourceError, "Can't open the database", self._path):
            self._connection = connect(self._path, "rw" if write else "ro")
            self._connection.text_factory = str
            self._connection.execute(f"PRAGMA busy_timeout={_PATIENCE}")
            self._connection.execute("PRAGMA foreign_keys=ON")

    def __enter__(self) -> SqliteLifecycle:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()

    def identifier(self, name: str) -> str:
        return identifier(name)

    def table(self, name: str) -> str:
        return identifier(name)

    def columns(self, table: str) -> Collection[str]:
        return [str(row[1]) for row in self.execute(f"PRAGMA table_xinfo({identifier(table)})")]

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._errors():
            return self._connection.execute(statement, list(values)).fetchall()

    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> int:
        with self._errors():
            return self._connection.executemany(statement, rows).rowcount

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        with sqlite_errors(TargetError, "Can't use the database", self._path):
            try:
                yield
            except sqlite3.IntegrityError as exc:
                raise Violation(f"The database {self._path} refuses it: {exc}.") from None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def stored_key(self, table: str, key: str, subject: str) -> str:
        copied = f"CREATE TEMP TABLE day2_key AS SELECT {identifier(key)} AS key FROM main.{identifier(table)} LIMIT 0"
        self.execute(copied)  # its column converts values as that of the table does
        try:
            self.execute("INSERT INTO temp.day2_key VALUES (?)", [subject])
            return str(self.execute("SELECT key FROM temp.day2_key")[0][0])
        finally:
            self.execute("DROP TABLE temp.day2_key")

    def found(self, table: str, key: str, columns: str, subjects: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(subjects), _PAGE):
            some = subjects[start : start + _PAGE]
            marks = ", ".join("?" * len(some))
            yield from self.execute(
                f"SELECT {columns} FROM {identifier(table)} WHERE {identifier(key)} IN ({marks})", some
            )
