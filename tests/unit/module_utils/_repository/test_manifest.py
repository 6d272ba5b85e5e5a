# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.collection import Collection
from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._repository import manifest as m

ID = "20250630T120000Z-3f2a9c1b"
FILE = m.DataFile("data/a.db.zst", 10, "a" * 64, 20, "b" * 64)
PART = m.SourcePart("a.db", "sqlite", "/a.db", {}, "c" * 64, (Collection("t", 3),), {"page_size": 4096}, (FILE,))
MANIFEST = m.Manifest(
    ID,
    "app",
    m.BACKUP,
    datetime(2025, 6, 30, 12, 0, 0, 123456, tzinfo=timezone.utc),
    "h",
    {"day2.ops": "0.1.0"},
    "zstd",
    1.5,
    (PART,),
)


def read(manifest: bytes, sums: bytes) -> m.Manifest:
    return m.parse(ID, manifest, sums)


def test_what_is_written_is_read() -> None:
    document = MANIFEST.to_json()
    assert read(document, m.sums_of(MANIFEST, document)) == MANIFEST


def test_every_flipped_bit_is_noticed() -> None:
    document = MANIFEST.to_json()
    sums = m.sums_of(MANIFEST, document)
    for index in range(len(document) + len(sums)):
        for bit in (1, 0x20, 0x80):
            both = bytearray(document + sums)
            both[index] ^= bit
            with pytest.raises(DamagedBackup):
                read(bytes(both[: len(document)]), bytes(both[len(document) :]))


def test_every_cut_is_noticed() -> None:
    document = MANIFEST.to_json()
    sums = m.sums_of(MANIFEST, document)
    for length in range(len(sums)):
        with pytest.raises(DamagedBackup):
            read(document, sums[:length])
    for length in range(len(document)):
        with pytest.raises(DamagedBackup):
            read(document[:length], sums)


def forge(change: Callable[[dict[str, Any]], None]) -> tuple[bytes, bytes]:
    """A manifest that somebody wrote on purpose, with sums that fit."""
    document = json.loads(MANIFEST.to_json())
    change(document)
    data = json.dumps(document).encode()
    try:
        files = [one for part in document["sources"] for one in part["files"]]
    except (KeyError, TypeError):
        files = []
    lines = [f"{one['sha256']}  {one['path']}" for one in files]
    lines.append(f"{hashlib.sha256(data).hexdigest()}  manifest.json")
    return data, "".join(line + "\n" for line in lines).encode()


def in_file(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["sources"][0]["files"][0].update(values)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "data/../../x",
        "../x",
        "data",
        "data/",
        "data//x",
        "manifest.json",
        "data/./x",
        "data/x\0y",
        "other/x",
    ],
)
def test_paths_that_leave_the_backup(path: str) -> None:
    with pytest.raises(DamagedBackup, match="manifest.json"):
        read(*forge(in_file(path=path)))


@pytest.mark.parametrize(
    "change",
    [
        in_file(bytes=-1),
        in_file(bytes=True),
        in_file(bytes="10"),
        in_file(content_sha256="x"),
        in_file(surprise=1),
        lambda document: document.pop("sources"),
        lambda document: document.update(sources={}),
        lambda document: document.update(sources=[None]),
        lambda document: document.update(created="yesterday"),
        lambda document: document.update(compression="rar"),
        lambda document: document.update(id="20250630T120000Z-00000000"),
        lambda document: document.update(content_digest="0" * 64),
        lambda document: document["sources"][0].update(content_digest="0" * 64),
    ],
)
def test_forged_manifests(change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(DamagedBackup):
        read(*forge(change))


def test_a_newer_format_is_named() -> None:
    with pytest.raises(DamagedBackup, match=r"version 2 is not known.*upgrade"):
        read(*forge(lambda document: document.update(version=2)))


@pytest.mark.parametrize("name", ["", ".", "..", ".state", "a/b", "a b", "ä", "x" * 129, "a\n"])
def test_names_that_can_be_no_set(name: str) -> None:
    with pytest.raises(InvalidRequest):
        m.check_set_name(name)
