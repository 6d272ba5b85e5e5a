# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups are restored by hand as docs/FORMAT.md says. Those of restic, age and PostgreSQL: see their tests."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from tests.services.manual import script

pytestmark = pytest.mark.once


def database(path: Path) -> dict[str, Any]:
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)")
    connection.close()
    return {"type": "sqlite", "path": str(path)}


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    count: int = connection.execute("SELECT count(*) FROM t").fetchone()[0]
    connection.close()
    return count


def bash(text: str, directory: Path, **variables: str) -> str:
    """What it prints."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=directory,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_database_in_a_directory(run: Any, tmp_path: Path) -> None:
    made = run("backup", source=database(tmp_path / "hawkfish.db"), compression="zstd")["backup"]
    out = tmp_path / "out"
    out.mkdir()
    places = {"/var/backups/day2/hawkfish/20250630T120000Z-3f2a9c1b": made["path"], "/tmp": str(out)}
    said = bash(script("FORMAT.md", "zstd -d data/hawkfish.db.zst", places), tmp_path)
    assert said.splitlines()[-1] == "ok"
    assert rows(out / "hawkfish.db") == 3


@pytest.mark.parametrize("with_attributes", [False, True])
def test_a_tree_in_a_directory(run: Any, tmp_path: Path, *, with_attributes: bool) -> None:
    tree, out = tmp_path / "etc", tmp_path / "out"
    tree.mkdir()
    out.mkdir()
    (tree / "app.conf").write_text("a = 1\n")
    (tree / "app.conf").chmod(0o640)
    os.setxattr(tree / "app.conf", "user.note", b"kept")
    made = run("backup", source={"type": "files", "path": str(tree)}, compression="zstd")["backup"]
    places = {"/var/backups/day2/etc/20250630T120000Z-9c41d7e2": made["path"], "/tmp": str(out)}
    text = script("FORMAT.md", "mkdir /tmp/etc\n$ zstd -dc", places)
    if with_attributes:
        plain = next(line for line in text.splitlines() if "tar -xpf" in line)
        text = text.replace(f"{plain}\n", script("FORMAT.md", "--xattrs", {"/tmp": str(out)}))
    bash(text, tmp_path)
    restored = out / "etc" / "app.conf"
    assert (restored.read_text(), restored.stat().st_mode & 0o777) == ("a = 1\n", 0o640)
    assert os.listxattr(restored) == (["user.note"] if with_attributes else [])


def test_a_database_behind_rclone(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    there, out = tmp_path / "there", tmp_path / "out"
    there.mkdir()
    out.mkdir()
    place = {"repository": f"rclone:remote:{there}", "rclone": {"settings": {"type": "local"}}}
    made = run("backup", **place, source=database(tmp_path / "hawkfish.db"), compression="zstd")["backup"]
    path = f"{there}/app/{made['id']}"
    places = {"PATH/hawkfish/20250630T120000Z-5be01c9f": path, "/tmp": str(out)}
    bash(script("FORMAT.md", "rclone copy", places), tmp_path, RCLONE_CONFIG_REMOTE_TYPE="local")
    assert rows(out / "hawkfish.db") == 3
