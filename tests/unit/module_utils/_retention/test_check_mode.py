# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the run would refuse, check mode refuses; and what fails for one entry is that entry's problem."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.shown import shown
from ansible_collections.day2.ops.plugins.module_utils._retention import users
from ansible_collections.day2.ops.tests.unit.module_utils._retention.conftest import aged, retain, rule
from ansible_collections.day2.ops.tests.unit.module_utils._retention.test_nothing_is_lost import refused

WARM = {"tier": "warm", "compression": "gzip"}
REMOVE = {"tier": "remove"}


@contextmanager
def mounted(*command: str) -> Iterator[None]:
    subprocess.run(["mount", *command], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", command[-1]], check=True)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    with mounted("--bind", str(path), str(path)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(path)], check=True)
        yield


@pytest.mark.parametrize("tier", [WARM, REMOVE], ids=lambda tier: tier["tier"])
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_read_only_mount(tmp_path: Path, tier: dict[str, Any], kind: str) -> None:
    path = aged(tmp_path / "out" / "run" / "x", 40)
    one = rule(path if kind == "file" else path.parent, tier, type=kind)
    with read_only(tmp_path / "out"):
        assert "Read-only file system" in refused(one)[0]["problem"]
    assert retain(one)["changed"]


def test_an_archive_that_can_not_be_made(tmp_path: Path) -> None:
    aged(tmp_path / "out" / "x", 40)
    aged(tmp_path / "file", 40)
    (tmp_path / "full").mkdir()
    one = rule(tmp_path / "out" / "*", {"tier": "cold", "destination": str(tmp_path / "file" / "archive")})
    assert "Not a directory" in refused(one)[0]["problem"]
    for deep in ("", "a/b"):
        one = rule(tmp_path / "out" / "*", {"tier": "cold", "destination": str(tmp_path / "full" / deep)})
        with read_only(tmp_path / "full"):
            assert "Read-only file system" in refused(one)[0]["problem"]
    assert retain(one)["changed"]


@pytest.mark.parametrize("flag", ["i", "a"])
def test_immutable_and_append_only_files(tmp_path: Path, flag: str) -> None:
    image, mount = tmp_path / "image", tmp_path / "mount"
    mount.mkdir()
    image.touch()
    os.truncate(image, 8 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", str(image)], check=True)
    with mounted("-o", "loop", str(image), str(mount)):
        path = aged(mount / "run" / "x", 40)
        subprocess.run(["chattr", f"+{flag}", str(path)], check=True)
        for one in (rule(path, WARM), rule(path, REMOVE), rule(path.parent, REMOVE, type="directory")):
            assert f"chattr -{flag}" in refused(one)[0]["problem"]
        subprocess.run(["chattr", f"-{flag}", str(path)], check=True)


def test_a_file_that_is_a_mount_point(tmp_path: Path) -> None:
    path = aged(tmp_path / "out" / "x", 40)
    aged(tmp_path / "other", 40)
    with mounted("--bind", str(tmp_path / "other"), str(path)):
        assert "mount point" in refused(rule(path, REMOVE))[0]["problem"]


def test_a_name_that_leaves_no_space_for_a_suffix(tmp_path: Path) -> None:
    long = aged(tmp_path / "out" / ("x" * 254), 40)
    assert "too long" in refused(rule(long, WARM))[0]["problem"]
    aged(tmp_path / "out" / "y", 40)
    with pytest.raises(Day2Error, match="too long"):
        retain(rule(tmp_path / "out" / "*", WARM))
    assert sorted(os.listdir(tmp_path / "out")) == ["x" * 254, "y.gz"]
    assert retain(rule(long, {"tier": "cold", "destination": str(tmp_path / "archive")}))["changed"]


def test_what_a_killed_gzip_has_left(tmp_path: Path) -> None:
    path = aged(tmp_path / "out" / "x", 40, "line\n" * 1000)
    whole = gzip.compress(path.read_bytes())
    (tmp_path / "out" / "x.gz").write_bytes(whole[:-20])
    assert retain(rule(path, WARM), check=True)["changed"]
    assert retain(rule(path, WARM))["changed"]
    assert os.listdir(tmp_path / "out") == ["x.gz"]
    assert gzip.decompress((tmp_path / "out" / "x.gz").read_bytes()) == b"line\n" * 1000


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    os.makedirs(os.fsencode(tmp_path) + b"/out/run\xe9")
    with open(os.fsencode(tmp_path) + b"/out/run\xe9/caf\xe9", "wb") as handle:
        handle.write(b"x" * 5000)
    os.utime(os.fsencode(tmp_path) + b"/out/run\xe9/caf\xe9", (0, 0))
    one = rule(tmp_path / "out" / "*", {"tier": "cold", "destination": str(tmp_path / "archive")}, type="directory")
    predicted, done = retain(one, check=True), retain(one)
    assert predicted["entries"] == done["entries"]
    assert shown(done["entries"][0]["path"]) == f"{tmp_path}/out/run\\xe9"
    assert os.listdir(os.fsencode(tmp_path) + b"/archive/run\xe9") == [b"caf\xe9"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"session_token": "t"}, "session_token without"),
        ({"access_key_id": "k"}, "access_key_id without secret_access_key"),
        ({"access_key_id": "k", "secret_access_key": ""}, "access_key_id without secret_access_key"),
        ({"secret_access_key": "s"}, "secret_access_key without access_key_id"),
        ({"access_key_id": "k", "secret_access_key": "s", "profile": "p"}, "profile"),
        ({"profile": "no such profile"}, "no such profile"),
        ({"region": "no region", "access_key_id": "k", "secret_access_key": "s"}, "no region"),
    ],
)
def test_half_of_the_credentials(tmp_path: Path, given: dict[str, str], words: str) -> None:
    path = aged(tmp_path / "out" / "x", 40)
    other = aged(tmp_path / "cache" / "x", 40)
    cold = rule(path, {"tier": "cold", "destination": "s3://bucket/prefix"})
    problem = refused(cold, s3=given)[0]["problem"]
    assert words in problem
    with pytest.raises(Day2Error):
        retain(cold, rule(other, REMOVE, name="other"), s3=given)
    assert (path.exists(), other.exists()) == (True, False)


def test_processes_that_are_not_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container: the kernel is asked about each file."""
    path = aged(tmp_path / "out" / "x", 40)
    monkeypatch.setattr(users, "sees_all", lambda: False)
    with path.open("a"):  # of this process, which is not looked at
        for check in (True, False):
            (skipped,) = retain(rule(path, REMOVE), check=check)["skipped_entries"]
            assert "not visible from here has" in skipped["why"]
    assert retain(rule(path, REMOVE))["changed"]
    for name in "abcd":
        aged(tmp_path / "out" / "run" / name, 40)
    warm = {**WARM, "remove": ["a", "b"]}
    one = rule(tmp_path / "out" / "*", warm, type="directory")
    assert retain(one, check=True)["entries"] == retain(one)["entries"]
    assert sorted(os.listdir(tmp_path / "out" / "run")) == ["c.gz", "d.gz"]
    cold = {"tier": "cold", "destination": str(tmp_path / "archive")}
    assert retain(rule(tmp_path / "out" / "*", cold, type="directory"))["changed"]


def test_a_path_with_a_null_byte(tmp_path: Path) -> None:
    assert "null byte" in refused(rule(f"{tmp_path}/a\0b", REMOVE))[0]["problem"]
    cold = {"tier": "cold", "destination": f"{tmp_path}/a\0b"}
    assert "neither an absolute path" in refused(rule(f"{tmp_path}/*", cold))[0]["problem"]
