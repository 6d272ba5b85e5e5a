# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backup: ensure that a set has a good, current backup, and remove those that the policy does not keep."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from .._core.compression import choose
from .._core.errors import Cancelled, SourceError
from .._core.files import resolve
from .._core.progress import Progress
from .._repository.history import remember_confirmed, remember_verified
from .._repository.location import open_repository
from .._repository.manifest import CHECKSUM, CONTENT, Manifest, check_set_name
from .._repository.owner import make_owner, this_host
from .._repository.retention import check_tags
from .arguments import (
    COMPRESSION,
    ENCRYPTION,
    KEEP,
    OBJECT_LOCK,
    REPOSITORY,
    TIMEOUT,
    duration,
    keep_policy,
    limited,
    optional,
)
from .backup_plan import BackupPlan, BackupRequest, plan, remember_fingerprints
from .backup_result import preview, result_of
from .copy_arguments import COPY_TO, Destination, destinations
from .evidence import EVIDENCE, recorded
from .references import Abandoning, check_request, forgetting, kind_of, undivided
from .removals import carry_out
from .snapshots import check_apart, check_secrets, note, publish
from .store_arguments import named_stores, store_argument

ARGUMENTS: dict[str, Any] = {
    "argument_spec": dict(
        name={"type": "str", "required": True},
        source=store_argument(),
        sources=store_argument(type="list", elements="dict"),
        host={"type": "str"},
        take_over={"type": "bool", "default": False},
        tags={"type": "list", "elements": "str"},
        strict={"type": "bool", "default": False},
        read_back={"type": "str", "choices": ["full", CHECKSUM], "default": "full"},
        max_age={"type": "str"},
        **{"import": {"type": "path"}},
        **REPOSITORY,
        **TIMEOUT,
        **OBJECT_LOCK,
        **ENCRYPTION,
        **COMPRESSION,
        **KEEP,
        **COPY_TO,
        **EVIDENCE,
    ),
    "mutually_exclusive": [("source", "sources"), ("sources", "import")],
    "required_one_of": [("source", "sources")],
}


def request_from(params: Mapping[str, Any]) -> BackupRequest:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid, MissingDependency when a
    program is missing.
    """
    repository = open_repository(params)
    stores = named_stores(params["source"], params["sources"])
    check_apart(repository, stores)
    check_secrets(repository, stores)
    check_request(repository, stores, params)
    compression, note = choose(params["compression"] or "")
    return BackupRequest(
        name=check_set_name(params["name"]),
        repository=repository,
        stores=stores,
        compression=compression,
        compression_note=note,
        keep=keep_policy(params["keep"]),
        max_age=optional(params["max_age"], duration),
        lock_timeout=duration(params["lock_timeout"]),
        imported=optional(params["import"], lambda path: resolve(path, SourceError)),
        owner=make_owner(this_host(params["host"]), [entry.path for entry in stores]),
        take_over=params["take_over"],
        tags=check_tags(params["tags"] or ()),
        strict=params["strict"],
    )


@recorded("backup")
@limited
def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Check mode runs only the plan."""
    began = time.monotonic()
    copies = destinations(params)
    request = request_from(params)
    for one in copies:
        if isinstance(one, Destination):
            check_apart(one.repository, request.stores)
    made: list[Manifest] = []
    try:
        with plan(request, check, progress) as ready:
            result = preview(ready) if check else apply(ready, made, progress)
    except Cancelled as exc:
        if not made:
            raise
        message = f"{exc.message} Before that: the backup {made[0].id} was published."
        raise Cancelled(message, exc.hint, {"changed": True}) from exc
    if copies:  # after the lock of the set was released: they may take long
        from .copy_to import add_copies  # only here: see _stores/registry.py

        try:
            add_copies(result, ready, copies, check, progress)
        except Cancelled as exc:
            if check or not result["changed"]:
                raise
            details = {key: value for key, value in result.items() if key not in ("msg", "diff")}
            raise Cancelled(f"{exc.message} Before that: {result['msg']}", exc.hint, details) from exc
    result["duration_s"] = round(time.monotonic() - began, 3)
    return result


def apply(ready: BackupPlan, made: list[Manifest], progress: Progress) -> dict[str, Any]:
    """Carry out the plan. State is written after the work that it describes.

    :param made: receives the backup that is published.
    """
    request = ready.request
    current = ready.history.newest
    if ready.writes and ready.files is not None:
        known = set(ready.ids)
        abandoning = Abandoning(request.stores, lambda: not set(request.repository.ids(request.name)) <= known)
        with undivided(request.stores, progress), abandoning:
            current = publish(
                request.repository,
                ready.files,
                request.name,
                ready.taken,
                created=ready.created,
                started=ready.started,
                kind=kind_of(request.stores),
                imported_from=request.imported,
                host=request.owner.host,
                tags=request.tags,
            )
            made.append(current)
    warnings = note(lambda: _remember(ready, current))
    kept = [*ready.kept, *([current.id] if current else [])]
    readable = [*ready.manifests, *([current] if current else [])]
    forget = forgetting(request.stores, readable, sorted(set(ready.ids) - {one.id for one in readable}))
    removed, more = carry_out(request.repository, request.name, kept, ready.removals, forget)
    result = result_of(ready, current, removed)
    result["warnings"] += warnings + more
    return result


def _remember(ready: BackupPlan, current: Optional[Manifest]) -> None:
    request, repository = ready.request, ready.request.repository
    if current is None or ready.reason == "recent":
        return
    existing = {*ready.ids, current.id}  # the lock is held since they were listed
    if ready.writes and current.read_back == CONTENT:
        remember_verified(repository, request.name, {current.id: []}, datetime.now(timezone.utc), existing=existing)
    if not request.imported:
        remember_confirmed(repository, request.name, current.id, ready.started, existing)
        if ready.taken:  # last: they may lie elsewhere, on a host that keeps nothing
            remember_fingerprints(request, ready.taken)
