# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills a new database from a backup: its schema by pg_restore, its rows by COPY directly from the repository.

pg_restore would need a copy of all data on this host, as it reads neither FIFOs nor several files from a pipe.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ...._core.errors import TargetError
from ...._core.files import os_errors
from ..client import errors
from .restore_contents import Contents
from .restore_state import Name, lines_of, parts_of
from .restore_tools import Tools
from .server import Server

_BATCH = 50  # small tables in one transaction
_AT_ONCE = 1 << 16  # bytes
# names can contain anything, also what looks like the end of the statement
_COPY = re.compile(rb'^-- TOC entry (\d+) .*?^(COPY (?:[^"\n;]|"(?:[^"]|"")*")*? FROM stdin;)$', re.M | re.S)
_ENCODING = re.compile(rb"^SET client_encoding = '([^']+)';$", re.M)
# Entries of a table of contents.
_SEQUENCE = re.compile(r"\d+; \d+ \d+ SEQUENCE SET ")
_EVENT_TRIGGER = re.compile(r"\d+; \d+ \d+ (?:(?:COMMENT|SECURITY LABEL) - )?EVENT TRIGGER ")
_TABLE = re.compile(r'COPY ((?:"(?:[^"]|"")*"|[^"\s])+)')


class Load:
    """How a new database is filled.

    :param flags: options of pg_restore for owners and privileges.
    """

    def __init__(self, tools: Tools, contents: Contents, database: str, jobs: int, flags: Sequence[str]) -> None:
        self._tools = tools
        self._contents = contents
        self._database = database
        self._jobs = jobs
        self._flags = list(flags)
        self._archive = contents.directory
        self._late: list[str] = []

    def schema(self) -> None:
        """Everything that rows need: types, functions, tables, sequences, empty large objects."""
        self._pg_restore("--section=pre-data")

    def rows(self, counts: Mapping[Name, int]) -> None:
        """All rows and large objects.

        :param counts: rows by table, so that the largest come first.
        """
        statements, encoding = copy_statements(self._tools, self._archive)
        crew = _Crew(self._tools.server, self._contents, self._database, statements, encoding)
        crew.work(_batches(statements, self._contents, counts), self._jobs)
        self._large_objects()

    def rest(self) -> None:
        """Sequences, then indexes, constraints, triggers, policies and materialized views."""
        listed = lines_of(self._tools, self._archive, ".*")
        sequences = [line for line in listed if _SEQUENCE.match(line)]
        if sequences:
            self._pg_restore("-L", list_of(sequences, self._contents.path("sequences.list")))
        self._late = [line for line in listed if _EVENT_TRIGGER.match(line)]
        words = ["--section=post-data", "-j", str(self._jobs)]
        if self._late:  # pg_restore would create them before it refreshes materialized views, which fires them
            others = [line for line in listed if line not in self._late]
            words += ["-L", list_of(others, self._contents.path("others.list"))]
        self._pg_restore(*words)

    def event_triggers(self) -> None:
        """After `rest`. They fire for what is altered from here on."""
        if self._late:
            self._pg_restore("-L", list_of(self._late, self._contents.path("event_triggers.list")))

    def _large_objects(self) -> None:
        found = self._contents.large_objects()
        if not found:
            return
        doing = f"Can't restore the large objects of {self._contents.database}"
        with self._tools.server.connect(self._database) as session, errors(TargetError, doing):
            for number, name in found:
                offset = 0
                with session.transaction():
                    for block in self._contents.blocks(name):
                        session.execute("SELECT lo_put(%s, %s, %s)", (number, offset, block))
                        offset += len(block)

    def _pg_restore(self, *words: str) -> None:
        command = ["-Fd", "--exit-on-error", *self._flags, *words, self._archive]
        self._tools.run("pg_restore", command, self._database, TargetError)


class _Crew:
    """Sessions that take batches of tables until none is left. The first error stops all of them."""

    def __init__(
        self, server: Server, contents: Contents, database: str, statements: Mapping[str, bytes], encoding: str
    ) -> None:
        self._server = server
        self._contents = contents
        self._database = database
        self._statements = statements
        self._encoding = encoding
        self._failed = threading.Event()
        self._error: Optional[BaseException] = None

    def work(self, batches: list[list[str]], jobs: int) -> None:
        others = [threading.Thread(target=self._safely, args=(batches,), daemon=True) for _number in range(jobs - 1)]
        for thread in others:
            thread.start()
        self._safely(batches)
        try:
            for thread in others:
                thread.join()
        except BaseException:  # cancelled
            self._failed.set()
            for thread in others:
                thread.join()
            raise
        if self._error is not None:
            raise self._error

    def _safely(self, batches: list[list[str]]) -> None:
        try:
            with self._server.connect(self._database) as session:
                session.execute("SET synchronous_commit = off")  # the commit of the swap makes all of it durable
                session.execute("SELECT set_config('client_encoding', %s, false)", (self._encoding,))
                while batches and not self._failed.is_set():
                    try:
                        batch = batches.pop()
                    except IndexError:  # another thread was faster
                        return
                    with session.transaction():
                        for name in batch:
                            copy_in(session, self._statements[name], self._until_failed(name), name)
        except BaseException as exc:  # raised again by `work`
            self._error = self._error or exc
            self._failed.set()

    def _until_failed(self, name: str) -> Iterable[bytes]:
        for data in self._contents.rows(name):
            if self._failed.is_set():
                raise TargetError(f"Loading {name} was stopped.")
            yield data


def copy_in(session: Any, statement: bytes, rows: Iterable[bytes], name: str) -> None:
    """Load rows. An exception while they are read ends the COPY, and the transaction with it."""
    with errors(TargetError, f"Can't load the rows in {name}"):
        with session.cursor() as cursor, cursor.copy(statement) as copy:
            for data in rows:
                for start in range(0, len(data), _AT_ONCE):
                    copy.write(data[start : start + _AT_ONCE])
                    _flush(session)


def _flush(session: Any) -> None:
    """Wait until everything is sent: libpq moves all that is waiting each time that the server has taken some of it."""
    ready = select.poll()
    ready.register(session.fileno(), select.POLLIN | select.POLLOUT)  # who waits until we read takes nothing
    while session.pgconn.flush():
        ready.poll()


def copy_statements(tools: Tools, archive: str) -> tuple[dict[str, bytes], str]:
    """The statement that loads each table, by its data file; and the encoding of all of them."""
    listed = lines_of(tools, archive, "TABLE DATA")
    if not listed:
        return {}, "UTF8"
    bare = os.path.join(archive, "bare")
    with os_errors(TargetError, "Can't write", bare):
        os.mkdir(bare, 0o700)
        os.link(os.path.join(archive, "toc.dat"), os.path.join(bare, "toc.dat"))
        for line in listed:  # pg_restore only prints the statement of a table whose file it can open
            with open(os.path.join(bare, f"{line.partition(';')[0]}.dat"), "xb"):
                pass
    wanted = list_of(listed, os.path.join(bare, "tables.list"))
    text = tools.run("pg_restore", ["-v", "-f", "-", "-L", wanted, bare], None, TargetError)
    shutil.rmtree(bare)
    encoding = _ENCODING.search(text)
    found = {f"{int(number)}.dat": statement for number, statement in _COPY.findall(text)}
    return found, encoding.group(1).decode() if encoding else "UTF8"


def table_of(statement: bytes) -> Name:
    """The table that a statement of COPY loads."""
    found = _TABLE.match(statement.decode("utf-8", "surrogateescape"))
    return parts_of(found.group(1)) if found else ("", "")


def list_of(lines: Iterable[str], path: str) -> str:
    """A file for `pg_restore -L`."""
    with os_errors(TargetError, "Can't write", path), open(path, "xb") as handle:
        handle.write("".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape"))
    return path


def _batches(statements: Mapping[str, bytes], contents: Contents, counts: Mapping[Name, int]) -> list[list[str]]:
    """The last one is to be taken first: the largest tables one by one, then small ones together."""
    large = [name for name in statements if contents.is_large(name)]
    large.sort(key=lambda name: counts.get(table_of(statements[name]), 0))
    small = [name for name in statements if not contents.is_large(name)]
    return [small[start : start + _BATCH] for start in range(0, len(small), _BATCH)] + [[name] for name in large]
