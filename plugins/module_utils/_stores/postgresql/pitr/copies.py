# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of a server: what it is to be, and whether its server runs."""

from __future__ import annotations

import os
from datetime import datetime
from typing import NamedTuple, Optional

from ...._core.errors import RepositoryError
from ...._core.units import format_time
from .archive import Archive, BaseBackup
from .stanza import Stanza


class Target(NamedTuple):
    """Where the copy goes, and where its server listens."""

    directory: str
    socket_directory: str
    port: int
    keep_running: bool
    timeline: Optional[int] = None  # to follow; None: the newest


class Copy(NamedTuple):
    """What is to be restored. `at` is None for everything that is archived."""

    stanza: Stanza
    archive: Archive
    target: Target
    at: Optional[datetime]
    existing: bool  # the directory is this copy already

    @property
    def running(self) -> bool:
        """Whether a server runs in the directory."""
        return pid_in(self.target.directory) is not None

    @property
    def changed(self) -> bool:
        return not self.existing

    @property
    def moment(self) -> str:
        """For people."""
        moment = "the end of the archive" if self.at is None else format_time(self.at)
        return moment if self.target.timeline is None else f"{moment} on timeline {self.target.timeline}"

    def base(self) -> Optional[BaseBackup]:
        """The backup to begin with; None: pgBackRest takes the last one. Raises RepositoryError.

        It looks at times only, and a backup of a later timeline leads to no earlier one.
        """
        wanted, newest = self.target.timeline, self.archive.timeline
        if wanted is None:
            return None
        if not 1 <= wanted <= newest:
            raise RepositoryError(
                f"Stanza {self.stanza.name} has no timeline {wanted}.", f"Its newest one is {newest}. Correct timeline."
            )
        found = [one for one in self.archive.suited(self.at) if one.good and 0 < one.timeline <= wanted]
        if not found:
            raise RepositoryError(
                f"Stanza {self.stanza.name} has no good backup before {self.moment}.",
                "Choose a later time or timeline.",
            )
        return max(found, key=lambda one: (one.timeline, one.stop))


def lines_of(directory: str) -> list[str]:
    """What the server in a directory has written about itself. Empty if none runs there."""
    try:
        with open(os.path.join(directory, "postmaster.pid"), encoding="utf-8", errors="replace") as handle:
            return handle.read().splitlines()
    except OSError:
        return []


def pid_in(directory: str) -> Optional[int]:
    """Of the server that runs in a directory."""
    lines = lines_of(directory)
    try:
        pid = int(lines[0])
        cwd = os.stat(f"/proc/{pid}/cwd")
        return pid if os.path.samestat(cwd, os.stat(directory)) else None
    except (IndexError, ValueError, OSError):
        return None
