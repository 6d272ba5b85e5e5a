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
from .state_directory import VARIABLE, directory

__all__ = ["VARIABLE", "directory"]

JOURNAL = "journal.jsonl"


def evidence(*steps: str) -> str:
    """A path below the directory of the journal of evidence. That is no state: it can't be made again."""
    return os.path.join(directory(), "evidence", *steps)


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
