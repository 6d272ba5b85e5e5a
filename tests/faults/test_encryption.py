# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted backups and their restores, killed on the way: no plain text is left in the repository, or in scratch."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.tests.faults.support import backups, copy, run, run_with, spread, steps
from tests.services.age_keys import new_key

MARKER = b"hawkfish-" + secrets.token_hex(8).encode()


def make(path: Path, rows: int) -> dict[str, str]:
    """A database with the marker on every page."""
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (x)")
        content = ((MARKER + secrets.token_bytes(1500),) for _row in range(rows))
        connection.executemany("INSERT INTO t VALUES (?)", content)
    return {"type": "sqlite", "path": str(path)}


def with_marker(directory: Path) -> list[Path]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path for path in files if MARKER in path.read_bytes()]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def test_backup_killed(scratch: Path, repository: Path, tmp_path: Path) -> None:
    key = new_key(tmp_path)
    params = {
        "name": "app",
        "source": make(tmp_path / "a.db", 300),
        "repository": str(repository),
        "encrypt_to": [key.recipient],
        "compression": "none",
        "lock_timeout": "0",
    }
    assert run("backup", params).status == 0
    make(tmp_path / "a.db", 360)
    copy(repository, tmp_path / "before")
    left = 0
    for step in spread(steps("backup", params)):
        copy(tmp_path / "before", repository)
        done = run_with("signal=KILL", step, "backup", params)
        assert done.killed or done.status in (0, 3), (step, done.error)
        assert with_marker(repository) == [], step
        left += bool(with_marker(scratch))
        again = run("backup", params)
        assert again.status == 0, (step, again.error)
        assert with_marker(scratch) == [], step
        assert len(backups(repository)) == 2, step
        assert run("backup", params).result["changed"] is False, step
        found = run("backup_info", {"repository": str(repository), "verify": "full", "identity_file": key.file})
        assert found.result["ok"], step
    assert left  # otherwise nothing was shown


def test_restore_killed(scratch: Path, repository: Path, tmp_path: Path) -> None:
    key = new_key(tmp_path)
    target = tmp_path / "application" / "a.db"
    target.parent.mkdir()
    store = make(target, 300)
    common = {"name": "app", "repository": str(repository), "lock_timeout": "0", "compression": "none"}
    assert run("backup", {**common, "source": store, "encrypt_to": [key.recipient]}).status == 0
    make(target, 360)
    params = {
        **common,
        "target": store,
        "identity_file": key.file,
        "encrypt_to": [key.recipient],
        "on_existing": "replace",
    }
    copy(repository, tmp_path / "before")
    copy(target.parent, tmp_path / "old")
    met = 0
    for step in spread(steps("restore", params)):
        copy(tmp_path / "before", repository)
        copy(tmp_path / "old", target.parent)
        done = run_with("signal=KILL", step, "restore", params)
        assert done.killed or done.status in (0, 3), (step, done.error)
        met += done.ended_early
        assert with_marker(repository) == [], step
        again = run("restore", params)
        assert again.status == 0, (step, again.error)
        assert with_marker(scratch) == [], step
        assert [path.name for path in target.parent.iterdir()] == ["a.db"], step
    assert met > 1
