# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports and history: killed, and without space, at calls that change a file system."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._history.database import History
from ansible_collections.day2.ops.tests.faults.support import COLLECTIONS, run, run_with, spread, steps


@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC"])
def test_a_report_and_a_history_are_old_or_new(fault: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    report, history = state / "app.txt", state / "health.db"
    where = {"report": str(report), "history": str(history)}
    old: dict[str, Any] = {**where, "status": "ok", "at": 1000.0}
    new: dict[str, Any] = {**where, "status": "critical", "at": 2000.0}
    assert run("health_writer", old).status == 0
    shutil.copytree(state, tmp_path / "before")
    texts = {report.read_text()}
    taken = steps("health_writer", new)
    texts.add(report.read_text())
    assert len(texts) == 2
    met = 0
    for step in spread(taken):
        shutil.rmtree(state)
        shutil.copytree(tmp_path / "before", state)
        done = run_with(fault, step, "health_writer", new)
        assert done.killed or done.status in (0, 3), (step, done.error)
        met += done.ended_early
        assert report.read_text() in texts, step
        with History(str(history)) as kept:
            (check,) = kept.checks()
            statuses = [one.status for one in kept.kept(check, 0)]
        assert statuses in (["ok"], ["ok", "critical"]), step
        assert check.status == statuses[-1], step
        assert (done.status != 0) or statuses[-1] == "critical", step
        again = run("health_writer", {**new, "at": 3000.0})
        assert again.status == 0, (step, again.error)
        assert sqlite3.connect(history).execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if fault != "signal=KILL":
            assert sorted(one.name for one in state.iterdir()) == ["app.txt", "health.db"], step
    assert met > 1


_FUSE_INIT = 26


def answer_only_init(fd: int, ended: threading.Event) -> None:
    """A FUSE file system whose server takes every request, and answers to the first alone."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    with contextlib.suppress(OSError):
        while not ended.is_set():
            if not poll.poll(50):
                continue
            request = os.read(fd, 1 << 17)
            _length, opcode, unique = struct.unpack("=IIQ", request[:16])
            if opcode == _FUSE_INIT:
                os.write(fd, struct.pack("=IiQIIIIII", 40, 0, unique, 7, 22, 65536, 0, 0, 65536))


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Path]:
    """A mount point whose file system never answers: whoever looks at it can't even be killed."""
    place = tmp_path / "hanging"
    place.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0"
    if libc.mount(b"hanging", os.fsencode(place), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), "mount")
    ended = threading.Event()
    thread = threading.Thread(target=answer_only_init, args=(fd, ended), daemon=True)
    thread.start()
    try:
        yield place
    finally:
        libc.umount2(os.fsencode(place), 2)  # MNT_DETACH
        ended.set()
        thread.join(60)
        os.close(fd)


PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import check as health_check
values = {name: one.get("default") for name, one in health_check.ARGUMENTS["argument_spec"].items()}
print(json.dumps(health_check.run({**values, **json.loads(sys.argv[2])}, False, Progress())["checks"]))
"""


def test_a_file_system_that_hangs_keeps_neither_the_other_checks_nor_the_task(hanging: Path, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    path = str(hanging)
    checks: list[dict[str, Any]] = [
        {"name": "disk", "type": "disk", "path": path},
        {"name": "file", "type": "file", "path": f"{path}/x"},
        {"name": "json", "type": "json", "path": f"{path}/x"},
        {"name": "sqlite", "type": "sqlite", "path": f"{path}/x"},
        {"name": "backup", "type": "backup", "repository": f"{path}/backups", "backup_set": "app"},
        {"name": "socket", "type": "postgresql", "host": f"{path}/postgresql"},
        {"name": "program", "type": "command", "argv": [f"{path}/x"]},
        {"name": "directory", "type": "command", "argv": ["true"], "chdir": path},
        {"name": "good", "type": "file", "path": f"{tmp_path}/there", "timeout": "60s"},
    ]
    params = json.dumps({"checks": checks, "timeout": "3s"})
    command = [sys.executable, "-c", PROGRAM, str(COLLECTIONS), params]
    # That its pipes are closed is what Ansible waits for, too.
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found = {one["name"]: (one["status"], one["message"]) for one in json.loads(done.stdout)}
    assert found.pop("good")[0] == "ok"
    for name, (status, message) in found.items():
        assert status != "ok", name
        assert message.startswith("no answer within 3s while "), (name, message)
