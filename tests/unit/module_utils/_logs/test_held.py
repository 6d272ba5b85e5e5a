# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs that a process writes which can't be seen from here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import open_files
from ansible_collections.day2.ops.plugins.module_utils._core.open_files import PERHAPS, UNSEEN, file_id
from ansible_collections.day2.ops.plugins.module_utils._core.secure_directory import SecureDirectory
from ansible_collections.day2.ops.plugins.module_utils._logs import held
from ansible_collections.day2.ops.tests.unit.module_utils._logs.conftest import Writer, both, names

ELSEWHERE = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.tests.unit.module_utils._logs.conftest import rotate
try:
    print(json.dumps(rotate(**json.loads(sys.argv[2]))))
except Day2Error as exc:
    print(json.dumps({"error": str(exc)}))
"""
CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc"]
SANDBOX = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-all"]
UNPRIVILEGED = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def rotate_from(where: list[str], **params: Any) -> dict[str, Any]:
    """Where the processes of this test can't be seen."""
    command = [*where, sys.executable, "-c", ELSEWHERE, json.dumps(sys.path), json.dumps(params)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("where", [CONTAINER, SANDBOX])
def test_what_an_unseen_process_writes_is_not_compressed(
    log: Path, logs: Path, writer: Writer, where: list[str]
) -> None:
    process = writer(log)
    done = rotate_from(where, paths=[str(log)], keep={"last": 0})
    assert names(logs) == ["app.log", "app.log.1"]
    assert "a process that is not visible from here still writes" in done["warnings"][0]
    assert done["rotations"][0]["held_by"] == [{"name": str(UNSEEN), "pid": 0}]
    # told in vain
    log.write_text("two\n")
    done = rotate_from(where, paths=[str(log)], after=[["true"]], reopen_timeout="100ms")
    assert "a process that is not visible from here still writes to the rotated file" in done["error"]
    assert names(logs) == ["app.log", "app.log.1.gz", "app.log.2"]
    process.kill()
    process.wait()
    assert rotate_from(where, paths=[str(log)])["changed"]
    assert names(logs) == ["app.log", "app.log.1.gz", "app.log.2.gz"]


@pytest.mark.parametrize("where", [CONTAINER, SANDBOX])
def test_a_log_in_place_is_refused(log: Path, writer: Writer, where: list[str]) -> None:
    writer(log)
    done = rotate_from(where, paths=[str(log)], method="in_place")
    assert "it is unknown whether it appends" in done["error"]


def test_who_sees_nothing_can_still_be_told_by_the_kernel(log: Path, writer: Writer) -> None:
    with SecureDirectory(str(log.parent)) as directory:
        one = file_id(log.stat())
        files = {one: (directory, log.name)}
        assert held.find_writers(files) == {}
        sees_all, held.sees_all = held.sees_all, lambda: False  # type: ignore[assignment]
        try:
            assert held.find_writers(files) == {}
            assert held.find_writers({(1, 2): (directory, "missing")}) == {}
            with log.open("a"):  # by this process, which `writers` leaves out
                assert held.find_writers(files) == {one: [UNSEEN]}
            lease, open_files._lease = open_files._lease, unsupported  # type: ignore[assignment]
            assert held.find_writers(files) == {one: [PERHAPS]}
            open_files._lease = lease  # type: ignore[assignment]
        finally:
            held.sees_all = sees_all  # type: ignore[assignment]


def unsupported(*dummy: object) -> None:
    raise OSError(22, "Invalid argument")


def test_nothing_changes_for_who_sees_all(log: Path, writer: Writer) -> None:
    writer(log)
    assert both(paths=[log])["rotations"][0]["held_by"][0]["pid"] > 0
