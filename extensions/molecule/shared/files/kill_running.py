# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill_running.py REPOSITORY SET: kill -9 whoever works on a backup set, as soon as a backup is being written there."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

DEADLINE_S = 60


def main() -> None:
    directory = Path(sys.argv[1], sys.argv[2])
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if any(directory.glob(".staging-*")):
            pid = json.loads((directory / ".state" / "lock").read_text())["pid"]
            os.kill(pid, signal.SIGKILL)
            print(f"killed process {pid}")
            return
        time.sleep(0.005)
    raise SystemExit(f"nobody wrote to {directory} within {DEADLINE_S} s")


if __name__ == "__main__":
    main()
