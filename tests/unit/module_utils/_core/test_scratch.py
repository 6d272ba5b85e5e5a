# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scratch directory, and what is said when it can't be made or removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import scratch
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.scratch import remove_left_scratch, scratch_directory


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_it_is_private_and_goes_with_the_block(base: Path) -> None:
    with scratch_directory() as path:
        assert os.path.dirname(path) == str(base)
        assert os.stat(path).st_mode & 0o777 == 0o700
        Path(path, "copy").write_text("data")
    assert list(base.iterdir()) == []


def test_what_went_wrong_in_the_block_is_told(base: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch_directory() as path:
        shutil.rmtree(path)
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), scratch_directory():
        raise ZeroDivisionError
    assert list(base.iterdir()) == []


def test_one_that_can_t_be_removed(base: Path) -> None:
    with pytest.raises(Day2Error, match=f"Can't remove the scratch directory {base}/day2-.*: No such file"):
        with scratch_directory() as path:
            shutil.rmtree(path)


def test_one_that_can_t_be_made(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(base / "none"))
    with pytest.raises(TargetError, match="Can't make a scratch directory in .*/none/day2-.*: No such file"):
        with scratch_directory():
            raise AssertionError


def test_what_a_killed_run_left_is_removed(base: Path) -> None:
    program = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1])\n"
        "from ansible_collections.day2.ops.plugins.module_utils._core.scratch import scratch_directory\n"
        "with scratch_directory() as path:\n"
        "    open(path + '/copy', 'w').write('data'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    collections = str(Path(str(scratch.__file__)).parents[6])
    subprocess.run([sys.executable, "-c", program, collections], check=False)
    (left,) = base.iterdir()
    with scratch_directory() as first, scratch_directory() as second:
        remove_left_scratch()  # what is in use stays
        assert {str(path) for path in base.iterdir()} == {first, second}
    assert not left.exists()


def test_what_may_be_of_others_stays(base: Path) -> None:
    for name in ("day2-notes", "day2-scratch-public"):
        (base / name).mkdir()
    (base / "day2-notes").chmod(0o700)
    (base / "day2-scratch-public").chmod(0o755)
    (base / "day2-scratch-link").symlink_to(base / "day2-notes")
    remove_left_scratch()
    assert len(list(base.iterdir())) == 3


def test_one_that_another_run_removes_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    make, made = tempfile.mkdtemp, []

    def removed_at_once(*args: Any, **options: Any) -> str:
        made.append(make(*args, **options))
        if len(made) == 1:
            remove_left_scratch()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", removed_at_once)
    with scratch_directory() as path:
        assert [path] == made[1:]
        assert os.path.isdir(path)
