# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file system can't exchange two names in one step. That it usually can is tested with the stores."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import files
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.exchange import Exchange
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress


def refusing(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def exchange(first: str, second: str) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files, "exchange", exchange)


def pair(tmp_path: Path) -> tuple[Path, Path, Exchange]:
    prepared, target = tmp_path / ".day2-new", tmp_path / "target"
    return prepared, target, Exchange(str(prepared), str(target), True, Progress())


def test_files_are_exchanged_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, errno.EINVAL)
    prepared, target, exchange = pair(tmp_path)
    prepared.write_text("new")
    target.write_text("old")
    exchange.apply()
    assert (target.read_text(), prepared.read_text()) == ("new", "old")
    exchange.undo()
    assert (target.read_text(), prepared.read_text()) == ("old", "new")


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.ENOSPC])
def test_any_other_error_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    refusing(monkeypatch, code)
    prepared, target, exchange = pair(tmp_path)
    prepared.write_text("new")
    target.write_text("old")
    with pytest.raises(Day2Error, match=os.strerror(code)):
        exchange.apply()
    assert (target.read_text(), prepared.read_text()) == ("old", "new")
    assert sorted(os.listdir(tmp_path)) == [".day2-new", "target"]


def test_directories_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, errno.EXDEV)
    prepared, target, exchange = pair(tmp_path)
    prepared.mkdir()
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(TargetError, match="can't exchange two directories.*layer of an overlay"):
        exchange.apply()
    assert (target / "old").exists()
