# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts, or two stores of one host, with one set name in one repository lose nothing and get their own back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.tests.faults.support import Application, JsonApplication, backups, run_on


@pytest.fixture
def document(tmp_path: Path) -> Application:
    return JsonApplication(tmp_path / "application")


def params_of(document: Application, repository: Path, **more: Any) -> dict[str, Any]:
    return dict(name="app", source=document.store, repository=str(repository), keep={"last": 1}, **more)


@pytest.mark.parametrize("check", [True, False])
def test_a_second_host_is_refused(document: Application, repository: Path, check: bool) -> None:
    document.make(1)
    first = run_on("hawk1", "backup", params_of(document, repository)).result["backup"]
    assert first["host"] == "hawk1"
    document.make(2)
    refused = run_on("hawk2", "backup", params_of(document, repository, check=check))
    assert refused.status == 3
    assert f"belongs to {document.path} on host hawk1, not to {document.path} on host hawk2" in refused.error
    assert "host=hawk1" in refused.error
    assert "take_over=true" in refused.error
    assert [one.name for one in backups(repository)] == [first["id"]]


@pytest.mark.parametrize("check", [True, False])
def test_another_store_of_the_host_is_refused(
    document: Application, repository: Path, tmp_path: Path, check: bool
) -> None:
    document.make(1)
    run_on("hawk1", "backup", params_of(document, repository))
    other = JsonApplication(tmp_path / "other")
    other.make(2)
    refused = run_on("hawk1", "backup", params_of(other, repository, check=check))
    assert (refused.status, len(backups(repository))) == (3, 1)
    assert f"not to {other.path} on host hawk1" in refused.error
    assert "moved" in refused.error


def test_two_hosts_that_are_told_to_share_a_set(document: Application, repository: Path) -> None:
    document.make(1)
    first = run_on("hawk1", "backup", params_of(document, repository)).result["backup"]["id"]
    document.make(2)
    taken = run_on("hawk2", "backup", params_of(document, repository, take_over=True, max_age="1h")).result
    assert (taken["reason"], taken["removed"]) == ("new", [])
    assert [(one["host"], one["newest"]) for one in taken["other_owners"]] == [("hawk1", first)]
    assert f"also has 1 backup of {document.path} on host hawk1" in " ".join(taken["notes"])
    # from now on each has a history of its own, and a policy of one removes nothing of the other
    document.make(1)
    assert run_on("hawk1", "backup", params_of(document, repository)).result["changed"] is False
    document.make(2)
    assert run_on("hawk2", "backup", params_of(document, repository)).result["changed"] is False
    document.make(3)
    newest = run_on("hawk2", "backup", params_of(document, repository)).result
    assert newest["removed"] == [taken["backup"]["id"]]
    assert sorted(one.name for one in backups(repository)) == sorted([first, newest["backup"]["id"]])

    restore = {"name": "app", "target": document.store, "repository": str(repository), "on_existing": "replace"}
    for host, wanted in (("hawk1", 40), ("hawk2", 120)):
        done = run_on(host, "restore", restore).result
        assert (done["backup"]["host"], done["foreign"], done["warnings"]) == (host, False, [])
        assert len(document.state()["requests"]) == wanted
    third = run_on("hawk3", "restore", restore)
    assert third.status == 3
    assert "several hosts" in third.error
    assert run_on("hawk3", "restore", dict(restore, host="hawk1")).result["backup"]["id"] == first
    info = run_on("hawk2", "backup_info", {"repository": str(repository), "keep": {"last": 1}}).result["sets"][0]
    assert [one["host"] for one in info["owners"]] == ["hawk1", "hawk2"]
    assert [bool(one["reasons"]) for one in info["backups"] if one["kind"] == "backup"] == [True, True]


def test_the_backup_of_another_host_is_restored_and_named(document: Application, repository: Path) -> None:
    document.make(1)
    first = run_on("hawk1", "backup", params_of(document, repository)).result["backup"]["id"]
    document.make(2)
    restore = {"name": "app", "target": document.store, "repository": str(repository), "on_existing": "replace"}
    done = run_on("hawk2", "restore", restore).result
    assert (done["foreign"], done["backup"]["host"]) == (True, "hawk1")
    assert "of host hawk1" in done["msg"]
    assert f"is of {document.path} on host hawk1, not of this host, hawk2" in done["warnings"][0]
    assert done["safety_backup"]["host"] == "hawk2"
    # the safety backup makes nobody an owner
    assert run_on("hawk2", "backup", params_of(document, repository)).status == 3
    # and that of hawk2 is named when hawk1 restores it
    back = run_on("hawk1", "restore", dict(restore, backup=done["safety_backup"]["id"])).result
    assert (back["foreign"], back["changed"]) == (True, True)
    named = dict(
        restore, backup=done["safety_backup"]["id"], host="hawk1"
    )  # as containers do that have a name of their own
    assert run_on("0123456789ab", "restore", named).status == 0
    wrong = run_on("hawk1", "restore", dict(restore, backup=first, host="hawk2"))
    assert (wrong.status, "not of host hawk2" in wrong.error) == (3, True)
    info = run_on("hawk2", "backup_info", {"repository": str(repository)}).result["sets"][0]
    assert (info["foreign"], info["newest"]) == (True, first)
    assert "(of host hawk1)" in info["msg"]


def test_a_host_with_a_new_name_goes_on_under_the_old_one(document: Application, repository: Path) -> None:
    document.make(1)
    run_on("hawk1", "backup", params_of(document, repository))
    document.make(2)
    done = run_on("0123456789ab", "backup", params_of(document, repository, host="hawk1")).result
    assert (done["reason"], len(done["removed"]), done["backup"]["host"]) == ("changed", 1, "hawk1")
    assert done["other_owners"] == []
    info = {"repository": str(repository), "host": "hawk1"}
    assert run_on("ba9876543210", "backup_info", info).result["sets"][0]["foreign"] is False
