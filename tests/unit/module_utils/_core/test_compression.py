# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import io
import lzma
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core import compression
from ansible_collections.day2.ops.plugins.module_utils._core.compression import zstd_library, zstd_program
from ansible_collections.day2.ops.plugins.module_utils._core.compression.base import (
    Compression,
    CorruptStream,
    TruncatedStream,
)
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, MissingDependency, NoSpace

WAYS: dict[str, Any] = {**compression.COMPRESSIONS, "zstd program": zstd_program}
ALL = sorted(WAYS)
BY_HAND = {"zstd": ["zstd", "-dc"], "gzip": ["gzip", "-dc"], "xz": ["xz", "-dc"], "none": ["cat"]}
LARGE = os.urandom(1 << 20) + b"day2 " * 1_000_000


def compress(name: str, path: Path, *parts: bytes) -> Path:
    with open(path, "wb") as handle, WAYS[name].writer(handle.fileno()) as writer:
        for part in parts:
            writer.write(part)
    return path


def decompress(name: str, data: bytes, size: int = 1 << 20) -> bytes:
    with WAYS[name].reader(io.BytesIO(data)) as reader:
        return b"".join(iter(lambda: reader.read(size), b""))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "parts", [(), (b"",), (b"x",), (LARGE,), tuple(LARGE[i : i + 70_001] for i in range(0, len(LARGE), 70_001))]
)
def test_what_was_written_is_read_by_us_and_by_the_usual_tool(
    name: str, parts: tuple[bytes, ...], tmp_path: Path
) -> None:
    path = compress(name, tmp_path / "file", *parts)
    assert decompress(name, path.read_bytes()) == b"".join(parts)
    by_hand = subprocess.run(BY_HAND[name.split()[0]], stdin=open(path, "rb"), capture_output=True, check=True)
    assert by_hand.stdout == b"".join(parts)


@settings(max_examples=50, deadline=None)
@given(parts=st.lists(st.binary(max_size=5000), max_size=8), size=st.integers(1, 4000))
@pytest.mark.parametrize("name", ["zstd", "gzip", "xz", "none"])
def test_any_cut_of_the_input_and_output(
    name: str, parts: list[bytes], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = compress(name, tmp_path_factory.mktemp("cut") / "file", *parts)
    assert decompress(name, path.read_bytes(), size) == b"".join(parts)


def test_gzip_is_one_member_that_is_the_same_every_time(tmp_path: Path) -> None:
    first = compress("gzip", tmp_path / "one", LARGE).read_bytes()
    assert first == compress("gzip", tmp_path / "two", LARGE[:12345], LARGE[12345:]).read_bytes()
    with gzip.open(io.BytesIO(first)) as handle:
        assert handle.read() == LARGE


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize(("name", "pack"), [("zstd", zstd), ("gzip", gzip.compress), ("xz", lzma.compress)])
def test_files_that_others_made_of_several_streams(name: str, pack: Any) -> None:
    padding = bytes(512) if name == "gzip" else b""
    joined = pack(b"a") + pack(b"b") + padding
    assert decompress(name, joined) == b"ab"


def test_zstd_goes_through_the_library(tmp_path: Path) -> None:
    assert zstd_library.library() is not None
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    with open(tmp_path / "file", "wb") as handle, compression.COMPRESSIONS["zstd"].writer(handle.fileno()) as writer:
        writer.write(LARGE)
        assert "zstd" not in [Path(f"/proc/{one}/comm").read_text().strip() for one in children.read_text().split()]


def test_where_the_library_cannot_be_used_the_program_does_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(zstd_library, "library", lambda: None)
    data = compress("zstd", tmp_path / "file", LARGE).read_bytes()
    assert decompress("zstd", data) == LARGE


def test_a_program_that_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with open(tmp_path / "file", "wb") as handle, pytest.raises(MissingDependency, match="Install the package zstd"):
        with zstd_program.writer(handle.fileno()):
            pass


@pytest.mark.parametrize("level", ["-1", "-19", "--ultra -22 --long=27"])
def test_what_others_made_at_any_level(level: str) -> None:
    argv = ["zstd", "-qc", *level.split()]
    data = subprocess.run(argv, input=LARGE, capture_output=True, check=True).stdout
    assert decompress("zstd", data, 70_001) == LARGE


@pytest.mark.parametrize("size", [1, 5, 1 << 17, 1 << 20])
def test_what_is_cut_off_is_sound_up_to_there(size: int, tmp_path: Path) -> None:
    data = compress("zstd", tmp_path / "file", LARGE).read_bytes()[:-size]
    got = b""
    with compression.COMPRESSIONS["zstd"].reader(io.BytesIO(data)) as reader, pytest.raises(TruncatedStream):
        while True:
            got += reader.read(1 << 20)
    assert LARGE.startswith(got)


@pytest.mark.parametrize("name", ["zstd", "zstd program", "gzip", "xz"])
@pytest.mark.parametrize("harm", ["cut", "flipped", "trailing", "empty", "other"])
def test_damaged_data_never_ends_well(name: str, harm: str, tmp_path: Path) -> None:
    data = compress(name, tmp_path / "file", LARGE).read_bytes()
    middle = len(data) // 2
    bad = {
        "cut": data[:-3],
        "flipped": data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :],
        "trailing": data + b"more",
        "empty": b"",
        "other": b"this is no compressed data",
    }[harm]
    with pytest.raises(CorruptStream):
        decompress(name, bad)


@pytest.mark.parametrize("name", ALL)
def test_a_full_disk_is_said(name: str) -> None:
    with open("/dev/full", "wb") as handle:
        with (
            pytest.raises((NoSpace, OSError)) as caught,
            WAYS[name].writer(handle.fileno()) as writer,
        ):
            writer.write(LARGE)
    assert "No space left" in str(caught.value)


@pytest.mark.parametrize("way", [compression.COMPRESSIONS["zstd"], zstd_program])
def test_a_source_that_fails_while_it_is_read_is_not_an_end(way: Compression, tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int = -1) -> bytes:
            data = super().read(min(size, 1000))
            if not data:
                raise OSError(5, "Input/output error")
            return data

    data = compress("zstd", tmp_path / "file", LARGE).read_bytes()
    with (
        way.reader(Failing(data[:5000])) as reader,
        pytest.raises(OSError, match="Input/output"),
    ):
        while reader.read(1 << 20):
            pass


def test_a_reader_that_is_left_early_leaves_no_process(tmp_path: Path) -> None:
    data = compress("zstd", tmp_path / "file", LARGE).read_bytes()
    with zstd_program.reader(io.BytesIO(data)) as reader:
        assert reader.read(10)
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not [child for child in children if Path(f"/proc/{child}/comm").read_text().strip() == "zstd"]


def test_the_default_without_zstd_is_gzip_with_a_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert compression.choose()[0].name == "zstd"
    monkeypatch.setenv("PATH", str(tmp_path))
    chosen, note = compression.choose()
    assert chosen.name == "gzip"
    assert "Install the package zstd" in note
    with pytest.raises(MissingDependency, match="compression: zstd"):
        compression.choose("zstd")


@pytest.mark.parametrize(
    ("filename", "name", "rest"),
    [
        ("a.db.gz", "gzip", "a.db"),
        ("a.tgz", "gzip", "a.tar"),
        ("a.tar.zst", "zstd", "a.tar"),
        ("a.sql", "none", "a.sql"),
        ("a.txz", "xz", "a.tar"),
    ],
)
def test_suffixes(filename: str, name: str, rest: str) -> None:
    chosen, left = compression.by_suffix(filename)
    assert (chosen.name, left) == (name, rest)


def test_a_compressor_that_is_killed_is_an_error(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as handle, pytest.raises(Day2Error, match="zstd"):
        with zstd_program.writer(handle.fileno()) as writer:
            killed: list[str] = []
            while not killed:  # the kernel's list may miss one while others end
                for child in Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split():
                    if Path(f"/proc/{child}/comm").read_text().strip() == "zstd":
                        os.kill(int(child), 9)
                        killed.append(child)
            for dummy in range(50):
                writer.write(LARGE)


@pytest.mark.parametrize("name", sorted(compression.COMPRESSIONS))
def test_memory_does_not_grow_with_the_data(name: str, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from ansible_collections.day2.ops.plugins.module_utils._core.compression import COMPRESSIONS\n"
        "one = COMPRESSIONS[sys.argv[1]]\n"
        "with open(sys.argv[2], 'wb') as handle, one.writer(handle.fileno()) as writer:\n"
        "    for number in range(96): writer.write(bytes([number]) * (1 << 20))\n"
        "with open(sys.argv[2], 'rb', buffering=0) as handle, one.reader(handle) as reader:\n"
        "    while reader.read(1 << 20): pass\n"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, name, str(tmp_path / "file")],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 80 * 1024


@pytest.mark.parametrize("name", ["zstd", "zstd program"])
def test_what_goes_wrong_in_the_source_is_told_and_not_taken_for_damage(name: str, tmp_path: Path) -> None:
    class Source(io.BytesIO):
        def read(self, size: Optional[int] = -1) -> bytes:
            data = super().read(size)
            if not data:
                raise RuntimeError("the connection was cut")
            return data

    half = compress(name, tmp_path / "file", LARGE).read_bytes()[:100_000]
    with pytest.raises(RuntimeError, match="the connection was cut"), WAYS[name].reader(Source(half)) as reader:
        while reader.read(1 << 16):
            pass
