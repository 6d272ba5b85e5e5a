# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that take long to start: one for all workers of a run of pytest, ended when that run ends.

As a program, `shared.py NAME PARENT DIRECTORY` runs one as long as the process PARENT lives.
"""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Callable

from . import rgw, s3, sshd

ROOT = Path(__file__).resolve().parents[2]
SERVERS: Mapping[str, Callable[[Path], AbstractContextManager[str]]] = {
    "rgw": rgw.rgw,
    "ministack": s3.ministack,
    "sshd": sshd.sshd,
}
_START_S = 900.0
# The number of the process whose end is the end of the servers, for several runs of pytest in a row.
PARENT = "DAY2_TESTS_PARENT"


@functools.cache
def url_of(name: str) -> str:
    """The URL of a server, which is started by whoever asks first."""
    parent = int(os.environ.get(PARENT) or (os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()))
    # Nothing that an earlier process of this number has left.
    place = Path(tempfile.gettempdir()) / f"day2-tests-{parent}-{_began(parent)}-{name}"
    place.mkdir(exist_ok=True)
    with open(place / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        url = place / "url"
        if not url.exists():
            with open(place / "output", "wb") as output:
                server = subprocess.Popen(
                    [sys.executable, "-m", "tests.services.shared", name, str(parent), str(place)],
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # what ends the tests must leave it the time to clean up
                )
            until = time.monotonic() + _START_S
            while not url.exists():
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{name} does not start: {(place / 'output').read_text()}")
                time.sleep(0.05)
        return url.read_text()


def main(name: str, parent: int, place: Path) -> None:
    """Run a server as long as a process lives."""
    began = _began(parent)
    with SERVERS[name](place) as url:
        (place / "url.new").write_text(url)
        (place / "url.new").rename(place / "url")
        while began and _began(parent) == began:
            time.sleep(0.3)
    subprocess.run(["rm", "-rf", str(place)], check=True)


def _began(pid: int) -> str:
    """What tells a process from a later one of the same number; "" when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
