# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody has put where a migration keeps its own files: refused in check mode, too, and never followed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from tests.unit.module_utils._verbs.migrations import Store, Stores, run, sql


def a_link(path: Path) -> None:
    path.with_name("victim").write_text("of somebody else")
    path.symlink_to("victim")


def a_dangling_link(path: Path) -> None:
    path.symlink_to("victim")


Plant = Callable[[Path], None]
PLANTS: list[Plant] = [a_link, a_dangling_link, Path.mkdir, os.mkfifo]


def told_by_both(source: Store, target: Store, directory: Path, words: str, **params: str) -> None:
    """Both refuse, in the same words, and nothing in the directory has changed."""
    before = {one.name: one.lstat().st_mtime_ns for one in directory.iterdir()}
    told = []
    for check in (True, False):
        with pytest.raises(Day2Error, match=words) as caught:
            run(check, source=source, target=target, **params)
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert {one.name: one.lstat().st_mtime_ns for one in directory.iterdir()} == before


@pytest.fixture
def source(stores: Stores) -> Store:
    store = stores("sqlite")
    sql(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    sql(store, "INSERT INTO t VALUES (1, 'a')")
    return store


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("json", ".migration"),
        ("json", ".migration-journal"),
        ("json", ".migration.new"),
        ("json", ".lock"),
        ("sqlite", ".lock"),
    ],
)
def test_a_file_of_the_migration_that_is_none(source: Store, tmp_path: Path, kind: str, end: str, plant: Plant) -> None:
    directory = tmp_path / "target"
    directory.mkdir()
    plant(directory / (".day2-app.x" + end))
    target = {"type": kind, "path": str(directory / "app.x")}
    told_by_both(source, target, directory, rf"{end} is .*, not a regular file")


@pytest.mark.parametrize("plant", PLANTS)
def test_also_where_nothing_is_to_be_done(source: Store, tmp_path: Path, plant: Plant) -> None:
    directory = tmp_path / "target"
    directory.mkdir()
    target = {"type": "json", "path": str(directory / "app.json")}
    run(source=source, target=target)
    plant(directory / ".day2-app.json.lock")
    told_by_both(source, target, directory, "not a regular file")


@pytest.mark.parametrize("plant", [Path.mkdir, os.mkfifo])
@pytest.mark.parametrize("kind", ["json", "sqlite"])
def test_a_file_for_rejects_that_is_none(source: Store, tmp_path: Path, kind: str, plant: Plant) -> None:
    directory = tmp_path / "target"
    directory.mkdir()
    plant(directory / "rejects")
    target = {"type": kind, "path": str(directory / "app.x")}
    told_by_both(source, target, directory, "rejects is .*, not a regular file", rejects=str(directory / "rejects"))


def test_a_file_for_rejects_in_a_directory_that_is_not_there(source: Store, tmp_path: Path) -> None:
    directory = tmp_path / "target"
    directory.mkdir()
    target = {"type": "json", "path": str(directory / "app.json")}
    told_by_both(source, target, directory, "directory .* does not exist", rejects=str(directory / "no" / "rejects"))


def test_a_link_to_a_file_for_rejects_is_followed_where_nobody_else_could_have_made_it(
    source: Store, tmp_path: Path
) -> None:
    (tmp_path / "rejects").symlink_to("here.jsonl")
    target = {"type": "json", "path": str(tmp_path / "app.json")}
    run(source=source, target=target, rejects=str(tmp_path / "rejects"))
    assert json.loads((tmp_path / "app.json").read_text())


@pytest.mark.root
def test_a_gather_file_of_another_user(source: Store, tmp_path: Path) -> None:
    directory = tmp_path / "target"
    directory.mkdir()
    planted = directory / ".day2-app.json.migration"
    sql({"type": "sqlite", "path": str(planted)}, "CREATE TABLE day2_migration (collection, position)")
    for path in (planted, directory):
        os.chown(path, 65534, 65534)
    target = {"type": "json", "path": str(directory / "app.json")}
    told_by_both(source, target, directory, "migration belongs to another user")


def test_the_stores_are_no_files_for_rejects(source: Store, tmp_path: Path) -> None:
    target = {"type": "json", "path": str(tmp_path / "app.json")}
    for path in (source["path"], target["path"]):
        told_by_both(source, target, tmp_path, "rejects: .* is one of the stores", rejects=path)
