# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL cluster that is thrown away: it listens on a socket in its own directory, and on no port."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

USER = "day2"


class Cluster(NamedTuple):
    """`directory` is that of the socket, and of `log`; `binaries` that of the server's programs."""

    directory: str
    binaries: str
    durable: bool

    def options(self, database: str) -> dict[str, Any]:
        """Those of a store in it."""
        return {"host": self.directory, "user": USER, "database": database}

    def uri(self, database: str) -> str:
        """For programs that take libpq's URIs."""
        return "postgresql:///%s?host=%s&user=%s" % (database, self.directory, USER)

    def sql(self, text: str, database: str = "postgres") -> str:
        """What psql answers, unaligned and without headers. An error raises."""
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-U", USER, "-d", database]
        done = subprocess.run(command, input=text, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError("%s: %s" % (text, done.stderr))
        return done.stdout.strip()

    def create(self, database: str) -> None:
        """A database, empty also when there was one of that name."""
        self.sql('DROP DATABASE IF EXISTS "%s" (FORCE)' % database)
        self.sql("CREATE DATABASE \"%s\" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'" % database)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": self.directory,
            **({} if self.durable else {"fsync": "off", "full_page_writes": "off"}),
        }
        options = " ".join("-c %s=%s" % setting for setting in settings.items())
        self._pg_ctl("start", "-w", "-t", "60", "-l", "%s/log" % self.directory, "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        """Stop it ("immediate" is a crash); pg_ctl knows the process by the id that the server has noted."""
        if os.path.exists("%s/data/postmaster.pid" % self.directory):
            self._pg_ctl("stop", "-w", "-m", mode)

    def _pg_ctl(self, what: str, *more: str) -> None:
        _as_postgres("%s/pg_ctl" % self.binaries, what, "-s", "-D", "%s/data" % self.directory, *more)


@contextlib.contextmanager
def cluster(durable: bool = False) -> Iterator[Cluster]:
    """A cluster while the block runs, gone afterwards. `durable` is for measurements: it writes as in production."""
    # Not below pytest's directories: the names of sockets are short, and these are nobody else's.
    with tempfile.TemporaryDirectory(prefix="day2-pg-") as directory:
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres", "postgres")
        one = Cluster(directory, _binaries(), durable)
        data = "%s/data" % directory
        _as_postgres("%s/initdb" % one.binaries, "-D", data, "-A", "trust", "-U", USER, "-E", "UTF8", "--no-sync")
        one.start()
        try:
            yield one
        finally:
            one.stop()


def _binaries() -> str:
    """Those of the newest version that is installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found:
        raise RuntimeError("PostgreSQL is missing. Install it with: sudo apt-get install postgresql")
    return str(max(found, key=lambda path: [int(part) for part in re.findall("[0-9]+", str(path))]))


def _as_postgres(*command: str) -> None:
    """The server refuses to be root."""
    prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryFile() as output:  # not a pipe: the server would keep it open
        done = subprocess.run([*prefix, *command], check=False, stdout=output, stderr=output, cwd="/")
        output.seek(0)
        if done.returncode != 0:
            raise RuntimeError("%s: %s" % (" ".join(command), output.read().decode(errors="replace")))
