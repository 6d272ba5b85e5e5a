# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real MariaDB at a socket, without a network."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from .local import program, running


@contextlib.contextmanager
def mariadb(directory: Path) -> Iterator[str]:
    """Its socket, while the block runs. Root may do everything there."""
    data, socket = directory / "mariadb", directory / "mariadb.sock"
    server = program("mariadbd", "mariadb-server")
    common = ["--no-defaults", f"--datadir={data}"]
    subprocess.run(
        ["mariadb-install-db", *common, "--user=root", "--skip-test-db", "--auth-root-authentication-method=normal"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    command = [server, *common, "--user=root", f"--socket={socket}", f"--pid-file={directory / 'mariadb.pid'}"]
    try:
        with running([*command, "--skip-networking", "--innodb-flush-log-at-trx-commit=0"], directory) as process:
            ping = ["mariadb-admin", "--no-defaults", f"--socket={socket}", "ping"]
            until = time.monotonic() + 120
            while subprocess.run(ping, check=False, capture_output=True).returncode != 0:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("mariadbd does not run: {}".format((directory / "output").read_text()[-1000:]))
                time.sleep(0.1)
            yield str(socket)
    finally:
        shutil.rmtree(data)
