# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""migrate_info: the progress of a migration, and the differences between its two sides."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..._core.progress import Progress
from ..._core.scratch import scratch_directory
from ..._core.units import plural
from ..._core.workers import usual_number
from ..._repository.opening import NotOpened
from ..._stores.records.plain import plain_view
from ..._stores.records.registry import open_source, open_target
from ..._stores.records.store import SourceStore, TargetStore
from ..._stores.records.versions import Versioned
from ..arguments import IDENTITY
from .checkpoint import CREATED, DECLINED, EMPTY, State, states_of
from .migrate import ARGUMENTS as MIGRATE
from .migrate import request_from as migrate_request
from .plan import MigrateRequest, look, wanted
from .report import report

_SHARED = (
    "name",
    "source",
    "target",
    "only",
    "primary_keys",
    "shape",
    "names",
    "target_tables",
    "types",
    "odd",
    "timezone",
    "workers",
    "repository",
    "s3",
    *IDENTITY,
    "rclone",
    "engine",
    "restic",
    "names_key",
    "limit",
    "grace",
)
_OPTIONS = MIGRATE["argument_spec"]

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        {option: _OPTIONS[option] for option in _SHARED},
        source=dict(_OPTIONS["source"], required=True),
        compare={"type": "bool", "default": False},
    )
}


def request_from(params: Mapping[str, Any]) -> MigrateRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid."""
    # what migrate is asked for beside that; nothing of it is a reason not to look
    asked = {option: one.get("default") for option, one in _OPTIONS.items()}
    return migrate_request({**asked, "on_existing": "replace", **params})


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Nothing is ever written."""
    began = time.monotonic()
    request = request_from(params)
    keys = {one["collection"]: one["fields"] for one in params["primary_keys"] or ()}
    workers = params["workers"] or usual_number()
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(open_target(params["target"], keys, workers))
        source = plain_view(stack.enter_context(open_source(params["source"], keys, workers)), target)
        target.check_state()
        result = _standing(request, source, target)
        if params["compare"]:
            scratch = stack.enter_context(scratch_directory())
            waiting = [
                words
                for number, store in enumerate((source, target))
                for words in _copied(store, scratch, number, progress)
            ]
            compared = _compared(request, source, target, scratch, progress)
            result["same"] = not compared["changed"]
            result["comparison"] = [
                {
                    name: row[name]
                    for name in ("name", "total", "added", "changed", "removed", "left", "rejected", "digest")
                }
                for row in compared["migration"]["collections"]
            ]
            result["warnings"] = list(dict.fromkeys(compared["warnings"] + waiting))
    result["msg"] = _message(result)
    result["duration_s"] = round(time.monotonic() - began, 3)
    return result


def _copied(store: Any, scratch: str, number: int, progress: Progress) -> Sequence[str]:
    """Read the store without keeping its application waiting. Returns sentences for the user."""
    if not hasattr(store, "read_copy"):
        return ()
    directory = os.path.join(scratch, f"store-{number}")
    os.mkdir(directory, 0o700)
    found: Sequence[str] = store.read_copy(directory, progress)
    return found


def _compared(
    request: MigrateRequest, source: SourceStore, target: TargetStore, scratch: str, progress: Progress
) -> dict[str, Any]:
    if target.type == "postgresql":
        from .existing import compare_existing, existing_tables

        tables = existing_tables(request, source, target)
        if tables is not None:
            return compare_existing(request, source, tables, scratch, progress)
    return report(look(request, source, target, scratch, progress), check=True)


def _standing(request: MigrateRequest, source: SourceStore, target: TargetStore) -> dict[str, Any]:
    names = [info.name for info in wanted(request, source)]
    states = states_of(target.location, target.checkpoints(names))
    return {
        "changed": False,
        "source": source.location,
        "target": target.location,
        "unfinished": bool(states),
        "checkpoints": [
            {
                "name": name,
                "source": one.origin,
                "on_existing": one.identity.mode,
                "done": one.done,
                "total": one.records,
                "rejected": one.rejected,
                "removed": one.removed,
            }
            for name, one in states.items()
        ],
        "same": None,
        "comparison": [],
        "safety_backup": _safety_backup(request, target, states),
        "schema_version": max(target.versions(), default=None) if isinstance(target, Versioned) else None,
    }


def _safety_backup(request: MigrateRequest, target: TargetStore, states: Mapping[str, State]) -> Optional[str]:
    """The backup that `state=reverted` would restore, if it is a single one."""
    if request.repository is not None:
        from .way_back import newest_way_back

        try:
            way = newest_way_back(request.repository, request.name, target)
        except NotOpened:  # which it is, only an identity tells
            return None
        found = list(way.backups()) if way is not None else []
    else:
        found = sorted({state.way for state in states.values() if state.way not in (CREATED, EMPTY, DECLINED)})
    return found[0] if found else None


def _message(result: Mapping[str, Any]) -> str:
    if result["unfinished"]:
        done = sum(one["done"] for one in result["checkpoints"])
        total = sum(one["total"] for one in result["checkpoints"])
        return (
            f"The migration of {result['source']} to {result['target']} is unfinished: {done} of "
            f"{plural(total, 'record')} of the collections that it has begun."
        )
    if result["same"] is None:
        return f"No migration of {result['source']} to {result['target']} is in progress."
    return f"{result['source']} and {result['target']} hold {'the same' if result['same'] else 'different'} records."
