# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that was wrong for one run costs no backup, and nobody believes the date that it left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.tests.faults.support import Application, JsonApplication, backups, run, run_at

FUTURE = "2040-01-01 12:00:00"
PAST = "2001-01-01 12:00:00"


@pytest.fixture
def document(tmp_path: Path) -> Application:
    return JsonApplication(tmp_path / "application")


def params_of(document: Application, repository: Path, **more: Any) -> dict[str, Any]:
    return dict(name="app", source=document.store, repository=str(repository), **more)


def test_a_backup_from_the_future(document: Application, repository: Path) -> None:
    document.make(1)
    made = run_at(FUTURE, "backup", params_of(document, repository))
    late = made.result["backup"]["id"]
    assert late.startswith("20400101T1200")

    keep = {"last": 1}
    for version in (2, 3):
        document.make(version)
        done = run("backup", params_of(document, repository, keep=keep))
        newest = done.result["backup"]["id"]
        assert newest in [one.name for one in backups(repository)]
        assert not newest.startswith("2040")
        assert late not in done.result["removed"]
        assert any("dated in the future" in one for one in done.result["warnings"])
    assert [one.name for one in backups(repository)] == [newest, late]

    info = run("backup_info", {"repository": str(repository), "keep": keep})
    assert (info.status, info.result["ok"]) == (0, False)
    assert info.result["sets"][0]["newest"] == newest
    assert [one["backup"] for one in info.result["problems"]] == [late]
    assert "dated in the future" in info.result["problems"][0]["problem"]
    assert all(one["age_s"] >= 0 for one in info.result["sets"][0]["backups"])

    restore = {"name": "app", "target": document.store, "repository": str(repository), "on_existing": "replace"}
    assert run("restore", restore).result["backup"]["id"] == newest
    assert run("restore", dict(restore, backup=late)).result["backup"]["id"] == late
    document_state = json.loads(document.path.read_text())
    assert len(document_state["requests"]) == 40


def test_only_a_backup_from_the_future(document: Application, repository: Path) -> None:
    document.make(1)
    run_at(FUTURE, "backup", params_of(document, repository))
    restore = {"name": "app", "target": document.store, "repository": str(repository)}
    assert "dated in the future" in run("restore", restore).error
    # it is not recent, and nothing is unchanged since: the data gets a backup that counts
    assert run("backup", params_of(document, repository, max_age="1h")).result["reason"] == "new"


def test_what_a_run_from_the_future_confirmed_and_verified(document: Application, repository: Path) -> None:
    document.make(1)
    run("backup", params_of(document, repository))
    assert run_at(FUTURE, "backup", params_of(document, repository)).result["changed"] is False
    verify = {"repository": str(repository), "verify": "full", "reverify_after": "1d"}
    run_at(FUTURE, "backup_info", verify)
    # years of age must not hide behind the date
    later = run_at("2030-01-01 12:00:00", "backup_info", dict(verify, verify="quick", max_age="30d")).result
    assert later["sets"][0]["within_max_age"] is False
    assert run("backup_info", dict(verify, verify="quick")).result["sets"][0]["backups"][0]["verified"] is None


def test_a_clock_that_was_set_back(document: Application, repository: Path) -> None:
    document.make(1)
    first = run("backup", params_of(document, repository)).result["backup"]["id"]
    document.make(2)
    back = run_at(PAST, "backup", params_of(document, repository, keep={"last": 1})).result
    assert back["backup"]["id"].startswith("2001")
    assert back["removed"] == []
    document.make(3)
    again = run_at(PAST, "backup", params_of(document, repository, keep={"last": 1})).result
    assert again["removed"] == [back["backup"]["id"]]
    assert sorted(one.name for one in backups(repository)) == sorted([first, again["backup"]["id"]])
