# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a migration's target gets back to what it was: what is saved before the first write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

from ..._core.errors import Day2Error, InvalidRequest, SourceError, TargetError
from ..._core.progress import Progress
from ..._stores.records.store import TargetStore
from .checkpoint import CREATED, DECLINED, EMPTY, NEW, RESTART
from .plan import MigratePlan, MigrateRequest
from .way_back import THIS

if TYPE_CHECKING:
    from .backup import Safety


class Saved(NamedTuple):
    """The safety backup that was published, if one was."""

    id: str = ""
    data: bool = False  # does it have what the target held?

    @property
    def backup(self) -> Optional[str]:
        """Its id, if it has data."""
        return self.id if self.data else None


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


def to_be_written(ready: MigratePlan) -> dict[str, tuple[int, int]]:
    """How many records each collection that the migration makes will have, at least and at most."""
    most, ways = ready.request.params["max_rejects"], ways_back(ready)
    return {
        job.source.name: (max(0, job.profile.records - most), job.profile.records)
        for job in ready.jobs
        if ways.get(job.source.name) == CREATED
    }


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
    written: Optional[Mapping[str, Sequence[int]]] = None,
) -> Saved:
    """Publish the way back, and with it what the target holds, if a collection needs that.

    :param ways: see `WayBack`; so are `whole` and `written`.
    :param always: keep what the target holds, whatever the ways are.
    """
    data = request.params["safety_backup"] and (always or THIS in ways.values() or whole == THIS)
    if data:
        check_repository(request, target)
    elif not request.params["repository"]:
        return Saved()
    from .backup import save

    way = {"collections": dict(ways), "written": dict(written or {}), **({"whole": whole} if whole else {})}
    try:
        manifest = save(safety_of(request), target, request.params["target"], way, progress, data=data)
    except SourceError as exc:
        raise TargetError(f"The safety backup of the target failed: {exc.message}", "Nothing was changed.") from exc
    return Saved(str(manifest.id), data)


def forget_way_back(ready: MigratePlan, way: Saved) -> str:
    """Remove the record of a run that has made all that it wrote, and was undone: it is not the one to revert.

    :returns: a sentence on what remains of it, "" if nothing does.
    """
    if not way.id or way.data or set(ways_back(ready).values()) != {CREATED}:
        return ""
    safety = safety_of(ready.request)
    try:
        removal = safety.repository.remove(safety.name, way.id)
    except Day2Error as exc:
        return f"The safety backup {way.id} of this run remains: {exc.message}"
    if removal.stays:
        return f"The safety backup {way.id} of this run {removal.stays}."
    return " ".join(removal.notes)
