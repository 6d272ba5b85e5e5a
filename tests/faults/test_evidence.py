# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that records evidence is killed, or has no space, at calls that change a file system: the chain stays whole."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.tests.faults.support import JsonApplication, copy, run, run_with, spread, steps

FAULTS = ["signal=KILL", "error=ENOSPC"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("begun", [True, False], ids=["next", "first"])
def test_a_fault_at_a_step(fault: str, begun: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, repository = tmp_path / "state", tmp_path / "backups"
    monkeypatch.setenv(host_state.VARIABLE, str(state))
    application = JsonApplication(tmp_path / "app")
    application.make(1)
    params = {"name": "app", "source": application.store, "repository": str(repository), "evidence": begun}
    params.update(max_age="1d", lock_timeout="0")  # so that the runs below do little but record
    assert run("backup", params).status == 0
    params["evidence"] = True
    copy(state, tmp_path / "state-before")
    copy(repository, tmp_path / "before")

    def look() -> dict[str, Any]:
        return run("evidence_info", {"repositories": [{"repository": str(repository)}], "fail_on": []}).result

    met = 0
    for step in spread(steps("backup", params)):
        for place, before in ((state, "state-before"), (repository, "before")):
            shutil.rmtree(place, ignore_errors=True)
            copy(tmp_path / before, place)
        done = run_with(fault, step, "backup", params)
        assert done.killed or done.status in (0, 3), (step, done.error)
        # evidence that could not be recorded is only a warning
        met += done.ended_early or bool(done.result["warnings"])
        assert look()["chain"] != "broken", (step, look()["problem"])
        again = run("backup", params)
        assert again.status == 0, (step, again.error)
        assert not [one for one in again.result["warnings"] if "vidence" in one], (step, again.result["warnings"])
        found = look()
        assert (found["chain"], found["entries"][0]["verdict"]) == ("intact", "unchanged"), (step, found)
    assert met > 1
