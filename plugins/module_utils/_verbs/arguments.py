# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs that several modules share, and the conversion of their values.

Those of stores are in store_arguments.py: what imports them is sent with the code of all store types.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Callable, Optional, TypeVar

from .._core.compression import COMPRESSIONS
from .._core.errors import InvalidRequest
from .._core.progress import Progress
from .._core.rclone_options import ARGUMENTS as RCLONE
from .._core.restic_options import ARGUMENTS as RESTIC
from .._core.restic_options import ENGINES
from .._core.s3_options import ARGUMENTS as S3
from .._core.units import parse_duration
from .._repository.retention import Keep

T = TypeVar("T")
Verb = Callable[[Mapping[str, Any], bool, Progress], dict[str, Any]]

REPOSITORY: dict[str, Any] = {
    "repository": {"type": "path", "required": True},
    "s3": {"type": "dict", "options": S3},
    "rclone": {"type": "dict", "options": RCLONE},
    "engine": {"type": "str", "choices": list(ENGINES), "default": ENGINES[0]},
    "restic": {"type": "dict", "options": RESTIC},
    "names_key": {"type": "str", "no_log": True},
    "limit": {"type": "str"},
    "grace": {"type": "str"},
    "lock_timeout": {"type": "str", "default": "1m"},
}
# Of verbs that write backups.
OBJECT_LOCK: dict[str, Any] = {
    "lock_for": {"type": "str"},
    "lock_mode": {"type": "str", "choices": ["governance", "compliance"], "default": "governance"},
    "lock_for_confirmed": {"type": "bool", "default": False},
}
# Of verbs that read backups.
IDENTITY: dict[str, Any] = {
    "identity": {"type": "str", "no_log": True},
    "identity_file": {"type": "path", "no_log": False},
    "allow_unencrypted": {"type": "bool", "default": False},
}
ENCRYPTION: dict[str, Any] = {
    "encrypt_to": {"type": "list", "elements": "str", "no_log": False},
    "encryption": {"type": "str", "choices": ["required", "optional"], "default": "required"},
}
# The options of a place that are not those of a run: suboptions of `from`, `to` and `copy_to`.
TIMEOUT: dict[str, Any] = {"timeout": {"type": "str"}}
PLACE: dict[str, Any] = {name: one for name, one in REPOSITORY.items() if name != "lock_timeout"}
COMPRESSION: dict[str, Any] = {"compression": {"type": "str", "choices": sorted(COMPRESSIONS)}}
KEEP: dict[str, Any] = {
    "keep": {
        "type": "dict",
        "options": {
            "last": {"type": "int"},
            "hourly": {"type": "int"},
            "daily": {"type": "int"},
            "weekly": {"type": "int"},
            "monthly": {"type": "int"},
            "yearly": {"type": "int"},
            "within": {"type": "str"},
            "within_hourly": {"type": "str"},
            "within_daily": {"type": "str"},
            "within_weekly": {"type": "str"},
            "within_monthly": {"type": "str"},
            "within_yearly": {"type": "str"},
            "tags": {"type": "list", "elements": "str"},
        },
    },
}


def optional(value: Any, convert: Callable[[Any], T]) -> Optional[T]:
    """Convert a value unless it is None."""
    return None if value is None else convert(value)


def limited(verb: Verb) -> Verb:
    """A verb that stops when it takes longer than the argument `timeout`."""

    @functools.wraps(verb)
    def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
        seconds = optional(params.get("timeout"), duration)
        if seconds is not None and seconds <= 0:
            raise InvalidRequest(
                f"timeout is {params['timeout']}.", "Set it to a duration, for example 2h, or omit it."
            )
        with progress.limited(seconds):
            return verb(params, check, progress)

    return run


def keep_policy(value: Optional[Mapping[str, Any]]) -> Optional[Keep]:
    """The retention policy, or None."""
    return optional(value, Keep.from_options)


def duration(value: Any) -> float:
    """Seconds. Raises InvalidRequest when it is not a duration."""
    return parse_duration(value)
