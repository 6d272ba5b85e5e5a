# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creates a database from the text that `.dump` of sqlite3 has written."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import Optional

from ..._core.errors import SourceError
from ..._core.progress import Progress
from ..base import Reader
from .file import connect, sqlite3, sqlite_errors

_CHUNK = 1 << 20
_LONGEST = 100_000_000  # characters of a statement; SQLite itself takes 1,000,000,000

_HINT = "Import the database file itself instead."

# What a semicolon may be hidden in begins with one of these …
_OPENING = re.compile(r"""['"`\[;]|--|/\*""")
# … and ends with that. Two quotes in a row end one text and begin the next: the outcome is the same.
_CLOSING = {"'": "'", '"': '"', "`": "`", "[": "]", "--": "\n", "/*": "*/"}
_NOTHING = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.S)

# Settings that a dump may make; others reach outside the database or change how it is read.
_PRAGMAS = frozenset(
    [
        "application_id",
        "auto_vacuum",
        "defer_foreign_keys",
        "encoding",
        "foreign_keys",
        "journal_mode",
        "legacy_alter_table",
        "page_size",
        "synchronous",
        "user_version",
        "writable_schema",
    ]
)


def execute_dump(reader: Reader, label: str, destination: str, progress: Progress) -> None:
    """Execute a dump, statement by statement, into a new database at `destination` (in a private directory).

    :raises SourceError: a statement fails or does what a dump does not; with the line that it begins in.
    """
    progress.start(f"Reading {label}", unit="bytes")
    with (
        sqlite_errors(SourceError, "Can't execute", label),
        contextlib.closing(connect(destination, "rwc")) as connection,
    ):
        connection.execute("PRAGMA synchronous=OFF")
        connection.set_authorizer(_authorize)
        connection.set_progress_handler(progress.check, 1_000_000)
        line, finished = 1, True
        for line, statement in statements(_text(reader, label, progress), label):
            _execute(connection, statement, label, line)
            finished = not connection.in_transaction
        if not finished:
            raise SourceError(f"{label} ends inside a transaction: the dump is incomplete.")
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise SourceError(f"{label} creates no table.", "Check that it is the output of sqlite3's .dump.")


def _execute(connection: sqlite3.Connection, statement: str, label: str, line: int) -> None:
    if re.match(r"\s*ROLLBACK\b", statement, re.I):
        raise SourceError(
            f"{label}, line {line}: the dump ends with ROLLBACK, as sqlite3 could not read the whole database."
        )
    try:
        connection.execute(statement)
    except (sqlite3.Error, sqlite3.Warning) as exc:
        if str(exc) in ("interrupted", "database or disk is full"):
            raise
        raise SourceError(
            f"{label}, line {line}: {exc}, in the statement that begins {statement.strip()[:60]!r}."
        ) from exc


def _authorize(
    action: int, first: Optional[str], second: Optional[str], database: Optional[str], inner: Optional[str]
) -> int:
    denied = (
        action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH)  # also what VACUUM INTO does
        or (action == sqlite3.SQLITE_FUNCTION and str(second).lower() in ("load_extension", "fts3_tokenizer"))
        or (action == sqlite3.SQLITE_PRAGMA and str(first).lower() not in _PRAGMAS)
    )
    return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK


def _text(reader: Reader, label: str, progress: Progress) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        while True:
            data = reader.read(_CHUNK)
            if b"\0" in data:
                raise SourceError(f"{label} contains NUL bytes: it is not text.", _HINT)
            progress.advance(len(data))
            yield decoder.decode(data, final=not data)
            if not data:
                return
    except UnicodeDecodeError as exc:
        raise SourceError(f"{label} is not UTF-8: {exc}.", _HINT) from exc


def statements(chunks: Iterable[str], label: str) -> Iterator[tuple[int, str]]:
    """Every statement, and the number of the line in which it begins.

    :raises SourceError: the last statement is incomplete, or one is too long.
    """
    buffer, scanned, line, closing = "", 0, 1, ""
    for chunk in chunks:
        buffer += chunk
        begin = 0  # of the statement
        while True:
            if closing:
                end = buffer.find(closing, scanned)
                if end < 0:
                    break
                scanned, closing = end + len(closing), ""
            match = _OPENING.search(buffer, scanned)
            if match is None:
                break
            scanned = match.end()
            if match[0] != ";":
                closing = _CLOSING[match[0]]
            elif sqlite3.complete_statement(buffer[begin:scanned]):  # a trigger has semicolons of its own
                statement = buffer[begin:scanned]
                blank = len(statement) - len(statement.lstrip())
                yield line + statement.count("\n", 0, blank), statement
                line += statement.count("\n")
                begin = scanned
        # the end of this chunk may be the first half of a token of two characters
        scanned = max(scanned, len(buffer) - 1) - begin
        buffer = buffer[begin:]
        if len(buffer) > _LONGEST:
            raise SourceError(
                f"{label}, line {line}: the statement is longer than {_LONGEST} characters.",
                _HINT,
            )
    if not _NOTHING.fullmatch(buffer):
        raise SourceError(f"{label}, line {line}: the last statement has no end: the dump is incomplete.")
