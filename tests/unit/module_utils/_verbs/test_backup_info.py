# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import RepositoryError, SourceError


def reads(run: Any, path: Path, **params: Any) -> bool:
    """Does this look read the data file? (Its access time tells.)"""
    os.utime(path, (1, path.stat().st_mtime))
    run("backup_info", **params)
    return path.stat().st_atime != 1


def test_an_empty_repository(run: Any, tmp_path: Path) -> None:
    info = run("backup_info", name=None)
    assert (info["sets"], info["ok"], info["changed"]) == ([], True, False)
    assert not (tmp_path / "backups").exists()
    with pytest.raises(RepositoryError, match="no set app. Its sets are: none"):
        run("backup_info")


def test_sets_ages_counts_and_reasons(run: Any, application: Any) -> None:
    for number in (1, 2):
        application.fill(number)
        run("backup", source=application.store)
        run("backup", name="other", source=application.store)
    info = run("backup_info", name=None, max_age="1h", keep={"last": 1})
    assert [one["name"] for one in info["sets"]] == ["app", "other"]
    newest, oldest = info["sets"][0]["backups"]
    assert newest["id"] == info["sets"][0]["newest"]
    assert newest["created"] > oldest["created"]
    assert newest["reasons"]
    assert oldest["reasons"] == []
    assert info["sets"][0]["within_max_age"] is True
    assert info["ok"] is True
    time.sleep(0.02)
    late = run("backup_info", max_age="10ms")
    assert (late["ok"], late["sets"][0]["within_max_age"]) == (False, False)
    assert "beyond max_age" in late["sets"][0]["msg"]


def test_full_verification_is_remembered(run: Any, document: Any) -> None:
    document.fill(5)
    backup = run("backup", source=document.store)["backup"]
    data = next(Path(backup["path"], "data").iterdir())
    assert not reads(run, data, verify="none")
    assert not reads(run, data, verify="quick")
    assert reads(run, data, verify="full")
    # the backup itself counts as the first verification
    assert not reads(run, data, verify="full", reverify_after="1h")
    time.sleep(0.05)
    assert reads(run, data, verify="full", reverify_after="10ms")


def test_what_is_bad_is_read_again(run: Any, document: Any) -> None:
    document.fill(5)
    backup = run("backup", source=document.store)["backup"]
    data = next(Path(backup["path"], "data").iterdir())
    whole = data.read_bytes()
    data.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert run("backup_info", verify="quick")["ok"] is True
    bad = run("backup_info", verify="full")
    assert (bad["ok"], bad["problems"][0]["path"]) == (False, f"data/{data.name}")
    assert run("backup_info", verify="quick")["ok"] is False
    data.write_bytes(whole)
    assert run("backup_info", verify="full", reverify_after="1h")["ok"] is True


def test_problems_are_listed_one_by_one(run: Any, document: Any) -> None:
    document.fill(5)
    backup = Path(run("backup", source=document.store)["backup"]["path"])
    (backup / "data" / "surprise").write_text("x")
    next(one for one in (backup / "data").iterdir() if one.name != "surprise").write_bytes(b"short")
    listed = run("backup_info", verify="quick")["problems"]
    assert len(listed) == 2
    assert {one["set"] for one in listed} == {"app"}
    assert {one["backup"] for one in listed} == {backup.name}
    (backup / "manifest.json").unlink()
    assert [one["path"] for one in run("backup_info")["problems"]] == ["manifest.json"]
    assert run("backup_info", verify="none")["problems"] == []


def test_a_set_without_a_good_backup_is_not_ok(run: Any, document: Any) -> None:
    document.fill(5)
    document.path.write_text("no JSON")
    with pytest.raises(SourceError):
        run("backup", source=document.store)
    info = run("backup_info")
    assert (info["ok"], info["sets"][0]["msg"]) == (False, "app has no good backup")


def test_check_mode_remembers_nothing(run: Any, document: Any) -> None:
    document.fill(5)
    run("backup", source=document.store)
    before = run("backup_info")["sets"][0]["backups"][0]["verified"]
    time.sleep(0.01)
    run("backup_info", check=True, verify="full")
    assert run("backup_info")["sets"][0]["backups"][0]["verified"] == before
