# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# peers: logrotate=logrotate gzip=gzip zstd=zstd
"""Log rotation: lines that are lost under writers at full speed, and time, beside logrotate."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

from common import REPEAT, ROOT, SCALE, WORK, Table, best, fresh, module, settle, shell

ROTATIONS = 20
SIZE = (1 << 30) // SCALE
SMALL_LOGS = 10000 // SCALE
# Lines of "<name> <number> ...", as fast as it can, until the file "stop" is there.
WRITER = r"""
import os, sys
path, name, stop = sys.argv[1:]
fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
number = 0
while number % 1024 or not os.path.exists(stop):
    os.write(fd, b"%s %d INFO request served in 12 ms\n" % (name.encode(), number))
    number += 1
print(number)
"""


sys.path.insert(0, str(ROOT / ".cache" / "collections"))


def main() -> None:
    table = Table()
    for writers in (1, 4):
        lines_lost(table, writers)
    one_large_log(table)
    many_small_logs(table)
    table.end()
    sys.exit(table.failed)


def lines_lost(table: Table, writers: int) -> None:
    table.title(f"{ROTATIONS} in-place rotations under {writers} writer{'s' * (writers > 1)} at full speed")
    ours = under_writers(writers, cut)
    theirs = under_writers(writers, copytruncate)
    for name, (written, lost, disordered) in (("day2.ops.log_rotate", ours), ("logrotate copytruncate", theirs)):
        print(f"  {name:34}{written:>10} lines written, {lost} lost, {disordered} out of order", flush=True)
    table.ratio("lines lost", ours[1], 0, "lines")
    table.ratio("lines out of order", ours[2], 0, "lines")


def under_writers(writers: int, turn: Callable[[Path], object]) -> tuple[int, int, int]:
    folder, stop = fresh("logs", "stop")
    folder.mkdir()
    log = folder / "app.log"
    log.touch()
    command = [sys.executable, "-c", WRITER, str(log)]
    processes = [
        subprocess.Popen([*command, f"w{number}", str(stop)], stdout=subprocess.PIPE) for number in range(writers)
    ]
    try:
        for _turn in range(ROTATIONS):
            time.sleep(0.1)
            turn(log)
    finally:
        stop.touch()
        written = sum(int(process.communicate()[0]) for process in processes)
    result = (written, *missing(folder, written))
    fresh("logs")
    return result


def missing(folder: Path, written: int) -> tuple[int, int]:
    """How many lines are nowhere, and how many come later than their successor."""
    paths = sorted(folder.iterdir(), key=lambda one: -int(one.suffix[1:]) if one.suffix != ".log" else 0)
    found = disordered = 0
    last: dict[bytes, int] = {}
    for path in paths:
        with open(path, "rb") as handle:
            for line in handle:
                words = line.split()
                if len(words) < 8 or not words[1].isdigit():
                    continue
                found += 1
                disordered += int(words[1]) <= last.get(words[0], -1)
                last[words[0]] = int(words[1])
    return written - found, disordered


def cut(log: Path) -> None:
    """In this process: a task's fixed cost, twenty times, would only make the writers write more."""
    from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
    from ansible_collections.day2.ops.plugins.module_utils._verbs.logs import rotate as log_rotate

    options = {name: one.get("default") for name, one in log_rotate.ARGUMENTS["argument_spec"].items()}
    options.update(paths=[str(log)], size="1", method="in_place", compression="none")
    log_rotate.run(options, False, Progress())


def rotate(log: Path, **arguments: object) -> dict[str, object]:
    return module("log_rotate", **{"paths": [str(log)], "size": "1", **arguments})


def configuration(path: str, *options: str) -> tuple[Path, Path]:
    config, state = fresh("logrotate.conf", "logrotate.state")
    config.write_text("{} {{\n{}\n}}\n".format(path, "\n".join(["su root root", "size 1", "rotate 1000", *options])))
    config.chmod(0o600)
    return config, state


def logrotate(config: Path, state: Path) -> float:
    return shell(f"logrotate --force --state {state} {config}")


def copytruncate(log: Path) -> None:
    logrotate(*configuration(str(log), "copytruncate", "nocompress"))


def write_log(path: Path, size: int) -> None:
    """What a web server's access log looks like to a compressor."""
    rng = random.Random(size)
    with open(path, "wb") as handle:
        block = b"".join(
            b'10.%d.%d.%d - - [30/Jun/2025:12:%02d:%02d +0000] "GET /api/v1/machines/%08x HTTP/1.1" 200 %d "-" "curl"\n'
            % (
                rng.randrange(256),
                rng.randrange(256),
                rng.randrange(256),
                number // 60 % 60,
                number % 60,
                rng.getrandbits(32),
                rng.randrange(10**5),
            )
            for number in range(100000)
        )
        while handle.tell() < size:
            handle.write(block[: size - handle.tell()])


def one_large_log(table: Table) -> None:
    table.title(f"One log of {SIZE >> 20} MiB")
    (folder,) = fresh("logs")
    folder.mkdir()
    log = folder / "app.log"

    def renamed(fill: Callable[[], object]) -> float:
        fill()
        settle()
        done = rotate(log, compression="none")
        (folder / "app.log.1").unlink()
        return float(str(done["duration_s"]))

    small = min(renamed(lambda: log.write_bytes(b"a line\n")) for _dummy in range(REPEAT))
    large = min(renamed(lambda: write_log(log, SIZE)) for _dummy in range(REPEAT))
    table.row("rename, a log of one line", small, "on the host, without Ansible")
    table.row("rename, the large log", large)
    table.ratio("rename: large beyond small", large - small, 0.05, "s")

    def ours() -> float:
        (folder / "app.log.1.zst").unlink(missing_ok=True)
        if not log.exists() or not log.stat().st_size:
            write_log(log, SIZE)
        settle()
        done = rotate(log, compression="zstd")
        nonlocal peak
        peak = max(peak, float(str(done["peak_mib"])))
        return float(str(done["duration_s"]))

    peak = 0.0
    for one in folder.iterdir():
        one.unlink()
    seconds = min(ours() for _dummy in range(REPEAT if SCALE > 1 else 2))
    for one in folder.iterdir():
        one.unlink()
    write_log(log, SIZE)
    settle()
    theirs = logrotate(*configuration(str(log), "compress", "nodelaycompress", "create"))
    table.row("day2.ops.log_rotate, zstd", seconds, "rotated, compressed, read back and compared")
    table.row("logrotate, gzip", theirs)
    table.ratio("of logrotate's time", seconds / theirs, 0.4)
    table.ratio("peak memory", peak, 64, "MiB")
    fresh("logs")


def many_small_logs(table: Table) -> None:
    table.title(f"{SMALL_LOGS} small logs in one run")
    (folder,) = fresh("logs")

    def make() -> None:
        fresh("logs")
        folder.mkdir()
        for number in range(SMALL_LOGS):
            (folder / f"app{number}.log").write_text("a line of a small log\n" * 40)
        settle()

    (empty,) = fresh("empty.log")
    empty.touch()
    fixed = best(lambda: task(str(empty))[0])
    make()
    ours, peak = task(str(folder / "*.log"))
    make()
    theirs = logrotate(*configuration(str(folder / "*.log"), "compress", "nodelaycompress", "create"))
    table.row("one Ansible task with nothing to do", fixed)
    table.row("day2.ops.log_rotate", ours, "the whole task, compressed with zstd")
    table.row("logrotate, gzip", theirs)
    table.ratio("of logrotate and a task's fixed cost", ours / (theirs + fixed), 1)
    table.ratio("peak memory", peak, 64, "MiB")
    fresh("logs")


def task(paths: str) -> tuple[float, float]:
    began = time.perf_counter()
    done = module("log_rotate", paths=[paths], size="1", compression="zstd")
    return time.perf_counter() - began, float(done["peak_mib"])


if __name__ == "__main__":
    WORK.mkdir(parents=True, exist_ok=True)
    main()
