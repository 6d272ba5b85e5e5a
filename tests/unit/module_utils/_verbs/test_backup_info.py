# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import tempfile
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
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "empty").mkdir()
    info = run("backup_info", name=None)
    assert (info["sets"], info["ok"], info["changed"]) == ([], False, False)
    assert info["problems"] == [
        {"set": None, "backup": None, "path": str(tmp_path / "backups"), "problem": "has no backup"}
    ]
    with pytest.raises(RepositoryError, match="no set app. The sets are: none"):
        run("backup_info")


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_what_is_no_repository(run: Any, tmp_path: Path, kind: str) -> None:
    if kind == "file":
        (tmp_path / "backups").write_text("x")
    info = run("backup_info", name=None)
    assert (info["sets"], info["ok"]) == ([], False)
    why = {"missing": "does not exist; is its file system mounted?", "file": "is not a directory"}[kind]
    assert info["problems"][0]["problem"] == why
    with pytest.raises(RepositoryError, match=why.replace("?", "[?]")):
        run("backup_info")
    assert (tmp_path / "backups").exists() is (kind == "file")


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
    assert info["sets"][0]["msg"].startswith("the newest good backup of app is ")
    assert info["sets"][0]["msg"].endswith(" old, within max_age 1h")
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


def test_what_need_not_be_read_again_keeps_nothing_else_from_it(run: Any, document: Any) -> None:
    made = []
    for number in range(4):
        document.fill(number)
        made.append(Path(run("backup", source=document.store)["backup"]["path"]))
    (made[0] / "manifest.json").write_text("not a manifest")
    flip(next(Path(made[1], "data").iterdir()))
    run("backup_info", verify="full")
    for one in made[1:]:
        flip(next(Path(one, "data").iterdir()))
    # what was found bad is read again, and is whole; what was found good is not
    assert run("backup_info", verify="full", reverify_after="1h")["problems"][1:] == []
    found = run("backup_info", verify="full")["problems"]
    assert [one["backup"] for one in found] == [made[0].name, made[2].name, made[3].name]


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


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
    made = run("backup", source=document.store)["backup"]
    next(Path(made["path"], "data").iterdir()).unlink()
    info = run("backup_info")
    assert (info["ok"], info["sets"][0]["msg"]) == (False, "app has no good backup, 1 problem")


def test_a_refused_run_makes_no_set(run: Any, document: Any, tmp_path: Path) -> None:
    document.fill(5)
    run("backup", name="other", source=document.store)
    document.path.write_text("no JSON")
    with pytest.raises(SourceError):
        run("backup", source=document.store)
    assert os.listdir(tmp_path / "backups") == ["other"]
    with pytest.raises(SourceError):
        run("backup", source=document.store, repository=str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    info = run("backup_info", name=None)
    assert (info["ok"], [one["name"] for one in info["sets"]]) == (True, ["other"])


def test_a_set_of_safety_backups_alone_needs_no_backup_unless_it_is_named(
    run: Any, document: Any, tmp_path: Path
) -> None:
    document.fill(5)
    made = run("backup", name="other", source=document.store)["backup"]
    document.fill(6)
    run("restore", target=document.store, backup=made["path"], on_existing="replace")
    assert sorted(os.listdir(tmp_path / "backups")) == ["app", "other"]
    info = run("backup_info", name=None, max_age="1d")
    assert (info["ok"], info["sets"][0]["msg"]) == (True, "app has only safety backups")
    assert (info["sets"][0]["newest"], info["sets"][0]["within_max_age"]) == (None, None)
    assert run("backup_info")["ok"] is False


def test_a_set_that_can_not_be_read_hides_no_other(run: Any, document: Any) -> None:
    document.fill(5)
    with tempfile.TemporaryDirectory() as repository:
        for name in ("app", "other"):
            run("backup", name=name, source=document.store, repository=repository)
        for one in (Path(repository), Path(repository, "other"), *Path(repository, "other").rglob("*")):
            one.chmod(0o755)
        os.seteuid(65534)  # root may read everything
        try:
            info = run("backup_info", name=None, repository=repository)
            limited = run("backup_info", name=None, repository=repository, max_age="1h")
        finally:
            os.seteuid(0)
    assert [one["within_max_age"] for one in info["sets"]] == [None, None]
    assert [one["within_max_age"] for one in limited["sets"]] == [False, True]
    assert (info["ok"], [one["name"] for one in info["sets"]]) == (False, ["app", "other"])
    assert info["sets"][0]["msg"].startswith("app can't be read: Can't list")
    assert [(one["set"], one["backup"]) for one in info["problems"]] == [("app", None)]
    assert info["sets"][1]["newest"] is not None


def test_check_mode_remembers_nothing(run: Any, document: Any) -> None:
    document.fill(5)
    run("backup", source=document.store)
    before = run("backup_info")["sets"][0]["backups"][0]["verified"]
    time.sleep(0.01)
    run("backup_info", check=True, verify="full")
    assert run("backup_info")["sets"][0]["backups"][0]["verified"] == before


def test_what_its_record_removes_is_told(run: Any, application: Any, tmp_path: Path) -> None:
    application.fill(1, settle=False)
    run("backup", source=application.store)
    left = tmp_path / "backups/app/.staging-0123abcd"
    left.mkdir()
    assert run("backup_info")["warnings"] == []
    (warning,) = run("backup_info", verify="full")["warnings"]
    assert str(left) in warning
    assert not left.exists()
