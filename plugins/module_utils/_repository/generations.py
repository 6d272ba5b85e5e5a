# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a set in a store that can create objects exclusively.

Below SET/.state/lock/ lie numbered generations. The highest is the lock, an empty one is released. It ends when it has
not been renewed for a lease, by the store's own clock. Whoever creates the next number, and then still sees it as the
highest, holds the lock. (The second look is needed: one that slept may create a number that was used and removed.)
"""

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


def _boot_id() -> str:
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
    return {"boot": _boot_id(), "host": socket.gethostname(), "namespace": _namespace(), "uid": os.geteuid()}


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
    """The lock of one set, while it is held.

    :param prefix: SET/.state/lock/
    """

    def __init__(self, objects: Objects, prefix: str, verb: str, lease: float = LEASE) -> None:
        self._objects = objects
        self._prefix = prefix
        self._lease = lease
        self._number = 0
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
        while not self._try():
            if time.monotonic() >= end:
                holder = _describe(self._read(self._highest()))
                raise LockTimeout(
                    f"Another run is using this backup set: {holder} ({self._objects.location}/{self._prefix}).",
                    f"Wait for it to end, or increase lock_timeout (now {timeout:g} s).",
                )
            jitter = random.uniform(0.5, 1)  # noqa: S311
            time.sleep(max(0.0, min(jitter * pause, end - time.monotonic())))
            pause = min(3.0, pause * 1.5)
        self._thread.start()

    def _try(self) -> bool:
        top = self._highest()
        if top is not None and not self._is_over(top):
            return False
        number = 1 + (_number(top) if top is not None else 0)
        began = _now()
        if not self._objects.create(self._key(number), self._document):
            return False
        generations = self._generations()
        if not generations or _number(generations[-1]) != number:
            self._objects.remove([self._key(number)])
            return False
        self._number, self._good = number, began
        self._objects.remove(one.key for one in generations[:-1])
        return True

    def _is_over(self, top: Object) -> bool:
        return top.size == 0 or top.age > self._lease or self._is_dead(self._read(top))

    @staticmethod
    def _is_dead(holder: dict[str, Any]) -> bool:
        """Was it a process of this host that is gone? Then nobody needs to wait for the lease."""
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
                self._renew()
            except Exception as exc:  # the next try may succeed; if none does, the lease ends by the clock
                self._trouble = f": {exc}".rstrip(".")
            else:
                self._trouble = ""
            if self._lost:
                return

    def _renew(self) -> None:
        began = _now()
        self._objects.put(self._key(self._number), self._document)
        top = self._highest()
        if top is None or _number(top) != self._number:
            self._lost = f"{_describe(self._read(top))} took it over"
            self._objects.remove([self._key(self._number)])
        else:
            self._good = began

    def check(self) -> None:
        """Raise LeaseLost unless it is still held: before each step that others can see."""
        why = self._lost
        if not why and _now() - self._good > self._lease * _TRUSTED:
            why = f"it could not be renewed in time{self._trouble}"
        if why:
            raise LeaseLost(
                f"The lock of {self._objects.location}/{self._prefix.partition('/')[0]} was lost: {why}.",
                "What was not done yet was left out. Run again.",
            )

    def release(self) -> None:
        """Give it up. Raises nothing: a lease that can't be released ends by itself."""
        self._released.set()
        self._thread.join()
        with contextlib.suppress(Day2Error):
            self.check()
            self._objects.put(self._key(self._number), b"")

    def _key(self, number: int) -> str:
        return f"{self._prefix}{number:010d}"

    def _generations(self) -> list[Object]:
        found = [one for one in self._objects.walk(self._prefix) if one.key[len(self._prefix) :].isdigit()]
        return sorted(found, key=_number)

    def _highest(self) -> Optional[Object]:
        generations = self._generations()
        return generations[-1] if generations else None

    def _read(self, one: Optional[Object]) -> dict[str, Any]:
        try:
            value = json.loads((self._objects.read(one.key) if one is not None else None) or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def _number(one: Object) -> int:
    return int(one.key.rpartition("/")[2])


def _now() -> float:
    """Goes on while the machine sleeps, which the usual clock does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _describe(holder: dict[str, Any]) -> str:
    try:
        return "{verb}, process {pid} on {host}, since {since}".format(**holder)
    except KeyError:
        return "it has not said who it is"
