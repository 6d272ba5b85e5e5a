# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of one server, backups of them, and restores."""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path
from typing import Any

from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster import catalog
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.server import Server
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store

from .conftest import MemoryCopy, MemorySink

# In the maintenance database; once they have ended.
END_OTHERS = """SELECT bool_and(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity
WHERE datname = 'postgres' AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""


class Bench:
    """Databases of one server, backups of them, and restores."""

    def __init__(self, options: dict[str, Any], directory: Path) -> None:
        self.options = {"host": options["host"], "username": options["username"]}
        self.directory = directory
        self._numbers = itertools.count()

    def server(self, **more: Any) -> Server:
        return Server({**self.options, **more})

    def execute(self, database: str, *statements: str) -> None:
        with self.server().connect(database) as session:
            for statement in statements:
                session.execute(statement)

    def query(self, database: str, text: str) -> Any:
        with self.server().connect(database) as session:
            return session.execute(text).fetchone()[0]

    def make(self, name: str, script: str, options: str = "") -> None:
        self.execute("postgres", f'CREATE DATABASE "{name}" {options}')
        self.execute(name, script)

    def scratch(self) -> Path:
        path = self.directory / f"scratch-{os.getpid()}-{next(self._numbers)}"
        path.mkdir()
        return path

    def store(self, **options: Any) -> Any:
        return open_store({"type": "postgresql", **self.options, **options})

    def backup(self, *names: str, **options: Any) -> MemoryCopy:
        sink = MemorySink(self.scratch() / "sink")
        return MemoryCopy(sink.files, self.store(databases=list(names), **options).snapshot(sink))

    def prepare(self, copy: MemoryCopy, *only: str, dry: bool = False, **options: Any) -> Any:
        """As the verb does; a restore that is allowed."""
        ready = self.store(**options).prepare(copy, list(only), str(self.scratch()), dry)
        if ready.changed and not dry:
            with contextlib.ExitStack() as stack:
                stack.push(ready)
                ready.build()
                stack.pop_all()
        return ready

    def restore(self, copy: MemoryCopy, *only: str, **options: Any) -> Any:
        with self.prepare(copy, *only, **options) as ready:
            if ready.changed:
                ready.apply()
        return ready

    def databases(self) -> list[str]:
        query = "SELECT array_agg(datname::text ORDER BY datname) FROM pg_database"
        return [name for name in self.query("postgres", query) if name not in ("postgres", "template0", "template1")]

    def templates(self) -> list[str]:
        query = "SELECT coalesce(array_agg(datname::text), '{}') FROM pg_database WHERE datistemplate"
        return list(self.query("postgres", query))

    def properties(self, name: str) -> Any:
        with self.server().connect(name) as session:
            return catalog.properties(session)


def clean(bench: Bench) -> None:
    """Drop all databases."""
    for name in bench.databases():
        if name in bench.templates():
            bench.execute("postgres", f'ALTER DATABASE "{name}" IS_TEMPLATE false')
        bench.execute("postgres", f'DROP DATABASE "{name}" WITH (FORCE)')
