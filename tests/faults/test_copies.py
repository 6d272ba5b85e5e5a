# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of backups that are killed at a step, that run out of space, and that meet flipped bits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.tests.faults.support import (
    FilesApplication,
    Verb,
    backups,
    files_below,
    run,
    run_with,
    spread,
    steps,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with two backups, of two files each."""
    application = FilesApplication(tmp_path / "application")
    for version in (1, 2):
        application.make(version)
        made = {"name": "app", "source": application.store, "repository": str(tmp_path / "source")}
        assert run("backup", made).status == 0
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def params(source: Path, target: Path, **more: Any) -> dict[str, Any]:
    places = {"from": {"repository": str(source)}, "to": {"repository": str(target)}}
    return {"name": "app", "which": "all", "lock_timeout": "0", **places, **more}


def contents(repository: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(repository)): one.read_bytes()
        for one in files_below(repository)
        if ".state" not in str(one)
    }


def leftovers(repository: Path) -> list[str]:
    return [one.name for one in (repository / "app").glob(".staging*")] if repository.exists() else []


def check_again(source: Path, target: Path, step: str) -> None:
    """A plain run brings the rest, and the next one nothing."""
    again = run("backup_copy", params(source, target))
    assert again.status == 0, (step, again.error)
    assert contents(target) == contents(source), step
    assert run("backup_copy", params(source, target)).result["changed"] is False, step
    assert run("backup_info", {"repository": str(target), "verify": "full"}).result["ok"], step


def test_killed_at_a_step(source: Path, target: Path, tmp_path: Path) -> None:
    before = contents(source)
    met = 0
    for step in spread(steps("backup_copy", params(source, target))):
        shutil.rmtree(target, ignore_errors=True)
        done = run_with("signal=KILL", step, "backup_copy", params(source, target))
        assert done.killed or done.status in (0, 3), (step, done.error)
        met += done.ended_early
        assert contents(source) == before
        backups(target)  # what is visible is whole
        check_again(source, target, step)
    assert met > 1


def test_without_space_at_a_step(source: Path, target: Path, tmp_path: Path) -> None:
    newest = params(source, target, which="newest")
    met = 0
    for step in spread(steps("backup_copy", newest)):
        shutil.rmtree(target, ignore_errors=True)
        done = run_with("error=ENOSPC", step, "backup_copy", newest)
        assert done.status in (0, 3), (step, done.error)
        met += done.ended_early
        # a disk that is full must not stay so
        assert leftovers(target) == [] or "unlink" in step or "rmdir" in step, (step, done.error)
        backups(target)
        check_again(source, target, step)
    assert met > 1


def test_a_small_disk(small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "random").write_bytes(os.urandom(4 << 20))
    made = {
        "name": "app",
        "source": {"type": "files", "path": str(tmp_path / "tree")},
        "repository": str(tmp_path / "s"),
    }
    assert run("backup", made).status == 0
    for check in (True, False):
        done = run("backup_copy", params(tmp_path / "s", small_disk / "copies", check=check))
        assert done.status == 3
        assert f"bytes in {small_disk}/copies, where" in done.error
    assert os.listdir(small_disk) == ["lost+found"]


def flips(path: Path) -> Iterator[int]:
    """Flip one bit at each of several places of a file, and leave it as it was."""
    whole = path.read_bytes()
    for offset in sorted({0, len(whole) // 2, len(whole) - 1}):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ (1 << offset % 8)]) + whole[offset + 1 :])
        yield offset
    path.write_bytes(whole)


def test_a_flipped_bit_in_the_source(source: Path, target: Path) -> None:
    older, newer = backups(source)
    for path in files_below(newer):
        for offset in flips(path):
            done = run("backup_copy", params(source, target, which=newer.name))
            assert done.status == 3, (path, offset)
            assert path.name in done.error or "manifest.json" in done.error, done.error
            assert f"The next good backup is {older.name}" in done.error, done.error
            assert backups(target) == []
            assert leftovers(target) == []
    assert run("backup_copy", params(source, target)).status == 0


def test_a_flipped_bit_in_the_target(source: Path, target: Path) -> None:
    assert run("backup_copy", params(source, target)).status == 0
    newer = sorted((target / "app").glob("2*"))[-1]
    for path in files_below(newer):
        for offset in flips(path):
            before = contents(target)
            assert run("backup_info", {"repository": str(target), "verify": "full"}).result["ok"] is False
            done: Verb = run("backup_copy", params(source, target))
            assert done.status == 3, (path, offset)
            assert newer.name in done.error
            assert contents(target) == before
        assert run("backup_info", {"repository": str(target), "verify": "full"}).result["ok"] is True
    assert run("backup_copy", params(source, target)).result["changed"] is False


def test_what_a_killed_copy_left_is_checked(source: Path, target: Path, tmp_path: Path) -> None:
    """All that was copied before is flipped while nobody looks."""
    step = [one for one in steps("backup_copy", params(source, target)) if one.startswith("rename:")][-1]
    shutil.rmtree(target)
    killed = 0
    for dummy in range(2):
        killed += run_with("signal=KILL", step, "backup_copy", params(source, target)).killed
        for path in files_below(target):
            if ".staging" in str(path) and path.stat().st_size:
                path.write_bytes(bytes(path.stat().st_size))
    assert killed  # maybe once: the second run has less to do
    check_again(source, target, step)
