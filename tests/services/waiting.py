# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for what is to come, on a machine that may be busy."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, TypeVar

PATIENCE = 120.0  # seconds after which nothing will come any more, whatever else the machine has to do

_Value = TypeVar("_Value")


def wait_for(condition: Callable[[], _Value], pause: float = 0.02) -> _Value:
    """What the condition returns, once that is true."""
    until = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < until, "it never came true"
        time.sleep(pause)
    return value


def has_ended(pid: int) -> bool:
    """Whether a process is gone, but for its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def named(process: subprocess.Popen[Any]) -> subprocess.Popen[Any]:
    """A process that has its name and its arguments: `Popen` returns a moment before."""
    wait_for(Path(f"/proc/{process.pid}/cmdline").read_bytes)
    return process


def children() -> set[int]:
    """Processes that this one has started, and not waited for."""
    return {int(one) for one in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
