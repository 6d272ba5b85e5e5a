# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import os
import subprocess
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.collection import Collection
from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup, InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._repository import manifest as m
from ansible_collections.day2.ops.plugins.module_utils._repository import pieces
from ansible_collections.day2.ops.plugins.module_utils._repository.schema import data_path

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
PIECES = (m.Piece("data/a.db.zst", 6, "d" * 64), m.Piece("data/a.db.zst.002", 4, "e" * 64))
CUT = FILE._replace(sha256=m.digest_of(PIECES), parts=PIECES)
REMOTE = MANIFEST._replace(version=m.REMOTE, sources=(PART._replace(files=(CUT, FILE._replace(path="data/b"))),))


def read(manifest: bytes, sums: bytes) -> m.Manifest:
    return m.parse(ID, manifest, sums)


@pytest.mark.parametrize("manifest", [MANIFEST, REMOTE])
def test_what_is_written_is_read(manifest: m.Manifest) -> None:
    document = manifest.to_json()
    assert read(document, m.sums_of(manifest, document)) == manifest


def test_each_piece_has_a_line_of_sums() -> None:
    lines = m.sums_of(REMOTE, REMOTE.to_json()).decode().splitlines()
    assert lines[:3] == [f"{'d' * 64}  data/a.db.zst", f"{'e' * 64}  data/a.db.zst.002", f"{'a' * 64}  data/b"]
    assert REMOTE.pieces == {"data/a.db.zst": 6, "data/a.db.zst.002": 4, "data/b": 10}


def test_sizes_are_those_of_the_content_and_of_what_is_stored() -> None:
    assert (MANIFEST.size, MANIFEST.stored_size) == (20, 10)
    assert (REMOTE.size, REMOTE.stored_size) == (40, 20)
    assert [one.path for one in REMOTE.files] == ["data/a.db.zst", "data/b"]
    assert REMOTE.objects == (*PIECES, m.Piece("data/b", 10, "a" * 64))


def test_version_1_has_no_keys_of_version_2() -> None:
    document = json.loads(MANIFEST.to_json())
    assert "read_back" not in document
    assert "parts" not in document["sources"][0]["files"][0]


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts.reverse(),
        lambda parts: parts[0].update(bytes=7),
        lambda parts: parts.pop(),
        lambda parts: parts[1].update(path="data/b"),
        lambda parts: parts[1].update(path="data/a.db.zst"),
        lambda parts: parts[1].update(path="../a"),
    ],
)
def test_pieces_that_are_not_those_of_the_file(change: Callable[[Any], None]) -> None:
    with pytest.raises(DamagedBackup):
        read(*forge(lambda document: change(document["sources"][0]["files"][0]["parts"]), REMOTE))


@pytest.mark.parametrize("manifest", [MANIFEST, REMOTE])
def test_every_flipped_bit_is_noticed(manifest: m.Manifest) -> None:
    document = manifest.to_json()
    sums = m.sums_of(manifest, document)
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


def forge(change: Callable[[dict[str, Any]], None], manifest: m.Manifest = MANIFEST) -> tuple[bytes, bytes]:
    """A manifest that somebody wrote on purpose, with sums that fit."""
    document = json.loads(manifest.to_json())
    change(document)
    data = json.dumps(document).encode()
    try:
        files = [one for part in document["sources"] for one in part["files"]]
        lines = [f"{one['sha256']}  {one['path']}" for file in files for one in file.get("parts", [file])]
    except (KeyError, TypeError, AttributeError):
        lines = []
    lines.append(f"{hashlib.sha256(data).hexdigest()}  manifest.json")
    return data, "".join(line + "\n" for line in lines).encode("utf-8", "replace")


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
        lambda document: document.pop("sources"),
        lambda document: document.update(sources={}),
        lambda document: document.update(sources=[None]),
        lambda document: document.update(sources=[]),
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


def test_keys_that_are_not_known_are_left_out() -> None:
    def surprise(document: dict[str, Any]) -> None:
        for place in (document, document["sources"][0], document["sources"][0]["files"][0]):
            place["surprise"] = 1

    assert read(*forge(surprise)) == MANIFEST


def replaced(document: Any, place: tuple[Any, ...], value: Any) -> None:
    for step in place[:-1]:
        document = document[step]
    document[place[-1]] = value


def places(document: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a document."""
    steps = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for step, value in steps:
        yield (*above, step)
        yield from places(value, *above, step)


@pytest.mark.parametrize(
    "value",
    [None, True, -1, 0, 1.5, 2**70, math.inf, math.nan, "", "x", "\ud800", "a\0", [], [[]], [None], {}, {"a": []}],
    ids=repr,
)
@pytest.mark.parametrize("manifest", [MANIFEST, REMOTE], ids=["version 1", "version 2"])
def test_a_value_of_another_type_is_damage_or_none(value: Any, manifest: m.Manifest) -> None:
    read_as = 0
    for place in list(places(json.loads(manifest.to_json()))):
        try:
            found = read(*forge(functools.partial(replaced, place=place, value=value), manifest))
        except DamagedBackup:
            continue
        found.to_json()
        read_as += 1
    assert read_as < 12  # of free texts, such as the tools' versions, and what version 1 does not know


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"[" * 500 + b"]" * 500,
        b'{"version": ' + b"1" * 100_000 + b"}",
        b"\xff",
        b"",
        b"null",
        b'{"format": "day2.ops backup", "version": 1}',
        b'{"format": "day2.ops backup", "version": true}',
        b'{"format": {}, "version": []}',
    ],
    ids=lambda text: text[:20].decode("latin-1"),
)
def test_what_is_no_manifest_at_all(text: bytes) -> None:
    sums = f"{hashlib.sha256(text).hexdigest()}  manifest.json\n".encode()
    with pytest.raises(DamagedBackup, match=r"manifest\.json"):
        read(text, sums)


@pytest.mark.parametrize(
    "created",
    ["10000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00", "2025-02-30", 20250630, ""],
)
def test_times_that_are_none(created: Any) -> None:
    with pytest.raises(DamagedBackup, match="created"):
        read(*forge(lambda document: document.update(created=created)))


NAMES = [
    b"a\nb.db",
    b"lat\xe9in.db",
    b"back\\slash",
    b"cr\r",
    b"\\n",
    b"*star",
    b" space",
    b"a  b",
    "ü".encode(),
    b"\n",
    b"\\",
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_sums_of_any_name_are_those_of_sha256sum(name: bytes, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = os.fsencode(tmp_path / "data") + b"/" + name
    with open(path, "wb") as handle:
        handle.write(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    file = FILE._replace(path="data/" + os.fsdecode(name), bytes=7, sha256=digest)
    manifest = MANIFEST._replace(sources=(PART._replace(files=(file,)),))
    document = manifest.to_json()
    (tmp_path / "manifest.json").write_bytes(document)
    sums = m.sums_of(manifest, document)
    (tmp_path / "SHA256SUMS").write_bytes(sums)
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path, check=True)
    made = subprocess.run(["sha256sum", b"data/" + name], cwd=tmp_path, check=True, capture_output=True).stdout
    assert sums.startswith(made)
    assert read(document, sums) == manifest


@pytest.mark.parametrize("line", [b"\\%s  a\\x", b"\\%s  a\\", b"%s ", b"%s  ", b" %s  a", b"\\%s  "])
def test_lines_that_are_none_of_sha256sum(line: bytes) -> None:
    document = MANIFEST.to_json()
    sums = line % (b"0" * 64) + b"\n" + m.sums_of(MANIFEST, document)
    with pytest.raises(DamagedBackup, match="not a line of sha256sum"):
        read(document, sums)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a b.json", "a b.json"),
        ("ü/x", "ü/x"),
        ("50%", "50%25"),
        ("back\\slash", "back%5Cslash"),
        ("new\nline", "new%0Aline"),
        ("\u2028", "%E2%80%A8"),
        (os.fsdecode(b"\xff"), "%FF"),
        ("", ""),
    ],
)
def test_names_in_keys_of_a_remote_repository(name: str, key: str) -> None:
    assert pieces.key_of(name) == key
    assert pieces.name_of(key) == name


OWNER = {"mode": "640", "uid": 0, "gid": 0, "user": None, "group": "staff"}


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"uid": 65534, "gid": 2**32 - 1}, True),
        ({"uid": 2**32}, False),
        ({"gid": -1}, False),
        ({"uid": "0"}, False),
        ({"mode": "1777"}, True),
        ({"mode": "0o644"}, False),
        ({"user": 1}, False),
    ],
)
def test_owners_in_details(change: dict[str, Any], valid: bool) -> None:
    owner = {**OWNER, **change}
    forged = forge(lambda document: document["sources"][0]["details"].update(owner))
    if valid:
        assert read(*forged).sources[0].details["uid"] == owner["uid"]
    else:
        with pytest.raises(DamagedBackup, match=rf"details\.{next(iter(change))}"):
            read(*forged)


@pytest.mark.parametrize(
    ("details", "valid"),
    [
        ({"page_size": 0, "page_count": 0, "bytes": 0, "archive_bytes": 0, "files": 0}, True),
        ({"page_size": 65536, "page_count": 2**32, "bytes": 2**63 - 1}, True),
        ({"page_size": 65537}, False),
        ({"page_count": 2**32 + 1}, False),
        *(({name: -1}, False) for name in ("page_size", "page_count", "bytes", "archive_bytes", "files")),
        ({"bytes": 2**63}, False),
        ({"migration": {"target": "x", "number": 1, "collections": {}}}, True),
        ({"migration": {"target": "x", "number": 0, "collections": {}}}, False),
        ({"migration": {"target": "x", "number": 1, "collections": {"a": 1}}}, False),
        ({"include": ["a"], "exclude": None}, True),
        ({"include": "a"}, False),
    ],
)
def test_numbers_and_lists_in_details(details: dict[str, Any], valid: bool) -> None:
    forged = forge(lambda document: document["sources"][0]["details"].update(details))
    with contextlib.nullcontext() if valid else pytest.raises(DamagedBackup, match=rf"details\.{next(iter(details))}"):
        read(*forged)


@pytest.mark.parametrize("missing", sorted(OWNER))
def test_an_owner_is_valid_as_a_whole(missing: str) -> None:
    owner = {name: value for name, value in OWNER.items() if name != missing}
    with pytest.raises(DamagedBackup, match=rf"details\.{missing} is missing"):
        read(*forge(lambda document: document["sources"][0]["details"].update(owner)))


def test_a_newer_format_is_named() -> None:
    with pytest.raises(DamagedBackup, match=r"version 3 is not supported.*upgrade"):
        read(*forge(lambda document: document.update(version=3)))


@pytest.mark.parametrize("name", ["", ".", "..", ".state", "a/b", "a b", "ä", "x" * 129, "a\n"])
def test_names_that_can_be_no_set(name: str) -> None:
    with pytest.raises(InvalidRequest):
        m.check_set_name(name)


def test_a_path_that_is_no_file_name_is_named() -> None:
    with pytest.raises(ValueError, match=r"files\.0, '.*ud800', is not a valid file name"):
        data_path("data/\ud800", "files.0")
