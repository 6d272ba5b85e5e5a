# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.sparse import (
    allocated,
    data_ranges,
    has_holes,
    is_hollow,
    same_content,
)

BLOCK = 1 << 16
HUGE = 8 << 40


def make(path: Path, size: int, data: dict[int, bytes]) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, size)
    for at, text in data.items():
        os.pwrite(fd, text, at)
    return fd


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[int]]:
    same = {0: b"a" * BLOCK, HUGE - BLOCK: b"z" * BLOCK}
    made = [
        make(tmp_path / "one", HUGE, same),
        make(tmp_path / "zeros", HUGE, {**same, 1 << 30: bytes(BLOCK)}),
        make(tmp_path / "other", HUGE, {**same, 1 << 30: b"x"}),
    ]
    yield made
    for fd in made:
        os.close(fd)


def test_holes_take_no_time(files: list[int]) -> None:
    one, zeros, other = files
    assert list(data_ranges(one, 0, HUGE)) == [(0, BLOCK), (HUGE - BLOCK, HUGE)]
    assert list(data_ranges(one, 100, BLOCK // 2)) == [(100, BLOCK // 2)]
    assert list(data_ranges(one, BLOCK, HUGE - BLOCK)) == []
    assert same_content(one, zeros, 0, HUGE)
    assert same_content(zeros, one, 0, HUGE)
    assert not same_content(one, other, 0, HUGE)
    assert not same_content(other, one, 0, HUGE)


def test_a_part_of_another_file(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole", 0, {0: b"0123456789"})
    part = make(tmp_path / "part", 0, {0: b"345"})
    assert same_content(whole, part, 3, 6)
    assert same_content(part, whole, 0, 3, 3)
    assert not same_content(whole, part, 2, 5)
    assert not same_content(whole, part, 3, 7)  # too short
    os.close(whole)
    os.close(part)


def test_what_a_file_takes(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"x" * 5000)
    (tmp_path / "empty").touch()
    sparse = make(tmp_path / "sparse", HUGE, {0: b"x"})
    assert allocated((tmp_path / "plain").stat()) == 5000
    assert allocated((tmp_path / "empty").stat()) == 0
    assert 1 <= allocated(os.fstat(sparse)) <= BLOCK
    assert has_holes(os.fstat(sparse))
    assert not has_holes((tmp_path / "plain").stat())
    os.close(sparse)


def test_files_of_holes_alone_and_of_nothing(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb+", buffering=0) as handle:
        assert list(data_ranges(handle.fileno(), 0, 0)) == []
        handle.truncate(10 << 20)
        assert list(data_ranges(handle.fileno(), 0, 10 << 20)) == []
        for offset in (1 << 20, 5 << 20):
            handle.seek(offset)
            handle.write(b"x" * 65536)
        assert list(data_ranges(handle.fileno(), 0, 10 << 20)) == [
            (1 << 20, (1 << 20) + 65536),
            (5 << 20, (5 << 20) + 65536),
        ]


@pytest.mark.parametrize(("data", "hollow"), [(1 << 30, False), (1 << 26, True), (0, True)])
def test_what_has_more_than_a_gibibyte_of_holes_and_hardly_any_data_is_hollow(data: int, hollow: bool) -> None:
    info = os.stat_result((0, 0, 0, 1, 0, 0, data + (2 << 30), 0, 0, 0), {"st_blocks": data // 512})
    assert is_hollow(info) is hollow


def test_a_gibibyte_of_holes_is_not_yet_hollow() -> None:
    info = os.stat_result((0, 0, 0, 1, 0, 0, 1 << 30, 0, 0, 0), {"st_blocks": 0})
    assert is_hollow(info) is False
