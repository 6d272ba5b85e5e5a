# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of a server for tests, as stores of backups, and what a backup of one holds."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .postgresql import binaries

_numbers = itertools.count()


class Database:
    """A database of the server with an odd name."""

    def __init__(self, server: Mapping[str, Any]) -> None:
        self.server = {name: server[name] for name in ("type", "host", "username")}
        self.name = f"Db {next(_numbers)}=a'b"

    @classmethod
    @contextlib.contextmanager
    def new(cls, server: Mapping[str, Any]) -> Iterator[Database]:
        """A new one, which is dropped with the block."""
        made = cls(server)
        made.admin(f"CREATE DATABASE {made.quoted} TEMPLATE template0")
        try:
            yield made
        finally:
            made.admin(f"DROP DATABASE IF EXISTS {made.quoted} WITH (FORCE)")

    @property
    def quoted(self) -> str:
        """Its name for SQL."""
        return '"' + self.name.replace('"', '""') + '"'

    def connect(self, name: str = "", **more: Any) -> Any:
        """A session of psycopg, here or in another database."""
        given = {"user": self.server["username"], **more}
        psycopg = importlib.import_module("psycopg")
        return psycopg.connect(host=self.server["host"], dbname=name or self.name, autocommit=True, **given)

    def admin(self, *statements: str) -> None:
        """Run each statement, outside of this database."""
        with self.connect("postgres") as connection:
            for one in statements:
                connection.execute(one)

    def do(self, statements: str) -> None:
        """Run statements as one."""
        with self.connect() as connection:
            connection.execute(statements)

    def store(self, **options: Any) -> Any:
        """It, as a store of backups."""
        from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store

        return open_store({**self.server, "database": self.name, **options})


@contextlib.contextmanager
def killed(at: int) -> Iterator[list[str]]:
    """The at-th client program (from 1) is killed as it starts. Returns the names of those that were started."""
    from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.server import Server

    real, started = Server.start, []

    def start(self: Server, argv: Any, **streams: Any) -> Any:
        process = real(self, argv, **streams)
        started.append(os.path.basename(os.fsdecode(argv[0])))
        if len(started) == at:
            process.kill()
        return process

    Server.start = start  # type: ignore[method-assign]
    try:
        yield started
    finally:
        Server.start = real  # type: ignore[method-assign]


def unpack(files: Mapping[str, bytes], directory: Path) -> Path:
    """The archive of one database as pg_restore wants it, unpacked as docs/FORMAT.md says."""
    directory.mkdir(exist_ok=True)
    for name, data in files.items():
        if name.endswith("/small.tar"):
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                tar.extractall(directory)
        elif name.endswith(".dat"):
            (directory / os.path.basename(name)).write_bytes(data)
    return directory


def rows_of(files: Mapping[str, bytes], table: str, total: int = -1) -> int:
    """How many rows of a table are in a backup; or the sum of one of its columns, by number."""
    with tempfile.TemporaryDirectory() as scratch:
        archive = unpack(files, Path(scratch))
        command = [binaries() / "pg_restore", "-a", "-t", table, "-f", "-", archive]
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
    lines = text.partition("FROM stdin;\n")[2].partition("\\.\n")[0].splitlines()
    return len(lines) if total < 0 else sum(int(line.split("\t")[total]) for line in lines)
