# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files store: whole trees into a sink and back, on a real file system."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import itertools
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core import fingerprint
from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    DamagedBackup,
    InvalidRequest,
    NoSpace,
    SourceError,
    TargetError,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.files import write
from ansible_collections.day2.ops.plugins.module_utils._stores.files.archive import ArchiveWriter
from ansible_collections.day2.ops.plugins.module_utils._stores.files.index import Index, from_line
from ansible_collections.day2.ops.plugins.module_utils._stores.files.store import FilesStore
from tests.unit.module_utils._stores.conftest import as_nobody

MTIME = 1_700_000_000_123_456_789


def state_of(root: Path) -> dict[bytes, Any]:
    """All that a restore must bring back; of directories not the times where that does not matter."""
    result: dict[bytes, Any] = {}
    names: dict[int, bytes] = {}
    top = os.fsencode(root)
    paths = [top]
    for directory, directories, files in os.walk(top):
        directories.sort()
        paths += [os.path.join(directory, name) for name in sorted(directories + files)]
    for path in sorted(paths):
        info = os.lstat(path)
        kind = stat.S_IFMT(info.st_mode)
        what: Any = None
        xattrs: Any = None
        if kind == stat.S_IFREG:
            with open(path, "rb") as handle:
                what = hashlib.sha256(handle.read()).hexdigest()
        elif kind == stat.S_IFLNK:
            what = os.readlink(path)
        elif kind != stat.S_IFDIR:
            what = info.st_rdev
        if kind in (stat.S_IFREG, stat.S_IFDIR):
            xattrs = {name: os.getxattr(path, name) for name in sorted(os.listxattr(path))}
        first = names.setdefault(info.st_ino, os.path.relpath(path, top))
        mtime = info.st_mtime_ns
        result[os.path.relpath(path, top)] = (oct(info.st_mode), info.st_uid, info.st_gid, mtime, what, xattrs, first)
    return result


def rich_tree(root: Path) -> Path:
    """A tree with something of everything."""
    root.mkdir()
    (root / "sub dir" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "plain").write_bytes(b"hello\n")
    (root / "nothing").write_bytes(b"")
    (root / "sub dir" / "zeros").write_bytes(bytes(3_000_000))
    (root / "sub dir" / "noise").write_bytes(os.urandom(2_500_000))
    os.link(root / "plain", root / "sub dir" / "again")
    os.link(root / "plain", root / "a first name")
    os.symlink("nowhere/at all", root / "dangling")
    os.symlink("/etc/hostname", root / "absolute")
    os.symlink("sub dir", root / "to directory")
    os.symlink("far/away/" * 40, root / "long link")
    with open(os.fsencode(root) + b"/caf\xe9 \"quoted\" 'and'\nnewline\t", "wb") as handle:
        handle.write(b"odd name")
    (root / ("n" * 255)).write_bytes(b"long name")
    deep = root / "sub dir" / "deep" / ("d" * 200) / ("e" * 200)
    deep.mkdir(parents=True)
    (deep / "ü".encode().decode()).write_bytes(b"deep")
    with open(root / "sparse", "wb") as handle:
        handle.truncate(9_000_000)
        handle.seek(4_000_000)
        handle.write(b"island")
        handle.seek(6_000_000)
        handle.write(os.urandom(70_000))
    with open(root / "all hole", "wb") as handle:
        handle.truncate(1_000_000)
    os.setxattr(root / "plain", "user.colour", b"bl\0ue\xff")
    os.setxattr(root / "sub dir", "user.a=b%", b"directory")
    os.mkfifo(root / "fifo")
    (root / "program").write_bytes(b"#!/bin/sh\n")
    if os.geteuid() == 0:
        os.chown(root / "program", 1234, 5_000_000)
        os.chown(root / "dangling", 65534, 65534, follow_symlinks=False)
        os.mknod(root / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        os.chmod(root / "program", 0o6711)
    os.chmod(root / "empty", 0o1777)
    os.chmod(root / "nothing", 0 if os.geteuid() == 0 else 0o400)
    for number, path in enumerate([*root.rglob("*"), root]):
        when = (-5_500_000_001, MTIME, 4_000_000_000_000_000_007)[number % 3] + number
        os.utime(path, ns=(when, when), follow_symlinks=False)
    return root


@pytest.fixture
def backup(new_sink: Any, copy_of: Any) -> Callable[..., Any]:
    """`backup(path, **options)`: the copy of a tree."""

    def make(path: Path, **options: Any) -> Any:
        sink = new_sink()
        return copy_of(sink, FilesStore(str(path), options).snapshot(sink))

    return make


@pytest.fixture
def restore(tmp_path: Path) -> Callable[..., Any]:
    """`restore(copy, path, only=(), dry=False)`: prepared and applied; the restoration."""
    count = [0]

    def run(copy: Any, path: Path, only: Any = (), dry: bool = False) -> Any:
        count[0] += 1
        scratch = tmp_path / (f"restore-{count[0]}")
        scratch.mkdir()
        with FilesStore(str(path), {}).prepare(copy, only, str(scratch), dry) as restoration:
            if restoration.changed and not dry:
                restoration.apply()
        assert not [name for name in os.listdir(path.parent) if name.startswith(".day2-")]
        return restoration

    return run


def part(copy: Any, suffix: str) -> bytes:
    return next(data for name, data in copy.files.items() if name.endswith(suffix))


# Snapshots


def test_whole_tree_comes_back(tmp_path: Path, backup: Any, restore: Any) -> None:
    source = rich_tree(tmp_path / "source")
    before = state_of(source)
    copy = backup(source)
    assert sorted(copy.files) == ["source.index.jsonl", "source.tar"]
    target = tmp_path / "target"
    assert restore(copy, target).changed
    assert state_of(target) == before
    assert (target / "sparse").stat().st_blocks * 512 < 1_000_000
    assert (target / "all hole").stat().st_blocks == 0
    again = restore(copy, target)
    assert not again.changed
    assert again.differences == ()
    assert backup(target).content_digest == copy.content_digest


def test_same_tree_gives_same_bytes(tmp_path: Path, backup: Any) -> None:
    source = rich_tree(tmp_path / "source")
    first, second = backup(source), backup(source)
    assert first.files == second.files
    assert first.content_digest == second.content_digest


def test_gnu_tar_extracts_it(tmp_path: Path, backup: Any) -> None:
    source = rich_tree(tmp_path / "source")
    archive = tmp_path / "source.tar"
    archive.write_bytes(part(backup(source), ".tar"))
    target = tmp_path / "target"
    target.mkdir()
    command = [
        "tar",
        "--warning=no-timestamp",
        "--xattrs",
        "--xattrs-include=*",
        "-xpf",
        str(archive),
        "-C",
        str(target),
    ]
    environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert state_of(target) == state_of(source)
    assert (target / "sparse").stat().st_blocks * 512 < 1_000_000


def test_counts_and_details(tmp_path: Path, memory_sink: Any) -> None:
    source = rich_tree(tmp_path / "source")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(source / "socket"))
    snapshot = FilesStore(str(source), {"exclude": ["*.tmp"]}).snapshot(memory_sink)
    server.close()
    counts = {one.name: one.records for one in snapshot.collections}
    special = 2 if os.geteuid() == 0 else 1
    assert counts == {"files": 10, "directories": 5, "symlinks": 4, "hardlinks": 2, "special": special}
    assert snapshot.notes == ("Sockets are not backed up: socket.",)
    assert snapshot.details["exclude"] == ["*.tmp"]
    assert snapshot.details["bytes"] == sum(
        json.loads(line).get("size", 0) for line in memory_sink.files["source.index.jsonl"].splitlines()
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "plain").write_bytes(b"HELLO\n"),
        lambda root: (root / "plain").chmod(0o600),
        lambda root: os.utime(root / "nothing", ns=(1, 1)),
        lambda root: (root / "new").mkdir(),
        lambda root: (root / "plain").unlink(),
        lambda root: os.setxattr(root / "plain", "user.colour", b"red"),
        lambda root: (root / "plain").rename(root / "plan"),
        lambda root: ((root / "dangling").unlink(), os.symlink("elsewhere", root / "dangling")),
        lambda root: root.chmod(0o711),
    ],
)
def test_every_change_is_another_tree(tmp_path: Path, backup: Any, restore: Any, change: Any) -> None:
    source = rich_tree(tmp_path / "source")
    copy = backup(source)
    state = state_of(source)
    info = (source / "plain").stat()
    change(source)
    if (source / "plain").exists() and (source / "plain").stat().st_size == info.st_size:
        os.utime(source / "plain", ns=(info.st_mtime_ns, info.st_mtime_ns))  # an edit that shows in nothing but ctime
    assert backup(source).content_digest != copy.content_digest
    restoration = restore(copy, source)
    assert restoration.changed
    assert restoration.differences
    assert state_of(source) == state


def test_what_is_left_out_makes_no_other_tree(tmp_path: Path, backup: Any) -> None:
    source = rich_tree(tmp_path / "source")
    copy = backup(source, exclude=["*.log"])
    (source / "x.log").write_text("one more line")
    assert backup(source, exclude=["*.log"]).content_digest == copy.content_digest


def test_fingerprint(tmp_path: Path, new_sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = rich_tree(tmp_path / "source")
    for path in [*source.rglob("*"), source]:
        os.utime(path, ns=(MTIME, MTIME), follow_symlinks=False)
    store = FilesStore(str(source), {})
    with monkeypatch.context() as patch:  # however long this machine takes
        patch.setattr(fingerprint, "SETTLED_NS", 3600 * 10**9)
        assert store.fingerprint() is None  # too young to be trusted
    time.sleep(0.12)
    first = store.fingerprint()
    assert first is not None
    assert store.snapshot(new_sink()).fingerprint == first
    assert FilesStore(str(source), {"exclude": ["x"]}).fingerprint() not in (first, None)
    (source / "plain").write_bytes(b"HELLO\n")
    os.utime(source / "plain", ns=(MTIME, MTIME))
    time.sleep(0.12)
    assert store.fingerprint() not in (first, None)
    assert FilesStore(str(tmp_path / "missing"), {}).fingerprint() is None


def test_a_file_that_can_be_written_to_through_memory_is_not_recognised(tmp_path: Path, new_sink: Any) -> None:
    """Until the kernel has stored a page, writing to it once more does not set the file's times."""
    path = tmp_path / "source" / "lmdb"
    path.parent.mkdir()
    path.write_bytes(bytes(4096))
    program = (
        "import mmap\n"
        f"file = open({str(path)!r}, 'r+b')\n"
        "held = mmap.mmap(file.fileno(), 4096)\n"
        "held[0] = 1\n"
        "print(flush=True)\n"
        "input()\n"
    )
    store = FilesStore(str(path.parent), {})
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.12)
        assert store.snapshot(new_sink()).fingerprint is None
        child.kill()
    assert store.snapshot(new_sink()).fingerprint == store.fingerprint() is not None


def test_the_fingerprint_of_a_tree_that_changes_under_the_snapshot_is_that_of_what_was_read(
    tmp_path: Path, new_sink: Any
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"x")
    (source / "b").write_bytes(b"x")
    time.sleep(0.12)
    sink = new_sink()
    open_file = sink.file

    class Late:
        def __init__(self, out: Any) -> None:
            self.out = out

        def write(self, data: bytes) -> None:  # at the archive's end: both have been read
            (source / "a").write_bytes(b"y")
            time.sleep(0.12)
            self.out.write(data)

    @contextlib.contextmanager
    def file(name: str) -> Iterator[Any]:
        with open_file(name) as out:
            yield Late(out) if name.endswith(".tar") else out

    sink.file = file
    store = FilesStore(str(source), {})
    before = store.fingerprint()
    read = store.snapshot(sink).fingerprint
    assert read == before
    time.sleep(0.12)
    assert store.fingerprint() not in (read, None)
    # a change that comes later is another tree's: what was read stays known
    sink = new_sink()
    read = FilesStore(str(source), {}).snapshot(sink).fingerprint
    (source / "a").write_bytes(b"z")
    time.sleep(0.12)
    assert FilesStore(str(source), {}).fingerprint() not in (read, None)


def test_source_errors(tmp_path: Path, memory_sink: Any) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    for path, options, said in (
        ("missing", {}, "missing does not exist"),
        ("empty", {}, "empty is empty"),
        ("file", {}, "file is a regular file, not a directory"),
        ("full", {"include": ["*.nothing"]}, "contains no entry that include and exclude select"),
    ):
        with pytest.raises(SourceError, match=said):
            FilesStore(str(tmp_path / path), options).snapshot(memory_sink)
    assert memory_sink.files == {}
    with pytest.raises(InvalidRequest, match="can't match anything"):
        FilesStore(str(tmp_path), {"exclude": ["../x"]})


def test_exists(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    exists = {name: FilesStore(str(tmp_path / name), {}).exists() for name in ("missing", "empty", "file", ".")}
    assert exists == {"missing": False, "empty": False, "file": True, ".": True}


def test_holes_cost_nothing(tmp_path: Path, backup: Any, restore: Any) -> None:
    """As a lastlog with a user whose number is high."""
    source = tmp_path / "source"
    source.mkdir()
    size = 1 << 40
    with open(source / "lastlog", "wb") as handle:
        handle.truncate(size)
        for offset in (0, 5_000_000_000, size - 292):
            handle.seek(offset)
            handle.write(b"login" * 50)
    copy = backup(source)
    assert len(part(copy, ".tar")) < 100_000
    (line,) = (json.loads(one) for one in part(copy, ".jsonl").splitlines() if b"lastlog" in one)
    assert (line["size"], "sha256" in line, len(line["sparse_sha256"])) == (size, False, 64)
    assert restore(copy, tmp_path / "target").changed
    assert (tmp_path / "target" / "lastlog").stat().st_blocks == (source / "lastlog").stat().st_blocks
    assert not restore(copy, tmp_path / "target").changed
    # the same content is the same, however it lies on the disk
    info = (source / "lastlog").stat()
    for data, changed in ((bytes(200_000), False), (b"x", True)):
        with open(tmp_path / "target" / "lastlog", "r+b") as handle:
            handle.seek(3_000_000)
            handle.write(data)
        os.utime(tmp_path / "target" / "lastlog", ns=(info.st_mtime_ns, info.st_mtime_ns))
        assert restore(copy, tmp_path / "target").changed is changed


# Files that do not hold still


@contextlib.contextmanager
def while_reading(interfere: Callable[[int], None]) -> Iterator[None]:
    """Call a function with the offset before each read of a file's content."""
    original = os.pread

    def pread(fd: int, size: int, offset: int) -> bytes:
        interfere(offset)
        return original(fd, size, offset)

    os.pread = pread  # type: ignore[assignment]
    try:
        yield
    finally:
        os.pread = original


def test_a_small_file_that_changes_is_read_again(tmp_path: Path, backup: Any, restore: Any) -> None:
    busy = make(tmp_path / "source", "busy") / "busy"
    time.sleep(0.03)
    changes = iter(["BUSY"])

    def interfere(_offset: int) -> None:
        for change in changes:
            busy.write_text(change)

    with while_reading(interfere):
        copy = backup(tmp_path / "source")
    restore(copy, tmp_path / "target")
    assert state_of(tmp_path / "target") == state_of(tmp_path / "source")


def replaced_by_file(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("OTHER")
    os.replace(other, path)


def replaced_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replaced_by_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("OTHER"),
        lambda path: path.write_text("much longer"),
        lambda path: path.write_text(""),
        lambda path: path.chmod(0o600),
        lambda path: os.link(path, path.with_name("zz")),
        replaced_by_file,
        replaced_by_fifo,
        replaced_by_link,
    ],
    ids=["rewritten", "longer", "empty", "mode", "linked", "file", "fifo", "link"],
)
def test_a_file_that_becomes_something_else_as_it_is_opened_is_what_it_is_then(
    tmp_path: Path, backup: Any, restore: Any, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    """It is old, and is compared with what the walk has seen of it."""
    source = make(tmp_path / "source", "a", "busy", "z")
    (source / "busy").write_text("first")
    time.sleep(0.03)
    original, changes = write.open_file, [change]

    def open_file(found: Any) -> Any:
        if found.path == b"busy" and changes:
            changes.pop()(source / "busy")
        return original(found)

    monkeypatch.setattr(write, "open_file", open_file)
    copy = backup(source)
    assert not changes
    restore(copy, tmp_path / "target")
    (tmp_path / "target").chmod(source.stat().st_mode)
    now, then = state_of(source), state_of(tmp_path / "target")
    for state in (now, then):
        del state[b"."]  # its times
    assert then == now


@pytest.mark.parametrize("change", ["rewritten", "longer", "shorter"])
def test_a_large_file_that_changes_is_archived_again(tmp_path: Path, backup: Any, restore: Any, change: str) -> None:
    busy = tmp_path / "source" / "busy"
    make(tmp_path / "source", "another", "link").joinpath("link").unlink()
    busy.write_bytes(b"0" * 4_000_000)
    os.link(busy, tmp_path / "source" / "link")
    time.sleep(0.03)
    changes = iter([change])

    def interfere(offset: int) -> None:
        if offset > 1_000_000 and next(changes, None):
            content = {"rewritten": b"1" * 4_000_000, "longer": b"1" * 4_000_001, "shorter": b"1" * 1_500_000}
            busy.write_bytes(content[change])

    with while_reading(interfere):
        copy = backup(tmp_path / "source")
    lines = [json.loads(line) for line in part(copy, ".jsonl").splitlines()]
    assert [line["path"] for line in lines if line.get("superseded")] == ["busy"]
    assert copy.content_digest == backup(tmp_path / "source").content_digest
    restore(copy, tmp_path / "target")
    assert state_of(tmp_path / "target") == state_of(tmp_path / "source")
    (tmp_path / "source.tar").write_bytes(part(copy, ".tar"))
    (tmp_path / "by tar").mkdir()
    subprocess.run(["tar", "-xf", str(tmp_path / "source.tar"), "-C", str(tmp_path / "by tar")], check=True)
    assert state_of(tmp_path / "by tar") == state_of(tmp_path / "source")


def test_a_file_under_a_writer_is_as_it_was_at_one_moment(tmp_path: Path, backup: Any, restore: Any) -> None:
    busy = make(tmp_path / "source", "busy") / "busy"
    busy.write_bytes(b"0" * 600_000)
    stop = threading.Event()

    def keep_writing() -> None:
        number = 0
        while not stop.wait(0.003):
            number += 1
            with open(busy, "r+b", buffering=0) as handle:
                for _part in range(6):
                    handle.write(b"%d" % (number % 10) * 100_000)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for number in range(20):
            target = tmp_path / (f"target {number}")
            copy = backup(tmp_path / "source")
            restore(copy, target)
            if "changed_while_read" not in copy.details:  # it may well never hold still
                seen = (target / "busy").read_bytes()
                assert len(seen) == 600_000
                rounds = [int(seen[offset : offset + 1]) for offset in range(0, 600_000, 1000)]
                # what is being written, up to somewhere, and behind it what the round before wrote
                assert [one for one, _same in itertools.groupby(rounds)] in (
                    [[rounds[0]], [rounds[0], (rounds[0] - 1) % 10]]
                )
    finally:
        stop.set()
        writer.join()


def test_files_that_never_hold_still_are_named(tmp_path: Path, memory_sink: Any) -> None:
    source = tmp_path / "source"
    source.mkdir()
    names = ["small one", "large one"]
    (source / "small one").write_bytes(b"x" * 1000)
    (source / "large one").write_bytes(b"x" * 3_000_000)

    def interfere(_offset: int) -> None:
        for name in names:
            with open(source / name, "ab") as handle:
                handle.write(b"y")

    memory_sink.strict = True
    with while_reading(interfere), pytest.raises(SourceError) as caught:
        FilesStore(str(source), {}).snapshot(memory_sink)
    assert caught.value.details["unstable"] == ["large one", "small one"]
    assert "changed each time it was read: large one, small one" in caught.value.message
    assert "set strict=false to back it up as read" in caught.value.hint
    assert "become" not in caught.value.hint
    assert memory_sink.files == {}


@pytest.mark.parametrize("change", ["longer", "shorter", "rewritten"])
def test_files_that_never_hold_still_are_kept_as_they_were_read(
    tmp_path: Path, backup: Any, restore: Any, change: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name, size in (("large", 3_000_000), ("small", 1000), ("quiet", 10)):
        (source / name).write_bytes(b"x" * size)
    time.sleep(0.03)
    sizes = {"large": 3_000_000, "small": 1000}

    def interfere(_offset: int) -> None:
        for name in sizes:
            sizes[name] += {"longer": 1, "shorter": -1, "rewritten": 0}[change]
            with open(source / name, "r+b") as handle:
                handle.write(b"y")
                handle.truncate(sizes[name])

    with while_reading(interfere):
        copy = backup(source)
    assert copy.details["changed_while_read"] == ["large", "small"]
    assert (copy.fingerprint, [one for one in copy.notes if "large, small" in one]) == (None, list(copy.notes))
    assert restore(copy, tmp_path / "target").changed
    assert not restore(copy, tmp_path / "target").changed
    for name, size in sizes.items():
        kept = (tmp_path / "target" / name).read_bytes()
        assert kept.strip(b"xy\0") == b""
        assert abs(len(kept) - size) < 200  # as often as it was read meanwhile
    (tmp_path / "source.tar").write_bytes(part(copy, ".tar"))
    (tmp_path / "by tar").mkdir()
    subprocess.run(["tar", "-xf", str(tmp_path / "source.tar"), "-C", str(tmp_path / "by tar")], check=True)
    assert state_of(tmp_path / "by tar") == state_of(tmp_path / "target")


def test_a_clock_that_ticks_seldom_is_not_trusted(tmp_path: Path, backup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels before 6.13 show no change within 1 to 10 ms of the last."""
    monkeypatch.setattr(fingerprint, "TICK_NS", 3600 * 10**9)  # however long this test may take
    busy = make(tmp_path / "source", "busy") / "busy"
    original, shown, reads = os.fstat, {}, [0]

    def interfere(_offset: int) -> None:
        reads[0] += 1
        if reads[0] == 2:
            busy.write_text("BUSY")

    os.fstat = lambda fd: shown.setdefault(original(fd).st_ino, original(fd))  # type: ignore[assignment]
    try:
        with while_reading(interfere):
            copy = backup(tmp_path / "source")
    finally:
        os.fstat = original
    assert b"BUSY" in part(copy, ".tar")


def test_names_that_vanish_or_move_are_no_error(tmp_path: Path, backup: Any, restore: Any) -> None:
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    for name in ("a", "m", "z"):
        (source / "d" / name).write_text(name)
    time.sleep(0.02)

    def interfere(_offset: int) -> None:
        if (source / "d" / "m").exists():
            (source / "d" / "m").rename(source / "d" / "zz")
            (source / "d" / "z").unlink()

    with while_reading(interfere):
        copy = backup(source)
    restore(copy, tmp_path / "target")
    assert sorted(os.listdir(tmp_path / "target" / "d")) == ["a", "zz"]


def test_a_full_disk_is_not_taken_for_an_unreadable_file(tmp_path: Path, memory_sink: Any) -> None:
    source = rich_tree(tmp_path / "source")

    class Full:
        def write(self, data: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    memory_sink.file = lambda name: contextlib.nullcontext(Full())
    with pytest.raises(NoSpace):
        FilesStore(str(source), {}).snapshot(memory_sink)


# Selective


def make(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def files_in(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink())


def test_what_is_not_selected_is_kept(tmp_path: Path, backup: Any, restore: Any) -> None:
    source = make(tmp_path / "s", "conf/a.yml", "conf/b.yml", "conf/x.log", "data/d", "logs/y.log")
    copy = backup(source, exclude=["*.log"])
    target = make(tmp_path / "t", "conf/a.yml", "conf/old.yml", "conf/z.log", "logs/q.log", "gone/far/w.log", "gone/v")
    os.link(target / "logs/q.log", target / "logs/p.log")
    os.utime(target / "gone/far", ns=(MTIME, MTIME))
    inode = (target / "conf/z.log").stat().st_ino
    restoration = restore(copy, target)
    assert files_in(target) == [
        "conf/a.yml", "conf/b.yml", "conf/z.log", "data/d", "gone/far/w.log", "logs/p.log", "logs/q.log",
    ]  # fmt: skip
    assert (target / "conf/z.log").stat().st_ino == inode
    assert (target / "gone/far").stat().st_mtime_ns == MTIME
    assert (target / "conf").stat().st_mtime_ns == (source / "conf").stat().st_mtime_ns
    assert ("conf/old.yml", "removed") in restoration.differences
    assert ("conf/b.yml", "added") in restoration.differences


def test_includes_bring_the_way_to_them(tmp_path: Path, backup: Any, restore: Any) -> None:
    source = make(tmp_path / "s", "a/b/c.yml", "a/b/c.txt", "keep/x", "keep/y/z", "other/q")
    copy = backup(source, include=["*.yml", "keep"])
    restore(copy, tmp_path / "t")
    assert files_in(tmp_path / "t") == ["a/b/c.yml", "keep/x", "keep/y/z"]
    target = make(tmp_path / "u", "a/b/c.yml", "a/b/mine.txt", "keep/w", "own/o")
    restore(copy, target)
    assert files_in(target) == ["a/b/c.yml", "a/b/mine.txt", "keep/x", "keep/y/z", "own/o"]
    assert not restore(copy, target).changed


def test_only_some_paths(tmp_path: Path, backup: Any, restore: Any) -> None:
    source = make(tmp_path / "s", "conf/a.yml", "conf/b.yml", "data/d", "data/e/f")
    copy = backup(source)
    target = make(tmp_path / "t", "conf/a.yml", "mine/x", "data/old", "data/d")
    (target / "mine").chmod(0o750)
    (target / "mine" / "empty").mkdir(mode=0o711)
    os.utime(target / "mine", ns=(MTIME, MTIME))
    (target / "data/d").write_text("changed")
    (target / "conf").chmod(0o700)
    target.chmod(0o705)
    os.utime(target, ns=(MTIME, MTIME))
    restoration = restore(copy, target, only=["data"])
    assert (stat.S_IMODE(target.stat().st_mode), target.stat().st_mtime_ns) == (0o705, MTIME)
    assert stat.S_IMODE((target / "mine" / "empty").stat().st_mode) == 0o711
    assert files_in(target) == ["conf/a.yml", "data/d", "data/e/f", "mine/x"]
    assert (target / "data/d").read_text() == "data/d"
    assert stat.S_IMODE((target / "mine").stat().st_mode) == 0o750
    assert (target / "mine").stat().st_mtime_ns == MTIME
    assert stat.S_IMODE((target / "conf").stat().st_mode) == 0o700
    assert [tuple(one) for one in restoration.changes] == [("files", 2, 2), ("directories", 1, 2), ("symlinks", 0, 0)]
    assert not restore(copy, target, only=["data"]).changed
    restore(copy, tmp_path / "u", only=["conf/a*", "data/**/f"])
    assert files_in(tmp_path / "u") == ["conf/a.yml", "data/e/f"]
    with pytest.raises(InvalidRequest, match=r"only='nothing\*'"):
        restore(copy, target, only=["data", "nothing*"])


def test_only_a_hard_link(tmp_path: Path, backup: Any, restore: Any) -> None:
    source = make(tmp_path / "s", "a/first", "b/x")
    os.link(source / "a/first", source / "b/second")
    os.link(source / "a/first", source / "b/third")
    copy = backup(source)
    restore(copy, tmp_path / "t", only=["b"])
    assert files_in(tmp_path / "t") == ["b/second", "b/third", "b/x"]
    assert (tmp_path / "t/b/second").read_text() == "a/first"
    assert (tmp_path / "t/b/second").samefile(tmp_path / "t/b/third")
    assert not restore(copy, tmp_path / "t", only=["b"]).changed


def test_what_is_kept_is_never_overwritten(tmp_path: Path, backup: Any, restore: Any) -> None:
    copy = backup(make(tmp_path / "s", "conf/a.yml"), include=["conf/*.yml"])
    target = make(tmp_path / "t", "conf")  # a file that was never selected, where the backup has a directory
    before = state_of(target)
    with pytest.raises(TargetError, match="in the way"):
        restore(copy, target)
    assert state_of(target) == before


def test_files_written_between_prepare_and_apply_are_kept(tmp_path: Path, backup: Any) -> None:
    copy = backup(make(tmp_path / "s", "a", "app.log"), exclude=["*.log"])
    target = make(tmp_path / "t", "b", "app.log", "app.1.log")
    (tmp_path / "scratch").mkdir()
    with FilesStore(str(target), {}).prepare(copy, (), str(tmp_path / "scratch"), False) as restoration:
        (target / "app.log").rename(target / "app.1.log")
        (target / "app.log").write_text("new")
        (target / "app.2.log").write_text("newer")
        restoration.apply()
    assert files_in(target) == ["a", "app.1.log", "app.2.log", "app.log"]
    assert [(target / name).read_text() for name in ("app.log", "app.1.log")] == ["new", "app.log"]


# Restoring


def test_check_mode_writes_nothing(tmp_path: Path, backup: Any, restore: Any) -> None:
    copy = backup(make(tmp_path / "s", "a", "b"))
    target = make(tmp_path / "t", "b", "c")
    before = (state_of(target), target.stat().st_ctime_ns, sorted(os.listdir(tmp_path)))
    restoration = restore(copy, target, dry=True)
    assert restoration.changed
    assert [tuple(one) for one in restoration.changes] == [("files", 2, 2), ("directories", 0, 0), ("symlinks", 0, 0)]
    assert (state_of(target), target.stat().st_ctime_ns) == before[:2]
    missing = restore(copy, tmp_path / "m", dry=True)
    assert [one.before for one in missing.changes] == [None, None, None]
    assert not (tmp_path / "m").exists()


def test_undo(tmp_path: Path, backup: Any) -> None:
    copy = backup(make(tmp_path / "s", "a"))
    for name in ("existing", "missing"):
        target = tmp_path / name
        if name == "existing":
            make(target, "b")
        before = state_of(target) if target.exists() else None
        (tmp_path / ("scratch " + name)).mkdir()
        with FilesStore(str(target), {}).prepare(copy, (), str(tmp_path / ("scratch " + name)), False) as restoration:
            restoration.apply()
            assert files_in(target) == ["a"]
            restoration.undo()
        assert (state_of(target) if target.exists() else None) == before
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".day2-")]


def test_sockets_of_running_servers_stay(tmp_path: Path, backup: Any, restore: Any) -> None:
    copy = backup(make(tmp_path / "s", "run/a"))
    target = make(tmp_path / "t", "run/b")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(target / "run" / "socket"))
    restore(copy, target)
    assert files_in(target) == ["run/a", "run/socket"]
    assert not restore(copy, target).changed
    server.close()


def test_leftovers_are_removed(tmp_path: Path, backup: Any, restore: Any) -> None:
    copy = backup(make(tmp_path / "s", "a"))
    left = make(tmp_path / ".day2-t.0123abcd", "x")
    restoration = restore(copy, tmp_path / "t")
    assert not left.exists()
    assert str(left) in restoration.notes[0]


def test_targets_that_can_not_be_exchanged(tmp_path: Path, backup: Any, restore: Any) -> None:
    copy = backup(make(tmp_path / "s", "a"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(TargetError, match="is a regular file, not a directory"):
        restore(copy, tmp_path / "file")
    with pytest.raises(TargetError, match="does not exist"):
        restore(copy, tmp_path / "no" / "parent")
    with pytest.raises(TargetError, match="is a mount point"):
        restore(copy, Path("/dev"), dry=True)


def test_indexes_that_lie(tmp_path: Path, backup: Any, restore: Any) -> None:
    """With every digest as it should be, as somebody would make them who wants to write elsewhere."""
    source = make(tmp_path / "s", "a", "d/b")
    os.link(source / "a", source / "z")
    good = backup(source)
    target = make(tmp_path / "t", "old")
    before = state_of(target)
    for old, new, said in (
        ('"path":"d/b"', '"path":"d/../../b"', "leads out of the tree"),
        ('"target":"a"', '"target":"aa"', "z is a link without a target"),
        ('"target":"a"', '"target":"d"', "z is a link to d, which is not a file"),
        ('"target":"a"', '"target":"d/b/c"', "z is a link without a target"),
        ('"path":"a"', '"path":"b"', "the header of b"),
    ):
        copy = backup(source)
        copy.files["s.index.jsonl"] = good.files["s.index.jsonl"].replace(old.encode(), new.encode())
        copy.files["s.tar"] = good.files["s.tar"]
        entries = (
            [from_line(line) for line in copy.files["s.index.jsonl"].splitlines()] if "leads out" not in said else []
        )
        if "header" not in said and entries:
            out = io.BytesIO()
            archive = ArchiveWriter(out)
            for entry in entries:
                archive.begin(entry)
                archive.put(entry.path if entry.kind == "file" else b"")
                archive.pad(len(entry.path) if entry.kind == "file" else 0)
            archive.finish()
            copy.files["s.tar"] = out.getvalue()
        index = Index(io.BytesIO())
        for entry in entries:
            index.add(entry)
        copy.content_digest = index.content_digest
        with pytest.raises(DamagedBackup, match=said):
            restore(copy, target)
    assert state_of(target) == before


def test_flipped_bits_are_found_before_anything_is_touched(tmp_path: Path, backup: Any, restore: Any) -> None:
    source = make(tmp_path / "s", "a", "d/b", "d/c")
    os.setxattr(source / "a", "user.x", b"1")
    os.symlink("a", source / "l")
    with open(source / "sparse", "wb") as handle:
        handle.truncate(200_000)
    copy = backup(source)
    target = make(tmp_path / "t", "old")
    before = state_of(target)
    good = dict(copy.files)
    for name, data in good.items():
        for offset in range(0, len(data), 97):
            flipped = bytearray(data)
            flipped[offset] ^= 0x10
            copy.files = {**good, name: bytes(flipped)}
            with pytest.raises(DamagedBackup, match=name.replace(".", r"\.")):
                restore(copy, target)
    for name, data in good.items():
        for wrong in (data[:-1], data[:-512], data + bytes(512), data + data, b""):
            copy.files = {**good, name: wrong}
            with pytest.raises(DamagedBackup):
                restore(copy, target)
                pytest.fail(f"{name} with {len(wrong)} bytes")
    copy.files = {"s.tar": good["s.tar"]}
    with pytest.raises(DamagedBackup, match=r"index\.jsonl"):
        restore(copy, target)
    copy.files = dict(good)
    copy.damage("s.tar")
    with pytest.raises(DamagedBackup):
        restore(copy, target)
    assert state_of(target) == before


# Another user


def test_as_a_user_without_rights(tmp_path: Path, backup: Any, restore: Any) -> None:
    source = make(tmp_path / "s", "a", "d/b", "locked/c")
    (source / "a").chmod(0o4755)
    os.setxattr(source / "locked/c", "user.x", b"1")
    (source / "locked/c").chmod(0o400)
    (source / "locked").chmod(0o500)
    make(tmp_path / "secret", "x", "y")
    (tmp_path / "secret" / "x").chmod(0)
    devices = None
    if os.geteuid() == 0:
        (tmp_path / "devices").mkdir()
        os.mknod(tmp_path / "devices" / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        devices = backup(tmp_path / "devices")
        for path in [*source.rglob("*"), source, tmp_path]:
            os.chown(path, 65534, 65534)
        for directory in list(tmp_path.parents)[:-2]:
            os.chmod(directory, 0o755)
        os.chown(source / "d/b", 0, 0)

    def work() -> list[str]:
        said = []
        with pytest.raises(SourceError) as caught:
            backup(tmp_path / "secret")
        said.append(str(caught.value.details["unreadable"]))
        copy = backup(source)
        for number in range(3):
            if number == 1:
                (tmp_path / "t" / "a").write_text("changed")
            restoration = restore(copy, tmp_path / "t")
            modes = [oct((tmp_path / "t" / name).stat().st_mode) for name in ("a", "locked")]
            said.append(" ".join([str(restoration.changed), *modes]))
            said += restoration.notes
        assert os.getxattr(tmp_path / "t/locked/c", "user.x") == b"1"
        if devices is not None:
            with pytest.raises(TargetError, match="Only root can restore the device null"):
                restore(devices, tmp_path / "d")
        return said

    note = ["Not restored: owner of d/b (only root is permitted to)."] if os.geteuid() == 0 else []
    assert as_nobody(work) == [
        "['x']",
        "True 0o100755 0o40500",
        *note,
        "True 0o100755 0o40500",
        *note,
        "False 0o100755 0o40500",
    ]


# Any tree

NAMES = (
    st.binary(min_size=1, max_size=40)
    .map(lambda raw: raw.replace(b"/", b"+").replace(b"\0", b"0"))
    .filter(lambda name: name not in (b".", b".."))
)
TREES = st.recursive(
    st.one_of(st.binary(max_size=2000), st.just(None)),
    lambda below: st.dictionaries(NAMES, below, max_size=5),
    max_leaves=15,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(NAMES, TREES, min_size=1, max_size=6), mtime=st.integers(-(2**31) * 10**9, 2**33 * 10**9))
def test_any_tree_comes_back(tree: Any, mtime: int, tmp_path_factory: Any, new_sink: Any, copy_of: Any) -> None:
    place = tmp_path_factory.mktemp("any")
    source, target = place / "s", place / "t"
    (place / "scratch").mkdir()

    def create(path: bytes, content: Any) -> None:
        if content is None:
            os.symlink(b"\xff/nowhere", path)
        elif isinstance(content, bytes):
            with open(path, "wb") as handle:
                handle.write(content)
        else:
            os.mkdir(path)
            for name, below in content.items():
                create(os.path.join(path, name), below)
        os.utime(path, ns=(mtime, mtime), follow_symlinks=False)

    create(os.fsencode(source), tree)
    sink = new_sink()
    copy = copy_of(sink, FilesStore(str(source), {}).snapshot(sink))
    with FilesStore(str(target), {}).prepare(copy, (), str(place / "scratch"), False) as restoration:
        restoration.apply()
    assert state_of(target) == state_of(source)
    with FilesStore(str(target), {}).prepare(copy, (), str(place / "scratch"), True) as restoration:
        assert not restoration.changed
