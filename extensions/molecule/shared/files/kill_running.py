# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill_running.py GLOB: kill -9 the module that Ansible runs on this host, as soon as there is a file of that name."""

from __future__ import annotations

import glob
import os
import signal
import sys
import time
from pathlib import Path

DEADLINE_S = 300


def stat(pid: int) -> tuple[str, int]:
    """Its name, and its parent."""
    name, rest = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)
    return name.partition("(")[2], int(rest.split()[1])


def modules() -> list[int]:
    """Root's Python processes, but those that this one comes from."""
    own, pid = set(), os.getpid()
    while pid > 1:
        own.add(pid)
        pid = stat(pid)[1]
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        pid = int(directory.name)
        try:
            if pid not in own and stat(pid)[0].startswith("python3") and directory.stat().st_uid == 0:
                found.append(pid)
        except FileNotFoundError:  # it has ended
            continue
    return found


def main() -> None:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if glob.glob(sys.argv[1]):
            pids = modules()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            print(f"killed {pids}")
            raise SystemExit(not pids)
        time.sleep(0.002)
    raise SystemExit(f"there was no {sys.argv[1]} within {DEADLINE_S} s")


if __name__ == "__main__":
    main()
