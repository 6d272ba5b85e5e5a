# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copies of a backup that has been made, or that a run would make."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Sequence
from typing import Any, Optional, Union

from .._core.errors import Day2Error, RepositoryError
from .._core.progress import Progress
from .._core.units import plural
from .._repository.base import Repository
from .._repository.envelope import Envelope
from .._repository.manifest import BACKUP, Manifest, content_digest
from .backup_plan import BackupPlan, reader_of
from .copies import apply, plan
from .copies_result import preview, result_of
from .copy_arguments import Destination, Missing
from .copy_plan import CopyRequest
from .snapshots import backup_id
from .space import stored_bytes


def add_copies(
    result: dict[str, Any],
    ready: BackupPlan,
    copies: Sequence[Union[Destination, Missing]],
    check: bool,
    progress: Progress,
) -> None:
    """See to it that each destination has the backup of a result, and add what became of it to the result.

    All are tried. Raises RepositoryError, with the result as its details, if one failed.
    """
    coming = _Coming(ready, progress)
    result["copies"] = [
        _failed(one.location, str(one.error))
        if isinstance(one, Missing)
        else _copy(result, _request(result, ready, one, coming), check, progress)
        for one in copies
    ]
    result["changed"] = result["changed"] or any(one["changed"] for one in result["copies"])
    result["msg"] = " ".join([result["msg"], *(one["msg"] for one in result["copies"] if one["changed"])])
    failed = [one for one in result["copies"] if one["failed"]]
    if failed:
        reasons = " ".join(f"{one['repository']}: {one['msg']}" for one in failed)
        several = f"{len(failed)} of {plural(len(copies), 'copy', 'copies')} {'would fail' if check else 'failed'}"
        raise RepositoryError(
            f"{result['msg']} {several}: {reasons}",
            "" if check else "The next run copies the missing backups, even if the data has not changed.",
            {key: value for key, value in result.items() if key not in ("msg", "diff")},
        )


class _Coming:
    """The bytes of the backup that a run would make. Where several repositories are on one file system, each takes them
    from it.
    """

    def __init__(self, ready: BackupPlan, progress: Progress) -> None:
        self._ready = ready
        self._progress = progress
        self._taken = [_device(ready.request.repository)]

    def bytes_in(self, target: Repository, free: int) -> int:
        """How many it takes in the target. The store is read and compressed to know only if these may be too many."""
        self._taken.append(_device(target))
        times = self._taken.count(_device(target))
        size = sum(one.bytes for one in self._ready.taken)
        if times * (size + size // 64) <= free:  # compressed, it is never much larger
            return times * size
        return times * self._measured

    @functools.cached_property
    def _measured(self) -> int:
        request = self._ready.request
        return stored_bytes(request.stores, request.compression, self._progress, reader_of(request))


def _device(repository: Repository) -> Optional[int]:
    """The file system of a repository, or of the nearest directory above it that exists."""
    path = repository.local_path
    while path is not None:
        with contextlib.suppress(FileNotFoundError):
            return os.stat(path).st_dev
        path = os.path.dirname(path)
    return None


def _request(result: dict[str, Any], ready: BackupPlan, to: Destination, coming: _Coming) -> CopyRequest:
    request, made = ready.request, result["backup"]["id"]
    compared = ready.reason != "recent" and request.imported is None
    return CopyRequest(
        name=request.name,
        source=request.repository,
        target=to.repository,
        which=made or "",
        keep=to.keep,
        take_over=request.take_over,
        lock_timeout=request.lock_timeout,
        confirmed=ready.started if compared else None,
        owner=request.owner,
        coming=None if made else _coming(ready),
        coming_bytes=coming.bytes_in,
    )


def _coming(ready: BackupPlan) -> Manifest:
    """The backup that a run would make."""
    request, parts = ready.request, tuple(one.part for one in ready.taken)
    encrypted = bool(request.repository.encryption.recipients)
    return Manifest(
        id=backup_id(ready.created, content_digest(parts)),
        set=request.name,
        kind=BACKUP,
        created=ready.created,
        host=request.owner.host,
        tools={},
        compression=request.compression.name,
        duration_s=0.0,
        sources=parts,
        tags=tuple(request.tags),
        envelope=Envelope("", "", (), (), "", "", None, ()) if encrypted else None,
    )


def _copy(result: dict[str, Any], request: CopyRequest, check: bool, progress: Progress) -> dict[str, Any]:
    told = _failed(request.target.location, "")
    try:
        with plan(request, check) as ready:
            done = preview(ready) if check else result_of(ready, apply(ready, progress))
    except Day2Error as exc:
        result["warnings"] += exc.details.get("warnings", ())
        told["removed"] = list(exc.details.get("removed", ()))
        return dict(told, changed=bool(exc.details.get("changed")), msg=str(exc))
    result["warnings"] += done["warnings"]
    if request.coming is None:
        have = [*done["existing"], *(one["id"] for one in done["copied"])]
        told["path"] = request.target.path(request.name, have[0]) if have else None
    return dict(told, failed=False, **{key: done[key] for key in ("changed", "removed", "locked", "msg")})


def _failed(location: str, msg: str) -> dict[str, Any]:
    return {
        "repository": location,
        "path": None,
        "changed": False,
        "failed": True,
        "removed": [],
        "locked": [],
        "msg": msg,
    }
