# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Globs, and the order of a walk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.walk import walk
from ansible_collections.day2.ops.plugins.module_utils._stores.files.selection import Selection, matcher

TREE = [
    "README",
    "conf/a.yml",
    "conf/sub/a.yml",
    "conf/sub/deep/b.yml",
    "data/[x]",
    "data/cache/1",
    "data/cache/2/3",
    "data/keep.tmp/file",
    "data/x.tmp",
    "ü/ä",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path in TREE:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "empty").mkdir()
    return tmp_path


def fail(path: bytes, exc: OSError) -> None:
    raise exc


def walked(root: Path, **options: Any) -> list[str]:
    return [os.fsdecode(found.path) for found in walk(str(root), Selection(**options), fail)]


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.yml", ["a.yml", "x/a.yml", ".yml", "x/y/\n.yml"], ["a.yml.x", "yml", "a.yml/b"]),
        ("conf/*.yml", ["conf/a.yml"], ["a.yml", "x/conf/a.yml", "conf/sub/a.yml"]),
        ("/conf", ["conf"], ["x/conf"]),
        ("conf/", ["conf", "x/conf"], ["conf/a"]),
        ("./a", ["a", "b/a"], ["ab"]),
        ("**/a", ["a", "x/a", "x/y/a"], ["xa", "x/a/b"]),
        ("x/**", ["x/a", "x/a/b"], ["x", "a/x"]),
        ("x/**/z", ["x/z", "x/y/z", "x/y/y/z"], ["x/yz", "xz"]),
        ("a**z/b", ["az/b", "a/q/z/b"], ["a/b"]),
        ("?", ["a", "ü", "x/a"], ["ab"]),
        ("[a-c]x", ["ax", "d/bx"], ["dx", "x"]),
        ("[!a]x", ["bx"], ["ax", "x"]),
        ("a[!b]c", ["axc"], ["a/c", "abc"]),
        ("[[]x[]]", ["[x]"], ["x"]),
        ("[x", ["[x"], ["x"]),
        ("a.(b|c)+$", ["a.(b|c)+$"], ["a.b"]),
        ("[\\]", ["\\"], ["a"]),
    ],
)
def test_patterns(pattern: str, matching: list[str], others: list[str]) -> None:
    compiled = matcher(pattern)
    assert [path for path in matching if not compiled.fullmatch(path)] == []
    assert [path for path in others if compiled.fullmatch(path)] == []


@pytest.mark.parametrize("pattern", ["", "/", ".", "..", "a/../b", "../x", "a//b", "./", "[z-a]"])
def test_patterns_that_match_nothing_are_refused(pattern: str) -> None:
    with pytest.raises(InvalidRequest):
        Selection(exclude=[pattern])


def test_order_is_that_of_components_as_bytes(tree: Path) -> None:
    for name in ("conf.d", "conf-x", "confa", "Conf"):
        (tree / name).mkdir()
    seen = walked(tree)
    assert seen == sorted(seen, key=lambda path: os.fsencode(path).split(b"/"))
    assert set(TREE) < set(seen)
    assert seen[0] == ""


def test_exclude(tree: Path) -> None:
    assert walked(tree, exclude=["*.tmp", "data/cache", "conf/**/a.yml", "?", "empty"]) == [
        "", "README", "conf", "conf/sub", "conf/sub/deep", "conf/sub/deep/b.yml", "data", "data/[x]",
    ]  # fmt: skip


def test_include(tree: Path) -> None:
    found = [(os.fsdecode(one.path), one.selected) for one in walk(str(tree), Selection(["a.yml", "cache"]), fail)]
    assert found == [
        ("", True),
        ("conf", False),
        ("conf/a.yml", True),
        ("conf/sub", False),
        ("conf/sub/a.yml", True),
        ("data", False),
        ("data/cache", True),
        ("data/cache/1", True),
        ("data/cache/2", True),
        ("data/cache/2/3", True),
    ]


def test_exclude_beats_include(tree: Path) -> None:
    assert walked(tree, include=["data"], exclude=["cache", "*.tmp"]) == ["", "data", "data/[x]"]


def test_narrowed_takes_what_both_take(tree: Path) -> None:
    selection = Selection(["*.yml", "data"], ["cache"]).narrowed(["conf/sub", "data/cache", "x.tmp"])
    found = [os.fsdecode(one.path) for one in walk(str(tree), selection, fail) if one.selected and one.path]
    assert found == ["conf/sub/a.yml", "conf/sub/deep/b.yml", "data/x.tmp"]
    assert selection.selects_path(b"conf/sub/deep/b.yml")
    assert not selection.selects_path(b"data/cache/1")


def test_links_are_not_followed(tmp_path: Path, tree: Path) -> None:
    os.symlink(tree / "conf", tree / "link")
    assert [path for path in walked(tree) if path.startswith("link")] == ["link"]


def test_unreadable_directories_are_told(tree: Path) -> None:
    told = []

    def failed(path: bytes, exc: OSError) -> None:
        told.append(path)

    original = os.listdir

    def listdir(fd: Any) -> list[str]:
        names = original(fd)
        if "deep" in names:
            raise PermissionError(13, "Permission denied")
        return names

    os.listdir = listdir  # type: ignore[assignment]
    try:
        seen = [found.path for found in walk(str(tree), Selection(), failed)]
    finally:
        os.listdir = original
    assert told == [b"conf/sub"]
    assert b"conf/a.yml" in seen
    assert b"conf/sub" not in seen
    assert b"data" in seen


def test_what_appears_behind_is_seen(tree: Path) -> None:
    seen = []
    for found in walk(str(tree), Selection(), fail):
        seen.append(found.path)
        if found.path == b"conf/a.yml":
            (tree / "conf" / "aa.yml").write_text("behind")
            (tree / "conf" / "0.yml").write_text("before: where the walk has been")
            (tree / "conf" / "zz").mkdir()
            (tree / "conf" / "zz" / "new").write_text("behind")
    assert [path for path in seen if path.startswith(b"conf/")] == [
        b"conf/a.yml", b"conf/sub", b"conf/sub/a.yml", b"conf/sub/deep", b"conf/sub/deep/b.yml",
        b"conf/zz", b"conf/zz/new",
    ]  # fmt: skip


def test_descriptors_are_closed(tree: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number, _found in enumerate(walk(str(tree), Selection(), fail)):
        if number == 5:
            break
    del _found
    assert walked(tree)
    assert len(os.listdir("/proc/self/fd")) == before
