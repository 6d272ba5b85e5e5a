# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes rotated files, each after the commands that run before a removal."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .._core.errors import Day2Error
from .._core.secure_directory import SecureDirectory
from .._core.sparse import allocated
from .identity import Identity
from .log_plan import LogPlan, Removed
from .reopen import Command, run_commands


class Remover:
    """Removes one file after the other.

    :param identity: the user for the removal; the commands run as the user of the task.
    :param before: commands for each file; if one fails, the file is kept.
    """

    def __init__(self, identity: Identity, before: Sequence[Command]) -> None:
        self._identity = identity
        self._before = before

    def remove(self, log: LogPlan, place: SecureDirectory, name: str, info: os.stat_result, reason: str) -> None:
        """Remove a rotated file, unless it has been replaced, and record that, or the error, in its log."""
        try:
            run_commands(self._before, {"path": log.path, "rotated": place.of(name)})
            with self._identity.taken(), place.errors("Can't remove", name):
                place.unlink(name, only=info)
        except Day2Error as exc:
            if not log.catch(exc):
                raise
            return
        note_removed(log, place.of(name), info, reason)


def note_removed(log: LogPlan, path: str, info: os.stat_result, reason: str) -> None:
    """Count a file as removed."""
    log.freed += allocated(info)
    log.removed += (Removed(path, allocated(info), reason),)
