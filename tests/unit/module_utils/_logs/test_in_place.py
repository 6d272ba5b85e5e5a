# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation in place under writers at full speed, on ext4 made for the test."""

from __future__ import annotations

import contextlib
import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._core.secure_directory import SecureDirectory
from ansible_collections.day2.ops.plugins.module_utils._core.sparse import allocated
from ansible_collections.day2.ops.plugins.module_utils._logs import in_place
from ansible_collections.day2.ops.plugins.module_utils._verbs.logs import rotate as log_rotate
from tests.services.waiting import named, wait_for

# Writes "<name> <number> <padding>" until it is told to stop, then prints how many. A log that nobody rotates for a
# while must not fill the disk.
WRITER = """
import os, signal, sys, time
path, name = sys.argv[1:]
going = True
def stop(*dummy):
    global going
    going = False
signal.signal(signal.SIGTERM, stop)
fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
print("ready", flush=True)
number = 0
while going:
    while going and number % 100 == 0 and os.fstat(fd).st_size > 24 << 20:
        time.sleep(0.001)
    os.write(fd, b"%s %d %s\\n" % (name.encode(), number, b"x" * (number % 97)))
    number += 1
print(number)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    image, mount = tmp_path / "image", tmp_path / "disk"
    mount.mkdir()
    with open(image, "wb") as handle:
        handle.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def rotate(path: Path, check: bool = False, **params: Any) -> dict[str, Any]:
    spec = log_rotate.ARGUMENTS["argument_spec"]
    values = {option: one.get("default") for option, one in spec.items()}
    values.update({"paths": [str(path)], "size": "1", "method": "in_place", "compression": "none"}, **params)
    return log_rotate.run(values, check, Progress())


def lines(folder: Path, name: str = "app.log") -> Iterator[bytes]:
    """Of the log and its rotated files, oldest first. A blank line may be at the front of each."""
    numbers = sorted((int(one.name.split(".")[2]) for one in folder.glob(f"{name}.*")), reverse=True)
    for number in numbers:
        (path,) = folder.glob(f"{name}.{number}*")
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert data.endswith(b"\n"), path
        yield from data.splitlines()
    first, *others = (folder / name).read_bytes().splitlines()
    yield from ([first] if first.strip() else []) + others


@pytest.mark.once
@pytest.mark.parametrize("writers", [1, 4])
def test_no_line_is_lost_and_all_are_in_order(disk: Path, writers: int) -> None:
    log = disk / "app.log"
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(log), f"w{n}"], stdout=subprocess.PIPE)
        for n in range(writers)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for _rotation in range(6):
        wait_for(lambda: rotate(log)["rotations"][0]["rotated"], 0.1)
    counts = []
    for process in processes:
        process.terminate()
        counts.append(int(process.communicate()[0]))
    found: dict[bytes, int] = {}
    for line in lines(disk):
        name, number, padding = line.split(b" ")
        assert int(number) == found.get(name, 0), line
        assert len(padding) == int(number) % 97
        found[name] = int(number) + 1
    assert [found[b"w%d" % n] for n in range(writers)] == counts


def write(path: Path, first: int, count: int, length: int) -> None:
    with open(path, "ab") as log:
        for number in range(first, first + count):
            log.write((b"%d " % number).ljust(length - 1, b"x") + b"\n")


@pytest.mark.parametrize("length", [10, 64, 100, 5000, 20000])
def test_lines_at_the_border_are_mended(disk: Path, length: int) -> None:
    log = disk / "app.log"
    for turn in range(4):
        write(log, turn * 200, 200, length)
        before = log.stat()
        predicted = rotate(log, check=True)
        done = rotate(log)
        assert predicted["rotations"][0]["bytes"] == done["rotations"][0]["bytes"]
        assert done["rotations"][0]["rotated"]
        after = log.stat()
        assert (after.st_ino, after.st_uid, after.st_mode) == (before.st_ino, before.st_uid, before.st_mode)
        assert after.st_size < before.st_size
        # the blank line that a cut leaves in the live file is not carried on
        assert b" \n" not in (disk / "app.log.1").read_bytes()
    assert [int(line.split()[0]) for line in lines(disk)] == list(range(800))


def test_what_is_too_small_or_has_no_line_stays(disk: Path) -> None:
    log = disk / "app.log"
    for content in (b"a line\n" * 10, b"x" * 50000, b"y\n" + b"x" * 50000):
        log.write_bytes(content)
        done = rotate(log)
        assert not done["changed"]
        assert done["rotations"][0]["reason"] == "no line ends after its first block"
        assert log.read_bytes() == content
    # exactly on the border: the last block stays
    block = os.statvfs(disk).f_bsize
    log.write_bytes(b"x" * (block - 1) + b"\n" + b"y" * (block - 1) + b"\n")
    assert rotate(log)["changed"]
    assert (log.stat().st_size, (disk / "app.log.1").stat().st_size) == (block, block)


def test_a_writer_that_does_not_append_is_refused_by_name(disk: Path) -> None:
    log = disk / "app.log"
    write(log, 0, 1000, 50)
    with open(log, "r+b") as handle:
        holder = named(subprocess.Popen(["sleep", "600"], stdout=handle))
    try:
        for check in (True, False):
            with pytest.raises(Day2Error, match=rf"is written by sleep \(process {holder.pid}\) without O_APPEND"):
                rotate(log, check)
    finally:
        holder.kill()
        holder.wait()
    assert log.stat().st_size == 50000
    assert rotate(log)["changed"]


def test_a_file_system_that_can_not(tmp_path: Path) -> None:
    other = tmp_path / "tmpfs"
    other.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(other)], check=True)
    try:
        log = other / "app.log"
        write(log, 0, 1000, 50)
        for check in (True, False):
            with pytest.raises(Day2Error, match="can't remove the front of a file, so lines could be lost"):
                rotate(log, check)
        assert log.stat().st_size == 50000
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(log), "w"], stdout=subprocess.PIPE)
        done: dict[str, Any] = {}

        def lost() -> int:  # none if the writer does not get its turn while the log is copied
            done.update(rotate(log, allow_loss=True, keep={"last": 1}))
            window: int = done["rotations"][0]["window_bytes"]
            return window

        window = wait_for(lost, 0.1)
        process.terminate()
        process.communicate()
        assert f"lost about {window} bytes" in done["warnings"][0]
        log.write_bytes(b"")
        write(log, 0, 1000, 50)
        done = rotate(log, allow_loss=True)
        assert done["rotations"][0]["window_bytes"] == 0
        assert ((other / "app.log.1").stat().st_size, log.stat().st_size) == (50000, 0)
    finally:
        subprocess.run(["umount", str(other)], check=True)


def test_a_full_disk_loses_nothing(disk: Path) -> None:
    log = disk / "app.log"
    write(log, 0, 40000, 1000)
    with open(disk / "filler", "wb") as filler, pytest.raises(OSError, match="No space"):
        while True:
            filler.write(os.urandom(1 << 20))
            filler.flush()
    with pytest.raises(Day2Error, match="No space left"):
        rotate(log)
    assert sorted(one.name for one in disk.iterdir()) == ["app.log", "filler", "lost+found"]
    assert [int(line.split()[0]) for line in lines(disk)] == list(range(40000))


def interrupted(*dummy: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_cut_of_lines_that_are_all_the_same(disk: Path) -> None:
    """The content can't tell whether the cut was made; the place on the disk can."""
    log = disk / "app.log"
    for cut_made in (False, True):
        log.write_bytes(b"the same line\n" * 10000)
        with SecureDirectory(str(disk)) as place:
            fd = place.open_file("app.log", os.O_RDWR)
            cut = in_place.find_cut(fd)
            assert cut is not None
            if cut_made:
                in_place.take_out(place, "app.log", fd, cut=cut, target=place, progress=Progress())
                with open(log, "ab") as more:
                    more.write(b"the same line\n" * 20000)
            else:
                original = in_place.fallocate
                in_place.fallocate = interrupted  # type: ignore[assignment]
                with pytest.raises(KeyboardInterrupt):
                    in_place.take_out(place, "app.log", fd, cut=cut, target=place, progress=Progress())
                in_place.fallocate = original  # type: ignore[assignment]
            os.close(fd)
        done = rotate(log)
        assert done["rotations"][0]["rotated"]
        expected = "an interrupted rotation is completed" if cut_made else "it has reached 1 B"
        assert done["rotations"][0]["reason"] == expected
        assert sum(line == b"the same line" for line in lines(disk)) == (30000 if cut_made else 10000)
        for one in disk.glob("app.log*"):
            one.unlink()
        assert not list(disk.glob(".day2-*"))


@pytest.mark.parametrize("value", [b"9" * 14, b"9" * 30, b"9" * 60000, b"-1", b"4096", b"x", "٣".encode()])
def test_a_planted_attribute_is_not_believed(disk: Path, value: bytes) -> None:
    log = disk / "app.log"
    write(log, 0, 1000, 50)
    with contextlib.suppress(OSError):  # too large for the file system
        os.setxattr(log, "user.day2.filled", value)
    assert rotate(log)["rotations"][0]["rotated"]
    assert [int(line.split()[0]) for line in lines(disk)] == list(range(1000))


@pytest.mark.parametrize(
    "numbers",
    [
        "0-20000000000-0-0-{inode:x}",
        "0-20000000000-ffffffffffffffff-0-{inode:x}",
        "ffffffffffffffff-1000-0-0-{inode:x}",
        "0-0-20000000000-0-{inode:x}",
        "0-1000-20000000000-1-1",
        "0-fffff000-0-0-" + "f" * 16,
    ],
)
def test_a_planted_marker_is_not_believed(disk: Path, numbers: str) -> None:
    log = disk / "app.log"
    write(log, 0, 1000, 50)
    write(disk / "b.log", 0, 1000, 50)
    planted = disk / (".day2-app.log.cut-" + numbers.format(inode=log.stat().st_ino))
    with planted.open("wb") as handle:
        handle.truncate(2 << 40)
    for path in (log, disk / "b.log"):
        done = rotate(path)
        assert done["rotations"][0]["rotated"]
    for one in disk.glob("app.log.*"):  # what looks like a cut that was made is completed
        if one.stat().st_size == 2 << 40:
            one.unlink()
    assert [int(line.split()[0]) for line in lines(disk)] == list(range(1000))


def test_a_marker_that_is_too_long_is_none(disk: Path) -> None:
    assert in_place.parse_interrupted(".day2-a.cut-0-1000-0-0-" + "f" * 17) is None
    assert in_place.parse_interrupted(".day2-a.cut-0-1000-0-0-ff") is not None


def test_holes_stay_holes(disk: Path) -> None:
    log = disk / "app.log"
    log.write_bytes(b"first\n")
    os.truncate(log, 3 << 30)
    with log.open("ab") as handle:
        handle.write(b"\nlast\n" + b"x\n" * 5000)
    assert allocated(log.stat()) < 65536
    done = rotate(log)
    (rotated,) = disk.glob("app.log.1")
    assert done["rotations"][0]["bytes"] == rotated.stat().st_size > 3 << 30
    assert allocated(rotated.stat()) < 65536
    with rotated.open("rb") as handle:
        assert handle.read(6) == b"first\n"
        handle.seek(3 << 30)
        assert handle.read(6) == b"\nlast\n"
