# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits and what is freed count space on disk, and no directory spends what another may take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.tests.unit.module_utils._retention.conftest import aged, retain, rule


def sparse(path: Path, days: float) -> Path:
    """A file of 1 TiB that takes no space."""
    aged(path, days, "")
    info = path.stat()
    os.truncate(path, 1 << 40)
    os.utime(path, (info.st_mtime, info.st_mtime))
    assert path.stat().st_blocks == 0
    return path


def both(one: dict[str, Any]) -> dict[str, Any]:
    predicted, done = retain(one, check=True), retain(one)
    for result in (predicted, done):
        result.pop("duration_s")
        result.pop("msg")
    assert predicted == done
    return done


def left(directory: Path) -> list[str]:
    return sorted(str(one.relative_to(directory)) for one in directory.rglob("*") if one.is_file())


@pytest.mark.parametrize("group_by", ["directory", "rule"])
def test_a_sparse_file_takes_nothing(tmp_path: Path, group_by: str) -> None:
    aged(tmp_path / "cache" / "a" / "old", 10, "x" * 8192)
    sparse(tmp_path / "cache" / "a" / "large", 1)
    sparse(tmp_path / "cache" / "b" / "large", 20)
    tiers = ({"tier": "remove", "when_total_above": "20K"}, {"tier": "remove", "larger_than": "1M"})
    assert not both(rule(tmp_path / "cache" / "*" / "*", *tiers, group_by=group_by))["changed"]
    done = both(rule(tmp_path / "cache" / "*" / "large", {"tier": "remove"}))
    assert (done["bytes_freed"], len(done["entries"])) == (0, 2)


def test_a_directory_can_not_spend_what_another_may_take(tmp_path: Path) -> None:
    def make() -> None:
        for name, count in (("quiet", 2), ("noisy", 8)):
            for number in range(count):
                days = number + (20 if name == "quiet" else 1)
                aged(tmp_path / "cache" / name / str(number), days, "x" * 8192)

    make()
    total = rule(tmp_path / "cache" / "*" / "*", {"tier": "remove", "when_total_above": "20K"})
    done = both(total)
    assert left(tmp_path / "cache") == ["noisy/0", "noisy/1", "quiet/0", "quiet/1"]
    assert f"64.0 KiB in {tmp_path}/cache/noisy, over 20.0 KiB" in done["entries"][0]["why"]
    make()
    both({**total, "group_by": "rule"})
    assert left(tmp_path / "cache") == ["noisy/0", "noisy/1"]
    make()
    newest = rule(tmp_path / "cache" / "*" / "*", {"tier": "remove"}, keep={"last": 1})
    both(newest)
    assert left(tmp_path / "cache") == ["noisy/0", "quiet/0"]
    both({**newest, "group_by": "rule"})
    assert left(tmp_path / "cache") == ["noisy/0"]


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_several_names_of_a_file_take_its_space_once(tmp_path: Path, kind: str) -> None:
    """As copies with hard links to what has not changed: only the last name frees anything."""
    paths = [tmp_path / "copies" / str(number) for number in range(3)]
    if kind == "directory":
        paths = [path / "data" for path in paths]
    aged(paths[0], 10, "x" * 40960)
    for path in paths[1:]:
        path.parent.mkdir(exist_ok=True)
        os.link(paths[0], path)
    folders = sum(one.stat().st_blocks * 512 for one in (tmp_path / "copies").iterdir() if one.is_dir())
    assert not both(rule(tmp_path / "copies" / "*", {"tier": "remove", "when_total_above": "80K"}, type=kind))[
        "changed"
    ]
    done = both(rule(tmp_path / "copies" / "*", {"tier": "remove"}, type=kind))
    assert done["bytes_freed"] == 40960 + folders
    assert [one["bytes_freed"] >= 40960 for one in done["entries"]] == [False, False, True]


def test_compression_frees_what_is_left_on_disk(tmp_path: Path) -> None:
    before = aged(tmp_path / "logs" / "a.log", 10, "line\n" * 10_000).stat().st_blocks
    done = both(rule(tmp_path / "logs" / "*", {"tier": "warm", "compression": "gzip"}))
    after = (tmp_path / "logs" / "a.log.gz").stat().st_blocks
    assert done["bytes_freed"] == (before - after) * 512 > 0


@pytest.mark.parametrize("kind", ["file", "directory"])
@pytest.mark.parametrize("tier", ["warm", "cold"])
def test_what_is_nothing_but_holes_is_not_read(tmp_path: Path, tier: str, kind: str) -> None:
    """Anybody can make a file of 8 TiB that takes no space, and hours to read."""
    hollow, other = (tmp_path / "logs" / ("" if kind == "file" else name) / name for name in ("a", "b"))
    os.truncate(aged(hollow, 10), 8 << 40)
    os.utime(hollow, (0, 0))
    aged(other, 10)
    more = {"destination": str(tmp_path / "archive")} if tier == "cold" else {}
    done = both(rule(tmp_path / "logs" / "*", {"tier": tier, "older_than": "1d", **more}, type=kind))
    assert [Path(one["path"]).name for one in done["entries"]] == ["b"]
    (skipped,) = done["skipped_entries"]
    assert f"{hollow} consists almost entirely of holes" in skipped["why"]
    assert hollow.stat().st_size == 8 << 40
    assert both(rule(tmp_path / "logs" / "*", {"tier": "remove"}, type=kind))["changed"]
    assert not hollow.exists()
