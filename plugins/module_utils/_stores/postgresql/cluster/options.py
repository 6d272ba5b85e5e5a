# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a PostgreSQL cluster as a store of backups; apart from its code, which only its tasks need."""

from __future__ import annotations

from typing import Any

from ..options import OPTIONS as CONNECTION

_NAMES = {"type": "list", "elements": "str"}
OPTIONS: dict[str, dict[str, Any]] = {
    **{name: spec for name, spec in CONNECTION.items() if name != "schema"},
    "databases": _NAMES,
    "sslrootcert": {"type": "path"},
    "sslcert": {"type": "path"},
    "sslkey": {"type": "path"},
    "service": {"type": "str"},
    "passfile": {"type": "path"},
    "maintenance_database": {"type": "str"},
    "tables": {"type": "dict", "options": {"include": _NAMES, "exclude": _NAMES}},
    "globals": {"type": "bool"},
    "role_passwords": {"type": "bool"},
    "jobs": {"type": "int"},
    "bin": {"type": "path"},
}
# Of the target of a restore only.
RESTORE_OPTIONS: dict[str, dict[str, Any]] = {
    "from_database": {"type": "str"},
    "disconnect": {"type": "bool"},
    "owner": {"type": "str", "choices": ["keep", "map", "none"]},
    "owner_map": {"type": "dict"},
    "schema": {"type": "str"},
    "with_schema": {"type": "bool"},
    "compare": {"type": "str", "choices": ["counts", "digests"]},
    # From pgBackRest only.
    "data_directory": {"type": "path"},
    "keep_running": {"type": "bool"},
    "timeline": {"type": "int"},
}
