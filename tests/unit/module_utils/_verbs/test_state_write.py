# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of playbooks: of several runs that have read the same one, one writes it."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, LockTimeout, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.file_lock import FileLock
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._verbs import state_write

pytestmark = pytest.mark.once
RUNS = 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "state.json"


def write(path: Path, state: dict[str, Any], replaces: str = "", check: bool = False) -> dict[str, Any]:
    return state_write.run({"path": str(path), "state": state, "replaces": replaces}, check, Progress())


def test_what_a_run_has_written_is_replaced_by_itself_only(path: Path) -> None:
    assert write(path, {"run": 1}, check=True)["changed"]
    assert not path.parent.exists()
    first = write(path, {"run": 1})
    assert base64.b64decode(first["content"]) == path.read_bytes() == b'{\n    "run": 1\n}\n'
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent)] == [0o600, 0o700]
    second = write(path, {"run": 2}, first["content"])
    for check in (True, False):
        for known in ("", first["content"]):
            with pytest.raises(TargetError, match="another run is in progress") as told:
                write(path, {"run": 3}, known, check)
            assert told.value.details == {"content": second["content"], "conflict": True}
    assert json.loads(path.read_bytes()) == {"run": 2}
    assert not write(path, {"run": 2}, second["content"])["changed"]
    assert not write(path, {"run": 2}, first["content"])["changed"], "the answer was lost, and the task repeated"
    path.unlink()
    with pytest.raises(TargetError) as told:
        write(path, {"run": 3}, second["content"])
    assert told.value.details == {"content": "", "conflict": True}
    with pytest.raises(InvalidRequest, match="is not Base64"):
        write(path, {"run": 3}, "{}")
    assert os.listdir(path.parent) == []


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    (tmp_path / "secret").write_text("s3cret")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(TargetError, match="Can't keep the state in") as told:
        write(path, {"run": 1})
    assert "s3cret" not in str(told.value.details)


@pytest.mark.parametrize("before", [None, {"run": "stopped"}])
def test_one_of_many_runs_at_once_goes_on(path: Path, before: Optional[dict[str, Any]]) -> None:
    known = write(path, before)["content"] if before else ""
    ready, go = os.pipe()
    runs = []
    for number in range(RUNS):
        child = os.fork()
        if not child:
            status = 2
            try:
                os.close(go)
                os.read(ready, 1)  # until all are here
                write(path, {"run": number}, known)
                status = 0
            except TargetError as exc:
                status = 1 if exc.details["conflict"] else 2
            finally:
                os._exit(status)
        runs.append(child)
    os.close(go)
    os.close(ready)
    ended = [os.WEXITSTATUS(os.waitpid(child, 0)[1]) for child in runs]
    assert sorted(ended) == [0, *[1] * (RUNS - 1)]
    assert json.loads(path.read_bytes()) == {"run": ended.index(0)}


def test_a_lock_is_not_waited_for_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    lock = FileLock(str(path))
    assert lock.take()
    monkeypatch.setattr(state_write, "_PATIENCE", 0.0)
    with pytest.raises(LockTimeout, match="has locked"):
        write(path, {"run": 1})
    lock.release()
    assert write(path, {"run": 1})["changed"]
