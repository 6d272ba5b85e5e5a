# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore does with each kind of file in the way of each kind of entry: check mode says the same as the run."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import sqlite3
import stat
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, InvalidRequest, TargetError
from ansible_collections.day2.ops.plugins.module_utils._stores.files.store import FilesStore
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store
from tests.unit.module_utils._stores.conftest import as_nobody

pytestmark = pytest.mark.root


def make_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # an address has at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def make_directory(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("inside")


def make_directory_of_a_socket(path: Path) -> None:
    path.mkdir()
    make_socket(path / "inside")


def make_hardlink(path: Path) -> None:
    if not (path.parent / "first").exists():
        (path.parent / "first").write_text("first")
    os.link(path.parent / "first", path)


KINDS: dict[str, Callable[[Path], Any]] = {
    "file": lambda path: path.write_text("text"),
    "directory": make_directory,
    "symlink": lambda path: path.symlink_to("/etc"),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "hardlink": make_hardlink,
    "fifo": os.mkfifo,
    "character_device": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3)),
    "block_device": lambda path: os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 200)),
}
IN_THE_WAY = {
    **KINDS,
    "socket": make_socket,
    "directory_of_a_socket": make_directory_of_a_socket,
    "nothing": lambda path: None,
}


def tree(root: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(root.rglob("*")):
        info = path.lstat()
        what = os.readlink(path) if path.is_symlink() else path.read_bytes() if stat.S_ISREG(info.st_mode) else ""
        found[str(path.relative_to(root))] = (stat.S_IFMT(info.st_mode), info.st_rdev, what)
    return found


def sockets_in(root: Path) -> list[str]:
    return [name for name, what in tree(root).items() if what[0] == stat.S_IFSOCK]


@pytest.fixture
def backup(new_sink: Any, copy_of: Any) -> Callable[..., Any]:
    def make(kind: str, path: Path, **options: Any) -> Any:
        sink = new_sink()
        return copy_of(sink, open_store({"type": kind, "path": str(path), **options}).snapshot(sink))

    return make


@pytest.fixture
def restore(tmp_path: Path) -> Callable[..., Any]:
    """Check mode, then the run: the outcome, which is the same for both: an error, or whether something changes."""
    numbers = itertools.count()

    def once(kind: str, copy: Any, path: Path, dry: bool, options: Any) -> Any:
        scratch = tmp_path / f"restore-{next(numbers)}"
        scratch.mkdir()
        only = options.pop("only", ())
        try:
            store = open_store({"type": kind, "path": str(path), **options})
            store.exists()
            with store.prepare(copy, only, str(scratch), dry) as restoration:
                if restoration.changed and not dry:
                    restoration.apply()
                notes = [] if dry else list(restoration.notes)
                return restoration.changed, notes
        except Day2Error as exc:
            return type(exc), exc.message

    def both(kind: str, copy: Any, path: Path, **options: Any) -> Any:
        before = tree(path.parent)
        predicted = once(kind, copy, path, True, dict(options))
        assert tree(path.parent) == before
        done = once(kind, copy, path, False, dict(options))
        assert predicted[0] == done[0], (predicted, done)
        assert not [name for name in os.listdir(path.parent) if name.startswith(".day2-")]
        if isinstance(done[0], type):
            assert tree(path.parent) == before
        return done

    return both


@pytest.mark.parametrize("wanted", KINDS)
def test_of_a_tree_every_kind_takes_the_place_of_every_other(
    tmp_path: Path, backup: Any, restore: Any, wanted: str
) -> None:
    source, target = tmp_path / "source", tmp_path / "place" / "target"
    source.mkdir()
    target.parent.mkdir()
    KINDS[wanted](source / "it")
    copy = backup("files", source)
    for there, make in IN_THE_WAY.items():
        target.mkdir()
        make(target / "it")
        restored = restore("files", copy, target)
        assert tree(target) == tree(source), there
        if there != wanted:
            assert restored[0] is True, there
        lost = there in ("socket", "directory_of_a_socket")
        assert ("Sockets that conflict" in " ".join(restored[1])) == lost, there
        assert restore("files", copy, target) == (False, []), there
        with contextlib.suppress(FileNotFoundError):
            for path in sorted(target.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            target.rmdir()


def test_sockets_stay_where_nothing_is_in_their_way(tmp_path: Path, backup: Any, restore: Any) -> None:
    source, target = tmp_path / "source", tmp_path / "place" / "target"
    (source / "conf").mkdir(parents=True)
    (source / "conf" / "a").write_text("a")
    copy = backup("files", source)
    (target / "run" / "deep").mkdir(parents=True)
    (target / "conf").mkdir()
    for name in ("run/deep/socket", "conf/socket", "socket"):
        make_socket(target / name)
    (target / "run" / "pid").write_text("1")
    (target / "run").chmod(0o750)
    assert restore("files", copy, target)[0] is True
    assert sockets_in(target) == ["conf/socket", "run/deep/socket", "socket"]
    assert not (target / "run" / "pid").exists()
    assert stat.S_IMODE((target / "run").stat().st_mode) == 0o750
    # directories that are there for sockets alone do not make it another tree
    assert restore("files", copy, target) == (False, [])


def test_a_tree_of_sockets_is_nothing_to_lose(tmp_path: Path) -> None:
    target = tmp_path / "run"
    target.mkdir()
    make_socket(target / "socket")
    assert FilesStore(str(target), {}).exists() is False
    (target / "pid").write_text("1")
    assert FilesStore(str(target), {}).exists() is True
    assert FilesStore(str(target), {"exclude": ["pid"]}).exists() is False


def test_directories_of_what_is_left_out_do_not_make_another_tree(tmp_path: Path, backup: Any, restore: Any) -> None:
    source, target = tmp_path / "source", tmp_path / "place" / "target"
    source.mkdir()
    (source / "a").write_text("a")
    copy = backup("files", source, exclude=["*.log", "cache"])
    (target / "old" / "deep").mkdir(parents=True)
    (target / "older" / "cache").mkdir(parents=True)
    (target / "old" / "deep" / "x.log").write_text("x")
    (target / "old" / "y").write_text("y")
    assert restore("files", copy, target)[0] is True
    assert sorted(tree(target)) == ["a", "old", "old/deep", "old/deep/x.log", "older", "older/cache"]
    assert restore("files", copy, target) == (False, [])


def test_what_is_left_out_is_never_given_up(tmp_path: Path, backup: Any, restore: Any) -> None:
    source, target = tmp_path / "source", tmp_path / "place" / "target"
    source.mkdir()
    (source / "it").write_text("a file")
    copy = backup("files", source, exclude=["*.log"])
    (target / "it" / "deep").mkdir(parents=True)
    (target / "it" / "deep" / "x.log").write_text("x")
    kind, message = restore("files", copy, target)
    assert kind is TargetError
    assert "it/deep/x.log is kept" in message
    for there in (name for name in IN_THE_WAY if name not in ("directory", "directory_of_a_socket", "nothing")):
        parent = tmp_path / there
        parent.mkdir()
        (parent / "source" / "conf").mkdir(parents=True)
        (parent / "source" / "conf" / "a.yml").write_text("a")
        partial = backup("files", parent / "source", include=["conf/*.yml"])
        target = parent / "place" / "target"
        target.mkdir(parents=True)
        IN_THE_WAY[there](target / "conf")
        kind, said = restore("files", partial, target)
        if there == "socket":
            assert kind is True
            assert restore("files", partial, target) == (False, [])
        else:
            assert (kind, "conf is kept" in said) == (TargetError, True), there


def test_only_some_paths_below_what_is_no_directory(tmp_path: Path, backup: Any, restore: Any) -> None:
    source, target = tmp_path / "source", tmp_path / "place" / "target"
    (source / "conf").mkdir(parents=True)
    (source / "conf" / "a.yml").write_text("a")
    copy = backup("files", source)
    target.mkdir(parents=True)
    (target / "conf").write_text("mine")
    assert restore("files", copy, target, only=["conf/a.yml"])[0] is TargetError
    assert (target / "conf").read_text() == "mine"


def test_a_target_selects_what_the_backup_selects(tmp_path: Path, backup: Any, restore: Any) -> None:
    """A safety backup of less than what is replaced would lose the rest."""
    source, target = tmp_path / "source", tmp_path / "place" / "target"
    source.mkdir()
    target.parent.mkdir()
    (source / "a").write_text("a")
    copy = backup("files", source, exclude=["*.log"])
    for options, expected in (({"include": ["a"]}, InvalidRequest), ({"exclude": ["*.log"]}, True), ({}, False)):
        assert restore("files", copy, target, **options)[0] is expected


@pytest.mark.parametrize("there", [name for name in IN_THE_WAY if name not in ("nothing", "hardlink")])
@pytest.mark.parametrize("kind", ["files", "json", "json_directory", "sqlite"])
def test_a_target_of_another_kind(tmp_path: Path, backup: Any, restore: Any, kind: str, there: str) -> None:
    """Nothing but what the store's type is takes part; a symbolic link is followed."""
    source, place = tmp_path / "source", tmp_path / "place"
    place.mkdir()
    options: dict[str, Any] = {}
    if kind == "json":
        source.write_text(json.dumps({"a": {}}))
    elif kind == "sqlite":
        with contextlib.closing(sqlite3.connect(source)) as connection:
            connection.execute("CREATE TABLE t (a)")
    else:
        source.mkdir()
        (source / "a.json").write_text("{}")
        options = {"layout": "file_per_collection"} if kind == "json_directory" else {}
    kind = kind.partition("_")[0]
    copy = backup(kind, source, **options)
    target = place / "target"
    IN_THE_WAY[there](target)
    if there == "symlink":
        target.unlink()
        target.symlink_to(place / "real")
    outcome, said = restore(kind, copy, target, **options)
    fits = {
        "files": ("directory", "directory_of_a_socket", "symlink", "dangling"),
        "json": ("file", "symlink", "dangling"),
        "sqlite": ("file", "symlink", "dangling"),
    }[kind if not options else "files"]
    if there in fits:
        assert outcome is True, said
        assert restore(kind, copy, target, **options)[0] is False
        assert target.is_symlink() == (there in ("symlink", "dangling"))
    else:
        assert issubclass(outcome, TargetError), said
        assert str(target) in said
        words = {"socket": "a socket", "fifo": "a FIFO", "file": "a regular file"}
        assert words.get(there, "a d") in said, said


@pytest.mark.parametrize("there", [name for name in IN_THE_WAY if name not in ("nothing", "hardlink", "symlink")])
@pytest.mark.parametrize("layout", ["file_per_collection", "file_per_record"])
def test_in_a_directory_of_documents(tmp_path: Path, backup: Any, restore: Any, layout: str, there: str) -> None:
    source, target = tmp_path / "source", tmp_path / "place" / "target"
    name = "users" if layout == "file_per_record" else "users.json"
    (source / "users").mkdir(parents=True)
    (source / "users" / "1.json").write_text("{}")
    (source / "users.json").write_text("{}")
    copy = backup("json", source, layout=layout)
    target.mkdir(parents=True)
    IN_THE_WAY[there](target / name)
    IN_THE_WAY[there](target / "other")
    outcome = restore("json", copy, target, layout=layout)
    if outcome[0] is True:
        assert (target / "other").is_symlink() or (target / "other").exists()
        assert restore("json", copy, target, layout=layout)[0] is False
    else:
        assert issubclass(outcome[0], Day2Error)
        assert str(target / name) in outcome[1]


@pytest.mark.parametrize("there", [name for name in IN_THE_WAY if name not in ("nothing", "hardlink")])
@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("existing", [True, False], ids=["over", "fresh"])
def test_beside_a_database(tmp_path: Path, backup: Any, restore: Any, suffix: str, there: str, existing: bool) -> None:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
        with contextlib.closing(sqlite3.connect(tmp_path / name / "db")) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"CREATE TABLE {name} (a)")
    copy = backup("sqlite", tmp_path / "source" / "db")
    target = tmp_path / "target" / "db"
    if not existing:
        target.unlink()
    IN_THE_WAY[there](tmp_path / "target" / f"db{suffix}")
    outcome = restore("sqlite", copy, target)
    if outcome[0] is True:
        with contextlib.closing(sqlite3.connect(target)) as connection:
            assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("source",)]
    else:
        assert issubclass(outcome[0], TargetError)
        assert str(target) in outcome[1]


@pytest.mark.parametrize("kind", ["files", "json", "sqlite"])
def test_what_may_not_be_seen_is_not_taken_for_missing(tmp_path: Path, memory_sink: Any, kind: str) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    for above in [tmp_path, *tmp_path.parents][:-2]:
        above.chmod(0o755)
    source = hidden / "store"
    make_directory(source) if kind == "files" else source.write_text("{}")

    def look() -> list[str]:
        said = []
        for action in (lambda store: store.snapshot(memory_sink), lambda store: store.exists()):
            try:
                said.append(str(action(open_store({"type": kind, "path": str(source)}))))
            except Day2Error as exc:
                said.append(exc.message)
        return said

    for one in as_nobody(look):
        assert one == "True" or "Permission denied" in one, one
