# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of errors that the collection raises on purpose.

A message says what happened and to which path or key; the hint says what to do next. A program that runs the verbs (an
Ansible module, a program on the host) catches `TaskEnded` and nothing else.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional


class TaskEnded(Exception):
    """Why a task could not be completed: an error, or it was to stop.

    :param message: what happened, to which path or key.
    :param hint: what to do next, as a sentence of its own.
    :param details: further facts for a machine to read; JSON types only, never a secret.
    """

    def __init__(self, message: str, hint: str = "", details: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(message if not hint else f"{message.rstrip()} {hint}")
        self.message = message
        self.hint = hint
        self.details: Mapping[str, Any] = dict(details or {})


class Day2Error(TaskEnded):
    """Something that the user can act on."""


class InvalidRequest(Day2Error):
    """An argument is wrong, or two arguments contradict each other."""


class SourceError(Day2Error):
    """A store can't be read: it is missing, empty, unreadable, damaged, or not of the type that was given."""


class TargetError(Day2Error):
    """A store can't be written, or writing would destroy data that the user did not agree to lose."""


class Violation(TargetError):
    """Data that the rules of a target refuse: running again changes nothing."""


class Differs(TargetError):
    """What was restored is not what the backup has."""


class RolledBack(TargetError):
    """A database has undone a transaction because of another one, as after a deadlock: one more try may succeed."""


class RepositoryError(Day2Error):
    """The repository can't be used: it is not writable, lies inside the data to back up, or lacks the backup."""


class Unreachable(RepositoryError):
    """The repository does not answer, or does not let us in. That says nothing about the backups in it."""


class Interrupted(Unreachable):
    """A connection was cut, or could not be made: one more try may succeed."""


class LeaseLost(RepositoryError):
    """The lock of a set was lost in the middle of a run, which must not publish or remove anything any more."""


class DamagedBackup(RepositoryError):
    """A backup differs from its manifest. Each problem is listed with its file."""

    def __init__(self, backup: str, problems: Sequence[Mapping[str, str]], hint: str = "") -> None:
        listed = "; ".join(f"{problem['path']}: {problem['problem']}" for problem in problems)
        super().__init__(
            f"Backup {backup} is damaged: {listed}.",
            hint
            or "Nothing was changed. Choose another backup, or run backup_info with verify=full to find the good ones.",
            {"problems": [dict(problem) for problem in problems]},
        )
        self.problems = [dict(problem) for problem in problems]


class LockTimeout(RepositoryError):
    """Another process holds the lock."""


class NoSpace(Day2Error):
    """A disk is full, or would become full."""


class WrongIdentity(Day2Error):
    """None of the identities can decrypt the data."""


class MissingDependency(Day2Error):
    """A library or program that only this request requires is not installed.

    :param name: the library or program.
    :param reason: what requires it.
    """

    def __init__(self, name: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{name} is required {reason}, but was not found.", hint)
        self.name = name
        self.reason = reason


class Cancelled(TaskEnded):
    """The controller has disconnected, the task timed out, or the process received a signal to stop.

    It is not a Day2Error: code that continues after an error must not continue after this, which is raised once.
    """


def explained(exc: TaskEnded) -> str:
    """The message, with a hint about missing permission if there is no other."""
    cause = exc.__cause__
    denied = isinstance(cause, OSError) and cause.errno in (errno.EACCES, errno.EPERM)
    if not denied or os.geteuid() == 0 or "become" in exc.hint:
        return str(exc)
    return f"{exc} Run as a user with permission (become: true)."
