# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of errors that the collection raises on purpose.

A message says what happened and to which path or key; the hint says what to do next. Whatever runs the
verbs (an Ansible module, a host-side program) catches `Day2Error` and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional


class Day2Error(Exception):
    """Something that the user can act on.

    :param message: what happened, to which path or key.
    :param hint: what to do next, as a sentence of its own.
    :param details: further facts for a machine to read; JSON types only, never a secret.
    """

    def __init__(self, message: str, hint: str = "", details: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(message if not hint else f"{message.rstrip()} {hint}")
        self.message = message
        self.hint = hint
        self.details: Mapping[str, Any] = dict(details or {})


class InvalidRequest(Day2Error):
    """An argument is wrong, or two do not go together."""


class SourceError(Day2Error):
    """A store can't be read: missing, empty, unreadable, damaged, or not what its type says."""


class TargetError(Day2Error):
    """A store can't be written, or writing it would destroy what the user did not say may go."""


class RepositoryError(Day2Error):
    """The repository can't be used: not writable, inside what it backs up, unknown backup."""


class DamagedBackup(RepositoryError):
    """A backup is not what its manifest says. Every problem is listed with the file that it is in."""

    def __init__(self, backup: str, problems: Sequence[Mapping[str, str]], hint: str = "") -> None:
        listed = "; ".join("{}: {}".format(problem["path"], problem["problem"]) for problem in problems)
        super().__init__(
            f"Backup {backup} is damaged: {listed}.",
            hint
            or "Nothing was changed. Choose another backup, or run backup_info with verify=full to see which are good.",
            {"problems": [dict(problem) for problem in problems]},
        )
        self.problems = [dict(problem) for problem in problems]


class LockTimeout(RepositoryError):
    """Somebody else holds the lock."""


class NoSpace(Day2Error):
    """A disk is full, or would be."""


class MissingDependency(Day2Error):
    """A library or program that only this request needs is not installed.

    :param name: the library or program.
    :param reason: what needs it.
    """

    def __init__(self, name: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{name} is needed {reason}, and was not found.", hint)
        self.name = name
        self.reason = reason


class Cancelled(Day2Error):
    """The controller went away, the task timed out, or the process was told to stop."""
