# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index: its lines, and what is refused of somebody else's."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._stores.files.index import (
    BLOCK_DEVICE,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
    Index,
    from_line,
    order,
    read_index,
    shown,
    to_line,
)

ROOT = Entry(b"", DIRECTORY, 0o755, 0, 0, "root", "root", 1_700_000_000_123_456_789)


def entry(path: bytes, kind: str = FILE, **fields: Any) -> Entry:
    made = ROOT._replace(path=path, kind=kind, **fields)
    return made._replace(sha256="a" * 64) if kind == FILE and not made.superseded else made


def written(*entries: Entry) -> tuple[io.BytesIO, str]:
    handle = io.BytesIO()
    index = Index(handle)
    for one in entries:
        index.add(one)
    handle.seek(0)
    return handle, index.content_digest


NAMES = (
    st.binary(min_size=1, max_size=255)
    .map(lambda raw: raw.replace(b"/", b"+").replace(b"\0", b"0"))
    .filter(lambda name: name not in (b".", b".."))
)
ENTRIES = st.builds(
    Entry,
    path=st.lists(NAMES, min_size=1, max_size=4).map(b"/".join),
    kind=st.just(FILE),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 2),
    gid=st.integers(0, 2**32 - 2),
    user=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    group=st.sampled_from(["", "staff", "w\udce9ird"]),
    mtime_ns=st.integers(-(2**63), 2**70),
    size=st.integers(0, 2**62),
    sha256=st.just("0123456789abcdef" * 4),
    target=st.just(b""),
    xattrs=st.dictionaries(NAMES, st.binary(max_size=100), max_size=3).map(lambda found: tuple(sorted(found.items()))),
    device=st.just((0, 0)),
    superseded=st.booleans(),
    sparse=st.booleans(),
)


@given(ENTRIES)
def test_a_line_says_everything(made: Entry) -> None:
    line = to_line(made)
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert from_line(line) == made


@pytest.mark.parametrize(
    "made",
    [
        ROOT,
        entry(b"d\xff", DIRECTORY),
        entry(b"l", SYMLINK, target=b"../\xe9"),
        entry(b"b/h", HARDLINK, target=b"a/f"),
        entry(b"f", FIFO),
        entry(b"n", BLOCK_DEVICE, device=(259, 70000)),
        entry(b"busy", superseded=True, size=5),
    ],
)
def test_every_kind(made: Entry) -> None:
    assert from_line(to_line(made)) == made


def test_the_line_is_what_the_documentation_says() -> None:
    made = entry(b"a b", size=3, xattrs=((b"user.x", b"\0"),))
    assert json.loads(to_line(made)) == {
        "path": "a b", "type": "file", "mode": "0755", "uid": 0, "gid": 0, "user": "root", "group": "root",
        "mtime_ns": 1_700_000_000_123_456_789, "size": 3, "sha256": "a" * 64, "xattrs": {"user.x": "AA=="},
    }  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "/etc/passwd"},
        {"path": "../x"},
        {"path": "a/../../x"},
        {"path": "a//b"},
        {"path": "a/."},
        {"path": "a/"},
        {"path": ""},
        {"path": "a\0b"},
        {"path": 5},
        {"path": "\ud800"},
        {"type": "door"},
        {"type": ["file"]},
        {"mode": "10000"},
        {"mode": 420},
        {"mode": "-1"},
        {"uid": -1},
        {"uid": 2**32 - 1},
        {"uid": True},
        {"uid": "0"},
        {"gid": 1.5},
        {"user": None},
        {"group": "a\0"},
        {"mtime_ns": 2**90},
        {"size": -1},
        {"size": 2**64},
        {"sha256": "a" * 63},
        {"sha256": None},
        {"target": "x\0", "type": "symlink", "size": 0},
        {"target": "", "type": "symlink", "size": 0},
        {"target": "/etc/passwd", "type": "hardlink", "size": 0},
        {"target": "../x", "type": "hardlink", "size": 0},
        {"target": "z/later", "type": "hardlink", "size": 0},
        {"type": "directory", "size": 5},
        {"type": "directory", "superseded": True, "size": 0},
        {"xattrs": {"user.x": "not base64"}},
        {"xattrs": ["user.x"]},
        {"device": [1]},
        {"device": [-1, 0]},
    ],
)
def test_hostile_lines(fields: dict[str, Any]) -> None:
    good = json.loads(to_line(entry(b"a/b", size=3)))
    assert from_line(json.dumps(good).encode()) == entry(b"a/b", size=3)
    with pytest.raises(ValueError, match="entry|leads out of the tree|earlier entry"):
        from_line(json.dumps({**good, **fields}).encode())


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b"null", b"\xff", b"{" * 100_000, b"[" * 100_000, b'{"path": "x"'])
def test_lines_that_are_no_entries(line: bytes) -> None:
    with pytest.raises(ValueError, match="not an entry"):
        from_line(line)


def test_a_tree_is_read_back() -> None:
    tree = [ROOT, entry(b"a", DIRECTORY), entry(b"a/b"), entry(b"a-b"), entry(b"c", superseded=True), entry(b"c")]
    assert [order(one.path) for one in tree] == sorted(order(one.path) for one in tree)
    assert list(read_index(*written(*tree))) == tree


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ([], "empty"),
        ([entry(b"a")], "begin with the root"),
        ([ROOT, ROOT], "out of order"),
        ([ROOT, entry(b"b"), entry(b"a")], "out of order"),
        ([ROOT, entry(b"a"), entry(b"a")], "out of order"),
        ([ROOT, entry(b"a/b")], "is not in a directory"),
        ([ROOT, entry(b"a"), entry(b"a/b")], "is not in a directory"),
        ([ROOT, entry(b"a", SYMLINK, target=b"/etc"), entry(b"a/passwd")], "is not in a directory"),
        ([ROOT, entry(b"a", DIRECTORY), entry(b"b"), entry(b"b/c")], "is not in a directory"),
    ],
)
def test_hostile_trees(tree: list[Entry], said: str) -> None:
    handle, digest = written(*tree)
    with pytest.raises(ValueError, match=said):
        list(read_index(handle, digest))


def test_another_digest_is_refused() -> None:
    handle, _digest = written(ROOT, entry(b"a"))
    with pytest.raises(ValueError, match="content digest"):
        list(read_index(handle, "0" * 64))


def test_times_of_directories_and_superseded_files_are_no_part_of_the_identity() -> None:
    tree = [ROOT, entry(b"a", DIRECTORY), entry(b"b")]
    same = [ROOT._replace(mtime_ns=5), entry(b"a", DIRECTORY, mtime_ns=6), entry(b"b", superseded=True), entry(b"b")]
    assert written(*tree)[1] == written(*same)[1]
    assert written(*tree)[1] != written(ROOT, entry(b"a", DIRECTORY), entry(b"b", mtime_ns=7))[1]
    assert written(*tree)[1] != written(ROOT, entry(b"a", DIRECTORY, mode=0o700), entry(b"b"))[1]


def test_paths_are_shown_on_one_line() -> None:
    assert shown(b"a\nb\xff\x1b\xc3\xbc") == "a\\nb\\xff\\x1bü"
    assert shown(b"") == "."
