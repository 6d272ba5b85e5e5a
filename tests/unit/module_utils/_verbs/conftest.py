# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs as modules call them, on real stores."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._verbs import backup, backup_copy, backup_info, restore
from ansible_collections.day2.ops.plugins.module_utils._verbs.drill import drill as restore_drill
from tests.services.dynamodb_fixtures import dynamodb_local_url, dynoxide_url
from tests.services.nobody_opens import locks_are_kept
from tests.services.postgresql_fixtures import postgresql
from tests.services.stores import Store, empty
from tests.unit.module_utils._logs.conftest import log, logs, writer
from tests.unit.module_utils._verbs.checks import black_hole
from tests.unit.module_utils._verbs.migrations import Stores
from tests.unit.module_utils.verbs import run_verb

__all__ = ["black_hole", "dynamodb_local_url", "dynoxide_url", "locks_are_kept", "log", "logs", "postgresql", "writer"]

VERBS: dict[str, Any] = {
    "backup": backup,
    "backup_copy": backup_copy,
    "backup_info": backup_info,
    "restore": restore,
    "restore_drill": restore_drill,
}
SETTLED = 0.15  # seconds after which a fingerprint is trusted

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("backup", name=…)`, with a repository and defaults filled in; `check=True` for check mode."""

    def call(verb: str, check: bool = False, **params: Any) -> dict[str, Any]:
        spec = VERBS[verb].ARGUMENTS["argument_spec"]
        values = {name: one.get("default") for name, one in spec.items()}
        values.update(name="app")
        if "repository" in spec:
            values.update(repository=str(tmp_path / "backups"))
        values.update(params)
        return run_verb(VERBS[verb], values, check)

    return call


class Application:
    """A store that can be filled with n records, and read back."""

    def __init__(self, kind: str, path: Path) -> None:
        self.kind = kind
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def store(self) -> dict[str, Any]:
        return {"type": self.kind, "path": str(self.path)}

    def fill(self, records: int, settle: bool = True) -> None:
        getattr(self, f"_fill_{self.kind}")(records)
        if settle:
            time.sleep(SETTLED)

    def records(self) -> int:
        count: int = getattr(self, f"_count_{self.kind}")()
        return count

    def _fill_json(self, records: int) -> None:
        self.path.write_text(json.dumps({"requests": {f"req-{n}": {"id": n} for n in range(records)}}))

    def _count_json(self) -> int:
        return len(json.loads(self.path.read_text())["requests"])

    def _fill_sqlite(self, records: int) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute("CREATE TABLE IF NOT EXISTS requests (id INTEGER PRIMARY KEY, text TEXT)")
            connection.execute("DELETE FROM requests")
            connection.executemany("INSERT INTO requests (text) VALUES (?)", (("x" * 50,) for dummy in range(records)))
        connection.close()

    def _count_sqlite(self) -> int:
        connection = sqlite3.connect(self.path)
        try:
            count: int = connection.execute("SELECT count(*) FROM requests").fetchone()[0]
            return count
        finally:
            connection.close()

    def _fill_files(self, records: int) -> None:
        self.path.mkdir(exist_ok=True)
        for one in self.path.iterdir():
            one.unlink()
        for number in range(records):
            (self.path / f"run-{number}").write_text("x" * 50)

    def _count_files(self) -> int:
        return len(os.listdir(self.path))


@pytest.fixture(params=["json", "sqlite", "files"])
def application(request: pytest.FixtureRequest, tmp_path: Path) -> Application:
    return Application(request.param, tmp_path / "application" / "store")


@pytest.fixture
def document(tmp_path: Path) -> Application:
    return Application("json", tmp_path / "application" / "requests.json")


@pytest.fixture
def stores(tmp_path: Path, postgresql: Store, dynoxide_url: str) -> Stores:
    """An empty store of a type."""

    return lambda kind: empty(kind, tmp_path, postgresql, dynoxide_url)
