# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of DynamoDB tables as a store of backups; apart from its code, which only its tasks need."""

from __future__ import annotations

from typing import Any

from ..options import OPTIONS as CONNECTION

_NAMES = {"type": "list", "elements": "str"}
OPTIONS: dict[str, dict[str, Any]] = {
    **{name: spec for name, spec in CONNECTION.items() if name != "tables"},
    "tables": {"type": "dict", "options": {"include": _NAMES, "exclude": _NAMES}},
    "method": {"type": "str", "choices": ["export", "native", "s3_export"]},
    "recovery_period": {"type": "int"},
    "export_to": {
        "type": "dict",
        "options": {"bucket": {"type": "str"}, "prefix": {"type": "str"}, "endpoint_url": {"type": "str"}},
    },
    "full_every": {"type": "str"},
    "jobs": {"type": "int"},
    "max_read_units": {"type": "int"},
    "read_twice": {"type": "bool"},
}
# Of the target of a restore, in addition.
RESTORE_OPTIONS: dict[str, dict[str, Any]] = {
    "restore_time": {"type": "str"},
    "overrides": {"type": "dict"},
}
