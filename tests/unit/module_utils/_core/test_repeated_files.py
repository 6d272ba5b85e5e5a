# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is read again gives nothing that was not verified before."""

from __future__ import annotations

import io
from contextlib import closing

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup
from ansible_collections.day2.ops.plugins.module_utils._core.repeated_files import RepeatedFiles

MIB = 1 << 20


def whole(files: RepeatedFiles, size: int) -> bytes:
    with files.open("x") as reader:
        return b"".join(iter(lambda: reader.read(size), b""))


@pytest.mark.parametrize("length", [0, 1, MIB, 2 * MIB, 2 * MIB + 7])
@pytest.mark.parametrize("sizes", [(1 << 16, 1 << 18), (3 * MIB, 1000), (MIB, MIB)])
def test_what_is_the_same_is_read_as_often_as_wanted(length: int, sizes: tuple[int, int]) -> None:
    content = bytes(range(256)) * (length // 256) + b"x" * (length % 256)
    files = RepeatedFiles(lambda name: closing(io.BytesIO(content)))
    assert [whole(files, size) for size in (*sizes, *sizes)] == [content] * 4


def changed(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


@pytest.mark.parametrize("position", [0, MIB - 1, MIB, 2 * MIB + 6])
def test_nothing_that_has_changed_is_returned(position: int) -> None:
    content = b"a" * (2 * MIB + 7)
    given = [content, changed(content, position)]
    files = RepeatedFiles(lambda name: closing(io.BytesIO(given.pop(0))))
    assert whole(files, 1 << 16) == content
    got = bytearray()
    with pytest.raises(DamagedBackup, match="x: it has changed since it was verified"), files.open("x") as reader:
        for data in iter(lambda: reader.read(1 << 16), b""):
            got += data
    assert len(got) == position // MIB * MIB


@pytest.mark.parametrize("length", [0, MIB, 2 * MIB, 2 * MIB + 6, 2 * MIB + 8, 3 * MIB])
def test_another_length(length: int) -> None:
    given = [b"a" * (2 * MIB + 7), b"a" * length]
    files = RepeatedFiles(lambda name: closing(io.BytesIO(given.pop(0))))
    whole(files, MIB)
    with pytest.raises(DamagedBackup):
        whole(files, MIB)


def test_what_was_not_read_to_its_end_was_not_verified() -> None:
    given = [b"first", b"other", b"other"]
    files = RepeatedFiles(lambda name: closing(io.BytesIO(given.pop(0))))
    with files.open("x") as reader:
        reader.read(3)
    assert [whole(files, 10), whole(files, 10)] == [b"other", b"other"]
