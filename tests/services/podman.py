# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Podman with storage of its own, its API on a private socket, and one image: busybox."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .docker import busybox_image
from .local import program, running


class Podman(NamedTuple):
    """The socket of its API, and its command line."""

    socket: Path
    command: tuple[str, ...]

    def __call__(self, *words: str, check: bool = True) -> str:
        """`podman(…)`: what the command says."""
        done = subprocess.run([*self.command, *words], check=check, capture_output=True, text=True)
        return done.stdout.strip()

    def run(self, name: str, script: str, *options: str) -> None:
        # It would ask for higher limits than a container or a service may have.
        limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")
        words = ("run", "--detach", "--network", "none", "--name", name, *limits, *options)
        self(*words, "busybox", "/bin/sh", "-c", script)


@contextlib.contextmanager
def podman() -> Iterator[Podman]:
    """One whose API answers while the block runs. All its containers end with it."""
    # The path of its runtime directory must not have more than 50 characters.
    with tempfile.TemporaryDirectory(prefix="podman-", dir="/tmp") as name:
        try:
            with _podman(Path(name)) as engine:
                yield engine
        finally:
            # Each container has somebody who cleans up after it, and who may still be at it.
            until = time.monotonic() + 300
            while _used(name) and time.monotonic() < until:
                time.sleep(0.05)


def _used(directory: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            if directory.encode() in path.read_bytes():
                return True
    return False


@contextlib.contextmanager
def _podman(directory: Path) -> Iterator[Podman]:
    command = (
        program("podman", "podman"),
        *("--root", str(directory / "data"), "--runroot", str(directory / "run"), "--storage-driver", "vfs"),
        *("--runtime", program("runc", "runc"), "--cgroup-manager", "cgroupfs", "--events-backend", "file"),
    )
    engine = Podman(directory / "podman.sock", command)
    subprocess.run([*command, "import", "-", "busybox"], check=True, input=busybox_image(), capture_output=True)
    with running([*command, "system", "service", "--time=0", f"unix://{engine.socket}"], directory) as process:
        until = time.monotonic() + 300
        while not engine.socket.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("podman does not run: {}".format((directory / "output").read_text()[-1000:]))
            time.sleep(0.1)
        try:
            yield engine
        finally:
            engine("rm", "--all", "--force", "--time", "0")
