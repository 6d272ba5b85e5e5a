# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restore where the backups are those of pgBackRest: a server of PostgreSQL at a moment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Optional

from .._core.errors import InvalidRequest
from .._core.progress import Progress
from .._core.units import parse_time, plural
from .._stores.postgresql.pitr.archive import describe
from .._stores.postgresql.pitr.copies import Copy, Target
from .._stores.postgresql.pitr.restore import Restored, apply, plan
from .._stores.postgresql.pitr.stanza import Stanza
from .arguments import duration, optional
from .pitr_info import refuse

_TARGET = ("type", "name", "data_directory", "host", "port", "keep_running", "timeline")
_SOCKETS = "/var/run/postgresql"


def restore(params: Mapping[str, Any], spec: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The verb `restore` from pgBackRest."""
    began = time.monotonic()
    ignored = ("on_existing", "safety_backup")  # nothing is ever replaced
    refuse(params, spec, ("name", "repository", "target", "at", "lock_timeout", "evidence", *ignored))
    at = optional(params["at"], parse_time)
    copy = plan(Stanza.at(params["repository"], params["name"]), _target(params["target"] or {}), at)
    done: Optional[Restored] = None
    if copy.changed and not check:
        done = apply(copy, progress, duration(params["lock_timeout"]))
    return _result(copy, done, check, began)


def _target(given: Mapping[str, Any]) -> Target:
    if given.get("type") != "postgresql" or not given.get("data_directory"):
        raise InvalidRequest(
            "pgBackRest restores a whole server of PostgreSQL.", "Set target.type=postgresql and data_directory."
        )
    foreign = sorted(name for name, value in given.items() if value is not None and name not in _TARGET)
    if foreign:
        raise InvalidRequest(
            f"{', '.join(foreign)} does not apply to a restore from pgBackRest.",
            "Restore the server to another directory, back up a database of the copy, and restore that backup.",
        )
    if not given.get("port"):
        raise InvalidRequest("The port of the copy is missing.", "Set it to a port that no server uses.")
    host = given.get("host") or _SOCKETS
    if not host.startswith("/"):
        raise InvalidRequest(f"host is {host}, but the copy only has a socket.", "Set it to a directory.")
    keep_running = given.get("keep_running") is not False
    return Target(given["data_directory"], host, given["port"], keep_running, given.get("timeline"))


def _result(copy: Copy, done: Optional[Restored], check: bool, began: float) -> dict[str, Any]:
    target = copy.target
    return {
        "changed": copy.changed,
        "msg": _message(copy, done, check),
        "backup": None,
        "foreign": False,
        "safety_backup": None,
        "pitr": {**describe(copy.archive), "last_transaction": done.last if done else None},
        "targets": [
            {
                "name": copy.stanza.name,
                "type": "postgresql",
                "path": target.directory,
                "changed": copy.changed,
                "changes": [],
            }
        ],
        "diff": {
            "before": "",
            "after": f"{target.directory}: stanza {copy.stanza.name} at {copy.moment}\n" if copy.changed else "",
        },
        "warnings": [*(done.notes if done else ()), *_timelines(copy), *_not_running(copy)],
        "duration_s": round(time.monotonic() - began, 3),
    }


def _timelines(copy: Copy) -> list[str]:
    """Once the server itself was put back to a moment, what it had written after that is on another timeline."""
    archive = copy.archive
    old = next((one.timeline for one in reversed(archive.suited(copy.at)) if one.good), 0)
    if not copy.changed or copy.target.timeline is not None or not 0 < old < archive.timeline:
        return []
    text = (
        f"The archive of stanza {copy.stanza.name} continues on timeline {archive.timeline}, which the restore follows"
    )
    return [f"{text}: later writes to timeline {old} are not in the copy (see the option timeline)."]


def _not_running(copy: Copy) -> list[str]:
    """Of a copy that exists: a killed run did not start it, or somebody has stopped it."""
    if copy.changed or copy.running or not copy.target.keep_running:
        return []
    return [f"The server of {copy.target.directory} does not run. Start it: pg_ctl -D {copy.target.directory} start."]


def _message(copy: Copy, done: Optional[Restored], check: bool) -> str:
    target, name = copy.target, copy.stanza.name
    if not copy.changed:
        return f"Nothing to restore: {target.directory} is the copy of stanza {name} at {copy.moment}."
    text = f"{'Would restore' if check else 'Restored'} stanza {name} at {copy.moment} to {target.directory}"
    if done is None:
        return text + "."
    text += f": {plural(len(done.databases), 'database')}"
    text += f", the last transaction in it is of {done.last}" if done.last else ""
    if target.keep_running:
        text += f". Its server listens on {target.socket_directory}, port {target.port}"
    return text + "."
