# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller with all templates, and a host with an application that they work on."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from controller import AWX, ROOT, Controller, recorded

from tests.services.manual import script

HOST = "app1"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers share."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture(scope="session")
def calls(shared: Path) -> list[dict[str, Any]]:
    """What awx/configure.yml creates, as the manual calls it."""
    if not (AWX / ".stamp").exists():
        pytest.fail("the collection awx.awx is missing: dev/run awx gets it", pytrace=False)
    kept = shared / "calls.json"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(recorded(shared / "configured", script("AWX.md", "awx/configure.yml"))))
    found: list[dict[str, Any]] = json.loads(kept.read_text())
    return found


class Application:
    """Data of an application, and the variables of its host."""

    def __init__(self, root: Path) -> None:
        self.root, self.database = root, root / "app.db"
        for name in ("logs", "files", "hooks"):
            (root / name).mkdir()
        with sqlite3.connect(self.database) as connection:
            connection.executescript("""
                CREATE TABLE events (id INTEGER PRIMARY KEY, created_at TEXT, text TEXT);
                INSERT INTO events VALUES (1, '2020-01-01T00:00:00Z', 'old'), (2, '2999-01-01T00:00:00Z', 'new');
                CREATE TABLE customers (username TEXT PRIMARY KEY, email TEXT, first_name TEXT, last_name TEXT,
                    user_type TEXT, verified BOOLEAN, lifecycle_stage TEXT);
            """)
        connection.close()
        (root / "logs" / "app.log").write_text("line\n" * 1000)
        (root / "files" / "kept.txt").write_text("text")
        (root / "files" / "old.tmp").write_text("old")
        os.utime(root / "files" / "old.tmp", (1, 1))
        for name in ("provision", "notify", "deprovision"):
            (root / "hooks" / f"{name}.yml").write_text(yaml.safe_dump([{"name": name, "ansible.builtin.debug": {}}]))

    @property
    def store(self) -> dict[str, str]:
        return {"type": "sqlite", "path": str(self.database)}

    def variables(self) -> dict[str, Any]:
        dotmac = yaml.safe_load((ROOT / "inventory" / "group_vars" / "dotmac.yml").read_text())
        repository = str(self.root / "backups")
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",  # compiles once (Controller)
            "store_backup_repository": repository,
            "store_backup_stores": [
                {"name": "app", "source": self.store, "rpo": "1d"},
                {"name": "files", "source": {"type": "files", "path": str(self.root / "files")}, "rpo": "1d"},
            ],
            "health_checks_checks": [
                {"name": "database", "type": "sqlite", "path": str(self.database)},
                {"name": "disk", "type": "disk", "path": "/", "warn": "100%", "crit": "100%"},
            ],
            "health_checks_history": {"path": str(self.root / "health.db")},
            "log_rotation_logs": [
                {"name": "app", "paths": [f"{self.root}/logs/app.log"], "size": "10", "method": "rename"},
            ],
            "retention_rules": [
                {"name": "old", "paths": [f"{self.root}/files/*.tmp"], "missing_ok": True, "tiers": [_REMOVE]}
            ],
            "maintain_jobs": [
                {
                    "name": "events",
                    "verb": "purge",
                    "arguments": {**_PURGE, **self._saved("events"), "store": self.store},
                },
                {"name": "database", "verb": "store_optimize", "arguments": {**self._saved("db"), "store": self.store}},
            ],
            "audit_reports": [{"name": "events", "arguments": {"source": self.store, **_REPORT}}],
            "audit_checks": [{"name": "journal", "type": "sqlite", "path": str(self.database), "check": "none"}],
            "lifecycle_store": self.store,
            "lifecycle_machine": dotmac["dotmac_customers"],
            "lifecycle_history": {"collection": "customer_events", "create": True},
            "lifecycle_hooks": str(self.root / "hooks"),
            "fleet_report_dest": str(self.root / "report"),
            "store_migration_source": self.store,
            "store_migration_target": {"type": "json", "path": str(self.root / "app.json")},
            "store_migration_repository": repository,
            "postgresql_pitr_stanza": "",
        }

    def _saved(self, name: str) -> dict[str, Any]:
        return {"repository": str(self.root / "backups"), "name": f"app-{name}"}


_REMOVE = {"tier": "remove", "older_than": "7d"}
_PURGE = {"collection": "events", "time_field": "created_at", "older_than": "30d"}
_REPORT = {"collection": "events", "counts": [{"name": "texts", "by": ["text"]}]}


@pytest.fixture
def application(tmp_path: Path) -> Application:
    return Application(tmp_path)


@pytest.fixture
def controller(calls: list[dict[str, Any]], shared: Path, tmp_path: Path, application: Application) -> Controller:
    inventory = {"all": {"hosts": {HOST: application.variables()}}}
    return Controller(calls, shared, tmp_path, inventory)
