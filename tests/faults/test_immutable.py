# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can't be removed (chattr +i) is told with its path, and holds nothing up, this time or the next."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.day2.ops.tests.faults.support import (
    APPLICATIONS,
    Application,
    FilesApplication,
    backups,
    run,
)

Immutable = Callable[[Path], None]


def test_a_restore_over_a_tree_with_an_immutable_file(repository: Path, tmp_path: Path, immutable: Immutable) -> None:
    application = FilesApplication(tmp_path / "application")
    application.make(1)
    assert run("backup", {"name": "app", "source": application.store, "repository": str(repository)}).status == 0
    new = application.state()
    params = {"name": "app", "target": application.store, "repository": str(repository), "on_existing": "replace"}
    for dummy in range(2):
        (application.path / "immutable").write_text("x")
        immutable(application.path / "immutable")
        done = run("restore", params)
        assert (done.status, done.result["changed"]) == (0, True), done.error
        assert application.state() == new
        assert any("immutable (Operation not permitted)" in one for one in done.result["warnings"]), done.result
    again = run("restore", params)
    assert again.result["changed"] is False
    # both old trees are told of until they can be removed
    assert sum("immutable (Operation not permitted)" in one for one in again.result["warnings"]) == 2
    subprocess.run(["chattr", "-R", "-f", "-i", application.directory], check=False)  # links can't be changed
    assert run("restore", params).status == 0
    assert application.leftovers() == []


@pytest.mark.parametrize("name", ["app.log", "logs/app.log"])
def test_an_immutable_file_that_is_kept(repository: Path, tmp_path: Path, immutable: Immutable, name: str) -> None:
    """It would need a second name in the new tree, which nobody can give it: check mode says so, too."""
    application = FilesApplication(tmp_path / "application")
    application.make(1)
    source = dict(application.store, exclude=["*.log"])
    assert run("backup", {"name": "app", "source": source, "repository": str(repository)}).status == 0
    params = {"name": "app", "target": source, "repository": str(repository), "on_existing": "replace"}
    kept = application.path / name
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("x")
    immutable(kept)
    assert run("restore", params).result["changed"] is False
    application.make(2)
    old = application.state()
    for check in (True, False):
        done = run("restore", dict(params, check=check))
        assert (done.status, f"{name} is immutable" in done.error) == (3, True), done
    assert application.state() == old
    assert application.leftovers() == []


def test_an_immutable_target(application: Application, repository: Path, immutable: Immutable) -> None:
    application.make(1)
    assert run("backup", {"name": "app", "source": application.store, "repository": str(repository)}).status == 0
    application.make(2)
    old = application.state()
    immutable(application.path)
    params = {"name": "app", "target": application.store, "repository": str(repository), "on_existing": "replace"}
    predicted, done = run("restore", dict(params, check=True)), run("restore", params)
    assert (predicted.status, done.status) == (3, 3), (predicted.result, done.result)
    assert str(application.path) in done.error
    assert application.state() == old
    assert application.leftovers() == []
    assert len(backups(repository)) == 1


def test_an_immutable_backup(repository: Path, tmp_path: Path, immutable: Immutable) -> None:
    """Somebody protects a backup of their own accord: it stays, and the policy goes on with the others."""
    application = APPLICATIONS["json"](tmp_path / "application")
    params = {"name": "app", "source": application.store, "repository": str(repository), "keep": {"last": 1}}
    for version in range(1, 4):
        application.make(version)
        assert run("backup", dict(params, keep=None)).status == 0
    first, second, _third = backups(repository)
    immutable(first)
    application.make(4)
    done = run("backup", params)
    assert done.status == 0, done.error
    assert first.exists()
    assert not second.exists()
    assert any(first.name in one for one in done.result["warnings"])
    inside = backups(repository)[-1] / "manifest.json"
    immutable(inside)
    subprocess.run(["chattr", "-i", first], check=True)
    application.make(5)
    for dummy in range(2):  # both the run that removes it and the next
        done = run("backup", params)
        assert done.status == 0, done.error
        assert any("manifest.json (Operation not permitted)" in one for one in done.result["warnings"]), done.result
    assert len(backups(repository)) == 1


def test_an_immutable_set(repository: Path, tmp_path: Path, immutable: Immutable) -> None:
    application = APPLICATIONS["json"](tmp_path / "application")
    params = {"name": "app", "source": application.store, "repository": str(repository)}
    application.make(1)
    assert run("backup", params).status == 0
    application.make(2)
    immutable(repository / "app")
    for check in (True, False):
        done = run("backup", dict(params, check=check))
        assert (done.status, "app is immutable" in done.error) == (3, True), done
    assert len(backups(repository)) == 1
