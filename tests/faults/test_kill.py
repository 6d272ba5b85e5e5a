# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each verb is killed at calls that change a file system."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.day2.ops.tests.faults.support import Application, backups, copy, run, run_with, spread, steps


def leftovers(repository: Path) -> list[str]:
    return [one.name for one in (repository / "app").iterdir() if one.name.startswith((".staging", ".removing"))]


def test_backup_killed_at_a_step(application: Application, repository: Path, tmp_path: Path) -> None:
    for version in (1, 2):
        application.make(version)
        assert run("backup", {"name": "app", "source": application.store, "repository": str(repository)}).status == 0
    application.make(1)
    state = application.state()
    params = {
        "name": "app",
        "source": application.store,
        "repository": str(repository),
        "lock_timeout": "0",
        "keep": {"last": 1},
    }
    copy(repository, tmp_path / "before")
    had = {one.name for one in backups(repository)}
    met = 0
    for step in spread(steps("backup", params)):
        copy(tmp_path / "before", repository)
        done = run_with("signal=KILL", step, "backup", params)
        assert done.killed or done.status in (0, 3), (step, done.error)
        met += done.ended_early
        assert application.state() == state
        # what is visible is whole, the newest of before is not lost, and a plain run mends the rest
        now = {one.name for one in backups(repository)}
        assert max(had) in now or len(now - had) == 1, step
        assert run("backup_info", {"repository": str(repository), "verify": "full"}).result["ok"], step
        again = run("backup", params)
        assert again.status == 0, (step, again.error)
        assert leftovers(repository) == [], step
        assert len(backups(repository)) == 1, step
        assert run("backup", params).result["changed"] is False, step
    # not all: a child's death may be survived, and some calls only the undisturbed run made
    assert met > 1


@pytest.mark.parametrize("existing", [True, False], ids=["over", "fresh"])
def test_restore_killed_at_a_step(application: Application, repository: Path, existing: bool, tmp_path: Path) -> None:
    application.make(1)
    assert run("backup", {"name": "app", "source": application.store, "repository": str(repository)}).status == 0
    new = application.state()
    if existing:
        application.make(2)
    else:
        shutil.rmtree(application.directory)
        application.directory.mkdir()
    old = application.state()
    params = {
        "name": "app",
        "target": application.store,
        "repository": str(repository),
        "on_existing": "replace",
        "lock_timeout": "0",
    }
    copy(repository, tmp_path / "before")
    copy(application.directory, tmp_path / "old")
    met = 0
    for step in spread(steps("restore", params)):
        copy(tmp_path / "before", repository)
        copy(tmp_path / "old", application.directory)
        done = run_with("signal=KILL", step, "restore", params)
        assert done.killed or done.status in (0, 3), (step, done.error)
        met += done.ended_early
        assert application.state() in (old, new), f"neither old nor new: {step}"
        if done.status == 0:
            assert application.state() == new, step
        assert backups(repository)
        again = run("restore", params)
        assert again.status == 0, (step, again.error)
        assert application.state() == new, step
        assert application.leftovers() == [], step
        assert leftovers(repository) == [], step
    assert met > 1
