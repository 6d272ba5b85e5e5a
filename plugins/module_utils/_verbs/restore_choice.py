# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup a restore takes: of this host rather than another, the latest, by time, by tags, by id or by path."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Optional

from .._core.errors import InvalidRequest, RepositoryError
from .._core.files import look, resolve
from .._core.paths import complaint, expand
from .._core.units import parse_time
from .._repository.base import Repository
from .._repository.directory import DirectoryRepository
from .._repository.history import History, read_history, select
from .._repository.location import check_exists
from .._repository.manifest import BACKUP, ID, Manifest
from .._repository.owner import make_owner, names_of, owner_of, owners_of, this_host
from .._repository.reading import load
from .._repository.retention import check_tags
from .arguments import NamedStore, optional


class Choice(NamedTuple):
    """What tells the backup. `backup` is "latest", an id, or the path of a backup that lies anywhere."""

    backup: str
    at: Optional[datetime]
    host: Optional[str]
    tags: Sequence[str]


def choice_from(params: Mapping[str, Any]) -> Choice:
    """Check the module's arguments. Raises InvalidRequest."""
    for name in ("at", "tags"):
        if params[name] and params["backup"] != "latest":
            raise InvalidRequest(f"{name} and backup both say which backup to take.", "Give one of them.")
    return Choice(
        backup=params["backup"],
        at=optional(params["at"], parse_time),
        host=optional(params["host"], this_host),
        tags=check_tags(params["tags"] or ()),
    )


def find(
    repository: Repository, name: str, choice: Choice, stores: Sequence[NamedStore]
) -> tuple[Repository, str, Manifest]:
    """The chosen backup, and where it lies: its repository and set."""
    if os.sep in choice.backup:
        given = expand(choice.backup)
        wrong = complaint(given)
        if wrong:
            raise InvalidRequest(f"backup {wrong}.")
        path = resolve(given, RepositoryError)
        parent, backup = os.path.split(path)
        info = look(path, RepositoryError)
        if not ID.fullmatch(backup) or info is None or not stat.S_ISDIR(info.st_mode):
            raise RepositoryError(f"{path} is not a backup.", "Name the directory that holds its manifest.json.")
        elsewhere = DirectoryRepository(os.path.dirname(parent))
        return elsewhere, os.path.basename(parent), load(elsewhere.look(os.path.basename(parent), backup))
    check_exists(repository)
    history = read_history(repository, name)
    if choice.backup == "latest":
        history = _tagged(choice, name, _own(choice, name, stores, history))
    manifest = select(history, choice.backup, choice.at, name)
    other = choice.host is not None and choice.host.casefold() != manifest.host.casefold()
    if other and manifest.kind == BACKUP:  # a safety backup has the name of the host itself, and is asked for by its id
        raise RepositoryError(
            f"Backup {manifest.id} is not of host {choice.host}: it is of {owner_of(manifest)}.",
            "Leave out host to restore it all the same.",
        )
    return repository, name, manifest


def _tagged(choice: Choice, name: str, history: History) -> History:
    tagged = history.tagged(choice.tags)
    if not tagged.good and history.good:
        known = sorted({tag for one in history.good for tag in one.tags})
        raise RepositoryError(
            f"The set {name} has no good backup that is tagged {','.join(choice.tags)}.",
            f"The tags in it are: {', '.join(known) or 'none'}.",
        )
    return tagged


def _own(choice: Choice, name: str, stores: Sequence[NamedStore], history: History) -> History:
    """Of several owners' backups in one set those of this host, and of these rather those of the target's path.

    A set that has backups of one other host only is restored, with a warning: the host may have taken that one's place.
    """
    host = this_host(choice.host)
    own = history.of_host(host)
    paths = make_owner(host, [entry.path for entry in stores]).paths
    of_paths = [entry for entry in own.entries if entry.manifest and set(paths) <= set(owner_of(entry.manifest).paths)]
    if any(entry.counts for entry in of_paths):
        return history._replace(entries=tuple(of_paths))
    owners = [owner for owner, _backups in owners_of(history.good)]
    if not own.good and choice.host is not None and owners:
        raise RepositoryError(
            f"The set {name} has no good backup of host {host}.", f"It has backups of: {names_of(owners)}."
        )
    if own.good or choice.host is not None:
        return own
    if len({owner.host for owner in owners}) > 1:
        raise RepositoryError(
            f"The set {name} has backups of several hosts, none of them this one, {host}: {names_of(owners)}.",
            "Set host to the one whose backup is to be restored.",
        )
    return history
