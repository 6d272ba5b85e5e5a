# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a set in a remote store: a lease, which its holder renews, and which otherwise expires."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import socket
import threading
import time
from datetime import datetime, timezone
from typing import Any, Optional

from .._core.errors import Day2Error, LeaseLost, LockTimeout
from .._core.units import format_time
from .objects import Object, Objects

LEASE = 120.0  # seconds
_TRUSTED = 0.75  # of a lease, after which its holder does not believe in it any more
_RENEWED = 0.25  # of a lease, after which it is renewed


def boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as handle:
            return handle.read().strip()
    except OSError:
        return ""


def _namespace() -> str:
    """In which the numbers of processes count: containers have their own."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _here() -> dict[str, Any]:
    """Only where all of this is equal can be looked whether a process is gone."""
    return {"boot": boot_id(), "host": socket.gethostname(), "namespace": _namespace(), "uid": os.geteuid()}


def _started(pid: int, proc: str = "/proc") -> str:
    """When a process began, in the kernel's ticks. Raises OSError."""
    with open(f"{proc}/{pid}/stat", "rb") as handle:
        return handle.read().rpartition(b")")[2].split()[19].decode()


def _own_start() -> str:
    try:
        return _started(os.getpid())
    except (OSError, IndexError):
        return ""


def _is_gone(pid: int, started: str, proc: str = "/proc") -> bool:
    """Whether a process has ended. One that can't be seen has not."""
    try:
        return _started(pid, proc) != started
    except FileNotFoundError:
        return not _is_there(pid)  # /proc can be mounted so that it hides processes
    except (OSError, IndexError):
        return False


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


class Lease:
    """The lock of one set, while it is held. Kinds of locks are its subclasses.

    :param prefix: SET/.state/lock/
    """

    def __init__(self, objects: Objects, prefix: str, verb: str, lease: float = LEASE) -> None:
        self._objects = objects
        self._prefix = prefix
        self._lease = lease
        self._good = 0.0  # when the last renewal that succeeded began
        self._lost = ""
        self._trouble = ""  # what the last renewal met, as the end of a sentence
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._document = json.dumps(
            {
                "token": secrets.token_hex(16),
                "verb": verb,
                "pid": os.getpid(),
                "process": _own_start(),
                **_here(),
                "since": format_time(datetime.now(timezone.utc)),
            }
        ).encode()

    def acquire(self, timeout: float) -> None:
        """Wait for it. Raises LockTimeout, naming the holder."""
        end = time.monotonic() + timeout
        pause = 0.3
        try:
            while not self.attempt():
                if time.monotonic() >= end:
                    raise LockTimeout(
                        f"Another run is using this backup set: {describe(self._read(self.holder()))} "
                        f"({self._objects.location}/{self._prefix}).",
                        f"Wait for it to end, or increase lock_timeout (now {timeout:g} s).",
                    )
                jitter = random.uniform(0.5, 1)  # noqa: S311
                time.sleep(max(0.0, min(jitter * pause, end - time.monotonic())))
                pause = min(3.0, pause * 1.5)
        except BaseException:
            with contextlib.suppress(Day2Error):
                self.withdraw()
            raise
        self._thread.start()

    def attempt(self) -> bool:
        """Whether it is held now."""
        raise NotImplementedError

    def holder(self) -> Optional[Object]:
        """What another run holds it with."""
        raise NotImplementedError

    def withdraw(self) -> None:
        """Do not wait any more."""

    def renew(self) -> None:
        """Renew it, or note that it was lost."""
        raise NotImplementedError

    def give_up(self) -> None:
        """Let others have it."""
        raise NotImplementedError

    @staticmethod
    def is_dead(holder: dict[str, Any]) -> bool:
        """Whether it was a process of this host that has ended. Then nobody needs to wait for the lease."""
        here = _here()
        if "" in here.values() or any(holder.get(key) != value for key, value in here.items()):
            return False
        pid, process = holder.get("pid"), holder.get("process")
        return (
            isinstance(pid, int) and pid > 0 and isinstance(process, str) and process != "" and _is_gone(pid, process)
        )

    def _keep(self) -> None:
        while not self._released.wait(self._lease * _RENEWED):
            try:
                self.renew()
            except Exception as exc:  # the next try may succeed; if none does, the lease ends by the clock
                self._trouble = f": {exc}".rstrip(".")
            else:
                self._trouble = ""
            if self._lost:
                return

    def check(self) -> None:
        """Raise LeaseLost unless it is still held: before each step that others can see."""
        why = self._lost
        if not why and now() - self._good > self._lease * _TRUSTED:
            why = f"it could not be renewed in time{self._trouble}"
        if why:
            raise LeaseLost(
                f"The lock of {self._objects.location}/{self._prefix.partition('/')[0]} was lost: {why}.",
                "The run stopped at that point. Run again.",
            )

    def release(self) -> None:
        """Release it. Raises nothing: a lease that can't be released expires."""
        self._released.set()
        self._thread.join()
        with contextlib.suppress(Day2Error):
            self.check()
            self.give_up()

    def _read(self, one: Optional[Object]) -> dict[str, Any]:
        try:
            value = json.loads((self._objects.read(one.key) if one is not None else None) or b"{}")
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


def now() -> float:
    """Goes on while the machine sleeps, which the usual clock does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def describe(holder: dict[str, Any]) -> str:
    try:
        return "{verb}, process {pid} on {host}, since {since}".format(**holder)
    except KeyError:
        return "an unidentified process"
