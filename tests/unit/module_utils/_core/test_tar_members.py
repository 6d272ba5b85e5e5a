# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import tar_members


def made(path: Path, *names: str, size: int = 3, **headers: str) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = size, headers
            tar.addfile(info, io.BytesIO(b"x" * size))
    return path


def read(path: Path) -> list[bytes]:
    with path.open("rb") as handle:
        return [tar_members.path_of(info) for info in tar_members.spooled(handle)]


@pytest.mark.parametrize(
    ("name", "path"), [("a/b", b"a/b"), ("./a", b"a"), (".//a", b"a"), ("././a/b", b"a/b"), ("a\udce9", b"a\xe9")]
)
def test_paths_are_relative_to_the_directory(tmp_path: Path, name: str, path: bytes) -> None:
    assert read(made(tmp_path / "x.tar", name)) == [path]


@pytest.mark.parametrize("name", ["/a", "../a", "a/../b", "a//b", "a/./b", "..", ".", ""])
def test_a_path_that_leads_out_or_is_the_directory_itself_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is outside of the store"):
        read(made(tmp_path / "x.tar", name))


@pytest.mark.parametrize("kept", [1, 511, 512, 700, 1023, 1024])
def test_a_file_that_was_cut_off_is_an_error(tmp_path: Path, kept: int) -> None:
    path = made(tmp_path / "x.tar", "a", "b", size=600)
    whole = path.read_bytes()
    assert read(path) == [b"a", b"b"]
    path.write_bytes(whole[:kept])
    with pytest.raises(tar_members.ERRORS):
        read(path)


def test_a_header_may_not_fill_the_memory(tmp_path: Path) -> None:
    assert read(made(tmp_path / "x.tar", "a", comment="x" * 500_000)) == [b"a"]
    with pytest.raises(ValueError, match=r"a header of \d{7} bytes"):
        read(made(tmp_path / "x.tar", "a", comment="x" * 1_500_000))
    with (tmp_path / "x.tar").open("rb") as handle, pytest.raises(ValueError, match="a header of"):
        with tar_members.opened(handle, "r|") as tar:
            list(tar_members.members(tar))
