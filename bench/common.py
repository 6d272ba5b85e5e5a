# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: running peers and modules, timing them, and a table of what was promised.

The fastest of three repetitions counts, for everybody. `--small` takes a tenth of the data. A promise that was missed
is marked; it does not fail the run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Optional

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".cache" / "bench"
WORK.mkdir(parents=True, exist_ok=True)
SCALE = 10 if "--small" in sys.argv else 1
REPEAT = 3
ENVIRONMENT = dict(
    os.environ,
    RESTIC_PASSWORD="bench",
    RESTIC_CACHE_DIR=str(WORK / "restic-cache"),
    BORG_BASE_DIR=str(WORK / "borg"),
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes",
    ANSIBLE_FORCE_COLOR="0",
    ANSIBLE_PYTHON_INTERPRETER=sys.executable,
)


def shell(command: str) -> float:
    """Seconds that a command line takes. (A peer's recipe is a shell's.)"""
    began = time.perf_counter()
    subprocess.run(["bash", "-euo", "pipefail", "-c", command], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


CORES = os.sched_getaffinity(0)


class Memory(threading.Thread):
    """The peak of the memory of a module and its children, in MiB, looked at every 50 ms (looking costs time, too).

    What they share with each other (forked workers do) counts once. To find that out takes longer, and is done five
    times as seldom: all cores are theirs.
    """

    def __init__(self, mark: str) -> None:
        super().__init__(daemon=True)
        self._mark = mark.encode()
        self._done = threading.Event()
        self.peak = 0.0
        self._pause = 0.05

    def run(self) -> None:
        # What is measured on one core does not share it with who looks on.
        os.sched_setaffinity(0, CORES)
        while not self._done.wait(self._pause):
            self.peak = max(self.peak, self._now())

    def stop(self) -> float:
        self._done.set()
        self.join()
        if not self.peak:
            raise SystemExit(f"No process was seen whose command line has {self._mark.decode()}.")
        return self.peak

    def _now(self) -> float:
        parents, marked = {}, set()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if self._mark in (entry / "cmdline").read_bytes() and fields[0] != "Z":
                    marked.add(entry.name)
                parents[entry.name] = fields[1]
            except OSError:
                continue
        family = []
        for one in parents:
            ancestor: Optional[str] = one
            while ancestor and ancestor not in marked:
                ancestor = parents.get(ancestor)
            if ancestor:
                family.append(one)
        # one alone shares nothing that counts, and its exact share can only be told by holding it up
        self._pause = 0.25 if len(family) > 1 else 0.05
        return sum(map(proportional if len(family) > 1 else resident, family)) / 1024


def resident(process: str) -> int:
    """KiB of a process; 0 once it has ended."""
    try:
        return int(Path("/proc", process, "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024
    except OSError:
        return 0


def proportional(process: str) -> int:
    """KiB of a process, of shared pages its part; 0 once it has ended."""
    try:
        lines = Path("/proc", process, "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def module(verb: str, *, watched: bool = True, **arguments: Any) -> dict[str, Any]:
    """Run a module as a task on this host.

    :param watched: measure its memory, too; this takes time of the cores that it measures.
    """
    command = ["ansible", "localhost", "-m", f"day2.ops.{verb}", "-a", json.dumps(arguments)]
    memory = Memory(f"AnsiballZ_{verb}")
    if watched:
        memory.start()
    extra = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}
    done = subprocess.run(command, check=False, env=dict(ENVIRONMENT, **extra), capture_output=True, text=True)
    peak = memory.stop() if watched else 0.0
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.partition("=> ")[2])
    result["peak_mib"] = peak
    return result


def fresh(*names: str) -> list[Path]:
    """Paths of that name in the work directory, with nothing there."""
    paths = [WORK / name for name in names]
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
    return paths


def settle() -> None:
    """No measurement pays for the dirty pages of the one before it."""
    os.sync()


def best(measure: Callable[[], float]) -> float:
    times = []
    for dummy in range(REPEAT):
        settle()
        times.append(measure())
    return min(times)


class Table:
    """Rows of what was measured, with the ratio that was promised and whether it holds."""

    def __init__(self) -> None:
        self.failed = False

    def title(self, text: str) -> None:
        print(f"\n{text}", flush=True)

    def row(self, name: str, seconds: float, note: str = "") -> None:
        print(f"  {name:34}{seconds:9.2f} s   {note}", flush=True)

    def ratio(self, name: str, value: float, limit: float, unit: str = "x") -> None:
        self._promise(name, value, unit, value <= limit, f"at most {limit:g}")

    def at_least(self, name: str, value: float, limit: float, unit: str = "x") -> None:
        self._promise(name, value, unit, value >= limit, f"at least {limit:g}")

    def _promise(self, name: str, value: float, unit: str, holds: bool, promise: str) -> None:
        self.failed |= not holds
        print(f"  {name:34}{value:9.2f} {unit:3} ({promise}: {'holds' if holds else 'MISSED'})", flush=True)

    def end(self) -> None:
        print(f"\n{'A promise was missed.' if self.failed else 'All promises hold.'}")


def du(name: str) -> float:
    """MB (10^6 bytes) below a path of the work directory."""
    path = WORK / name
    return sum(one.stat().st_size for one in [path, *path.rglob("*")] if one.is_file()) / 1e6
