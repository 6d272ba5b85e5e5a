# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary space for data that does not fit in memory and that no other user may see."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator

from .errors import Day2Error, NoSpace, TargetError
from .files import os_errors

_PREFIX = "day2-scratch-"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def scratch_directory() -> Iterator[str]:
    """A private directory on a disk (/tmp is in memory on many hosts); it is removed with the block,
    or by the next run.

    Raises TargetError when it can't be created, another Day2Error when it can't be removed.
    """
    base = base_directory()
    with os_errors(TargetError, "Can't make a scratch directory in", base):
        path, held = _made(base)
    try:
        yield from _kept(path)
    finally:
        os.close(held)


def _made(base: str) -> tuple[str, int]:
    """A new directory, and a descriptor that is locked while it is used.

    Until it is locked, another run may take it for left and remove it: then the next one is made.
    """
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
        try:
            held = os.open(path, _DIRECTORY)
        except FileNotFoundError:
            continue
        with contextlib.suppress(OSError):  # without locks, nothing is taken for left
            fcntl.flock(held, fcntl.LOCK_EX)
        if os.path.lexists(path):
            return path, held
        os.close(held)


def base_directory() -> str:
    """Where temporary files are made that are not small."""
    return os.environ.get("TMPDIR") or ("/var/tmp" if os.path.isdir("/var/tmp") else tempfile.gettempdir())  # noqa: S108


def remove_left_scratch() -> None:
    """Remove the scratch directories of this user that no process holds, as it was killed. Raises nothing: they may be
    gone already.
    """
    base = base_directory()
    try:
        names = [name for name in os.listdir(base) if name.startswith(_PREFIX)]
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError):
            _remove_if_left(os.path.join(base, name))


def _remove_if_left(path: str) -> None:
    held = os.open(path, _DIRECTORY)
    try:
        info = os.fstat(held)
        if info.st_uid == os.geteuid() and stat.S_IMODE(info.st_mode) == 0o700:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)
    finally:
        os.close(held)


def _kept(path: str) -> Iterator[str]:
    try:
        yield path
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)  # the earlier error is the one to report
        raise
    try:
        shutil.rmtree(path)
    except OSError as exc:
        raise Day2Error(
            f"Can't remove the scratch directory {path}: {exc.strerror}.",
            "Remove it, as it may hold a copy of the data. Everything else has been done.",
        ) from exc


@contextlib.contextmanager
def scratch_database(directory: str) -> Iterator[sqlite3.Connection]:
    """A database for data that may not fit in memory."""
    path = os.path.join(directory, "keys.db")
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "BEGIN"):
                connection.execute(statement)
            yield connection
    except sqlite3.Error as exc:
        raise NoSpace(f"The scratch file {path} can't be kept: {exc}.", "Set TMPDIR to another disk.") from exc
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
