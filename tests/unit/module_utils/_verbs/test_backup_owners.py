# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores of one host that share a set, move, or come and go. Two hosts: tests/faults/test_owners.py."""

from __future__ import annotations

import json
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, RepositoryError
from tests.unit.module_utils._verbs.conftest import Application


def a_document(path: Path, records: int) -> dict[str, Any]:
    path.write_text('{{"requests": {{{}}}}}'.format(",".join(f'"{n}": {{}}' for n in range(records))))
    time.sleep(0.15)
    return {"type": "json", "path": str(path), "name": path.stem}


@pytest.mark.parametrize("check", [True, False])
def test_a_store_can_be_added_and_not_be_left_out(run: Any, tmp_path: Path, check: bool) -> None:
    one, two = a_document(tmp_path / "one.json", 1), a_document(tmp_path / "two.json", 2)
    first = run("backup", sources=[one])["backup"]["id"]
    both = run("backup", sources=[one, two], keep={"last": 1})
    assert (both["reason"], both["removed"]) == ("changed", [first])
    with pytest.raises(InvalidRequest, match=r"belongs to .*one.json and .*two.json on host .*take_over=true once"):
        run("backup", check=check, sources=[one], keep={"last": 1})
    alone = run("backup", check=check, sources=[one], keep={"last": 1}, take_over=True)
    assert (alone["reason"], alone["removed"]) == ("new", [])
    assert [one["newest"] for one in alone["other_owners"]] == [both["backup"]["id"]]


def test_a_store_that_was_moved_goes_on_in_its_set(run: Any, tmp_path: Path) -> None:
    old = a_document(tmp_path / "old.json", 1)
    before = run("backup", source=old)["backup"]["id"]
    shutil.move(tmp_path / "old.json", tmp_path / "new.json")
    new = {"type": "json", "path": str(tmp_path / "new.json")}
    with pytest.raises(InvalidRequest, match="moved"):
        run("backup", source=new)
    after = run("backup", source=new, take_over=True, keep={"last": 1})
    assert after["removed"] == []
    for take_over in (True, False):
        assert run("backup", source=new, take_over=take_over)["changed"] is False
    # the newest of the path, and for another path the newest of the host
    a_document(tmp_path / "new.json", 3)
    newest = run("backup", source=new)["backup"]["id"]
    for path, wanted in (("old.json", before), ("new.json", newest), ("drill.json", newest)):
        restored = run("restore", target={"type": "json", "path": str(tmp_path / path)}, on_existing="replace")
        assert (restored["backup"]["id"], restored["foreign"]) == (wanted, False)
    assert f"of {tmp_path / 'new.json'}, made" in restored["msg"]
    info = run("backup_info", keep={"last": 1})["sets"][0]
    assert [(one["newest"], one["backups"]) for one in info["owners"]] == [(newest, 2), (before, 1)]
    assert {one["id"] for one in info["backups"] if one["reasons"]} == {newest, before}


def test_a_backup_of_two_owners_confirms_each(run: Any, tmp_path: Path) -> None:
    one, two = a_document(tmp_path / "one.json", 1), a_document(tmp_path / "two.json", 2)
    made = [run("backup", source=store, take_over=True)["backup"] for store in (one, two)]
    for store in (one, two):
        assert run("backup", source=store)["changed"] is False
    backups = run("backup_info")["sets"][0]["backups"]
    assert {backup["id"] for backup in backups} == {backup["id"] for backup in made}
    noted = json.loads((tmp_path / "backups" / "app" / ".state" / "confirmed.json").read_bytes())["value"]
    assert {backup["id"]: noted[backup["id"]] > backup["created"] for backup in made} == dict.fromkeys(noted, True)


@pytest.mark.parametrize("kind", ["json", "sqlite", "files"])
def test_a_link_on_the_way_makes_no_other_owner(run: Any, tmp_path: Path, kind: str) -> None:
    """Such as `current`, which points to another directory after each release."""
    made = []
    for release in ("1", "2"):
        application = Application(kind, tmp_path / "releases" / release / "data")
        application.fill(int(release))
        link = tmp_path / "current"
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / "releases" / release)
        store = {"type": kind, "path": str(link / "data")}
        backup = run("backup", source=store)
        assert (backup["reason"], backup["other_owners"]) == ("changed" if made else "new", [])
        made.append(backup["backup"]["id"])
        assert run("backup", source=store)["changed"] is False
    assert run("backup_info")["sets"][0]["owners"] == [
        {"host": socket.gethostname(), "paths": [str(link / "data")], "backups": 2, "newest": made[1]}
    ]
    restored = run("restore", target=store, on_existing="replace")
    assert (restored["changed"], restored["backup"]["id"]) == (False, made[1])


def test_a_restore_says_what_there_is_instead(run: Any, tmp_path: Path) -> None:
    store = a_document(tmp_path / "one.json", 1)
    with pytest.raises(RepositoryError, match=r"backups does not exist; is its file system mounted\?"):
        run("restore", target=store)
    run("backup", source=store, host="first")
    with pytest.raises(
        RepositoryError, match="no good backup of host second. The set has backups of: .* on host first"
    ):
        run("restore", target=store, host="second")


def test_a_host_that_is_named_is_the_one_whose_backup_is_restored(run: Any, tmp_path: Path) -> None:
    made = {}
    for number, host in enumerate(("first", "second"), 1):
        store = a_document(tmp_path / f"{host}.json", number)
        made[host] = run("backup", source=store, host=host, take_over=True)["backup"]["id"]
    elsewhere = {"type": "json", "path": str(tmp_path / "elsewhere.json")}
    for host, backup in made.items():
        done = run("restore", target=elsewhere, host=host, on_existing="replace")
        assert (done["changed"], done["backup"]["id"]) == (True, backup)
        content = (tmp_path / f"{host}.json").read_text()
        assert json.loads((tmp_path / "elsewhere.json").read_text()) == json.loads(content)
    with pytest.raises(RepositoryError, match="backups of several hosts, but none of this host"):
        run("restore", target=elsewhere, on_existing="replace")
