# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time in a directory, by a lock that no other user can hold.

Any user with permission to read a file or a directory can lock it for as long as they like. Therefore the lock of a
directory is a file in a private directory of the user who runs the task, not the directory itself. Runs of different
users do not exclude each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import stat
import time
from collections.abc import Iterator, Sequence
from typing import Optional

from .errors import LockTimeout, TargetError
from .files import from_os_error

_NAME = "day2-ops"


class RunLock:
    """The lock of the directory with this device and inode. It ends with the process, even if killed.

    :param path: of the directory, for messages.
    """

    def __init__(self, path: str, device: int, inode: int) -> None:
        self._path = path
        self._name = f"{device:x}-{inode:x}.lock"
        self._file = ""
        self._fd = -1

    def take(self, timeout: float) -> None:
        """Wait for the lock, at most `timeout` seconds.

        Raises LockTimeout when another run holds it, TargetError when the private directory for it can't be created.
        """
        end = time.monotonic() + timeout
        while True:
            with _as_user_of_the_task():
                fd, holder = self._try()
            if fd >= 0:
                self._fd = fd
                return
            if time.monotonic() >= end:
                raise LockTimeout(
                    f"Another run is working in {self._path}{holder}.",
                    "Wait for it to end, or increase lock_timeout.",
                )
            time.sleep(0.05)

    def release(self) -> None:
        """Release the lock; no effect if it is not held."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError), _as_user_of_the_task():
                os.unlink(self._file)
            os.close(fd)

    def _try(self) -> tuple[int, str]:
        """The locked descriptor, or -1 and the holder."""
        self._file = os.path.join(private_directory(), self._name)
        while True:
            try:
                fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except OSError as exc:
                raise from_os_error(exc, TargetError, "Can't lock the directory by", self._file) from exc
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # the previous holder may have removed this file after we opened it
                if os.path.samestat(os.fstat(fd), os.stat(self._file, follow_symlinks=False)):
                    with contextlib.suppress(OSError):  # for the message only
                        os.ftruncate(fd, 0)
                        os.pwrite(fd, b"%d" % os.getpid(), 0)
                    locked, fd = fd, -1
                    return locked, ""
            except BlockingIOError:
                holder = os.pread(fd, 20, 0).decode("ascii", "replace")
                return -1, f" (process {holder})" if holder.isdigit() else ""
            except FileNotFoundError:
                continue
            finally:
                if fd >= 0:
                    os.close(fd)


def private_directory(candidates: Optional[Sequence[str]] = None) -> str:
    """A directory that only the effective user can open; it is created if it does not exist.

    Raises TargetError when none exists and none can be created.

    :param candidates: where to look, instead of the usual places of the system.
    """
    for path in _candidates() if candidates is None else candidates:
        if _is_private(path):
            return path
        with contextlib.suppress(OSError):
            parent = os.stat(os.path.dirname(path))
            # in a directory where others can rename it, it could be replaced
            if parent.st_mode & stat.S_ISVTX or (
                parent.st_uid in (0, os.geteuid()) and not parent.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            ):
                os.mkdir(path, 0o700)
        if _is_private(path):
            return path
    raise TargetError(
        f"User {os.geteuid()} has no private directory for locks.",
        f"Create a directory {_candidates()[0]} with mode 0700 that belongs to this user.",
    )


def _candidates() -> list[str]:
    user = os.geteuid()
    places = [f"/run/{_NAME}"] if user == 0 else [f"/run/user/{user}/{_NAME}"]
    places += [f"{base}/{_NAME}-{user}" for base in ("/var/tmp", "/tmp")]  # noqa: S108 looked at before use
    with contextlib.suppress(KeyError):
        places.append(os.path.join(pwd.getpwuid(user).pw_dir, f".{_NAME}"))
    return places


def _is_private(path: str) -> bool:
    try:
        info = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and not info.st_mode & 0o077


@contextlib.contextmanager
def _as_user_of_the_task() -> Iterator[None]:
    """With `run_as`, the process temporarily works as another user: the lock is that of the user of the run."""
    effective, real = os.geteuid(), os.getuid()
    if effective != real:
        with contextlib.suppress(PermissionError):
            os.seteuid(real)
    try:
        yield
    finally:
        os.seteuid(effective)
