# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one verb as a module would, without ansible-core: verb.py VERB JSON-PARAMETERS SOCKET.

Sends [status, error, result] as JSON to the socket: status 0, or 3 for an error that a user can act on. A traceback,
with whatever exit status Python gives it, is a bug.
"""

from __future__ import annotations

import json
import socket
import sys
from importlib import import_module
from typing import Any

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TaskEnded
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._verbs.registry import find_verb

WRITER = "ansible_collections.day2.ops.tests.faults.health_writer"  # not a verb, but called like one


def run_verb(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Run a verb with its own defaults filled in; `check` among the parameters asks for check mode."""
    # A process for each fault: it loads no more than it needs.
    verb: Any = import_module(WRITER) if name == "health_writer" else find_verb(name)
    spec = verb.ARGUMENTS["argument_spec"]
    values = {option: one.get("default") for option, one in spec.items()}
    values.update(params)
    result: dict[str, Any] = verb.run(values, values.pop("check", False), Progress())
    return result


def main() -> None:
    with socket.socket(fileno=int(sys.argv[3])) as out:
        try:
            report = [0, "", run_verb(sys.argv[1], json.loads(sys.argv[2]))]
        except TaskEnded as exc:
            report = [3, str(exc), {}]
        out.sendall(json.dumps(report).encode())


if __name__ == "__main__":
    main()
