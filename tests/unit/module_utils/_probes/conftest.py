# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks as the module runs them, against real servers of our own."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import check as health_check
from tests.services.nginx import Nginx, nginx
from tests.services.nobody_opens import locks_are_kept

__all__ = ["locks_are_kept"]

Result = dict[str, Any]


@pytest.fixture
def run() -> Callable[..., Result]:
    """`run([check, …], option=…)`: the module's result."""

    def call(checks: list[dict[str, Any]], check_mode: bool = False, **params: Any) -> Result:
        spec = health_check.ARGUMENTS["argument_spec"]
        values = {name: one.get("default") for name, one in spec.items()}
        values.update(checks=checks, timeout="60s")
        values.update(params)
        result = health_check.run(values, check_mode, Progress())
        json.dumps(result)
        return result

    return call


@pytest.fixture
def check(run: Callable[..., Result]) -> Callable[..., Result]:
    """`check("disk", path="/")`: what one check found."""

    def call(kind: str, **options: Any) -> Result:
        result: Result = run([dict(options, name="it", type=kind)])["checks"][0]
        return result

    return call


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with nginx(tmp_path_factory.mktemp("nginx")) as server:
        yield server


Handler = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], int]]:
    """`serve(handler)`: a port on loopback where each connection is given to the handler, in a thread of its own."""
    listeners: list[socket.socket] = []

    def start(handler: Handler) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def talk(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):  # the check has gone
                handler(connection)

        def loop() -> None:
            while True:
                try:
                    connection, _address = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        threading.Thread(target=loop, daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
