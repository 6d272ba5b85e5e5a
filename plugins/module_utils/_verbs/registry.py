# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs by name, for programs that run several of them. Each is imported only when it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# By the name of its module, where it lies in this package.
VERBS = {
    "backup": "backup",
    "backup_copy": "backup_copy",
    "backup_info": "backup_info",
    "cache_clean": "cache_clean",
    "evidence_info": "evidence_info",
    "health_check": "health.check",
    "health_info": "health.info",
    "lifecycle": "records.lifecycle",
    "lifecycle_info": "records.lifecycle_info",
    "log_report": "logs.report",
    "log_rotate": "logs.rotate",
    "migrate": "migrate.migrate",
    "migrate_info": "migrate.info",
    "postgresql_pitr": "postgresql_pitr",
    "purge": "records.purge",
    "records_update": "records.update",
    "records_validate": "records.validate",
    "restore": "restore",
    "restore_drill": "drill.drill",
    "retention": "retention",
    "store_info": "records.store_info",
    "store_optimize": "records.store_optimize",
}


def find_verb(name: str) -> Any:
    """The module of a verb: its ARGUMENTS, `run` and, if it has one, `request_from`."""
    return import_module(f".{VERBS[name]}", __package__)
