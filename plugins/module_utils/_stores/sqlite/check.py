# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that a private copy of a database is sound, and counts the rows of its tables."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Optional

from ..._core.collection import Collection
from ..._core.errors import SourceError
from .file import Unreadable, connect, sqlite3, sqlite_errors
from .schema import Table, identifier, tables

_SHOWN = 5  # problems in an error
_HINT = "Restore it from a good backup, or repair it with .recover of sqlite3."
_FULL_HINT = f"If only indexes are affected, REINDEX repairs them, and check=quick backs it up anyway. {_HINT}"
_COLLATION = re.compile(r"no such collation sequence: (.*)", re.S)
_COUNTED = ("_docsize", "_content", "_rowid")  # tables with one row for each of a virtual table's
# Applications may bring functions, modules and tokenizers of their own.
_UNKNOWN = (
    "no such function",
    "unknown function",
    "no such module",
    "no such tokenizer",
    "unknown tokenizer",
    "vtable constructor failed",
)


QUICK, FULL = "quick", "full"
PRAGMAS = {QUICK: "quick_check", FULL: "integrity_check"}
# Up to here, a full check takes less than the rest of a backup. It looks each entry of each index up in its table:
# 0.4 s for 20 MB, 12 s for 300 MB, which are compressed in little more than a second.
_SMALL = 16 << 20


class Inspection(NamedTuple):
    """The result of a check. `made` is the check that was finally run, QUICK or FULL."""

    collections: tuple[Collection, ...]
    notes: tuple[str, ...]
    made: str


def default_check(size: int) -> str:
    """The check of a database of this size in bytes, unless one was requested."""
    return FULL if size <= _SMALL else QUICK


@contextlib.contextmanager
def inspecting(path: str, label: str, wanted: str) -> Iterator[Callable[[], Inspection]]:
    """Inspect the private copy at `path` in a thread while the block runs. Yields a function that returns the result.

    :param label: the path for errors.
    :param wanted: QUICK or FULL.
    :raises Unreadable: (the yielded function) the database is damaged; with the first problems.
    """
    with sqlite_errors(SourceError, "Can't read the copy of", label):
        connection = connect(path, "ro", immutable=True)
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(inspect(connection, label, wanted))
        except BaseException as exc:  # raised again where the outcome is asked for
            outcome.append(exc)

    thread = threading.Thread(target=run, name="day2-sqlite-check", daemon=True)

    def result() -> Inspection:
        thread.join()
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        inspection: Inspection = outcome[0]
        return inspection

    thread.start()
    try:
        yield result
    finally:
        if thread.is_alive():
            connection.interrupt()
            thread.join()
        connection.close()


def inspect(connection: sqlite3.Connection, label: str, wanted: str) -> Inspection:
    """Check the database and count the rows of all tables.

    :raises Unreadable: the database is damaged; with the first problems.
    """
    with sqlite_errors(Unreadable, "Can't read the database", label, _HINT):
        problems, notes, made = check(connection, wanted)
        if problems:
            raise Unreadable(
                f"{label} is damaged according to PRAGMA {PRAGMAS[made]}: {'; '.join(problems[:_SHOWN])}.",
                _HINT if made == QUICK else _FULL_HINT,
                {"problems": problems},
            )
        return Inspection(count_rows(connection), notes, made)


def count_rows(connection: sqlite3.Connection) -> tuple[Collection, ...]:
    """The numbers of rows of all tables, except virtual ones that cannot be counted here."""
    counts = [(table.name, _count(connection, table)) for table in tables(connection)]
    return tuple(Collection(name, records) for name, records in counts if records is not None)


def check(connection: sqlite3.Connection, wanted: str) -> tuple[list[str], tuple[str, ...], str]:
    """The problems that the check finds, at most 20 lines; what it could not check; and the check that was run.

    Indexes with functions or collations that are unknown here cannot be compared with their tables: QUICK is run then.
    """
    # Rows that don't meet their CHECK are the application's business, and its functions may be needed to tell.
    connection.execute("PRAGMA ignore_check_constraints=ON")
    unknown: list[str] = []
    while True:
        try:
            rows = [str(row[0]) for row in connection.execute(f"PRAGMA {PRAGMAS[wanted]}(20)")]
        except sqlite3.OperationalError as exc:
            collation = _COLLATION.fullmatch(str(exc))
            if collation and collation[1] not in unknown:  # without any, nothing of the table can be read
                connection.create_collation(collation[1], _bytewise)
                unknown.append(collation[1])
                wanted = QUICK
                continue
            if str(exc).startswith(_UNKNOWN):
                if wanted == QUICK:
                    return [], (f"PRAGMA {PRAGMAS[QUICK]} could not run here: {exc}.",), QUICK
                wanted = QUICK
                continue
            raise
        lines = [line for row in rows if row != "ok" for line in row.splitlines()]
        problems = [line for line in lines if not line.startswith("***")]  # the heading
        if unknown:
            problems = [line for line in problems if "PRIMARY KEY order" not in line]
        notes = tuple(f"The order by the unknown collation {one} was not checked." for one in unknown)
        return problems, notes, wanted


def _count(connection: sqlite3.Connection, table: Table) -> Optional[int]:
    # Not all full-text tables can be counted as such; those that they are made of can.
    counted = next((one for one in table.shadows if one.endswith(_COUNTED)), table.name)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {identifier(counted)}").fetchone()[0])
    except sqlite3.OperationalError:
        if table.module:  # it is not in this SQLite library, or misses something else
            return None
        raise


def _bytewise(first: str, second: str) -> int:
    return (first > second) - (first < second)
