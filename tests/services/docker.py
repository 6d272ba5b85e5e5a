# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real container engine on a private socket, with one image: busybox."""

from __future__ import annotations

import contextlib
import io
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .local import program, running


class Docker(NamedTuple):
    """The engine's socket, and its command line."""

    socket: Path
    client: str

    def __call__(self, *words: str, check: bool = True) -> str:
        """`docker(…)`: what the command says."""
        command = [self.client, "--host", f"unix://{self.socket}", *words]
        return subprocess.run(command, check=check, capture_output=True, text=True).stdout.strip()

    def run(self, name: str, script: str, *options: str) -> None:
        self("run", "--detach", "--network", "none", "--name", name, *options, "busybox", "/bin/sh", "-c", script)


@contextlib.contextmanager
def docker(directory: Path, *options: str) -> Iterator[Docker]:
    """One that runs while the block does, without networks of its own. All its containers end with it.

    :param options: further ones of its daemon.
    """
    engine = Docker(directory / "docker.sock", program("docker", "docker.io"))
    command = [
        program("dockerd", "docker.io"),
        *("--host", f"unix://{engine.socket}", "--iptables=false", "--ip6tables=false", "--bridge=none"),
        *("--data-root", str(directory / "data"), "--exec-root", str(directory / "exec"), "--storage-driver", "vfs"),
        *("--pidfile", str(directory / "docker.pid"), *options),
    ]
    with running(command, directory) as process:
        until = time.monotonic() + 300
        while not engine.socket.exists() or not engine("version", check=False):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("dockerd does not run: {}".format((directory / "output").read_text()[-1000:]))
            time.sleep(0.1)
        _load_busybox(engine)
        try:
            yield engine
        finally:
            containers = engine("ps", "--all", "--quiet").split()
            if containers:
                engine("rm", "--force", *containers)


def _load_busybox(engine: Docker) -> None:
    command = [engine.client, "--host", f"unix://{engine.socket}", "import", "-", "busybox"]
    subprocess.run(command, check=True, input=busybox_image(), stdout=subprocess.DEVNULL)


def busybox_image() -> bytes:
    """Images can't be pulled: this one, to be imported, is made of the static program."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(program("busybox", "busybox-static"), "bin/busybox")
        for name in ("sh", "sleep", "cat", "test", "touch"):
            link = tarfile.TarInfo("bin/" + name)
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return buffer.getvalue()
