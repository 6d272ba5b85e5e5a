# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_pitr: archive the WAL of a server and make base backups of it, through pgBackRest."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .._core.errors import InvalidRequest
from .._core.progress import Progress
from .._core.s3_options import ARGUMENTS as S3
from .._core.units import parse_duration
from .._stores.postgresql.pitr.archive import Archive, describe, look, shown
from .._stores.postgresql.pitr.configure import SetUp, apply, message, plan
from .evidence import ON_THE_WAY, also, recorded

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "stanza": {"type": "str", "required": True},
        "data_directory": {"type": "path", "required": True},
        "port": {"type": "int", "default": 5432},
        "socket_directory": {"type": "path", "default": "/var/run/postgresql"},
        "repository": {"type": "path", "required": True},
        "s3": {"type": "dict", "options": S3},
        "encryption_key": {"type": "str", "no_log": True},
        "keep_full": {"type": "int", "default": 2},
        "keep_diff": {"type": "int"},
        "jobs": {"type": "int", "default": 2},
        "archive_timeout": {"type": "str", "default": "1m"},
        "check_timeout": {"type": "str", "default": "1m"},
        "first_backup": {"type": "bool", "default": True},
        "settings": {"type": "dict"},
        "secrets": {"type": "dict", "no_log": True},
        "config": {"type": "path"},
    },
}


@recorded(ON_THE_WAY)
def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Check mode runs only the plan."""
    began = time.monotonic()
    _check(params)
    with plan(params) as setup:
        if not check:
            apply(setup, params, progress)
    changed = setup.changed and not check
    archive = look(setup.stanza) if changed else setup.archive
    if not check:
        _record(setup.stanza.name, archive)
    return {
        "changed": setup.changed,
        "msg": message(setup._replace(archive=archive), check),
        "stanza": setup.stanza.name,
        "config": setup.file.path,
        "restart_needed": list(setup.restart),
        "pitr": describe(archive),
        "diff": _diff(setup),
        "warnings": _warnings(setup),
        "duration_s": round(time.monotonic() - began, 3),
    }


def _record(stanza: str, archive: Archive) -> None:
    """All backups, as its own timers make most of them."""
    for one in archive.good:
        also("backup", set=stanza, backup=one.label, bytes=one.size, reason="pgbackrest", made=shown(one.stop))


def _check(params: Mapping[str, Any]) -> None:
    for name in ("keep_full", "keep_diff", "jobs"):
        if params[name] is not None and params[name] < 1:
            raise InvalidRequest(f"{name} is {params[name]}; it must be at least 1.")
    for name in ("archive_timeout", "check_timeout"):
        parse_duration(params[name])
    if params["encryption_key"] is not None and len(params["encryption_key"]) < 16:
        raise InvalidRequest(
            "encryption_key is shorter than 16 characters.", "Create one with: openssl rand -base64 48"
        )


def _warnings(setup: SetUp) -> list[str]:
    found = []
    if setup.restart:
        found.append(
            f"Nothing of stanza {setup.stanza.name} is archived until the server is restarted, as "
            f"{' and '.join(setup.restart)} only take effect then."
        )
    if len(setup.archive.good) < len(setup.archive.backups):
        found.append(f"Stanza {setup.stanza.name} has backups with errors: run pgbackrest info.")
    return found


def _diff(setup: SetUp) -> dict[str, str]:
    found = setup.file.diff()
    return {**found, "after": found["after"] + "".join(f"{name} = {value}\n" for name, value in setup.settings.items())}
