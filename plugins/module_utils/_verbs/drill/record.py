# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last drills of each set, in one small file of the host: fleet_report reads it, however they were started."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional

from ..._core import host_state
from ..._core.errors import Day2Error
from ..._core.files import make_private_directory, os_errors
from ..._repository.owner import this_host
from .outcome import FAIL, INCONCLUSIVE

_DOCUMENT = "drills"
_MOST = 500  # sets; those that were drilled last stay
_PLACES = 50  # drills of one set
_FROM = " from "  # of a key, before the repository
_LONGEST = 300  # characters of a reason


def record(result: Mapping[str, Any], rule: str, host: Optional[str]) -> list[str]:
    """Keep the drill as the last one of its set, rule and repository, unless it says nothing and that one has failed. A
    failure to do so is a warning.

    :param rule: "newest" or "sample". Of each, the last one counts: a sample that is good does not make up for a newest
        backup that is not, and neither does a copy elsewhere.
    :param host: the option `host`. What is restored of another host says nothing of this one.
    """
    drill = result["drill"]
    other = host if host is not None and host.casefold() != this_host().casefold() else None
    key = f"{rule}{f' of {other}' if other else ''}{_FROM}{drill['repository']}"
    entry = {
        "at": drill["at"],
        "result": drill["verdict"],
        "backup": drill["backup"],
        "from": drill["repository"],
        "host": other,
        "reason": (drill["reason"] or "")[:_LONGEST] or None,
        "stages": drill["stages"],
        "measured_rpo_s": max(0.0, drill["canary"]["behind_s"]) if drill["canary"] else None,
    }
    try:
        with _guard():
            sets = host_state.read(_DOCUMENT).get("sets")
            known = {name: one for name, one in sets.items() if isinstance(one, dict)} if isinstance(sets, dict) else {}
            kept = {name: known[name] for name in known if name != drill["set"]}
            kept = dict(list(kept.items())[-_MOST + 1 :])
            before = {name: one for name, one in known.get(drill["set"], {}).items() if _FROM in name}
            before = dict(list(before.items())[-_PLACES:])
            if drill["verdict"] == INCONCLUSIVE and _failed(before.get(key)):
                return []  # that it could not be tried again does not make the backup good
            before.pop(key, None)
            kept[drill["set"]] = {**before, key: entry}
            host_state.write({"schema": 1, "sets": kept}, _DOCUMENT)
    except Day2Error as exc:
        return [f"The drill could not be recorded for fleet_report: {exc.message}"]
    return []


def _failed(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("result") == FAIL


@contextmanager
def _guard() -> Iterator[None]:
    path = os.path.join(host_state.directory(), _DOCUMENT + ".lock")
    with os_errors(Day2Error, "Can't lock", path):
        make_private_directory(os.path.dirname(path))
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)
