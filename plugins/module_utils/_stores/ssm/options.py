# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of parameters of AWS Systems Manager as a store; apart from its code, which only its tasks need."""

from __future__ import annotations

from typing import Any

_GLOBS = {"type": "list", "elements": "str"}
OPTIONS: dict[str, dict[str, Any]] = {
    "prefix": {"type": "str"},
    "include": _GLOBS,
    "exclude": _GLOBS,
    "with_secrets": {"type": "bool"},
    "region": {"type": "str"},
    "endpoint_url": {"type": "str"},
    "profile": {"type": "str"},
    "access_key_id": {"type": "str", "no_log": True},
    "secret_access_key": {"type": "str", "no_log": True},
    "session_token": {"type": "str", "no_log": True},
    "throttle_timeout": {"type": "str"},
    "jobs": {"type": "int"},
}
