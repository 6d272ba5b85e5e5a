# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import files
from ansible_collections.day2.ops.plugins.module_utils._core.errors import NoSpace, RepositoryError, SourceError


def test_links_are_followed_only_where_nobody_else_could_have_put_them(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "file").write_text("x")
    link = tmp_path / "link"
    link.symlink_to("real")
    assert files.resolve(str(link / "file"), SourceError) == str(real / "file")
    assert files.resolve(str(real / ".." / "link" / "new"), SourceError) == str(real / "new")

    tmp_path.chmod(0o777)
    assert files.resolve(str(real / "file"), SourceError) == str(real / "file")
    with pytest.raises(SourceError, match="other users can write"):
        files.resolve(str(link / "file"), SourceError)
    tmp_path.chmod(0o755)
    os.chown(tmp_path, 65534, -1)
    with pytest.raises(SourceError, match="other users can write"):
        files.resolve(str(link / "file"), SourceError)


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(SourceError, match="too many"):
        files.resolve(str(tmp_path / "a"), SourceError)


def test_writing_atomically_replaces_a_link_and_keeps_the_old_file_on_failure(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("old")
    (tmp_path / "state").symlink_to(secret)
    files.write_atomically(str(tmp_path / "state"), b"new")
    assert (secret.read_text(), (tmp_path / "state").read_text()) == ("old", "new")
    (tmp_path / "directory").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write_atomically(str(tmp_path / "directory"), b"new")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["directory", "secret", "state"]


def test_exchange_swaps_directories_in_one_step(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "who").write_text(name)
    files.exchange(str(tmp_path / "one"), str(tmp_path / "two"))
    assert (tmp_path / "one" / "who").read_text() == "two"
    with pytest.raises(FileNotFoundError):
        files.exchange(str(tmp_path / "one"), str(tmp_path / "three"))


def test_leftovers_of_one_name_only(tmp_path: Path) -> None:
    mine, other = files.prepared_name("app.db"), files.prepared_name("app.db-wal")
    (tmp_path / mine).mkdir()
    (tmp_path / mine / "file").write_text("x")
    (tmp_path / other).write_text("x")
    (tmp_path / ".day2-app.db.notes.txt").write_text("x")
    (note,) = files.remove_prepared(str(tmp_path), "app.db")
    assert str(tmp_path / mine) in note
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([other, ".day2-app.db.notes.txt"])


def test_removing_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_text("x")
    (tmp_path / "link").symlink_to("tree")
    files.remove(str(tmp_path / "link"))
    files.remove(str(tmp_path / "gone"))
    assert (tmp_path / "tree" / "file").read_text() == "x"


def test_what_can_not_be_removed_keeps_nothing_else(tmp_path: Path, immutable: Callable[[Path], None]) -> None:
    for name in ("tree/a/1", "tree/b/2", "tree/c/3"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("x")
    immutable(tmp_path / "tree" / "b" / "2")
    with pytest.raises(PermissionError) as caught:
        files.remove(str(tmp_path / "tree"))
    assert caught.value.filename == str(tmp_path / "tree" / "b" / "2")
    assert sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*")) == ["tree", "tree/b", "tree/b/2"]
    (note,) = files.discard(str(tmp_path / "tree"))
    assert f"{tmp_path}/tree/b/2 (Operation not permitted)" in note
    assert files.discard(str(tmp_path / "nothing")) == []


def test_names_of_255_bytes_can_be_prepared_and_are_told_apart(tmp_path: Path) -> None:
    mine, other = "ä" * 127 + "b", "ä" * 127 + "c"
    for name in (mine, other):
        (tmp_path / name).touch()  # so long may a name be, and no longer
        (tmp_path / files.prepared_name(name)).touch()
    (_note,) = files.remove_prepared(str(tmp_path), mine)
    assert len([one for one in tmp_path.iterdir() if one.name.startswith(files.PREPARED)]) == 1
    assert len(files.remove_prepared(str(tmp_path), other)) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == [mine, other]


def test_fifos_and_links_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("fifo", "link", "missing"):
        with pytest.raises(SourceError, match=name):
            files.open_regular(str(tmp_path / name), SourceError)


def test_space_is_missed_before_the_work(tmp_path: Path) -> None:
    files.need_space(str(tmp_path), 1, "A copy")
    with pytest.raises(NoSpace, match="A copy needs"):
        files.need_space(str(tmp_path), 1 << 60, "A copy")


def test_system_errors_say_what_and_where(tmp_path: Path) -> None:
    with (
        pytest.raises(RepositoryError, match=r"Can't read .*/missing: No such file"),
        files.os_errors(RepositoryError, "Can't read", "x"),
    ):
        open(tmp_path / "missing")
    with pytest.raises(NoSpace, match="No space left"), files.os_errors(RepositoryError, "Can't write", "x"):
        raise OSError(28, "No space left on device", str(tmp_path))


def test_a_user_who_may_not_write_is_told(open_to_all: Path) -> None:
    target = open_to_all / "closed" / "file"
    target.parent.mkdir(mode=0o555)
    program = (
        "import os, sys\n"
        "from ansible_collections.day2.ops.plugins.module_utils._core import errors, files\n"
        "os.setuid(65534)\n"
        "try: files.check_writable_parent(sys.argv[1])\n"
        "except errors.TargetError as exc: print(exc)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(target)],
        check=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
    )
    assert "is not writable. Run as a user with permission" in done.stdout
