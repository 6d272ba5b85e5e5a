# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a migration's target gets back to what it was: what is saved before the first write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

from ..._core.errors import InvalidRequest, SourceError, TargetError
from ..._core.progress import Progress
from ..._stores.records.store import TargetStore
from .checkpoint import CREATED, DECLINED, EMPTY, NEW, RESTART
from .plan import MigratePlan, MigrateRequest
from .way_back import THIS

if TYPE_CHECKING:
    from .backup import Safety


def safety_of(request: MigrateRequest) -> Safety:
    """Where the target is saved."""
    from .backup import Safety  # which needs more than a run that saves nothing

    params = request.params
    if request.repository is None:
        raise InvalidRequest("There is no repository for a safety backup.", "Set repository.")
    return Safety(request.repository, request.name, params["compression"] or "", params["lock_timeout"])


def check_repository(request: MigrateRequest, target: TargetStore) -> None:
    """:raises InvalidRequest: there is none for a safety backup that is wanted."""
    if request.params["safety_backup"] and not request.params["repository"]:
        raise InvalidRequest(
            f"{target.location} contains records, but no repository for their backup is set.",
            "Set repository, or set safety_backup=false if the existing records are not worth keeping.",
        )


def ways_of(request: MigrateRequest, holding: Mapping[str, bool]) -> dict[str, str]:
    """How collections that exist get back to what they are, by whether they hold records."""
    saved_here = THIS if request.params["safety_backup"] else DECLINED
    return {name: saved_here if holds else EMPTY for name, holds in holding.items()}


def ways_back(ready: MigratePlan) -> dict[str, str]:
    """How each collection that is written gets back to what it was: of one under way, what was kept when it began."""
    jobs = [job for job in ready.jobs if job.changes]
    ways = ways_of(ready.request, {job.source.name: bool(job.existing_records) for job in jobs})
    for job in jobs:
        if job.state is not None and job.verdict != NEW:
            ways[job.source.name] = job.state.way
        elif not job.exists:
            ways[job.source.name] = CREATED
    return ways


def must_be_kept(ready: MigratePlan) -> bool:
    """Will records be removed that the application may have added since the first backup?"""
    return any(job.verdict == RESTART and job.comparison.removed for job in ready.jobs)


def saved(
    request: MigrateRequest,
    target: TargetStore,
    ways: Mapping[str, str],
    progress: Progress,
    *,
    always: bool = False,
    whole: str = "",
) -> Optional[str]:
    """Publish the way back, and with it what the target holds, if a collection needs that.

    :param ways: see `WayBack`; so is `whole`.
    :param always: keep what the target holds, whatever the ways are.
    :returns: the id of the backup, if it has data.
    """
    data = request.params["safety_backup"] and (always or THIS in ways.values() or whole == THIS)
    if data:
        check_repository(request, target)
    elif not request.params["repository"]:
        return None
    from .backup import save

    way = {"collections": dict(ways), **({"whole": whole} if whole else {})}
    try:
        manifest = save(safety_of(request), target, request.params["target"], way, progress, data=data)
    except SourceError as exc:
        raise TargetError(f"The safety backup of the target failed: {exc.message}", "Nothing was changed.") from exc
    return str(manifest.id) if data else None


def forget_way_back(ready: MigratePlan) -> None:
    """Remove the record of a run that has made all that it wrote, and was undone: it is not the one to revert."""
    if not ready.request.params["repository"]:
        return
    from .way_back import newest_way_back

    safety = safety_of(ready.request)
    way = newest_way_back(safety.repository, safety.name, ready.target)
    if way is not None and ways_back(ready) == way.ways and set(way.ways.values()) == {CREATED}:
        safety.repository.remove(safety.name, way.manifest.id)
