# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_check as the module calls it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._verbs.health import check as health_check
from tests.unit.module_utils.verbs import run_verb

Result = dict[str, Any]
COLLECTIONS = Path(__file__).resolve().parents[4] / ".cache" / "collections"


def run(checks: list[Any], **params: Any) -> Result:
    spec = health_check.ARGUMENTS["argument_spec"]
    values = {name: one.get("default") for name, one in spec.items()}
    values.update({"checks": checks, "timeout": "60s", **params})
    return run_verb(health_check, values)


def command(name: str, script: str, **options: Any) -> dict[str, Any]:
    return dict(options, name=name, type="command", argv=["sh", "-c", script])


def statuses(result: Result) -> dict[str, str]:
    return {one["name"]: one["status"] for one in result["checks"]}


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that accepts connections and never says anything."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=500)
    taken: list[socket.socket] = []

    def loop() -> None:
        with contextlib.suppress(OSError):
            while True:
                taken.append(listener.accept()[0])

    threading.Thread(target=loop, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for one in taken:
        one.close()
