# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Redis on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from .local import free_ports, program, running, wait_for_port


@contextlib.contextmanager
def redis(directory: Path, *options: str, port: Optional[int] = None) -> Iterator[int]:
    """Its port, and a Unix socket `redis.sock` in the directory, while the block runs.

    :param options: those of redis-server.
    :param port: by default one that is free.
    """
    port = port or free_ports(1)[0]
    command = [
        program("redis-server", "redis-server"),
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""),
        *("--unixsocket", str(directory / "redis.sock"), *options),
    ]
    with running(command, directory) as process:
        wait_for_port(port, process)
        yield port
