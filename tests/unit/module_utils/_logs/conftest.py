# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""log_rotate as a program would call it, logs to rotate, and a process that writes to one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TaskEnded
from ansible_collections.day2.ops.plugins.module_utils._verbs.logs import rotate as log_rotate
from tests.unit.module_utils.verbs import run_verb

# Opens the log again on SIGHUP, as nginx does on SIGUSR1. argv: log, what to open it with, stay ("stay": never reopen).
WRITER = """
import os, signal, sys, time
path, mode, stay = sys.argv[1:]
def reopen(*dummy):
    global fd
    if stay != "stay":
        os.close(fd)
        fd = opened()
def opened():
    return os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if mode == "append" else 0), 0o644)
fd = opened()
signal.signal(signal.SIGHUP, reopen)
os.write(fd, b"started\\n")
print("ready", flush=True)
while True:
    time.sleep(60)
"""


def rotate(check: bool = False, **params: Any) -> dict[str, Any]:
    spec = log_rotate.ARGUMENTS["argument_spec"]
    values = {option: one.get("default") for option, one in spec.items()}
    values.update({"compression": "gzip", "size": "1"}, **params)
    values["paths"] = [str(path) for path in values["paths"]]
    return run_verb(log_rotate, values, check)


def both(**params: Any) -> dict[str, Any]:
    """Check mode says what the run then does, and changes nothing."""
    folders = {Path(str(path)).parent for path in params["paths"]}
    before = {folder: tree(folder) for folder in folders}
    predicted = rotate(True, **params)
    assert {folder: tree(folder) for folder in folders} == before
    done = rotate(**params)
    for result in (predicted, done):
        result.pop("duration_s")
    assert predicted.pop("msg").replace("would be rotated", "rotated") == done["msg"]
    assert predicted == {name: value for name, value in done.items() if name != "msg"}
    return done


def tree(folder: Path) -> dict[str, Any]:
    return {one.name: one.read_bytes() if one.is_file() else None for one in folder.iterdir()}


def failing(**params: Any) -> TaskEnded:
    with pytest.raises(TaskEnded) as caught:
        rotate(**params)
    return caught.value


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def log(logs: Path) -> Path:
    path = logs / "app.log"
    path.write_text("one\n")
    path.chmod(0o640)
    return path


Writer = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def writer() -> Iterator[Writer]:
    started = []

    def start(path: Path, mode: str = "append", stay: str = "") -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path), mode, stay], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def say(tmp_path: Path) -> list[str]:
    script = tmp_path / "say"
    script.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/said\ncase $2 in *keep*) exit 1;; esac\n')
    script.chmod(0o755)
    return [str(script)]
