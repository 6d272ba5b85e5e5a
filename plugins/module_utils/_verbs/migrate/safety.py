# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back from a migration: what is saved before the first write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Optional

from ..._core.errors import InvalidRequest, SourceError, TargetError, TaskEnded
from ..._core.progress import Progress
from ..._stores.records.store import TargetStore
from .checkpoint import CREATED, DECLINED, EMPTY, NEW, RESTART
from .plan import MigratePlan, MigrateRequest
from .way_back import THIS

if TYPE_CHECKING:
    from .backup import Safety


class Saved(NamedTuple):
    """The published safety backup, if there is one."""

    id: str = ""
    data: bool = False  # does it have what the target held?

    @property
    def backup(self) -> Optional[str]:
        """Its id, if it has data."""
        return self.id if self.data else None


def safety_of(request: MigrateRequest) -> Safety:
    """Where the safety backup of the target is written."""
    from .backup import Safety  # which needs more than a run that saves nothing

    params = request.params
    if request.repository is None:
        raise InvalidRequest("There is no repository for a safety backup.", "Set repository.")
    return Safety(request.repository, request.name, params["compression"] or "", params["lock_timeout"])


def check_repository(request: MigrateRequest, target: TargetStore) -> None:
    """Check that there is a repository.

    :raises InvalidRequest: a safety backup is wanted, but no repository is set.
    """
    if request.params["safety_backup"] and not request.params["repository"]:
        raise InvalidRequest(
            f"{target.location} contains records, but no repository for their backup is set.",
            "Set repository, or set safety_backup=false if the existing records are not worth keeping.",
        )


def ways_of(request: MigrateRequest, holding: Mapping[str, bool]) -> dict[str, str]:
    """How existing collections are restored, by whether they contain records."""
    saved_here = THIS if request.params["safety_backup"] else DECLINED
    return {name: saved_here if holds else EMPTY for name, holds in holding.items()}


def ways_back(ready: MigratePlan) -> dict[str, str]:
    """How each collection that is written is restored. If its migration is in progress, as recorded when it began."""
    jobs = [job for job in ready.jobs if job.changes]
    ways = ways_of(ready.request, {job.source.name: bool(job.existing_records) for job in jobs})
    for job in jobs:
        if job.state is not None and job.verdict != NEW:
            ways[job.source.name] = job.state.way
        elif not job.exists:
            ways[job.source.name] = CREATED
    return ways


def to_be_written(ready: MigratePlan) -> dict[str, tuple[int, int]]:
    """The number of records that each created collection will have, at least and at most."""
    most, ways = ready.request.params["max_rejects"], ways_back(ready)
    return {
        job.source.name: (max(0, job.profile.records - most), job.profile.records)
        for job in ready.jobs
        if ways.get(job.source.name) == CREATED
    }


def must_be_kept(ready: MigratePlan) -> bool:
    """Whether records are removed that the application may have added since the first backup."""
    return any(job.verdict == RESTART and job.comparison.removed for job in ready.jobs)


def saved(
    request: MigrateRequest,
    target: TargetStore,
    ways: Mapping[str, str],
    progress: Progress,
    *,
    always: bool = False,
    whole: str = "",
    database: bool = False,
    written: Optional[Mapping[str, Sequence[int]]] = None,
) -> Saved:
    """Publish the way back, with the content of the target if a collection needs it.

    :param ways: as in `WayBack`, like `whole` and `written`.
    :param always: save the content of the target, whatever the ways are.
    :param database: save the whole database, not only the records.
    """
    data = request.params["safety_backup"] and (always or THIS in ways.values() or whole == THIS)
    if data:
        check_repository(request, target)
    elif not request.params["repository"]:
        return Saved()
    from .backup import save

    way = {"collections": dict(ways), "written": dict(written or {}), **({"whole": whole} if whole else {})}
    try:
        options = request.params["target"]
        manifest = save(safety_of(request), target, options, way, progress, data=data, whole=database)
    except SourceError as exc:
        raise TargetError(f"The safety backup of the target failed: {exc.message}", "Nothing was changed.") from exc
    return Saved(str(manifest.id), data)


def forget_way_back(ready: MigratePlan, way: Saved) -> str:
    """Remove the record of a run that was undone: it is not the run to revert.

    Such a run has created all that it has written (`can_be_undone`), so that its record has no data.

    :returns: a sentence on what remains of it, or "".
    """
    if not way.id:
        return ""
    safety = safety_of(ready.request)
    try:
        removal = safety.repository.remove(safety.name, way.id)
    except TaskEnded as exc:  # its caller ends the task in any case
        return f"The safety backup {way.id} of this run remains: {exc.message}"
    if removal.stays:
        return f"The safety backup {way.id} of this run {removal.stays}."
    return " ".join(removal.notes)
