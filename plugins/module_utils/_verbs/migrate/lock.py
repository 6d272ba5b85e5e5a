# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of the target of a migration."""

from __future__ import annotations

import time

from ..._core.errors import LockTimeout
from ..._stores.records.store import TargetStore


def lock_target(target: TargetStore, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not target.lock():
        if time.monotonic() >= deadline:
            raise LockTimeout(
                f"Another migration is writing to {target.location}.",
                f"Wait for it to end, or increase lock_timeout (now {timeout:g} s).",
            )
        time.sleep(0.1)
