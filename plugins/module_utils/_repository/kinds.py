# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of repositories that are no directories, by name.

The code of a kind is imported when a repository of that kind is opened. A task `backup` sends it to hosts only if its
arguments name such a repository: imports by name are not followed by ansible-core (plugin_utils/payload.py).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from .._core.rclone_options import ADDRESS as RCLONE
from .._core.restic_options import ENGINE as RESTIC
from .._core.s3_options import ADDRESS as S3
from .base import Repository

KINDS = {"rclone": "open_rclone", "restic": "open_restic", "s3": "open_s3"}  # the module here, and its function


def kind_of(address: str, engine: Any) -> str:
    """The kind of a repository; "" for a directory."""
    if engine == RESTIC:
        return "restic"
    return "s3" if address.startswith(S3) else "rclone" if address.startswith(RCLONE) else ""


def opener(kind: str) -> Callable[..., Repository]:
    """The function that opens a repository of a kind."""
    function: Callable[..., Repository] = getattr(import_module(f".{kind}", __package__), KINDS[kind])
    return function
