# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away PostgreSQL server that can be restarted, with a place for pgBackRest beside it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .local import free_ports, running, wait_for_port
from .postgresql import as_postgres, binaries


class Archived:
    """A server whose WAL is to be archived."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.stanza = f"test-{secrets.token_hex(4)}"  # locks of pgBackRest are named after it
        self.programs = binaries()

    @property
    def options(self) -> dict[str, Any]:
        """Of postgresql_pitr."""
        return {
            "stanza": self.stanza,
            "data_directory": str(self.data),
            "socket_directory": str(self.directory),
            "repository": str(self.directory / "repository"),
            "config": str(self.directory / "etc" / "pgbackrest.conf"),
            "settings": {"log-path": str(self.directory / "log"), "lock-path": str(self.directory / "lock")},
        }

    def as_postgres(self, *command: Any) -> str:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", **as_postgres())
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def start(self) -> None:
        # by itself it writes nothing, so that all it has written is archived when `archived` says so
        settings = "-c listen_addresses= -c fsync=off -c autovacuum=off -c checkpoint_timeout=1d"
        settings += f" -c unix_socket_directories={self.directory}"
        words = ["-D", self.data, "-l", self.directory / "server.log", "-o", settings, "-w", "-t", "600", "-s", "start"]
        self.as_postgres(self.programs / "pg_ctl", *words)

    def stop(self) -> None:
        self.as_postgres(self.programs / "pg_ctl", "-D", self.data, "-m", "fast", "-w", "-t", "600", "-s", "stop")

    def restart(self) -> None:
        self.stop()
        self.start()

    def execute(self, *statements: str, port: int = 5432) -> str:
        """The output of the last statement."""
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-p", str(port), "-d", "postgres"]
        return [self.as_postgres(*command, "-c", statement) for statement in statements][-1].strip()

    def archived(self) -> None:
        """Return once all of its WAL is archived."""
        name = self.execute("SELECT pg_walfile_name(pg_switch_wal())")
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if self.execute(f"SELECT last_archived_wal >= '{name}' FROM pg_stat_archiver") == "t":
                return
            time.sleep(0.1)
        raise AssertionError("nothing was archived: " + (self.directory / "server.log").read_text())


@contextlib.contextmanager
def archived() -> Iterator[Archived]:
    """A running server; it and all copies of it end with the block."""
    # in memory, if there is such a place: each copy is synced file by file
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
    directory = Path(tempfile.mkdtemp(prefix="day2-pitr-", dir=base))
    who = as_postgres()
    try:
        directory.chmod(0o755)
        if who:
            os.chown(directory, who["user"], who["group"])
        server = Archived(directory)
        words = ["-D", server.data, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
        server.as_postgres(server.programs / "initdb", *words)
        server.start()
        try:
            yield server
        finally:
            for file in (*directory.glob("*/postmaster.pid"), *directory.glob(".*/postmaster.pid")):
                with contextlib.suppress(OSError, ValueError):
                    os.kill(int(file.read_text().split("\n")[0]), signal.SIGQUIT)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def tls(url: str, directory: Path) -> Iterator[tuple[str, Path]]:
    """The https:// URL of a server that passes on to that of http://, and the file of its certificate."""
    certificate, key = directory / "tls.pem", directory / "tls.key"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    words = [
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        certificate,
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run(["openssl", "req", "-x509", *words, "-addext", names], check=True, capture_output=True)
    (port,) = free_ports(1)
    settings = directory / "stunnel.conf"
    settings.write_text(
        f"foreground = yes\npid =\n[s3]\naccept = 127.0.0.1:{port}\nconnect = {url.rpartition('/')[2]}\n"
        f"cert = {certificate}\nkey = {key}\n"
    )
    with running(["stunnel4", str(settings)], directory) as process:
        wait_for_port(port, process)
        yield f"https://localhost:{port}", certificate
