# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that are taken, files beside their compressed copy, and what the system would refuse."""

from __future__ import annotations

import gzip
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from ansible_collections.day2.ops.tests.unit.module_utils._logs.conftest import both, failing, names, rotate, tree


def refused(*words: str, **params: Any) -> None:
    """Check mode refuses what the run refuses, in the same words, and nothing is changed."""
    folder = Path(str(params["paths"][0])).parent
    before = tree(folder)
    told = [str(failing(check=check, **params)) for check in (True, False)]
    assert tree(folder) == before
    for text in told:
        for word in words:
            assert word in text
    assert told[0].replace("would be rotated", "rotated") == told[1]


def plain(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def content(folder: Path) -> dict[str, bytes]:
    return {name: plain(folder / name) for name in names(folder)}


LONG = b"".join(b"line %d\n" % number for number in range(50000))


@pytest.mark.parametrize("length", [0, 1, 10, 3000, 60000])
def test_what_a_killed_gzip_left_is_done_again(log: Path, logs: Path, length: int) -> None:
    """It leaves both: the file, and the beginning of its compressed copy."""
    (logs / "app.log.1").write_bytes(LONG)
    (logs / "app.log.1.gz").write_bytes(gzip.compress(LONG)[:length])
    done = both(paths=[log], keep={"last": 2})
    assert content(logs) == {"app.log": b"", "app.log.1.gz": b"one\n", "app.log.2.gz": LONG}
    assert done["rotations"][0]["removed"] == []
    assert not both(paths=[log], keep={"last": 2})["changed"]


def test_it_is_done_without_a_rotation_as_well(log: Path, logs: Path) -> None:
    (logs / "app.log.1").write_bytes(LONG)
    (logs / "app.log.1.gz").write_bytes(gzip.compress(LONG)[:1000])
    assert both(paths=[log], size="1G")["changed"]
    assert content(logs) == {"app.log": b"one\n", "app.log.1.gz": LONG}


@pytest.mark.parametrize(
    "other",
    [gzip.compress(b"another\n"), gzip.compress(LONG + b"more\n"), b"\x1f\x8bdamaged" + bytes(100)],
    ids=["other", "longer", "damaged"],
)
def test_another_compressed_file_gets_a_number_of_its_own(log: Path, logs: Path, other: bytes) -> None:
    (logs / "app.log.1").write_bytes(LONG)
    (logs / "app.log.1.gz").write_bytes(other)
    (logs / "app.log.2.gz").write_bytes(gzip.compress(b"older\n"))
    waiting = both(paths=[log], size="1G")
    assert not waiting["changed"]
    assert "have different contents" in waiting["warnings"][0]
    both(paths=[log])
    assert names(logs) == ["app.log", *(f"app.log.{number}.gz" for number in (1, 2, 3, 4))]
    assert plain(logs / "app.log.1.gz") == b"one\n"
    assert plain(logs / "app.log.2.gz") == LONG
    assert (logs / "app.log.3.gz").read_bytes() == other
    assert plain(logs / "app.log.4.gz") == b"older\n"
    assert not both(paths=[log])["changed"]


def test_two_compressions_of_one_number_are_two_files(log: Path, logs: Path) -> None:
    for name in ("app.log-20250101.gz", "app.log-20250101.zst"):
        (logs / name).write_bytes(name.encode())
    log.write_text("")
    options: dict[str, Any] = {"names": "dated", "date_format": "-%Y%m%d"}
    assert not both(paths=[log], keep={"last": 2}, **options)["changed"]
    assert len(both(paths=[log], keep={"last": 1}, **options)["rotations"][0]["removed"]) == 1


@pytest.mark.parametrize(
    ("length", "method", "words"),
    [
        (251, "rename", "is too long to be rotated"),
        (254, "rename", "is too long to be rotated"),
        (170, "in_place", "too long for method=in_place"),
    ],
)
def test_long_names(log: Path, logs: Path, length: int, method: str, words: str) -> None:
    path = logs / ("x" * (length - 4) + ".log")
    path.write_bytes(b"line\n" * 10000)
    for check in (True, False):
        path.exists() or path.write_text("line\n")
        log.write_bytes(b"line\n" * 10000)
        error = failing(check=check, paths=[logs / "*.log"], method=method)
        assert words in str(error)
        assert error.details["changed"]
        assert [one["rotated"] for one in error.details["rotations"]] == [True, False]


def test_the_longest_name(logs: Path) -> None:
    path = logs / ("x" * 250)
    path.write_text("x\n")
    both(paths=[path])
    assert names(logs) == [path.name, path.name + ".1.gz"]


@pytest.mark.parametrize(("flag", "words"), [("i", "is immutable"), ("a", "is append-only")])
@pytest.mark.parametrize("name", ["app.log", "app.log.1"])
def test_immutable_files(log: Path, logs: Path, flag: str, words: str, name: str) -> None:
    (logs / "app.log.1").write_text("old\n")
    subprocess.run(["chattr", f"+{flag}", str(logs / name)], check=True)
    try:
        refused(f"{logs / name} {words}", f"chattr -{flag}", paths=[log])
    finally:
        subprocess.run(["chattr", f"-{flag}", str(logs / name)], check=True)
    assert both(paths=[log])["changed"]


@pytest.mark.parametrize(("flag", "words"), [("i", "is immutable"), ("a", "is append-only")])
def test_immutable_files_are_not_cut(log: Path, flag: str, words: str) -> None:
    subprocess.run(["chattr", f"+{flag}", str(log)], check=True)
    try:
        refused(f"{log} {words}: it can't be cut", f"chattr -{flag}", paths=[log], method="in_place")
    finally:
        subprocess.run(["chattr", f"-{flag}", str(log)], check=True)


@pytest.mark.parametrize("path", ["/proc", "/proc/deep/er", "/sys/kernel"])
def test_an_old_dir_of_the_kernel(log: Path, path: str) -> None:
    for check in (True, False):
        with pytest.raises(TargetError, match="The file system of /.* can't store files"):
            rotate(check=check, paths=[log], old_dir=path, create_old_dir=True)
    assert names(log.parent) == ["app.log"]


@pytest.mark.parametrize(
    ("flag", "words"),
    [("i", "is immutable: nothing in it can be changed. Use chattr -i."), ("a", "is append-only: nothing in it")],
)
def test_immutable_directories(log: Path, logs: Path, flag: str, words: str) -> None:
    subprocess.run(["chattr", f"+{flag}", str(logs)], check=True)
    try:
        refused(words, paths=[log])
    finally:
        subprocess.run(["chattr", f"-{flag}", str(logs)], check=True)


def test_a_log_that_is_a_mount_point(log: Path, logs: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.log"
    real.write_text("x\n")
    subprocess.run(["mount", "--bind", str(real), str(log)], check=True)
    try:
        refused("is a mount point", "method=in_place", paths=[log])
    finally:
        subprocess.run(["umount", str(log)], check=True)


@pytest.fixture
def read_only(logs: Path) -> Iterator[None]:
    subprocess.run(["mount", "--bind", str(logs), str(logs)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(logs)], check=True)
    yield
    subprocess.run(["umount", str(logs)], check=True)


def test_a_read_only_mount(log: Path, logs: Path, read_only: None) -> None:
    refused("Can't write to", "Read-only file system", paths=[log])
    assert not both(paths=[log], size="1G")["changed"]  # nothing to do, nothing to refuse


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A directory of nobody's. (Another pytest that starts makes the base of tmp_path private again.)"""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as base:
        os.chmod(base, 0o755)
        folder = Path(base) / "theirs"
        folder.mkdir()
        (folder / "app.log").write_text("x\n")
        os.chown(folder, 65534, 65534)
        os.chown(folder / "app.log", 65534, 65534)
        yield folder


def test_the_owner_and_group_of_the_new_log(theirs: Path) -> None:
    log = theirs / "app.log"
    os.chown(log, 65534, 4)
    refused("is not a member of adm, the group of the new", "Set group", paths=[log], run_as="nobody")
    both(paths=[log], run_as="nobody", group="65534")
    log.write_text("x\n")
    os.chown(log, 0, 65534)
    os.chmod(log, 0o644)
    refused("has no permission to make root the owner of the new", paths=[log], run_as="nobody")
    both(paths=[log], run_as="nobody", create=False)


def test_no_permission(theirs: Path) -> None:
    theirs.chmod(0o555)
    refused("Can't write to", "Permission denied", paths=[theirs / "app.log"], run_as="nobody")


def test_a_sticky_directory(theirs: Path) -> None:
    os.chown(theirs, 0, 65534)
    theirs.chmod(0o1775)
    os.chown(theirs / "app.log", 0, 65534)
    refused("is sticky", paths=[theirs / "app.log"], run_as="nobody")


def test_min_age_and_force(log: Path, logs: Path) -> None:
    both(paths=[log], min_age="1h")
    log.write_text("two\n")
    done = both(paths=[log], min_age="1h")
    assert not done["changed"]
    assert done["rotations"][0]["reason"] == "its last rotation was less than min_age (1h) ago"
    done = both(paths=[log], min_age="1h", size=None, min_size="1G", force=True)
    assert done["rotations"][0]["reason"] == "force is set"
    assert not both(paths=[log], size=None, force=True)["changed"]  # empty
    assert both(paths=[log], size=None, force=True, if_empty=True)["changed"]


def test_a_file_of_holes_is_not_read(log: Path, logs: Path) -> None:
    """It would take hours."""
    os.truncate(log, 8 << 40)
    for check in (True, False):
        done = rotate(check=check, paths=[log])
        assert f"{log}.1 consists almost entirely of holes and is not compressed." in done["warnings"]
    assert names(logs) == ["app.log", "app.log.1"]
    assert not rotate(paths=[log])["changed"]
    done = rotate(paths=[log], max_total_size="0")
    assert len(done["rotations"][0]["removed"]) == 1
    assert done["bytes_freed"] <= 65536
