# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of access through rclone. What drives the program is elsewhere, for tasks that do not need it."""

from __future__ import annotations

from typing import Any

ADDRESS = "rclone:"
ARGUMENTS: dict[str, Any] = {
    "config": {"type": "path"},
    "settings": {"type": "dict", "no_log": False},
    "secrets": {"type": "dict", "no_log": True},
    "ca_bundle": {"type": "path"},
    "settle": {"type": "str"},
    "server": {"type": "bool", "default": False},
}
