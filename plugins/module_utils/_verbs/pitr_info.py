# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backup_info where the backups are those of pgBackRest."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from .._core.errors import Day2Error, InvalidRequest
from .._core.units import format_duration, format_time, plural
from .._stores.postgresql.pitr.archive import Archive, describe, look
from .._stores.postgresql.pitr.stanza import Stanza
from .arguments import duration, optional


def refuse(params: Mapping[str, Any], spec: Mapping[str, Any], accepted: Sequence[str]) -> None:
    """Raise InvalidRequest for options that mean nothing here: they would be ignored."""
    for name, value in params.items():
        if name in spec and name not in accepted and value not in (spec[name].get("default"), None, [], {}):
            raise InvalidRequest(f"{name} does not apply to backups of pgBackRest.", "Omit it.")


def backup_info(params: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """The verb `backup_info` on pgBackRest."""
    began = time.monotonic()
    refuse(params, spec, ("name", "repository", "max_age", "verify", "lock_timeout", "evidence"))
    name = params["name"]
    if not name:
        raise InvalidRequest("name is required with pgBackRest.", "Set it to the name of the stanza.")
    max_age = optional(params["max_age"], duration)
    now = datetime.now(timezone.utc)
    try:
        archive = look(Stanza.at(params["repository"], name))
    except InvalidRequest:
        raise
    except Day2Error as exc:
        found = _unread(name, max_age, exc.message)
    else:
        found = _set(name, archive, max_age, now)
    problems = [dict(problem, set=name) for problem in found["problems"]]
    return {
        "changed": False,
        "sets": [found],
        "problems": problems,
        "ok": not problems and found["within_max_age"] is not False,
        "warnings": [],
        "at": format_time(now),
        "duration_s": round(time.monotonic() - began, 3),
    }


def _unread(name: str, max_age: Optional[float], why: str) -> dict[str, Any]:
    return {
        **_NOTHING,
        "name": name,
        "within_max_age": None if max_age is None else False,
        "msg": f"{name} can't be read: {why}",
        "problems": [{"backup": None, "path": name, "problem": why}],
    }


_NOTHING: Mapping[str, Any] = {
    "newest": None,
    "age_s": None,
    "foreign": False,
    "owners": [],
    "copies": None,
    "backups": [],
    "bytes": 0,
    "pitr": None,
}


def _set(name: str, archive: Archive, max_age: Optional[float], now: datetime) -> dict[str, Any]:
    described = describe(archive)
    backups, problems = described.pop("backups"), list(_problems(name, archive))
    newest = archive.good[-1] if archive.good else None
    age = None if newest is None else max(0.0, now.timestamp() - newest.stop)
    text = f"{name} has no good backup"
    if newest is not None and age is not None:
        text = f"the newest base backup of {name} is {format_duration(age)} old, and every moment from "
        text += f"{described['earliest']} to {described['latest'] or 'an unknown time'} can be restored"
    return {
        **_NOTHING,
        "name": name,
        "newest": newest.label if newest else None,
        "age_s": None if age is None else round(age, 3),
        "within_max_age": None if max_age is None else age is not None and age <= max_age,
        "msg": text + (f", {plural(len(problems), 'problem')}" if problems else ""),
        "backups": backups,
        "bytes": sum(one["stored_bytes"] for one in backups),
        "pitr": described,
        "problems": problems,
    }


def _problems(name: str, archive: Archive) -> Sequence[dict[str, Any]]:
    found = [(one.label, "it has errors: see pgbackrest info") for one in archive.backups if not one.good]
    if not archive.good:
        found.append(("", "it has no good backup"))
    archiver = archive.archiver
    if archiver is None:
        found.append(("", f"the end of its range is unknown: {archive.trouble}"))
    elif archiver.archive_mode == "off":
        found.append(("", "the server archives nothing: archive_mode is off"))
    elif archiver.failing:
        found.append(("", f"the server can't archive {archiver.failed_wal}, after {archiver.failed_count} failures"))
    return [{"backup": label or None, "path": name, "problem": problem} for label, problem in found]
