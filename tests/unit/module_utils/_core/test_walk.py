# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.fingerprint import wait_a_tick
from ansible_collections.day2.ops.plugins.module_utils._core.walk import LEFT_OUT, Everything, refuse, walk


class Shallow(Everything):
    """Enters nothing but the root."""

    def leads(self, state: int) -> bool:
        return False


class NoSecrets(Everything):
    def enter(self, path: bytes, above: int) -> int:
        return LEFT_OUT if path.endswith(b"secret") else 0


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/1", "a/secret/2", "b", "c/3"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "tree" / "link").symlink_to("a")
    return tmp_path / "tree"


def test_order_and_descriptors(tree: Path) -> None:
    found = []
    for one in walk(str(tree), Everything(), refuse):
        info = os.stat(one.name, dir_fd=one.directory, follow_symlinks=False)
        assert os.path.samestat(info, one.info)
        assert one.selected
        found.append(one.path)
    assert found == [b"", b"a", b"a/1", b"a/secret", b"a/secret/2", b"b", b"c", b"c/3", b"link"]


def test_what_is_left_out_is_not_entered(tree: Path) -> None:
    assert [one.path for one in walk(str(tree), NoSecrets(), refuse)] == [
        b"",
        b"a",
        b"a/1",
        b"b",
        b"c",
        b"c/3",
        b"link",
    ]


def test_what_leads_nowhere_is_not_opened(tree: Path) -> None:
    (tree / "a").chmod(0)
    found = {one.path: one for one in walk(str(tree), Shallow(), refuse)}
    assert sorted(found) == [b"", b"a", b"b", b"c", b"link"]
    assert (found[b"a"].name, found[b"a"].directory) == (b"a", found[b""].directory)


def test_an_open_directory_can_be_the_root_and_stays_open(tree: Path) -> None:
    fd = os.open(tree / "link", os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert [one.path for one in walk(fd, Everything(), refuse)] == [b"", b"1", b"secret", b"secret/2"]
        os.fstat(fd)
    finally:
        os.close(fd)
    with pytest.raises(OSError, match="Not a directory|Too many levels"):
        next(walk(str(tree / "link"), Everything(), refuse))


@pytest.mark.parametrize("instead", ["link", "nothing", "file"])
def test_a_directory_that_becomes_something_else_is_what_it_is_now(
    tree: Path, tmp_path: Path, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "password").write_text("secret")
    original = os.stat

    def replaced(name: bytes, **options: object) -> os.stat_result:
        info = original(name, **options)  # type: ignore[arg-type]
        if name == b"a" and stat.S_ISDIR(info.st_mode):
            shutil.rmtree(tree / "a")
            if instead == "link":
                (tree / "a").symlink_to(tmp_path / "outside")
            elif instead == "file":
                (tree / "a").touch()
        return info

    monkeypatch.setattr(os, "stat", replaced)
    found = {one.path: stat.S_IFMT(one.info.st_mode) for one in walk(str(tree), Everything(), refuse)}
    expected = {"link": {b"a": stat.S_IFLNK}, "file": {b"a": stat.S_IFREG}, "nothing": {}}[instead]
    assert {path: kind for path, kind in found.items() if path.startswith(b"a")} == expected
    assert found.keys() - {b"a"} == {b"", b"b", b"c", b"c/3", b"link"}


def test_what_is_never_a_directory_when_it_is_opened_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It changes to and fro in step with us."""
    original = os.stat

    def replaced(name: bytes, **options: object) -> os.stat_result:
        return original("c" if name == b"b" else name, **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(os, "stat", replaced)
    failed: list[tuple[bytes, OSError]] = []
    found = [one.path for one in walk(str(tree), Everything(), lambda path, exc: failed.append((path, exc)))]
    assert b"b" not in found
    assert found[-1] == b"link"
    assert [(path, type(exc)) for path, exc in failed] == [(b"b", NotADirectoryError)]


def test_what_appears_behind_is_seen_and_a_tree_that_always_grows_has_an_end(tree: Path) -> None:
    found, count = [], 0
    for one in walk(str(tree), Everything(), refuse):
        found.append(one.path)
        if one.path in (b"b", b"link") or one.path.startswith(b"new"):
            wait_a_tick(os.stat(tree))  # a time of its own for the directory
            (tree / f"new{count}").touch()
            (tree / f"a{count}").touch()  # lies before
            count += 1
    assert found[:8] == [b"", b"a", b"a/1", b"a/secret", b"a/secret/2", b"b", b"c", b"c/3"]
    assert found[8:] == [b"link", *(b"new%d" % number for number in range(6))]  # two of each of three further looks


class Chosen(Everything):
    """Selects only what is called so, and enters everything."""

    def enter(self, path: bytes, above: int) -> int:
        return int(path.rpartition(b"/")[2] == b"2")

    def selects(self, state: int) -> bool:
        return state == 1


def test_what_leads_to_something_selected_comes_before_it_and_nothing_else_does(tree: Path) -> None:
    (tree / "c" / "d").mkdir()
    (tree / "c" / "2").touch()
    found = [(one.path, one.selected) for one in walk(str(tree), Chosen(), refuse)]
    assert found == [
        (b"", True),
        (b"a", False),
        (b"a/secret", False),
        (b"a/secret/2", True),
        (b"c", False),
        (b"c/2", True),
    ]
