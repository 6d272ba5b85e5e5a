# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drills that are killed or meet a full disk: the next one removes what is left, and nothing else has changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.tests.faults.support import SqliteApplication, run, run_with, spread, steps


def content(root: Path) -> dict[str, Any]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))}


@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC"])
def test_a_fault_at_a_step(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, scratch = tmp_path / "state", tmp_path / "scratch"
    monkeypatch.setenv("DAY2_STATE", str(state))
    application = SqliteApplication(tmp_path / "application")
    application.make(1)
    tree = tmp_path / "application" / "tree"
    (tree / "closed").mkdir(parents=True)
    (tree / "closed" / "file").write_text("data")
    (tree / "closed").chmod(0o500)
    params = {"name": "app", "repository": str(tmp_path / "backups")}
    sources = [{**application.store, "name": "database"}, {"type": "files", "path": str(tree), "name": "tree"}]
    assert run("backup", {**params, "sources": sources}).status == 0
    before = content(tmp_path / "backups"), content(tmp_path / "application")
    params = {**params, "scratch": str(scratch)}
    scratch.mkdir(mode=0o700)
    met = 0
    for step in spread(steps("restore_drill", params)):
        subprocess.run(["rm", "-rf", str(state)], check=True)
        ended = run_with(fault, step, "restore_drill", params)
        assert ended.status in (0, 3) or ended.killed, (step, ended.error)
        assert ended.killed or ended.status or ended.result["drill"]["verdict"] in ("pass", "inconclusive"), step
        met += ended.status != 0 or ended.result["drill"]["verdict"] != "pass"
        again = run("restore_drill", params)
        assert (again.status, again.result["drill"]["verdict"]) == (0, "pass"), (step, again.result)
        assert os.listdir(scratch) == [], step
        assert (content(tmp_path / "backups"), content(tmp_path / "application")) == before, step
    assert met > 1
