# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports manual dumps: each is loaded into a temporary database, which is then backed up like any other.

This proves that the dump can be loaded, and its backup can be restored like any other. The format of a dump is detected
from its content.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from ...._core.errors import SourceError
from ...._core.files import look
from ...base import HashedWriter, Reader, Sink
from ..client import errors
from .databases import folder
from .programs import find
from .restore_databases import create_marked, drop, is_left
from .server import Server, failed

_BLOCK = 1 << 20
_HEAD = 1 << 16
_TAIL = 1 << 12
_PATIENCE = "10s"
_FLAGS = ["--exit-on-error", "--no-owner", "--no-privileges"]
_COMPLETE = b"-- PostgreSQL database dump complete"
_RESTRICT = re.compile(rb"^\\(?:un)?restrict \w+\r?\n", re.MULTILINE)
# Who can be, or become, somebody who runs programs or reads and writes files of the server. Before version 16, a role
# with CREATEROLE can grant itself these rights.
_POWERS = """
SELECT current_user::text, (SELECT what FROM (
  SELECT CASE WHEN rolsuper THEN 'a superuser' ELSE rolname::text END AS what FROM pg_roles
  WHERE pg_has_role(oid, 'MEMBER') AND (rolsuper OR rolname IN
    ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
  UNION ALL SELECT 'CREATEROLE' FROM pg_roles WHERE rolname = current_user AND rolcreaterole
    AND current_setting('server_version_num')::int < 160000) p ORDER BY what <> 'a superuser', what LIMIT 1)
"""
NOTE = "Owners and privileges in the dump were not imported: everything in the backup belongs to the role that imports."


class RenamedSink:
    """A sink that stores the files of one database under the name of another."""

    def __init__(self, sink: Sink, before: str, after: str) -> None:
        self._sink = sink
        self._before, self._after = (folder(name) + "/" for name in (before, after))
        self.scratch = sink.scratch
        self.progress = sink.progress
        self.strict = sink.strict
        self.dry = sink.dry

    def file(self, name: str) -> contextlib.AbstractContextManager[HashedWriter]:
        return self._sink.file(self._renamed(name))

    def discard(self, name: str) -> None:
        self._sink.discard(self._renamed(name))

    def _renamed(self, name: str) -> str:
        return self._after + name[len(self._before) :] if name.startswith(self._before) else name


def load_stream(server: Server, database: str, reader: Reader, filename: str, sink: Sink) -> None:
    """Load a dump in one file into a database. Raises SourceError."""
    head = _read(reader, _HEAD)
    if head.startswith(b"PGDMP"):
        _feed(server, database, ["pg_restore", "-Fc", *_FLAGS], _rest(head, reader), sink)
    elif head[257:262] == b"ustar" and head.startswith(b"toc.dat\0"):
        _feed(server, database, ["pg_restore", "-Ft", *_FLAGS], _rest(head, reader), sink)
    elif b"-- PostgreSQL database dump" in head:
        _check_plain(server, head, filename)
        words = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        _feed(server, database, words, _plain(head, reader, filename), sink)
    else:
        raise SourceError(
            f"{filename} is not a dump of pg_dump.",
            "Formats that can be imported are custom, tar, plain (each also compressed) and directory.",
        )


def load_directory(server: Server, database: str, path: str, jobs: int, sink: Sink) -> None:
    """Load a dump in the directory format into a database. Raises SourceError."""
    info = look(os.path.join(path, "toc.dat"), SourceError)
    if info is None or not stat.S_ISREG(info.st_mode):
        raise SourceError(f"{path} is not a dump in the directory format: it has no file toc.dat.")
    target = f"--dbname={server.conninfo(database, sink.scratch)}"
    program = _program(server, "pg_restore")
    server.run([program, "-Fd", f"-j{jobs}", *_FLAGS, target, path], SourceError)


@contextlib.contextmanager
def throw_away(server: Server, name: str) -> Iterator[str]:
    """A new, empty database, which is dropped in the end; and what a killed run has left of it before.

    :param name: what it is for.
    """
    database = f"day2_import_{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    mark = "day2: " + json.dumps({"of": name, "step": "import"})
    with server.connect() as session, errors(SourceError, f"Can't import the dump of {name}"):
        _lock(session, name)
        _remove_leftover(session, database, mark)
        with errors(SourceError, f"Can't create the database {database}, which the import needs (CREATEDB)"):
            create_marked(session, database, mark)
        try:
            yield database
        finally:
            drop(session, database)


def _lock(session: Any, name: str) -> None:
    with errors(SourceError, f"Another import for {name} is under way"):
        session.execute(f"SET lock_timeout = '{_PATIENCE}'")
        session.execute("SELECT pg_advisory_lock(hashtextextended('day2 import ' || %s, 0))", (name,))
        session.execute("SET lock_timeout = 0")


def _remove_leftover(session: Any, database: str, mark: str) -> None:
    query = "SELECT shobj_description(oid, 'pg_database'), datallowconn FROM pg_database WHERE datname = %s"
    found = session.execute(query, (database,)).fetchone()
    if found is None:
        return
    if not is_left(found[0], found[1], mark):
        raise SourceError(
            f"The database {database} already exists and was not created by an import.", "Rename or drop it."
        )
    drop(session, database)


def _check_plain(server: Server, head: bytes, filename: str) -> None:
    """Raise SourceError if plain SQL must not be run."""
    if re.search(rb"^\\connect |^CREATE DATABASE ", head, re.MULTILINE) or b"database cluster dump" in head:
        raise SourceError(
            f"{filename} creates databases and connects to them, as it was made by pg_dumpall, or with pg_dump -C.",
            "Make a dump of one database without -C.",
        )
    with server.connect() as session, errors(SourceError, "Can't query the server"):
        name, power = session.execute(_POWERS).fetchone()
    if power:
        raise SourceError(
            f"{filename} is plain SQL, which could do anything on the server as {name}, who has the privileges of "
            f"{power}.",
            "Connect as a role with CREATEDB that has none of them, or import a dump in another format (pg_dump -Fc).",
        )


def _plain(head: bytes, reader: Reader, filename: str) -> Iterator[bytes]:
    """The text of a dump between psql's own commands that forbid all others: those of the dump itself are left out."""
    key = secrets.token_hex(16).encode()
    yield b"\\restrict " + key + b"\n"
    start = _RESTRICT.sub(b"", head[:_TAIL], count=1) if _RESTRICT.search(head[:_TAIL]) else head[:_TAIL]
    held = start + head[_TAIL:]
    while data := reader.read(_BLOCK):
        held += data
        yield held[:-_TAIL]
        held = held[-_TAIL:]
    place = held.rfind(_COMPLETE)
    if place < 0:
        raise SourceError(f"{filename} does not end like a dump: it was cut off.", "Copy it again.")
    yield held[:place] + _RESTRICT.sub(b"", held[place:])
    yield b"\n\\unrestrict " + key + b"\n"


def _rest(head: bytes, reader: Reader) -> Iterator[bytes]:
    yield head
    while data := reader.read(_BLOCK):
        yield data


def _read(reader: Reader, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = reader.read(size - len(data))
        if not more:
            break
        data += more
    return data


def _program(server: Server, name: str) -> str:
    return find(name, server.version // 10_000, server.options.get("bin"))


def _feed(server: Server, database: str, words: Sequence[str], blocks: Iterator[bytes], sink: Sink) -> None:
    """Run a program on these bytes. It gets the end of its input only if all of them could be read."""
    program = _program(server, words[0])
    argv = [program, *words[1:], f"--dbname={server.conninfo(database, sink.scratch)}"]
    with tempfile.TemporaryFile(dir=sink.scratch) as said:
        process = server.start(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        try:
            with contextlib.suppress(BrokenPipeError):  # it says why
                for data in blocks:
                    sink.progress.advance(len(data))
                    process.stdin.write(data)  # type: ignore[union-attr]
                process.stdin.close()  # type: ignore[union-attr]
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if status:
            said.seek(0)
            raise failed(program, status, said.read(), SourceError)
