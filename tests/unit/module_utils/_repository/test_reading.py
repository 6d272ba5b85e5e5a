# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stored files that are read: in pieces, whole, and with each difference from the manifest told."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._repository.manifest import DataFile, Manifest
from ansible_collections.day2.ops.plugins.module_utils._repository.pieces import Piece, digest_of
from ansible_collections.day2.ops.plugins.module_utils._repository.reading import (
    Packs,
    full_problems,
    load,
    open_data,
    quick_problems,
)
from ansible_collections.day2.ops.plugins.module_utils._repository.stored_reader import (
    HashingReader,
    StoredReader,
    hashing,
)
from tests.unit.module_utils._repository.test_history import publish
from tests.unit.module_utils._repository.test_manifest import ID, MANIFEST, PART

CONTENT = b"0123456789"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# Pieces


def stored(pieces: Mapping[str, bytes], ended: Any = lambda piece: None) -> StoredReader:
    return StoredReader(list(pieces), lambda name: io.BytesIO(pieces[name]), ended)


def all_of(reader: Any, size: int = 4) -> bytes:
    return b"".join(iter(lambda: reader.read(size), b""))


@pytest.mark.parametrize("pieces", [{"a": CONTENT}, {"a": b"012345", "b": b"6789"}, {"a": b"0", "b": b"", "c": b"1"}])
def test_pieces_are_read_one_after_another_and_each_is_counted(pieces: dict[str, bytes]) -> None:
    told: list[Piece] = []
    reader = stored(pieces, told.append)
    assert all_of(reader) == b"".join(pieces.values())
    assert reader.pieces == told == [Piece(name, len(data), sha256(data)) for name, data in pieces.items()]
    assert (reader.bytes, reader.sha256()) == (sum(map(len, pieces.values())), digest_of(told))
    assert reader.read(4) == b""
    assert digest_of(told[:1]) == sha256(pieces["a"])
    if len(told) > 1:
        assert digest_of(told) == sha256("".join(one.sha256 for one in told).encode())


def test_content_that_is_not_compressed_is_hashed_once_and_across_pieces() -> None:
    whole, cut = stored({"a": CONTENT}), stored({"a": b"012345", "b": b"6789"})
    assert hashing(whole, whole) is whole
    for reader, source in ((whole, whole), (cut, cut), (io.BytesIO(CONTENT), stored({"a": b"compressed"}))):
        content = hashing(reader, source)
        assert all_of(content) == CONTENT
        assert (content.bytes, content.sha256()) == (10, sha256(CONTENT))
    assert isinstance(hashing(cut, cut), HashingReader)


def test_each_piece_is_closed_before_the_next_is_opened() -> None:
    opened: list[io.BytesIO] = []

    def opening(name: str) -> io.BytesIO:
        assert all(one.closed for one in opened)
        opened.append(io.BytesIO(name.encode()))
        return opened[-1]

    reader = StoredReader(["a", "b", "c"], opening)
    assert len(opened) == 1
    assert reader.read(9) + reader.read(9) == b"ab"
    reader.close()
    reader.close()
    assert ([one.closed for one in opened], reader.read(9)) == ([True, True], b"")


# A backup


@pytest.fixture
def repository(tmp_path: Path) -> DirectoryRepository:
    return DirectoryRepository(str(tmp_path / "backups"))


def manifest_of(content: bytes = CONTENT, **changes: Any) -> Manifest:
    """Of a backup whose data file has CONTENT, and ought to have this content."""
    file = DataFile("data/a.db.zst", len(content), sha256(content), len(content), sha256(content))
    parts = (PART._replace(files=(file._replace(**changes),)),)
    return MANIFEST._replace(compression="none", sources=parts)


def problems(repository: DirectoryRepository, manifest: Manifest) -> list[str]:
    return [f"{one['path']}: {one['problem']}" for one in full_problems(repository, "app", manifest, Progress())]


def test_what_is_whole_has_no_problem(repository: DirectoryRepository) -> None:
    publish(repository, manifest_of())
    assert problems(repository, load(repository.look("app", ID))) == []


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        (manifest_of(sha256="0" * 64), f"its SHA-256 is {sha256(CONTENT)} instead of {'0' * 64}"),
        (manifest_of(content_sha256="0" * 64), "its decompressed content differs from the manifest"),
        (manifest_of(content_bytes=11), "its decompressed content differs from the manifest"),
        (manifest_of(content_bytes=9), "it has more than the 9 bytes that are listed in the manifest"),
    ],
)
def test_each_difference_is_told(repository: DirectoryRepository, manifest: Manifest, problem: str) -> None:
    publish(repository, manifest)
    assert problems(repository, manifest) == [f"data/a.db.zst: {problem}"]


def test_names_and_sizes_alone(repository: DirectoryRepository) -> None:
    backup = Path(repository.path("app", publish(repository, manifest_of())))
    (backup / "data" / "more").write_bytes(b"x")
    (backup / "data" / "a.db.zst").write_bytes(CONTENT + b"x")
    assert problems(repository, manifest_of()) == [
        "data/a.db.zst: it has 11 bytes instead of 10",
        "data/more: it does not belong to the backup",
    ]
    (backup / "data" / "a.db.zst").unlink()
    (told, _more) = quick_problems(repository.look("app", ID), manifest_of())
    assert told["problem"] == "it is missing, or not a regular file"


def test_what_is_gone_after_it_was_seen_is_damage(repository: DirectoryRepository) -> None:
    backup = Path(repository.path("app", publish(repository, manifest_of())))
    (backup / "data" / "a.db.zst").unlink()
    (file,) = manifest_of().files
    with pytest.raises(DamagedBackup, match=r"data/a\.db\.zst"):
        with open_data(Packs(repository, "app", manifest_of()), file, Progress()):
            pass


def test_a_file_that_grows_while_it_is_read(repository: DirectoryRepository) -> None:
    backup = Path(repository.path("app", publish(repository, manifest_of())))
    (backup / "data" / "a.db.zst").write_bytes(CONTENT + b"x")
    (file,) = manifest_of()._replace().files
    longer = file._replace(content_bytes=11, content_sha256=sha256(CONTENT + b"x"))
    with open_data(Packs(repository, "app", manifest_of()), longer, Progress()) as reader:
        assert reader.read(99) == CONTENT + b"x"
        with pytest.raises(DamagedBackup, match="it has 11 bytes instead of 10"):
            reader.read(99)


def test_a_manifest_that_is_too_large_to_be_one_is_not_read(repository: DirectoryRepository) -> None:
    backup = Path(repository.path("app", publish(repository, manifest_of())))
    with (backup / "manifest.json").open("r+b") as handle:
        handle.truncate((64 << 20) + 1)  # a hole
    with pytest.raises(DamagedBackup, match=r"manifest\.json: its size of 67108865 bytes exceeds the limit"):
        load(repository.look("app", ID))
    (backup / "manifest.json").unlink()
    with pytest.raises(DamagedBackup, match=r"manifest\.json"):
        load(repository.look("app", ID))
