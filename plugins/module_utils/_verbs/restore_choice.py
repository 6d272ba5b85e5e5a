# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup a restore uses: of which host, the latest, by time, by tags, by id or by path."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Callable, NamedTuple, Optional

from .._core.errors import InvalidRequest, RepositoryError
from .._core.files import look, resolve
from .._core.paths import complaint, expand
from .._core.restic_options import ENGINE as RESTIC
from .._core.units import parse_time
from .._repository.base import Repository
from .._repository.directory import DirectoryRepository
from .._repository.encryption import check_trusted
from .._repository.history import History, read_history, select
from .._repository.location import ACCESS, check_exists, is_elsewhere, open_repository
from .._repository.manifest import ID, ORDINARY, SET, Manifest
from .._repository.opening import check_opened
from .._repository.owner import make_owner, names_of, owner_of, owners_of, this_host
from .._repository.reading import load
from .._repository.retention import check_tags
from .arguments import IDENTITY, optional
from .snapshots import NamedStore

# A backup: its repository, its set, and its manifest.
Found = tuple[Repository, str, Manifest]


class Choice(NamedTuple):
    """The criteria. `backup` is "latest", an id, or the path or address of a backup anywhere.

    `access`: the options for a backup at an address. `pick`: chooses among those that "latest" considers, instead of
    taking the newest; it is given the set's name, too.
    """

    backup: str
    at: Optional[datetime]
    host: Optional[str]
    tags: Sequence[str]
    access: Mapping[str, Any]
    pick: Optional[Callable[[History, str], Manifest]] = None


def choice_from(params: Mapping[str, Any]) -> Choice:
    """Check the arguments of the module. Raises InvalidRequest when they are not valid."""
    for name in ("at", "tags"):
        if params[name] and params["backup"] != "latest":
            raise InvalidRequest(f"{name} and backup are mutually exclusive.", "Set only one of them.")
    return Choice(
        backup=params["backup"],
        at=optional(params["at"], parse_time),
        host=optional(params["host"], this_host),
        tags=check_tags(params["tags"] or ()),
        access={name: params.get(name) for name in (*ACCESS, *IDENTITY)},
    )


def find(repository: Repository, name: str, choice: Choice, stores: Sequence[NamedStore]) -> Found:
    """The chosen backup with its repository and set. Raises RepositoryError when it can't be decrypted, or is not
    encrypted and should be.
    """
    where, set_name, manifest = _chosen(repository, name, choice, stores)
    check_opened(manifest, where.look(set_name, manifest.id), where.encryption)
    check_trusted(where, set_name, manifest)
    return where, set_name, manifest


def _chosen(repository: Repository, name: str, choice: Choice, stores: Sequence[NamedStore]) -> Found:
    if is_elsewhere(choice.backup) or (choice.access["engine"] == RESTIC and os.sep in choice.backup):
        return _at_address(choice)
    if os.sep in choice.backup:
        given = expand(choice.backup)
        wrong = complaint(given)
        if wrong:
            raise InvalidRequest(f"backup {wrong}.")
        path = resolve(given, RepositoryError)
        parent, backup = os.path.split(path)
        info = look(path, RepositoryError)
        if not ID.fullmatch(backup) or info is None or not stat.S_ISDIR(info.st_mode):
            raise RepositoryError(
                f"{path} is not a backup.", "Set backup to the directory that contains its manifest.json."
            )
        elsewhere = DirectoryRepository(os.path.dirname(parent))
        elsewhere.encryption = repository.encryption
        listed = elsewhere.look(os.path.basename(parent), backup)
        return elsewhere, os.path.basename(parent), load(listed, elsewhere.encryption)
    check_exists(repository)
    history = read_history(repository, name)
    if choice.backup == "latest":
        history = _tagged(choice, name, _own(choice, name, stores, history))
    manifest = (
        choice.pick(history, name)
        if choice.pick and choice.backup == "latest"
        else select(history, choice.backup, choice.at, name)
    )
    other = choice.host is not None and manifest.opened and choice.host.casefold() != manifest.host.casefold()
    if other and manifest.kind in ORDINARY:  # a safety backup has the name of this host, and is selected by id
        raise RepositoryError(
            f"Backup {manifest.id} is not of host {choice.host}, but of {owner_of(manifest)}.",
            "Omit host to restore it anyway.",
        )
    return repository, name, manifest


def _at_address(choice: Choice) -> Found:
    location, _slash, backup = choice.backup.rstrip("/").rpartition("/")
    location, _slash, name = location.rpartition("/")
    if not ID.fullmatch(backup) or not SET.fullmatch(name):
        raise RepositoryError(f"{choice.backup} is not a backup.", "Write the address of the repository, then /SET/ID.")
    elsewhere = open_repository({**choice.access, "repository": location})
    check_exists(elsewhere)
    return elsewhere, name, load(elsewhere.look(name, backup), elsewhere.encryption)


def _tagged(choice: Choice, name: str, history: History) -> History:
    tagged = history.tagged(choice.tags)
    if not tagged.good and history.good:
        known = sorted({tag for one in history.good for tag in one.tags})
        raise RepositoryError(
            f"The set {name} has no good backup with the tags {','.join(choice.tags)}.",
            f"Tags in this set are: {', '.join(known) or 'none'}.",
        )
    return tagged


def _own(choice: Choice, name: str, stores: Sequence[NamedStore], history: History) -> History:
    """Of the backups of several owners in one set, those of this host, and of these preferably those of the path of the
    target.

    If the set only has backups of one other host, they are used with a warning: this host may replace the other one.
    """
    host = this_host(choice.host)
    if history.newest is not None and not history.newest.opened:  # it may be of this host: it is not passed over
        return history
    own = history.of_host(host)
    paths = make_owner(host, [entry.path for entry in stores]).paths
    of_paths = [entry for entry in own.entries if entry.manifest and set(paths) <= set(owner_of(entry.manifest).paths)]
    if any(entry.counts for entry in of_paths):
        return history._replace(entries=tuple(of_paths))
    owners = [owner for owner, _backups in owners_of(history.good)]
    if not own.good and choice.host is not None and owners:
        raise RepositoryError(
            f"The set {name} has no good backup of host {host}.", f"The set has backups of: {names_of(owners)}."
        )
    if own.good or choice.host is not None:
        return own
    if len({owner.host for owner in owners}) > 1:
        raise RepositoryError(
            f"The set {name} has backups of several hosts, but none of this host, {host}: {names_of(owners)}.",
            "Set host to the host whose backup is to be restored.",
        )
    return history
