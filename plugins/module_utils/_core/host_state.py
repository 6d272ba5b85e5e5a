# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host keeps for itself between runs (docs/FORMAT.md says what of it can be deleted)."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from .errors import Day2Error
from .files import make_private_directory, os_errors, write_atomically

VARIABLE = "DAY2_STATE"  # of the environment: another directory


def directory() -> str:
    """Where the state of this user lies."""
    given = os.environ.get(VARIABLE)
    if given:
        return given
    if os.geteuid() == 0:
        return "/var/lib/day2/state"
    return os.path.expanduser("~/.local/state/day2")


def read(*steps: str) -> dict[str, Any]:
    """A JSON mapping; {} when it is missing or damaged."""
    try:
        with open(os.path.join(directory(), *steps) + ".json", "rb") as handle:
            value = json.load(handle)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def exists(*steps: str) -> bool:
    """Whether something was kept, also if it can't be read any more."""
    return os.path.lexists(os.path.join(directory(), *steps) + ".json")


def write(value: dict[str, Any], *steps: str) -> None:
    """Replace it atomically."""
    path = os.path.join(directory(), *steps) + ".json"
    with os_errors(Day2Error, "Can't write", path):
        make_private_directory(os.path.dirname(path))
        write_atomically(path, json.dumps(value).encode())


def remove(*steps: str) -> None:
    """Forget it."""
    path = os.path.join(directory(), *steps) + ".json"
    with os_errors(Day2Error, "Can't remove", path), contextlib.suppress(FileNotFoundError):
        os.unlink(path)
