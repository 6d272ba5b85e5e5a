# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a backup: a set belongs to one host and the paths of its stores on that host."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

from .._core.errors import InvalidRequest
from .envelope import equal, marks_of
from .manifest import Manifest
from .recognition import is_recognized

HERE, ELSEWHERE = "here", "elsewhere"


class Owner(NamedTuple):
    """A host and the paths of the stores that are backed up together on it.

    `closed`: of encrypted backups that could not be opened, whether this host or another one has made them. Then `host`
    is empty, and `paths` are digests that tell one owner from another.
    """

    host: str
    paths: tuple[str, ...]
    closed: str = ""

    def owns(self, manifest: Manifest) -> bool:
        """Whether a backup is of this host and of no other store: a backup of more stores contains data that this owner
        lacks.
        """
        if not self.closed and not manifest.opened and manifest.envelope is not None:
            marks = marks_of(manifest.id)
            known = equal(manifest.envelope.owner, marks.owner(self.host))
            return known and set(manifest.envelope.paths) <= set(map(marks.path, self.paths))
        other = owner_of(manifest)
        same = (self.host.casefold(), self.closed) == (other.host.casefold(), other.closed)
        return same and set(other.paths) <= set(self.paths)

    def __str__(self) -> str:
        if self.closed:
            where = "on this host " if self.closed == HERE else ""
            return f"an unknown owner {where}(its backups are encrypted, and only an identity could read them)"
        return f"{' and '.join(self.paths)} on host {self.host}"


def is_of_host(manifest: Manifest, host: str) -> bool:
    """Whether a backup is of a host."""
    if not manifest.opened and manifest.envelope is not None:
        return equal(manifest.envelope.owner, marks_of(manifest.id).owner(host))
    return manifest.host.casefold() == host.casefold()


def owner_of(manifest: Manifest) -> Owner:
    """The owner that a manifest names."""
    if not manifest.opened and manifest.envelope is not None:
        own = is_recognized(manifest) or is_of_host(manifest, this_host())
        return Owner("", tuple(sorted(manifest.envelope.series)), HERE if own else ELSEWHERE)
    return make_owner(manifest.host, [part.path for part in manifest.sources])


def make_owner(host: str, paths: Iterable[str]) -> Owner:
    """The owner with stores at these paths."""
    return Owner(host, tuple(sorted({path if "://" in path else os.path.normpath(path) for path in paths})))


def this_host(given: Optional[str] = None) -> str:
    """The name of the host in backups: the given one, otherwise the host name."""
    if given is None:
        return os.uname().nodename
    if not given.strip() or any(ord(character) < 32 for character in given):
        raise InvalidRequest(f"{given!r} is not a valid host name.", "Write for example hawkfish1.")
    return given


def owners_of(manifests: Iterable[Manifest]) -> list[tuple[Owner, list[Manifest]]]:
    """The owners of backups, each with its backups in order. An owner of more stores includes those of fewer."""
    groups: list[tuple[Owner, list[Manifest]]] = []
    remaining = list(manifests)
    for owner in sorted({owner_of(one) for one in remaining}, key=lambda one: (-len(one.paths), one)):
        own = [one for one in remaining if owner.owns(one)]
        if own:
            groups.append((owner, own))
            remaining = [one for one in remaining if not owner.owns(one)]
    return sorted(groups)


def names_of(owners: Sequence[Owner]) -> str:
    """Owners as text, at most three of them."""
    told = list(dict.fromkeys(map(str, owners)))  # of those that only an identity tells, one is as good as another
    listed = told[:3]
    more = len(told) - len(listed)
    return "; ".join(listed) + (f"; and {more} more" if more else "")
