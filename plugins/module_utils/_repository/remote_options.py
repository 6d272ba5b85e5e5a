# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of repositories in stores of objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from .._core.errors import InvalidRequest
from .._core.units import parse_duration, parse_size

GRACE = 24 * 3600.0  # seconds
_LEAST_RATE = 1024  # bytes per second
_LEAST_GRACE = 3600.0  # seconds: reads that have begun go on for longer than a request
_LEAST_LOCK = 2 * 86400.0  # seconds
_LONG_LOCK = 400 * 86400.0  # seconds
COMPLIANCE = "compliance"


class Locking(NamedTuple):
    """For how long new backups are locked, and how."""

    seconds: float
    mode: str


def locking_for(seconds: float, mode: str, *, confirmed: bool = False) -> Locking:
    """Check the options. Raises InvalidRequest."""
    if seconds < _LEAST_LOCK:
        raise InvalidRequest(
            "lock_for must be at least 2d.", "Locks are extended by runs: choose twice their interval."
        )
    if seconds > _LONG_LOCK and mode == COMPLIANCE and not confirmed:
        raise InvalidRequest(
            "lock_for exceeds 400d, and nobody can shorten locks with lock_mode=compliance.",
            "Correct lock_for, or set lock_for_confirmed=true.",
        )
    return Locking(seconds, mode)


def locking_of(params: Mapping[str, Any]) -> Optional[Locking]:
    """The options `lock_for`, `lock_mode` and `lock_for_confirmed`. Raises InvalidRequest."""
    if params.get("lock_for") is None:
        return None
    confirmed = bool(params.get("lock_for_confirmed"))
    return locking_for(parse_duration(params["lock_for"]), params["lock_mode"], confirmed=confirmed)


def rate_of(params: Mapping[str, Any]) -> Optional[int]:
    """Bytes per second of the option `limit`. Raises InvalidRequest."""
    given = params.get("limit")
    rate = None if given is None else parse_size(given)
    if rate is not None and rate < _LEAST_RATE:
        raise InvalidRequest(f"limit is {given}; it must be at least 1K.", "It is in bytes per second.")
    return rate


def grace_of(params: Mapping[str, Any]) -> float:
    """Seconds of the option `grace`. Raises InvalidRequest."""
    given = params.get("grace")
    grace = GRACE if given is None else parse_duration(given)
    if grace < _LEAST_GRACE:
        raise InvalidRequest(
            f"grace is {given}; it must be at least 1h.", "Reads that have begun must be able to finish."
        )
    return grace
