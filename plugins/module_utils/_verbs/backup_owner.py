# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set belongs to a host and its stores: checks that a backup does not begin in a set of another owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._core.errors import InvalidRequest
from .._repository.history import History
from .._repository.manifest import BACKUP, Manifest
from .._repository.owner import Owner, names_of
from .descriptions import describe_owners

if TYPE_CHECKING:
    from .backup_plan import BackupRequest


def check_owner(request: BackupRequest, history: History, others: Sequence[tuple[Owner, Sequence[Manifest]]]) -> None:
    """Refuse to begin in a set that belongs to another host or other stores.

    :raises InvalidRequest: the set has only backups of others, and `take_over` is not set.
    """
    if (
        not others
        or request.take_over
        or any(entry.manifest and entry.manifest.kind == BACKUP for entry in history.entries)
    ):
        return
    where = f"The set {request.name} in {request.repository.location}"
    owners = [owner for owner, _backups in others]
    hosts = {owner.host for owner in owners}
    if any(owner.closed for owner in owners):
        hint = (
            "If this host made its backups under another name, set host to that name. If its machine ID has changed "
            "since, set take_over=true once: it then starts its own history, and the old backups are retained."
        )
    elif request.owner.host in hosts:
        hint = (
            "If the data was moved, set take_over=true once: this host then starts its own history, and the "
            "old backups are retained."
        )
    else:
        hint = (
            "If the host was renamed, or gets a new name at each start (as in containers), set "
            f"host={sorted(hosts)[0]}. With take_over=true, this host starts its own history in this set, and "
            "backups of other owners are retained."
        )
    raise InvalidRequest(
        f"{where} belongs to {names_of(owners)}, not to {request.owner}.",
        f"Use a different set for each host and application. {hint}",
        {"other_owners": describe_owners(others)},
    )
