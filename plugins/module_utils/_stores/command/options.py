# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a store with programs of its own; apart from its code, which only its tasks need."""

from __future__ import annotations

from typing import Any

_COMMAND = {"type": "list", "elements": "str"}
OPTIONS: dict[str, dict[str, Any]] = {
    "dump": _COMMAND,
    "verify": _COMMAND,
    "fingerprint": _COMMAND,
    "ignore": {"type": "list", "elements": "str"},
    "environment": {"type": "dict", "no_log": True},
    "stdin": {"type": "str", "no_log": True},
    "timeout": {"type": "str"},
    "min_bytes": {"type": "str"},
    # Of a restore. A backup accepts them, so that one description of a store serves for both.
    "restore": _COMMAND,
    "swap": _COMMAND,
    "discard": _COMMAND,
}
