# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner and mode of new files. What only root may do is a note, or a refusal where the file replaces another."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.owners import (
    Owner,
    check_replaceable,
    set_owner,
    take_after,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store
from tests.unit.module_utils._stores.conftest import MemoryCopy, MemorySink, as_nobody

NOBODY = 65534


def test_owners_come_back_from_the_details_of_a_backup(tmp_path: Path) -> None:
    tmp_path.chmod(0o751)
    owner = Owner.of(os.stat(tmp_path))
    assert owner.mode == 0o751
    details = json.loads(json.dumps(owner.details()))
    assert details["mode"] == "0751"
    assert Owner.recorded(details, "/", 0o600) == owner
    above = os.stat(tmp_path)
    for damaged in ({}, {"mode": "rw"}, {"mode": "0644", "uid": "x"}):
        assert Owner.recorded(damaged, str(tmp_path), 0o600) == (0o600, above.st_uid, above.st_gid, "", "")


@pytest.mark.root
def test_root_gives_by_name_then_by_number(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as handle:
        assert Owner(0o640, 12345, 12345, "nobody", "no such group").give(handle.fileno()) == []
        info = os.fstat(handle.fileno())
        assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (NOBODY, 12345, 0o640)


@pytest.mark.root
def test_others_get_a_note_or_a_refusal(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.touch()
    tmp_path.chmod(0o777)
    for above in [*tmp_path.parents][:-2]:
        above.chmod(0o755)

    def work() -> list[str]:
        info = os.stat(theirs)
        with (tmp_path / "mine").open("w") as handle:
            said = [str(set_owner(handle.fileno(), 0, 0)), str(set_owner(handle.fileno(), NOBODY, NOBODY))]
            said += Owner(0o600, 0, 0, "root", "").give(handle.fileno())
            for refusing in (
                lambda: check_replaceable(info.st_uid, info.st_gid, "/p"),
                lambda: take_after(handle.fileno(), info, "/p"),
            ):
                with pytest.raises(TargetError) as caught:
                    refusing()
                said.append(str(caught.value))
            check_replaceable(NOBODY, NOBODY, "/p")
            take_after(handle.fileno(), os.fstat(handle.fileno()), "/p")
        return said

    refusal = (
        "/p belongs to user root and group root, and only root can give a new file this owner. Run as root "
        "(become: true), or as that user."
    )
    whom = "user root and group 0"
    note = f"New files belong to the current user, not to {whom}: setting the owner requires root (become: true)."
    assert as_nobody(work) == ["False", "True", note, refusal, refusal]


@pytest.mark.root
@pytest.mark.parametrize(("mode", "replaceable"), [(0o2775, True), (0o775, False)])
def test_a_directory_that_hands_down_its_group(tmp_path: Path, mode: int, replaceable: bool) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "old").touch()
    (shared / "folder").mkdir()
    for path in (shared, shared / "old", shared / "folder"):
        os.chown(path, NOBODY, 12345)
    shared.chmod(mode)
    for above in [tmp_path, *tmp_path.parents][:-2]:
        above.chmod(0o755)

    def refused(work: Callable[[], object]) -> str:
        try:
            work()
        except TargetError:
            return "refused"
        return "done"

    def work() -> list[str]:
        old = os.stat(shared / "old")
        with (shared / "new").open("w") as handle:
            return [
                refused(lambda: check_replaceable(old.st_uid, old.st_gid, str(shared / "old"))),
                refused(lambda: take_after(handle.fileno(), old, str(shared / "old"))),
                refused(lambda: check_replaceable(old.st_uid, old.st_gid, str(shared / "folder"))),
                refused(lambda: check_replaceable(old.st_uid, 12346, str(shared / "old"))),
            ]

    assert as_nobody(work) == [*(["done"] if replaceable else ["refused"]) * 2, "refused", "refused"]


@pytest.mark.root
def test_owners_who_do_not_exist_in_a_user_namespace(tmp_path: Path) -> None:
    """Root there is told, and not shown a traceback."""
    program = (
        "import os, sys; sys.path[:] = {!r}\n"
        "from ansible_collections.day2.ops.plugins.module_utils._core import owners\n"
        "from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError\n"
        "theirs, mine = os.stat({!r}), os.open({!r}, os.O_CREAT | os.O_WRONLY)\n"
        "print(owners.set_owner(mine, theirs.st_uid, theirs.st_gid))\n"
        "owners.check_replaceable(0, 0, '/p')\n"
        "for call in (owners.check_replaceable, lambda uid, gid, path: owners.take_after(mine, theirs, path)):\n"
        "    try:\n"
        "        call(theirs.st_uid, theirs.st_gid, '/p')\n"
        "    except TargetError as exc:\n"
        "        print(exc.message)\n"
    ).format(sys.path, str(tmp_path / "theirs"), str(tmp_path / "mine"))
    (tmp_path / "theirs").touch()
    os.chown(tmp_path / "theirs", 12345, 12345)
    run = ["unshare", "--user", "--map-root-user", sys.executable, "-c", program]
    said = subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()
    refusal = "/p belongs to user nobody and group nogroup, and root may not give a new file this owner."
    assert said == ["False", refusal, refusal]


def make(kind: str, path: Path, content: int) -> None:
    if kind == "sqlite":
        with closing(sqlite3.connect(path)) as db:
            db.executescript(f"CREATE TABLE t(a); INSERT INTO t VALUES({content})")
    elif kind == "file_per_collection":
        path.mkdir()
        (path / "a.json").write_text(f"[{content}]")
    else:
        path.write_text(f'{{"a": [{content}]}}')


@pytest.mark.root
@pytest.mark.parametrize("kind", ["sqlite", "single_file", "file_per_collection"])
def test_check_mode_refuses_what_the_run_would(tmp_path: Path, kind: str) -> None:
    """A directory that we may write, and in it a store of somebody else's."""
    source, target = tmp_path / "source", tmp_path / "shared" / "target"
    target.parent.mkdir()
    make(kind, source, 1)
    make(kind, target, 2)
    if kind == "sqlite":
        target.write_bytes(b"no database any more" * 100)  # what SQLite can open keeps its file, and so its owner
    options = {"type": "sqlite"} if kind == "sqlite" else {"type": "json", "layout": kind}
    sink = MemorySink(tmp_path / "scratch")
    copy = MemoryCopy(sink.files, open_store({**options, "path": str(source)}).snapshot(sink))
    copy.files = dict(sink.files)
    for path in [tmp_path / "scratch", target.parent]:
        os.chown(path, NOBODY, NOBODY)
    for path in [target, *target.glob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    for above in [tmp_path, *tmp_path.parents][:-2]:
        above.chmod(0o755)

    def work() -> list[str]:
        said = []
        for dry in (True, False):
            with pytest.raises(TargetError) as caught:
                open_store({**options, "path": str(target)}).prepare(copy, (), str(tmp_path / "scratch"), dry)
            said.append(str(caught.value))
        return said

    check, run = as_nobody(work)
    assert check == run
    assert "belongs to user root and group root, and only root can give a new file this owner" in check
    assert os.listdir(target.parent) == ["target"]


def test_nothing_else_changes_owners() -> None:
    """One file decides what happens where that is not permitted; others call it, or are root."""
    root = Path(__file__).parents[4] / "plugins" / "module_utils"
    found: dict[str, Any] = {
        path.name: path.read_text().count("os.fchown(")
        for path in root.rglob("*.py")
        if "os.fchown(" in path.read_text()
    }
    assert found == {
        "owners.py": 2,
        "attributes.py": 1,  # of trees: what may not be set is compared as if it were
        "files.py": 1,  # only as root
        "configure.py": 1,  # only as root
        "progress.py": 1,  # only as root
        "rotate.py": 1,  # refused by _logs/rights.py before
    }
