# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OpenSSH server on loopback, for SFTP: with its own key, and for one key of the user of the tests."""

from __future__ import annotations

import contextlib
import getpass
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .local import free_ports, program, running, wait_for_port

_CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {top}/host_key
AuthorizedKeysFile {top}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 200
Subsystem sftp internal-sftp
"""


@contextlib.contextmanager
def sshd(directory: Path) -> Iterator[str]:
    """The address of a server while the block runs: sftp://127.0.0.1:PORT/DIRECTORY, which has its keys and data."""
    (port,) = free_ports(1)
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True)
    key = (directory / "host_key.pub").read_text().split()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {key[0]} {key[1]}\n")
    (directory / "sshd_config").write_text(_CONFIGURATION.format(port=port, top=directory))
    (directory / "data").mkdir()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd demands it, and nothing is in it
    command = [program("sshd", "openssh-server"), "-D", "-e", "-f", str(directory / "sshd_config")]
    with running(command, directory) as process:
        wait_for_port(port, process)
        yield f"sftp://127.0.0.1:{port}{directory}"


def settings_of(url: str) -> dict[str, Any]:
    """The settings of a remote of rclone for it."""
    told = urlsplit(url)
    return {
        "type": "sftp",
        "host": told.hostname,
        "port": told.port,
        "user": getpass.getuser(),
        "key_file": f"{told.path}/user_key",
        "known_hosts_file": f"{told.path}/known_hosts",
    }
