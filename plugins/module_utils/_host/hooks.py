# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the user that run before a job, after its success, and after its failure."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any, Optional

from .._core.errors import Day2Error, InvalidRequest
from .._core.programs import environment, run_to_end
from .._core.units import format_duration

BEFORE, AFTER, ON_FAILURE = "before", "after", "on_failure"
HOOKS = (BEFORE, AFTER, ON_FAILURE)
_LONGEST = 500  # characters of its last line
_OF_UNIT = ("INVOCATION_ID", "JOURNAL_STREAM")  # a job that a hook runs (`day2 run`) is no run of the unit


def checked_hooks(given: Any) -> dict[str, list[str]]:
    """The hooks of a job file. Raises InvalidRequest."""
    if not isinstance(given, Mapping):
        raise InvalidRequest("hooks is not a dictionary.", f"Its keys are {', '.join(HOOKS)}.")
    for name, argv in given.items():
        if name not in HOOKS:
            raise InvalidRequest(f"Unknown hook {name}.", f"The hooks are {', '.join(HOOKS)}.")
        if not isinstance(argv, list) or not argv or not all(isinstance(one, str) for one in argv):
            raise InvalidRequest(f"The hook {name} is not a program and its arguments.", "Write a list of strings.")
    return {name: list(argv) for name, argv in given.items()}


def run_hook(
    hooks: Mapping[str, list[str]], name: str, variables: Mapping[str, str], limit: Optional[float] = None
) -> None:
    """Run a hook, if there is one. Raises Day2Error unless it ends with exit status 0, within `limit` seconds."""
    argv = hooks.get(name)
    if not argv:
        return
    variables = {name: one for name, one in environment(**variables).items() if name not in _OF_UNIT}
    try:
        status, line = run_to_end(argv, variables, output=True, limit=limit)
    except subprocess.TimeoutExpired as exc:
        ran = format_duration(exc.timeout)
        raise Day2Error(f"The hook {name} ({argv[0]}) was killed, as it ran for {ran}.") from exc
    except (OSError, ValueError) as exc:
        raise Day2Error(f"The hook {name} can't be run: {argv[0]}: {exc}.") from exc
    if status:
        said = f": {line[-_LONGEST:]}" if line else ""
        raise Day2Error(f"The hook {name} ({argv[0]}) ended with exit status {status}{said}.")
