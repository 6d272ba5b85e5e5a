# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import compress_file as module
from ansible_collections.day2.ops.plugins.module_utils._core.compress_file import (
    OTHER,
    PART,
    SAME,
    compare,
    compress_file,
    compressed_size,
)
from ansible_collections.day2.ops.plugins.module_utils._core.compression import COMPRESSIONS
from ansible_collections.day2.ops.plugins.module_utils._core.errors import NoSpace, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.secure_directory import SecureDirectory

TEXT = b"".join(b"%d a line of a log\n" % number for number in range(20000))
TOOLS = {"zstd": ["zstd", "-dc"], "gzip": ["gzip", "-dc"], "xz": ["xz", "-dc"], "none": ["cat"]}


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SecureDirectory]:
    (tmp_path / "app.log.1").write_bytes(TEXT)
    (tmp_path / "app.log.1").chmod(0o640)
    os.utime(tmp_path / "app.log.1", ns=(1, 10**18))
    with SecureDirectory(str(tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize("name", sorted(set(COMPRESSIONS) - {"none"}))
def test_a_copy_takes_its_place(directory: SecureDirectory, tmp_path: Path, name: str) -> None:
    compression = COMPRESSIONS[name]
    expected = compressed_size(directory, "app.log.1", compression)
    assert os.listdir(tmp_path) == ["app.log.1"]
    done = compress_file(directory, "app.log.1", compression)
    (only,) = os.listdir(tmp_path)
    assert only == done.final == "app.log.1" + compression.suffix
    path = tmp_path / only
    assert subprocess.run([*TOOLS[name], str(path)], check=True, capture_output=True).stdout == TEXT
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_mtime_ns == 10**18
    assert (done.bytes, done.stored_bytes) == (len(TEXT), path.stat().st_size)
    assert done.stored_bytes == expected


@pytest.mark.parametrize("name", ["none", "gzip"])
def test_into_another_directory(directory: SecureDirectory, tmp_path: Path, name: str) -> None:
    (tmp_path / "old").mkdir()
    with SecureDirectory(str(tmp_path / "old")) as old:
        compress_file(directory, "app.log.1", COMPRESSIONS[name], target=old)
    assert os.listdir(tmp_path) == ["old"]
    (only,) = (tmp_path / "old").iterdir()
    assert subprocess.run([*TOOLS[name], str(only)], check=True, capture_output=True).stdout == TEXT


def test_a_taken_name_is_not_overwritten(directory: SecureDirectory, tmp_path: Path) -> None:
    other = tmp_path / "app.log.1.gz"
    for content in (b"something else", COMPRESSIONS["gzip"].suffix.encode()):
        other.write_bytes(content)
        with pytest.raises(TargetError, match=r"log\.1\.gz already exists with other content"):
            compress_file(directory, "app.log.1", COMPRESSIONS["gzip"])
        assert other.read_bytes() == content
    other.unlink()
    other.symlink_to("/etc/passwd")
    with pytest.raises(TargetError, match="already exists"):
        compress_file(directory, "app.log.1", COMPRESSIONS["gzip"])
    assert sorted(os.listdir(tmp_path)) == ["app.log.1", "app.log.1.gz"]
    assert (tmp_path / "app.log.1").read_bytes() == TEXT


def test_what_a_killed_run_put_in_place_is_completed(directory: SecureDirectory, tmp_path: Path) -> None:
    subprocess.run(["gzip", "-k", str(tmp_path / "app.log.1")], check=True)
    compress_file(directory, "app.log.1", COMPRESSIONS["gzip"])
    assert os.listdir(tmp_path) == ["app.log.1.gz"]


def test_a_copy_that_does_not_read_back_is_thrown_away(
    directory: SecureDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a disk that returns something else can't be provoked
    monkeypatch.setattr(module, "_digest", lambda *dummy: "other")
    with pytest.raises(TargetError, match="when read back"):
        compress_file(directory, "app.log.1", COMPRESSIONS["gzip"])
    assert os.listdir(tmp_path) == ["app.log.1"]


def test_a_file_that_is_written_meanwhile_stays(
    directory: SecureDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = module._digest

    def write_then_digest(*arguments: Any) -> str:
        with open(tmp_path / "app.log.1", "ab") as log:
            log.write(b"late\n")
        return digest(*arguments)

    monkeypatch.setattr(module, "_digest", write_then_digest)
    with pytest.raises(TargetError, match="was written to while it was read"):
        compress_file(directory, "app.log.1", COMPRESSIONS["gzip"])
    assert os.listdir(tmp_path) == ["app.log.1"]


@pytest.mark.parametrize("name", sorted(COMPRESSIONS))
def test_a_full_disk_leaves_the_file(directory: SecureDirectory, tmp_path: Path, name: str) -> None:
    small = tmp_path / "small"
    small.mkdir()
    (tmp_path / "random").write_bytes(os.urandom(3 << 20))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=True)
    try:
        with SecureDirectory(str(small)) as full, pytest.raises(NoSpace, match="No space left"):
            compress_file(directory, "random", COMPRESSIONS[name], target=full)
        assert os.listdir(small) == []
        assert (tmp_path / "random").stat().st_size == 3 << 20
    finally:
        subprocess.run(["umount", str(small)], check=True)


class Endless:
    """What a small file may decompress to."""

    name, suffix = "gzip", ".gz"
    reads = 0

    def read(self, size: int) -> bytes:
        self.reads += 1
        assert self.reads < 3
        return bytes(size)

    @contextlib.contextmanager
    def reader(self, source: object) -> Iterator[Endless]:
        yield self


def test_a_bomb_is_unpacked_no_further_than_it_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(bytes(1 << 20))
    (tmp_path / "app.log.gz").touch()
    with SecureDirectory(str(tmp_path)) as folder:
        kind, _size = compare(folder, "app.log", folder, "app.log.gz", Endless())  # type: ignore[arg-type]
    assert kind == OTHER


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.parametrize(("length", "kind"), [(0, PART), (5, PART), (-1, PART), (None, SAME)])
def test_a_killed_compressor_leaves_a_part(tmp_path: Path, name: str, length: Optional[int], kind: int) -> None:
    compression = COMPRESSIONS[name]
    log, copy = tmp_path / "app.log", tmp_path / f"app.log{compression.suffix}"
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(1000)))
    whole = subprocess.run([name, "-c", str(log)], check=True, capture_output=True).stdout
    copy.write_bytes(whole[:length])
    with SecureDirectory(str(tmp_path)) as folder:
        assert compare(folder, log.name, folder, copy.name, compression)[0] == kind
        if kind == PART:
            with pytest.raises(TargetError, match="with other content"):
                compress_file(folder, log.name, compression)
        compress_file(folder, log.name, compression, replace_part=True)
    assert list(tmp_path.iterdir()) == [copy]
    assert subprocess.run([*TOOLS[name], str(copy)], check=True, capture_output=True).stdout.endswith(b"line 999\n")


def test_the_copy_is_durable_before_it_takes_its_place_unless_the_caller_sees_to_that(
    directory: SecureDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def noted(fd: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        real(fd)

    monkeypatch.setattr(os, "fsync", noted)
    durable = module.prepare(directory, "app.log.1", COMPRESSIONS["gzip"])
    assert synced == [durable.temporary]
    synced.clear()
    module.prepare(directory, "app.log.1", COMPRESSIONS["gzip"], durable=False)
    assert synced == []
