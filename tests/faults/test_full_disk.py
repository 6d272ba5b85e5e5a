# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No space: at calls that write, and on a small file system of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.day2.ops.tests.faults.support import (
    Application,
    backups,
    copy,
    run,
    run_with,
    spread,
    steps,
    unmount,
)


def test_backup_without_space_at_a_step(application: Application, repository: Path, tmp_path: Path) -> None:
    application.make(1)
    state = application.state()
    params = {"name": "app", "source": application.store, "repository": str(repository), "lock_timeout": "0"}
    met = 0
    for step in spread(steps("backup", params)):
        shutil.rmtree(repository)
        done = run_with("error=ENOSPC", step, "backup", params)
        assert done.status in (0, 3), (step, done.error)
        met += done.ended_early
        assert application.state() == state
        assert len(backups(repository) if repository.exists() else []) == (done.status == 0), (step, done.error)
        again = run("backup", params)
        assert again.status == 0, (step, again.error)
        assert len(backups(repository)) == 1
    assert met > 1


def test_restore_without_space_at_a_step(application: Application, repository: Path, tmp_path: Path) -> None:
    application.make(1)
    assert run("backup", {"name": "app", "source": application.store, "repository": str(repository)}).status == 0
    new = application.state()
    application.make(2)
    old = application.state()
    params = {"name": "app", "target": application.store, "repository": str(repository), "on_existing": "replace"}
    copy(repository, tmp_path / "before")
    copy(application.directory, tmp_path / "old")
    met = 0
    for step in spread(steps("restore", params)):
        copy(tmp_path / "before", repository)
        copy(tmp_path / "old", application.directory)
        done = run_with("error=ENOSPC", step, "restore", params)
        assert done.status in (0, 3), (step, done.error)
        met += done.ended_early
        assert application.state() == (new if done.status == 0 else old), (step, done.error)
        again = run("restore", params)
        assert again.status == 0, (step, again.error)
        assert application.state() == new
        assert application.leftovers() == []
    assert met > 1


@pytest.mark.parametrize("compression", ["zstd", "gzip", "xz", "none"])
def test_a_repository_on_a_small_disk(small_disk: Path, compression: str, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "random").write_bytes(os.urandom(4 << 20))
    params = {
        "name": "app",
        "source": {"type": "files", "path": str(tmp_path / "tree")},
        "repository": str(small_disk / "backups"),
        "compression": compression,
    }
    predicted = run("backup", dict(params, check=True))
    assert predicted.status == 3
    assert f"bytes in {small_disk}/backups, where" in predicted.error
    done = run("backup", params)
    assert done.status == 3
    assert "No space left" in done.error
    assert "Free some space" in done.error
    assert backups(small_disk / "backups") == []
    # twice as large as the disk, and no trouble once it is compressed
    zeros = 1 << 18 if compression == "none" else 6 << 20
    (tmp_path / "tree" / "random").write_bytes(os.urandom(1 << 18) + bytes(zeros))
    assert run("backup", dict(params, check=True)).result["changed"] is True
    assert run("backup", params).result["changed"] is True


def test_a_target_on_a_small_disk(application: Application, small_disk: Path, repository: Path) -> None:
    application.make(1)
    assert run("backup", {"name": "app", "source": application.store, "repository": str(repository)}).status == 0
    with open(small_disk / "filler", "wb") as handle:
        while True:
            try:
                handle.write(bytes(4096))
                handle.flush()
            except OSError:
                break
    target = dict(application.store, path=str(small_disk / "store"))
    params = {"name": "app", "target": target, "repository": str(repository)}
    predicted, done = run("restore", dict(params, check=True)), run("restore", params)
    assert (predicted.status, done.status) == (3, 3), (predicted.result, done.result)
    assert "bytes" in predicted.error
    assert not (small_disk / "store").exists()
    (small_disk / "filler").unlink()
    assert run("restore", {"name": "app", "target": target, "repository": str(repository)}).result["changed"] is True


def test_a_safety_backup_without_room(small_disk: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "small").write_text("x")
    store = {"type": "files", "path": str(tree)}
    params = {"name": "app", "repository": str(small_disk / "backups")}
    assert run("backup", {**params, "source": store}).status == 0
    (tree / "large").write_bytes(os.urandom(4 << 20))
    restore = {**params, "target": store, "on_existing": "replace"}
    predicted, done = run("restore", dict(restore, check=True)), run("restore", restore)
    assert (predicted.status, done.status) == (3, 3), (predicted.result, done.result)
    assert (tree / "large").exists()
    assert len(backups(small_disk / "backups")) == 1
    without = dict(restore, safety_backup=False)
    assert run("restore", dict(without, check=True)).result["changed"] is True
    assert run("restore", without).result["changed"] is True


@pytest.fixture
def read_only(repository: Path) -> Iterator[Callable[[], None]]:
    """Call it, and nobody can write to the repository any more."""
    mounted = []

    def make() -> None:
        subprocess.run(["mount", "--bind", str(repository), str(repository)], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", str(repository)], check=True)
        mounted.append(repository)

    yield make
    for path in mounted:
        unmount(path)


def test_a_repository_that_can_only_be_read(
    application: Application, repository: Path, read_only: Callable[[], None]
) -> None:
    """As a backup server exports it, or a medium that came out of the safe."""
    application.make(1)
    backup = {"name": "app", "source": application.store, "repository": str(repository)}
    assert run("backup", backup).status == 0
    new = application.state()
    application.make(2)
    old = application.state()
    read_only()
    for check in (True, False):
        done = run("backup", dict(backup, check=check))
        assert (done.status, "its file system is mounted read-only" in done.error) == (3, True), done.error
    restore = {"name": "app", "target": application.store, "repository": str(repository), "on_existing": "replace"}
    for check in (True, False):
        done = run("restore", dict(restore, check=check))
        assert (done.status, "can't be backed up before it is replaced" in done.error) == (3, True), done.error
        assert "safety_backup=false" in done.error
        assert application.state() == old
    without = dict(restore, safety_backup=False)
    assert run("restore", dict(without, check=True)).result["changed"] is True
    assert run("restore", without).result["changed"] is True
    assert application.state() == new
    assert run("restore", restore).result["changed"] is False
    fresh = dict(restore, target=dict(application.store, path=str(application.directory / "fresh")))
    assert run("restore", dict(fresh, check=True)).result["changed"] is True
    assert run("restore", fresh).result["changed"] is True
    assert application.leftovers() == []
