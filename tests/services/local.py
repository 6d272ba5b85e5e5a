# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all servers of tests have in common: ports of loopback, and a process that ends with the test."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_ours: list[socket.socket] = []


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, nor will before the server does that is about to be started.

    They are below those that the kernel gives to whoever asks for any (32768 and up): while many tests run, such a port
    soon has another owner. A name that says whose a port is goes with the process, so that no other test takes it.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(10000, 32768)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0day2-port-{port}")
            with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        _ours.append(name)
        found.append(port)
    return found


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 300.0) -> None:
    """Wait until something listens there; raise when the process ends or takes too long."""
    until = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{process.args} does not listen on port {port}")
        time.sleep(0.02)


@contextlib.contextmanager
def running(command: list[str], directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours, ended with the block; its output is in the directory."""
    with open(directory / "output", "ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def program(name: str, package: str) -> str:
    """The path of a program; those of Debian's daemons are not on everybody's PATH."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if not found:
        raise RuntimeError(f"{name} is missing. Install it with: sudo apt-get install {package}")
    return found
