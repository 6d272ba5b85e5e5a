# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backup_copy: ensure that a repository has copies of the backups in another one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .._core.errors import InvalidRequest
from .._core.progress import Progress
from .._repository.location import open_repository
from .._repository.manifest import ID, check_set_name
from .arguments import PLACE, REPOSITORY, TIMEOUT, duration, limited
from .copies import apply, plan
from .copies_result import preview, result_of
from .copy_arguments import DESTINATION, destination
from .copy_plan import ALL, NEWEST, CopyRequest
from .evidence import EVIDENCE, recorded

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        name={"type": "str", "required": True},
        which={"type": "str", "default": NEWEST},
        take_over={"type": "bool", "default": False},
        to={"type": "dict", "required": True, "options": DESTINATION},
        lock_timeout=REPOSITORY["lock_timeout"],
        **TIMEOUT,
        **EVIDENCE,
        **{"from": {"type": "dict", "required": True, "options": PLACE}},
    ),
}


def request_from(params: Mapping[str, Any]) -> CopyRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid."""
    which = params["which"]
    if which not in (NEWEST, ALL) and not ID.fullmatch(which):
        raise InvalidRequest(f"which is {which!r}.", "Set it to newest, to all, or to the ID of a backup.")
    target = destination(params["to"], [params["from"]])
    return CopyRequest(
        name=check_set_name(params["name"]),
        source=open_repository(params["from"]),
        target=target.repository,
        which=which,
        keep=target.keep,
        take_over=params["take_over"],
        lock_timeout=duration(params["lock_timeout"]),
        insist=which not in (NEWEST, ALL),
    )


@recorded("copy")
@limited
def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Check mode runs only the plan."""
    began = time.monotonic()
    with plan(request_from(params), check) as ready:
        result = preview(ready) if check else result_of(ready, apply(ready, progress))
    result["duration_s"] = round(time.monotonic() - began, 3)
    return result
