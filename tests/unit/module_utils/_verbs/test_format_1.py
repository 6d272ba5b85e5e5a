# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of format version 1 that were written in June 2025 (golden/format-1): every later version restores them."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup

GOLDEN = Path(__file__).parent / "golden" / "format-1"
LONG = "b" * 150
CONTENT = {
    "by_collection": {
        "users.json": '{"alice": {"name": "Alice", "note": "é 1.0"}, "bob": {"name": "Bob"}}\n',
        "orders.json": '[{"id": 1, "total": 12.50}, {"id": 2, "total": 1e400}]',
        "empty.json": "[]",
    },
    "by_record": {
        "users/alice.json": '{"name": "Alice"}',
        f"users/{LONG}.json": '{"name": "a long name"}',
        'users/café "quoted".json': '{"name": "Café"}',
        "orders/1.json": '{"total": 12.50, "lines": [1, 2, 3]}',
    },
}
PRIVATE = ("orders.json", f"users/{LONG}.json")
LAYOUTS = {"by_collection": "file_per_collection", "by_record": "file_per_record"}


@pytest.fixture(params=LAYOUTS)
def params(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The target and repository of a restore."""
    repository = tmp_path / "golden"
    shutil.copytree(GOLDEN, repository)
    for directory, _names, files in os.walk(repository):
        os.chmod(directory, 0o700)
        for name in files:
            os.chmod(os.path.join(directory, name), 0o600)
    target = {"type": "json", "path": str(tmp_path / "target"), "layout": LAYOUTS[request.param], "name": None}
    return {
        "name": request.param,
        "target": target,
        "repository": str(repository),
        "host": "hawk1",
        "backup": next(one.name for one in (repository / request.param).iterdir()),
    }


def content(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_all_of_it_is_restored(run: Any, params: dict[str, Any], tmp_path: Path) -> None:
    wanted, target = CONTENT[params["name"]], tmp_path / "target"
    assert run("restore", check=True, **params)["changed"] is True
    assert run("restore", **params)["changed"] is True
    assert content(target) == wanted
    modes = {name: stat.S_IMODE((target / name).stat().st_mode) for name in wanted}
    assert modes == {name: 0o600 if name in PRIVATE else 0o640 for name in wanted}
    directories = [target, *(one for one in target.iterdir() if one.is_dir())]
    assert {stat.S_IMODE(one.stat().st_mode) for one in directories} == {0o750}
    if params["name"] == "by_record":
        assert sorted(one.name for one in directories[1:]) == ["nothing", "orders", "users"]
    assert run("restore", **params, on_existing="replace")["changed"] is False


def test_one_collection_is_restored(run: Any, params: dict[str, Any], tmp_path: Path) -> None:
    run("restore", **params)
    wanted, target = CONTENT[params["name"]], tmp_path / "target"
    for path in [path for path in target.rglob("*") if path.is_file()]:
        path.write_text("[]")
    (target / "notes.txt").write_text("not part of the store")
    assert run("restore", **params, on_existing="replace", only=["orders"])["changed"] is True
    found = content(target)
    assert found.pop("notes.txt") == "not part of the store"
    assert found == {name: wanted[name] if "orders" in name else "[]" for name in wanted}


def test_its_digest_is_that_of_the_same_data_today(run: Any, params: dict[str, Any]) -> None:
    run("restore", **params)
    made = run("backup", name=params["name"], source={**params["target"], "name": params["name"]})["backup"]["id"]
    assert made.rpartition("-")[2] == params["backup"].rpartition("-")[2]


def test_damage_is_found(run: Any, params: dict[str, Any]) -> None:
    (archive,) = (Path(params["repository"]) / params["name"]).rglob("*.tar")
    data = bytearray(archive.read_bytes())
    data[len(data) // 4] ^= 1
    archive.write_bytes(data)
    with pytest.raises(DamagedBackup):
        run("restore", **params)
