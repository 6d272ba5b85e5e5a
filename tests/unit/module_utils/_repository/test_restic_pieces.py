# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives are cut so that what has not changed is the same piece again, whatever comes before it."""

from __future__ import annotations

import contextlib
import io
import os
import random
import tarfile
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._repository.restic_pieces import SUFFIX, Cutter


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.pax_headers = {"SCHILY.xattr.user.x": "y"} if name.endswith("7") else {}
            tar.addfile(member, io.BytesIO(data))
        tar.addfile(tarfile.TarInfo("empty"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.LNKTYPE, "empty"
        tar.addfile(link)
    return buffer.getvalue()


def cut(data: bytes, path: Path) -> list[bytes]:
    """The pieces that data becomes."""
    cutter = Cutter(str(path))
    with cutter.handle as handle:
        view = memoryview(data)
        while view:
            view = view[os.write(handle.fileno(), view[:70_001]) :]
    return [(path.parent / name).read_bytes() for name in cutter.names(path.name)]


@pytest.fixture
def files() -> dict[str, bytes]:
    some = random.Random(1)
    return {
        f"{number % 20}/{'long' * 40}-{number}": some.randbytes(some.choice([0, 100, 5000])) for number in range(500)
    }


def test_an_added_and_a_changed_file_cost_their_pieces_only(files: dict[str, bytes], tmp_path: Path) -> None:
    before = cut(archive(files), tmp_path / "a.tar")
    assert b"".join(before) == archive(files)
    assert len(before) > 10
    after_files = {**files, "3/new": b"new", next(iter(files)): b"changed", "5/large": os.urandom(200_000)}
    after = cut(archive(after_files), tmp_path / "b.tar")
    assert b"".join(after) == archive(after_files)
    assert len(set(after) - set(before)) <= 8  # those three, their neighbours, and the end


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\0" * 1024, b"x" * 3000, b"no archive " * 100_000], ids=["empty", "x", "end", "text", "long"]
)
def test_what_is_no_archive_is_one_file(data: bytes, tmp_path: Path) -> None:
    assert cut(data, tmp_path / "a.tar") == [data]
    assert not (tmp_path / f"a.tar{SUFFIX}").exists()


def test_an_archive_that_ends_too_early_stays_as_it_is(files: dict[str, bytes], tmp_path: Path) -> None:
    data = archive(files)
    for number, length in enumerate((513, 100_000, len(data) - 700)):
        assert b"".join(cut(data[:length], tmp_path / f"{number}.tar")) == data[:length]


def test_a_piece_that_can_not_be_written_is_an_error(files: dict[str, bytes], tmp_path: Path) -> None:
    cutter = Cutter(str(tmp_path / "a.tar"))
    (tmp_path / f"a.tar{SUFFIX}" / "000002").mkdir()
    with pytest.raises(FileExistsError), cutter.handle as handle, contextlib.suppress(BrokenPipeError):
        for start in range(0, 1 << 20, 1 << 16):
            os.write(handle.fileno(), archive(files)[start : start + (1 << 16)])
