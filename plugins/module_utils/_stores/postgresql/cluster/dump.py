# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps one database into a sink with pg_dump, while a session of our own holds the snapshot and reads the digests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from typing import Any, NamedTuple, Union

from ...._core.collection import Collection
from ...._core.errors import SourceError
from ...._core.files import os_errors
from ...base import Sink
from ..client import errors
from . import archive, catalog
from .databases import folder
from .follow import Follower
from .hold import TRIES, Held, Locked, hold, locked
from .identity import Sums, data_digest, large_objects, relation, table_sums
from .programs import version_of
from .row_text import FIELDS
from .selection import Selection
from .server import Server, failed

_SMALL_DATABASE = 64 << 20  # bytes up to which a second worker costs more than it brings
_MANY_TABLES = 200  # from here on, sums are a file of the pack: a manifest is read as a whole
_LOCK_WAIT = "15s"
_PAUSE = 0.02
_MOMENT = 1.0  # seconds in which the session that holds the snapshot has ended, too, if that is the reason
_PATIENCE = 10.0  # seconds for pg_dump to cancel the queries of its workers


class Dumped(NamedTuple):
    """The result of dumping one database."""

    details: dict[str, Any]
    collections: tuple[Collection, ...]
    notes: tuple[str, ...]


class _Data(NamedTuple):
    """What our own session has read."""

    sums: dict[tuple[str, str], Sums]
    objects: Sums
    details: dict[str, Any]
    notes: tuple[str, ...]


def dump(server: Server, database: str, sink: Sink, selection: Selection, jobs: int) -> Dumped:
    """Write the files of a database into the sink.

    Who waits for one of our locks (TRUNCATE, ALTER TABLE) is in the way of those that pg_dump wants beside them. Then
    all is let go, and done again after that; with one worker only, as the locks of others may be refused at any time.
    """
    attempt = 1
    while True:
        written: list[str] = []
        try:
            held = hold(server, database)
            with contextlib.closing(held.connection), _directory(sink.scratch, "dump") as scratch:
                archived = os.path.join(scratch, "archive")
                with Follower(archived, sink, folder(database), written) as follower:
                    return _dump(server, held, follower, selection, jobs if attempt == 1 else 1)
        except Locked:
            if attempt == TRIES or not written:
                raise
        attempt += 1
        for name in written:
            sink.discard(name)


def _dump(server: Server, held: Held, follower: Follower, selection: Selection, jobs: int) -> Dumped:
    database = held.database
    tables, without = selection.divide(held.tables)
    address = server.conninfo(database, follower.sink.scratch)
    with errors(SourceError, f"Can't read the database {database}"):
        size = catalog.size(held.connection)
        jobs = 1 if size < _SMALL_DATABASE else jobs
        left_out = _as_stored(held.connection, [relation(*one[:2]) for one in (*without, *held.unreadable)])
    argv = _command(server, address, held.snapshot, jobs, left_out)
    follower.sink.progress.start(f"Backing up the database {database} of {server.shown}", None, "bytes")
    with _reading(held, selection, size) as data:
        _run(server, [*argv, "-f", follower.directory], follower, held, data)
        read = data.result()
    with errors(SourceError, "The session that held the snapshot has ended"):
        held.connection.execute("ROLLBACK")
    details = {**read.details, **_identity(server, follower.directory, read)}
    if len(tables) > _MANY_TABLES:
        with open(os.path.join(follower.directory, "sums.json"), "w", encoding="utf-8") as handle:
            json.dump(details["sums"], handle)
        details["sums"] = None
    follower.finish()
    counts = tuple(Collection(f"{database}.{one.shown}", read.sums[one.schema, one.name][0]) for one in tables)
    return Dumped(details, counts, read.notes)


def _about(held: Held, selection: Selection, size: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    foreign = catalog.foreign_tables(held.connection)
    details = {
        "properties": catalog.properties(held.connection),
        "requires": catalog.requirements(held.connection),
        "bytes": size,
        "server_version": held.connection.info.server_version,
        "left_out": foreign,
        "unlogged": [one.shown for one in held.tables if one.persistence == "u"],
        "without_generated": True,
        "row_text": FIELDS,
        "without_rows": [one.shown for one in [*selection.divide(held.tables)[1], *held.unreadable]],
    }
    notes = []
    if foreign:
        notes.append(f"The rows of foreign tables of {held.database} are not backed up: {', '.join(foreign)}.")
    if held.unreadable:
        names = ", ".join(one.shown for one in held.unreadable)
        notes.append(f"The server is a standby, which has no rows of unlogged tables of {held.database}: {names}.")
    return details, tuple(notes)


def _identity(server: Server, directory: str, read: _Data) -> dict[str, Any]:
    """What the data and the schema are, from our session and from the archive."""
    sums = [[*name, *found] for name, found in sorted(read.sums.items())]
    with ThreadPoolExecutor(1, "day2-schema") as pool:
        schema = pool.submit(archive.schema_text, server, directory)
        sequences = [list(one) for one in archive.sequences(server, directory, os.path.dirname(directory))]
    return {
        "sums": sums,
        "sequences": sequences,
        "large_objects": list(read.objects),
        "schema_sha256": hashlib.sha256(schema.result()).hexdigest(),
        "data_digest": data_digest(sums, sequences, read.objects),
        "pg_dump_version": version_of(server.program("pg_dump")),
    }


def _as_stored(connection: Any, names: Sequence[str]) -> list[bytes]:
    """Names in the encoding of the database, in which pg_dump takes them: others would match nothing."""
    query = "SELECT convert_to(%s, getdatabaseencoding())"
    return [bytes(connection.execute(query, (name,)).fetchone()[0]) for name in names]


def _command(
    server: Server, target: str, snapshot: str, jobs: int, without: Sequence[bytes]
) -> list[Union[str, bytes]]:
    """
    :param target: connection string.
    :param without: names of tables whose rows are not to be dumped.
    """
    left_out = [b"--exclude-table-data=" + name for name in without]
    return [
        server.program("pg_dump"),
        "-Fd",
        "-Z0",
        f"-j{jobs}",
        "-w",
        "--no-sync",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={_LOCK_WAIT}",
        *left_out,
        f"--dbname={target}",
    ]


def _run(
    server: Server, argv: Sequence[Union[str, bytes]], follower: Follower, held: Held, data: Future[_Data]
) -> None:
    """Run pg_dump to its end, and pass on what it writes."""
    # not on the disk, which it may complain about
    with os.fdopen(os.memfd_create("pg_dump"), "w+b") as said:
        process = server.start(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            while True:
                ended = process.poll() is not None
                if data.done():
                    data.result()  # our own session tells best why both have failed
                if ended and process.returncode:
                    break
                if not follower.take(process, ended):
                    if ended:
                        return
                    time.sleep(_PAUSE)
        finally:
            stop(process)
        said.seek(0)
        words = said.read()
    with contextlib.suppress(TimeoutError):
        data.result(_MOMENT)
    if b"LOCK TABLE" in words or b"could not obtain lock" in words:
        raise locked(server, held.database)
    raise failed(str(argv[0]), process.returncode, words, SourceError)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a program that may have workers. It is given time to stop them itself."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _reading(held: Held, selection: Selection, size: int) -> Iterator[Future[_Data]]:
    """Read the digests, and what the server must have, in a thread. Leaving the block early cancels the query."""
    connection, stopped = held.connection, threading.Event()
    tables = selection.divide(held.tables)[0]

    def read() -> _Data:
        with errors(SourceError, f"Can't read the database {held.database}"):
            about = _about(held, selection, size)
            return _Data(table_sums(connection, tables, stopped.is_set), large_objects(connection), *about)

    with ThreadPoolExecutor(1, "day2-digest") as pool:
        future = pool.submit(read)
        try:
            yield future
        finally:
            stopped.set()
            while not future.done():
                connection.cancel()
                with contextlib.suppress(Exception):
                    future.result(0.2)


@contextlib.contextmanager
def _directory(scratch: str, name: str) -> Iterator[str]:
    path = os.path.join(scratch, name)
    with os_errors(SourceError, "Can't create", path):
        os.mkdir(path, 0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)  # the sink removes the rest
