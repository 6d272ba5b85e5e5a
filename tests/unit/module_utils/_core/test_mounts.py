# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An overlay whose layers are on other devices, as in containers and live systems."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import mounts as mounts_module
from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.mounts import is_mounted, mount_points
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store
from ansible_collections.day2.ops.tests.faults.verb import run_verb
from tests.unit.module_utils._retention.conftest import aged, retain, rule


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Path]:
    """Two layers on file systems of their own; both have files in `logs` and `docs`."""
    lower, upper, merged = (tmp_path / name for name in ("lower", "upper", "merged"))
    for path in (lower, upper, merged):
        path.mkdir()
    for layer in (lower, upper):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", layer], check=True)
    for name in ("logs/run-1", "docs"):
        (lower / name).mkdir(parents=True)
    for name in ("logs/run-1/old.log", "logs/old.log"):
        aged(lower / name, 10)
    (lower / "docs" / "a.json").write_text("{}")
    for name in ("work", "top"):
        (upper / name).mkdir()
    options = f"lowerdir={lower},upperdir={upper}/top,workdir={upper}/work,xino=off"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, merged], check=True)
    aged(merged / "logs" / "run-1" / "new.log", 5)
    (merged / "docs" / "b.json").write_text("{}")
    yield merged
    for path in (merged, upper, lower):
        subprocess.run(["umount", path], check=True)


def test_layers_are_no_file_systems_of_their_own(overlay: Path, tmp_path: Path) -> None:
    device = os.stat(overlay / "logs").st_dev
    assert os.stat(overlay / "logs" / "old.log").st_dev != device
    for name in ("logs/old.log", "logs/run-1", "logs/run-1/new.log"):
        assert not is_mounted(str(overlay / name), os.stat(overlay / name), device)
    assert is_mounted(str(overlay), os.stat(overlay), os.stat(tmp_path).st_dev)
    assert str(overlay) in mount_points()


def test_a_file_that_is_a_mount_point(tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.touch()
    subprocess.run(["mount", "--bind", "/proc/version", path], check=True)
    try:
        assert is_mounted(str(path), os.stat(path), os.stat(tmp_path).st_dev)
    finally:
        subprocess.run(["umount", path], check=True)


def test_retention(overlay: Path) -> None:
    week, day = ({"tier": "remove", "older_than": age} for age in ("7d", "1d"))
    done = retain(rule(overlay / "logs" / "run-*", week, type="directory"))
    assert (done["problems"], done["changed"]) == ([], False)
    done = retain(rule(overlay / "logs" / "*.log", week))
    assert (done["problems"], done["changed"]) == ([], True)
    assert not (overlay / "logs" / "old.log").exists()
    done = retain(rule(overlay / "logs" / "run-*", day, type="directory"))
    assert (done["problems"], done["changed"]) == ([], True)
    assert os.listdir(overlay / "logs") == []


def test_a_directory_store_is_unchanged_at_a_glance(overlay: Path) -> None:
    time.sleep(0.15)  # what is younger could still change without a trace
    for store in (
        open_store({"type": "json", "path": str(overlay / "docs"), "layout": "file_per_collection"}),
        open_store({"type": "files", "path": str(overlay / "docs")}),
    ):
        assert store.fingerprint() is not None


def test_what_lies_on_a_lower_layer_can_not_be_exchanged(overlay: Path, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    options = {"repository": str(tmp_path / "backups"), "name": "docs"}
    (overlay / "new").mkdir()
    (overlay / "new" / "a.json").write_text("[]")
    for name, status in (("docs", "lower layer of an overlay"), ("new", "")):
        for store in (
            {"type": "files", "path": str(overlay / name)},
            {"type": "json", "path": str(overlay / name), "layout": "file_per_collection"},
        ):
            set_name = {**options, "name": f"{name}-{store['type']}"}
            run_verb("backup", {**set_name, "source": store})
            (overlay / name / "a.json").write_text(f'{{"{store["type"]}": 1}}')
            for check in (True, False):
                params = {**set_name, "target": store, "on_existing": "replace", "check": check}
                if status:
                    with pytest.raises(TargetError, match=status):
                        run_verb("restore", params)
                else:
                    assert run_verb("restore", params)["changed"] is True
    assert json.loads((overlay / "new" / "a.json").read_text()) == []


def test_layers_that_are_not_visible_or_others_at_their_paths(overlay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (overlay / "new").mkdir()
    seen = next(one for one in mounts_module.mounts() if one.point == str(overlay))
    # in a container, a layer's path leads nowhere, or to something on the overlay
    for lower in ("/nowhere", str(overlay)):
        inside = seen._replace(options=(f"lowerdir={lower}",))
        monkeypatch.setattr(mounts_module, "mounts", lambda inside=inside: [inside])
        mounts_module.check_exchange(str(overlay / "new"))
        with pytest.raises(TargetError, match="lower layer of an overlay"):  # both layers have it, which shows
            mounts_module.check_exchange(str(overlay / "docs"))


@pytest.mark.parametrize(
    ("option", "kernel", "lower"), [("", "N", True), ("", "Y", False), ("on", "N", False), ("off", "Y", True)]
)
def test_where_the_kernel_redirects_a_directory_of_a_lower_layer_can_be_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, kernel: str, lower: bool
) -> None:
    (tmp_path / "fs").mkdir()  # as /proc has, which is another file system
    (tmp_path / "redirect").write_text(f"{kernel}\n")
    monkeypatch.setattr(mounts_module, "_REDIRECT_DIR", str(tmp_path / "redirect"))
    options = ("lowerdir=/proc", *([f"redirect_dir={option}"] if option else []))
    mount = mounts_module.Mount(str(tmp_path), "overlay", options, (), "0:1")
    assert mounts_module._is_on_lower_layer(str(tmp_path / "fs"), mount) is lower
