# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copies of a backup that has been made, or that a run would make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from .._core.errors import Cancelled, Day2Error, RepositoryError
from .._core.progress import Progress
from .._core.units import plural
from .._repository.envelope import Envelope
from .._repository.manifest import BACKUP, Manifest, content_digest
from .backup_plan import BackupPlan
from .copies import CopyRequest, apply, plan
from .copies_result import preview, result_of
from .copy_arguments import Destination, Missing
from .snapshots import backup_id


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
    result["copies"] = [
        _failed(one.location, str(one.error))
        if isinstance(one, Missing)
        else _copy(result, _request(result, ready, one), check, progress)
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
            "" if check else "The next run copies what is missing, also if the data has not changed.",
            {key: value for key, value in result.items() if key not in ("msg", "diff")},
        )


def _request(result: dict[str, Any], ready: BackupPlan, to: Destination) -> CopyRequest:
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
    except Cancelled:
        raise
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
