# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of running applications: backups and restores beside sockets that somebody listens on."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.tests.faults.support import FilesApplication, backups, run


def listen(path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    monkeypatch.chdir(path.parent)  # an address has at most 107 bytes
    server = socket.socket(socket.AF_UNIX)
    server.bind(path.name)
    server.listen()
    return server


def connects(path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path.name) == 0


@pytest.fixture
def application(tmp_path: Path) -> FilesApplication:
    made = FilesApplication(tmp_path / "application")
    made.make(1)
    return made


def restore(application: FilesApplication, repository: Path) -> dict[str, Any]:
    params = {"name": "app", "target": application.store, "repository": str(repository), "on_existing": "replace"}
    predicted = run("restore", dict(params, check=True))
    done = run("restore", params)
    assert (done.status, predicted.status) == (0, 0), (done.error, predicted.error)
    assert predicted.result["changed"] == done.result["changed"]
    return done.result


def test_a_server_keeps_its_socket(
    application: FilesApplication, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("backup", {"name": "app", "source": application.store, "repository": str(repository)}).status == 0
    (application.path / "run").mkdir()
    with listen(application.path / "run" / "socket", monkeypatch):
        assert restore(application, repository)["changed"] is False
        (application.path / "run-0" / "report.json").write_text("written over")
        assert restore(application, repository)["changed"] is True
        assert connects(application.path / "run" / "socket", monkeypatch)
        assert restore(application, repository)["changed"] is False
        # one safety backup for the one change
        assert len(backups(repository)) == 2


def test_a_socket_gives_way(application: FilesApplication, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("backup", {"name": "app", "source": application.store, "repository": str(repository)}).status == 0
    state = application.state()
    report = application.path / "run-0" / "report.json"
    report.unlink()
    with listen(report, monkeypatch):
        result = restore(application, repository)
        assert result["changed"] is True
        assert any("run-0/report.json" in warning for warning in result["warnings"])
    monkeypatch.chdir(os.path.sep)
    assert application.state() == state
    assert restore(application, repository)["changed"] is False


def test_a_directory_of_nothing_but_a_socket(
    application: FilesApplication, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to back up first, so no safety backup is asked for."""
    assert run("backup", {"name": "app", "source": application.store, "repository": str(repository)}).status == 0
    state = application.state()
    target = application.directory / "fresh"
    target.mkdir()
    with listen(target / "socket", monkeypatch):
        store = dict(application.store, path=str(target))
        result = run("restore", {"name": "app", "target": store, "repository": str(repository)})
        assert (result.status, result.result["changed"], result.result["safety_backup"]) == (0, True, None)
        assert connects(target / "socket", monkeypatch)
        (target / "socket").unlink()
    monkeypatch.chdir(os.path.sep)
    os.rename(target, application.directory / "there")
    for path in sorted(application.path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    application.path.rmdir()
    os.rename(application.directory / "there", application.path)
    assert application.state() == state
