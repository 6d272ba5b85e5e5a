# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a job at a time, and at most as many jobs at the same time as the host has cores."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from typing import Any, Optional

from .._core.errors import Day2Error
from .._core.files import make_private_directory
from .places import state

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = 0.1  # seconds between two attempts
RUNNING, WAITING = "running", "waiting for other jobs to end"
CONDITIONS = "waiting: "  # and the condition that is not met


class Busy(Day2Error):
    """Another run of the job is in progress."""


class JobLock:
    """The lock of a job. It ends with the process. Not the lock of the data: the verb takes that itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.killed_at = 0.0  # when the run before this one last noted something, if it was killed
        self.killed: dict[str, Any] = {}  # and what
        self._fd, self._held = -1, False

    def take(self, wait: float) -> None:
        """Raises Busy when another run still holds it after `wait` seconds, OSError where no lock can be created."""
        self._fd = _open("locks", self.name)
        end = time.monotonic() + max(wait, 3 * _LOOK)  # `day2 status` holds the lock for a moment
        while not _locked(self._fd):
            if time.monotonic() >= end:
                raise _busy(self.name, self._fd)
            time.sleep(_LOOK)
        self._held = True
        info = os.fstat(self._fd)
        self.killed_at = info.st_mtime if info.st_size else 0.0
        with contextlib.suppress(OSError, ValueError):
            noted = json.loads(os.pread(self._fd, 500, 0))
            self.killed = noted if isinstance(noted, dict) else {}

    def ended(self) -> None:
        """The run has ended and is recorded. A run that was killed does not come here."""
        if self._held:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)

    def release(self) -> None:
        """For the next run of this process."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._held = -1, False

    def note(self, activity: str) -> None:
        """For `day2 status`. Nothing depends on it, so a full disk is no reason to fail."""
        if self._fd >= 0:
            noted = {"pid": os.getpid(), "activity": activity[:200], "invocation": os.environ.get("INVOCATION_ID", "")}
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, json.dumps(noted).encode(), 0)


class Slot:
    """One of as many slots as the host has cores, which limit concurrent jobs. It is released when the process ends."""

    def __init__(self) -> None:
        self._fds: list[int] = []

    def take(self) -> None:
        """Wait for one. Raises OSError where no lock can be created."""
        for number in range(len(os.sched_getaffinity(0))):
            self._fds.append(_open("slots", str(number)))
        while not any(_locked(fd) for fd in self._fds):
            time.sleep(_LOOK)

    def release(self) -> None:
        """For the others."""
        while self._fds:
            os.close(self._fds.pop())


def activity(name: str) -> Optional[dict[str, Any]]:
    """What the current run of a job does, or None if there is none."""
    try:
        fd = os.open(state("locks", name), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _locked(fd):
            return None
        with contextlib.suppress(OSError, ValueError):
            noted = json.loads(os.pread(fd, 500, 0))
            if isinstance(noted, dict):
                return noted
        return {"pid": None, "activity": RUNNING}
    finally:
        os.close(fd)


def _busy(name: str, fd: int) -> Busy:
    text = f"Another run of {name} is in progress"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(os.pread(fd, 500, 0))
        text += f" (process {int(noted['pid'])}, {noted['activity']})"
        if str(noted["activity"]).startswith(CONDITIONS):
            return Busy(f"{text}.", f"To run the job now, end that run: systemctl stop day2-{name}")
    return Busy(f"{text}.")


def _open(kind: str, name: str) -> int:
    make_private_directory(state(kind))
    return os.open(state(kind, name), _OPEN, 0o600)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
