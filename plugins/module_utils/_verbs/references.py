# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that are made and kept elsewhere, and to which those of a repository only refer."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Callable, Optional

from .._core.errors import Cancelled, Day2Error, InvalidRequest, RepositoryError, TaskEnded
from .._core.progress import Progress
from .._repository.base import Repository
from .._repository.manifest import BACKUP, REFERENCE, Manifest
from .._stores.base import Referring
from .snapshots import NamedStore


def refers(entry: NamedStore) -> bool:
    """Whether a backup of the store only refers to one elsewhere."""
    return bool(getattr(entry.store, "refers", False))  # asking for the protocol makes newer Pythons import inspect


def kind_of(stores: Sequence[NamedStore]) -> str:
    """The kind of a backup of these stores."""
    return REFERENCE if any(refers(entry) for entry in stores) else BACKUP


def check_request(repository: Repository, stores: Sequence[NamedStore], params: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for what is not possible with backups that are kept elsewhere."""
    referring = [entry for entry in stores if refers(entry)]
    if not referring:
        return
    method = f"method={referring[0].store.parameters()['method']}"
    if len(referring) < len(stores):
        others = ", ".join(entry.name for entry in stores if not refers(entry))
        raise InvalidRequest(f"{method} is not possible together with other stores ({others}).", "Use a set for each.")
    if params["max_age"] is None:
        raise InvalidRequest(
            f"{method} requires max_age.",
            "Set it to the age from which a new backup is made: such a backup can't be compared with the tables.",
        )
    for option in ("copy_to", "import"):
        if params[option]:
            raise InvalidRequest(f"{option} is not possible with {method}, as the data is kept by AWS.", "Omit it.")
    if repository.encryption.recipients:
        raise InvalidRequest(
            f"encrypt_to is not possible with {method}: keep could not tell what to remove from AWS.",
            "Omit it. AWS encrypts its backups with the key of the table.",
        )


def why_outdated(stores: Sequence[NamedStore], newest: Manifest) -> str:
    """Why the newest backup is not enough, whatever its age, as a clause; "" if it is. Raises SourceError."""
    if newest.kind != kind_of(stores):
        return "the newest backup was made with another method"
    parts = {part.name: part for part in newest.sources}
    for entry in stores:
        store, part = entry.store, parts.get(entry.name)
        if not refers(entry) or not isinstance(store, Referring):
            continue
        if part is None or part.parameters != store.parameters():
            return "the newest backup was made with other options"
        store.build_on(part.details)
        outdated = store.outdated(part.details)
        if outdated:
            return outdated
    return ""


def forgetting(
    stores: Sequence[NamedStore], manifests: Sequence[Manifest], unreadable: Sequence[str]
) -> Callable[[str], None]:
    """What is called with the id of each backup that is about to be removed: removes what only it refers to.

    It raises RepositoryError when something of that stays, and the backup must, too.

    :param manifests: of all backups of the set.
    :param unreadable: the ids of those of which it is not known what they refer to.
    """
    known = {one.id: one for one in manifests}
    of_type = {entry.store.type: entry.store for entry in stores}

    def forget(backup: str) -> None:
        manifest = known.get(backup)
        if manifest is None or manifest.kind != REFERENCE:
            return
        if unreadable:
            raise RepositoryError(
                f"backup {unreadable[0]} may need the same data in AWS, but its manifest can't be read. Repair that "
                "backup, or remove it"
            )
        for part in manifest.sources:
            store: object = of_type.get(part.type)
            if not isinstance(store, Referring):
                raise RepositoryError(
                    f"the data in AWS that it refers to can only be removed by a backup of type {part.type}"
                )
            others = [other.details for one in known.values() if one.id != backup for other in one.sources]
            try:
                store.forget(part.details, others)
            except Day2Error as exc:
                raise RepositoryError(str(exc)) from exc
        del known[backup]

    return forget


def copyable(manifests: Sequence[Manifest], where: str) -> tuple[list[Manifest], list[str]]:
    """The backups that have their data here, and notes on the others. Raises RepositoryError if there are only others.

    :param where: the set, for people.
    """
    ids = [one.id for one in manifests if one.kind == REFERENCE]
    if len(ids) == len(manifests):
        raise RepositoryError(
            f"All backups of {where} only refer to data in AWS, which is not copied.",
            "Back up the tables with method=export into another set, and copy that.",
        )
    notes = [f"Not copied, as they only refer to data in AWS: {', '.join(ids)}."] if ids else []
    return [one for one in manifests if one.kind != REFERENCE], notes


def undivided(stores: Sequence[NamedStore], progress: Progress) -> contextlib.AbstractContextManager[None]:
    """To publish a backup: if it only refers to one elsewhere, no request to stop divides it from that."""
    return progress.critical() if any(map(refers, stores)) else contextlib.nullcontext()


class Abandoning:
    """If the block fails, what stores have made elsewhere is removed, as no backup will refer to it.

    :param published: whether a backup refers to it nevertheless; raises Day2Error if that is not known.
    """

    def __init__(self, stores: Sequence[NamedStore], published: Callable[[], bool] = lambda: False) -> None:
        self._stores = stores
        self._published = published

    def __enter__(self) -> Abandoning:
        return self

    def __exit__(self, _kind: object, exc: Optional[BaseException], _traceback: Optional[TracebackType]) -> None:
        if exc is None:
            return
        ended: BaseException = exc
        left: list[str] = []
        for store in [entry.store for entry in self._stores if isinstance(entry.store, Referring)]:
            try:
                left.append(self._abandon(store))
            except Cancelled as stopped:  # which is raised only once
                ended = stopped
                left.append(self._abandon(store))
        said = " ".join(one for one in left if one)
        if said and isinstance(ended, TaskEnded):
            ended.message, ended.args = f"{ended.message} {said}", (f"{ended} {said}",)
        if ended is not exc:
            raise ended

    def _abandon(self, store: Referring) -> str:
        try:
            return "" if self._published() else store.abandon()
        except Day2Error as exc:
            return f"The data of this backup in AWS is kept, as the backup may have been published: {exc.message}"
