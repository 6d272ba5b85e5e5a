# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates of backups: of imported copies, and as `at` and ids tell them. Wrong clocks: tests/faults/test_clock.py."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, RepositoryError, SourceError


def copy_of(document: Any, path: Path, modified: float) -> str:
    shutil.copy(document.path, path)
    os.utime(path, (modified, modified))
    return str(path)


@pytest.mark.parametrize("check", [True, False])
def test_an_import_that_the_policy_would_remove_at_once_is_refused(
    run: Any, document: Any, tmp_path: Path, check: bool
) -> None:
    document.fill(5)
    copy = copy_of(document, tmp_path / "old.json", 1_000_000_000)
    document.fill(9)
    newest = run("backup", source=document.store)["backup"]["id"]
    arguments = {"source": document.store, "import": copy}
    with pytest.raises(InvalidRequest, match="older than all backups that keep retains"):
        run("backup", check=check, keep={"last": 1}, **arguments)
    assert [one["id"] for one in run("backup_info")["sets"][0]["backups"]] == [newest]
    assert run("backup", check=check, keep={"last": 2}, **arguments)["reason"] == "import"


@pytest.mark.parametrize("check", [True, False])
def test_an_import_from_the_future_is_refused(run: Any, document: Any, tmp_path: Path, check: bool) -> None:
    document.fill(5)
    copy = copy_of(document, tmp_path / "late.json", 2_200_000_000.0)
    with pytest.raises(SourceError, match=r"late\.json is dated in the future"):
        run("backup", check=check, source=document.store, **{"import": copy})


def test_an_import_whose_time_is_no_date(run: Any, document: Any) -> None:
    document.fill(5)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:  # other file systems have no such times
        copy = copy_of(document, Path(place, "late.json"), 2.0**42)
        with pytest.raises(SourceError, match=r"late\.json, 4398046511104, is not a date"):
            run("backup", source=document.store, **{"import": copy})


def test_an_import_of_nothing(run: Any, document: Any, tmp_path: Path) -> None:
    document.fill(5)
    (tmp_path / "empty.json").touch()
    with pytest.raises(SourceError, match=r"empty\.json is empty"):
        run("backup", source=document.store, **{"import": str(tmp_path / "empty.json")})


def test_an_import_from_before_1970(run: Any, document: Any, tmp_path: Path) -> None:
    document.fill(5)
    copy = copy_of(document, tmp_path / "old.json", -1.0)
    made = run("backup", source=document.store, **{"import": copy})["backup"]
    assert made["created"] == "1969-12-31T23:59:59Z"
    assert run("backup_info")["sets"][0]["newest"] == made["id"]


def test_at_takes_the_time_that_an_id_tells(run: Any, document: Any) -> None:
    for records in (1, 2):
        document.fill(records)
        made = run("backup", source=document.store)["backup"]
    restored = run("restore", target=document.store, at=made["id"].partition("-")[0])
    assert restored["backup"]["id"] == made["id"]
    assert run("restore", target=document.store, at=made["created"])["backup"]["id"] == made["id"]
    with pytest.raises(RepositoryError, match="or earlier"):
        run("restore", target=document.store, at="2001-01-01")
