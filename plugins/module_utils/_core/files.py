# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories that are changed completely or not at all, without following links of other users."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from .errors import Day2Error, NoSpace, TargetError
from .system_calls import APPEND_ONLY, AT_FDCWD, IMMUTABLE, RENAME_EXCHANGE, attributes, holds_no_files, renameat2

# Prefix of prepared files beside a target, by which the next run recognises leftovers of a killed run.
PREPARED = ".day2-"

# How a directory, and a new file, is opened in a directory that others may write: never through a link.
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
CREATE_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
O_PATH = getattr(os, "O_PATH", 0o10000000)


@contextlib.contextmanager
def os_errors(kind: type[Day2Error], doing: str, path: str) -> Iterator[None]:
    """Turn an OSError into a Day2Error: "<doing> <path>: <message of the system>"."""
    try:
        yield
    except OSError as exc:
        raise from_os_error(exc, kind, doing, path) from exc


def from_os_error(exc: OSError, kind: type[Day2Error], doing: str, path: str) -> Day2Error:
    """The same for one error. A full disk is always NoSpace."""
    where = exc.filename if isinstance(exc.filename, str) else path
    message = f"{doing} {where}: {exc.strerror or exc}."
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(message, "Free some space on that file system and run again.")
    return kind(message)


def resolve(path: str, kind: type[Day2Error]) -> str:
    """The absolute path without links.

    Raises `kind` when a link lies in a directory that other users can write to, as following it could lead anywhere.
    """
    pending = [part for part in os.path.abspath(path).split(os.sep) if part][::-1]
    done, followed = os.sep, 0
    while pending:
        part = pending.pop()
        if part in (".", ".."):
            done = os.path.dirname(done) if part == ".." else done
            continue
        candidate = os.path.join(done, part)
        try:
            target = os.readlink(candidate)
        except OSError:  # not a link, or does not exist
            done = candidate
            continue
        followed += 1
        if followed > 40:
            raise kind(f"{path}: too many symbolic links.")
        if others_can_write(done):
            raise kind(
                f"{candidate} is a symbolic link in {done}, a directory that other users can write to, and was "
                "not followed.",
                "Give the real path, or remove the write permission.",
            )
        pending.extend([part for part in target.split(os.sep) if part][::-1])
        if target.startswith(os.sep):
            done = os.sep
    return done


def look(path: str, kind: type[Day2Error]) -> Optional[os.stat_result]:
    """The attributes of the path itself (of a link, not its target), or None if it does not exist.

    Raises `kind` when this can't be determined, as a parent directory can't be searched.
    """
    with os_errors(kind, "Can't stat", path):
        try:
            return os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None


def is_directory(path: str, kind: type[Day2Error]) -> bool:
    """Whether the path is a directory or a link to one.

    Raises `kind` when this can't be determined, as a parent directory can't be searched.
    """
    with os_errors(kind, "Can't stat", path):
        try:
            return stat.S_ISDIR(os.stat(path).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False


def others_can_write(directory: str) -> bool:
    """Whether users other than root and ourselves can create entries in this directory."""
    return writable_by_others(os.stat(directory))


def writable_by_others(info: os.stat_result) -> bool:
    """As `others_can_write`, of a directory's attributes."""
    return bool(info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)) or info.st_uid not in (0, os.geteuid())


def is_within(path: str, directory: str) -> bool:
    """Whether the (resolved) path is the directory itself or below it."""
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def give_to_owner_of(directory: str, fd: int) -> None:
    """Give a new file the owner of its directory, as if the application had created it. Without root, the owner is
    kept.
    """
    if os.geteuid() == 0:
        info = os.stat(directory)
        os.fchown(fd, info.st_uid, info.st_gid)


def fsync_directory(path: str) -> None:
    """Make the entries of a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_private_directory(path: str) -> None:
    """Create a directory with mode 0700 and its missing parents, durably. An existing directory is left unchanged."""
    missing: list[str] = []
    current = path
    while not os.path.isdir(current):
        missing.append(current)
        current = os.path.dirname(current)
    for directory in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, 0o700)
        fsync_directory(os.path.dirname(directory))


def write_atomically(path: str, data: bytes, mode: int = 0o600, durable: bool = True) -> None:
    """Replace the content of a file: readers see the old or the new content; if it is `durable`, also after a crash."""
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, prepared_name(name))
    fd = os.open(temporary, CREATE_FILE, mode)
    try:
        with os.fdopen(fd, "wb") as handle:
            if mode & 0o077:  # regardless of the umask
                os.fchmod(handle.fileno(), mode)
            handle.write(data)
            handle.flush()
            if durable:
                os.fsync(handle.fileno())
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if durable:
        fsync_directory(directory)


def prepared_name(name: str) -> str:
    """A new hidden name for something that is prepared beside (or instead of) `name`."""
    return f"{PREPARED}{shortened(name)}.{secrets.token_hex(4)}"  # the random part distinguishes runs


def shortened(name: str) -> str:
    """A name that leaves space for a prefix and suffix in its 255 bytes. A digest keeps shortened names distinct."""
    data = os.fsencode(name)
    if len(data) > 200:
        data = data[:180] + b"~" + hashlib.sha256(data).hexdigest()[:16].encode()
    return os.fsdecode(data)


def remove_prepared(directory: str, name: str) -> list[str]:
    """Remove what earlier runs left beside `name`; the caller holds the lock. Returns what was found and what can't be
    removed.
    """
    prefix = prepared_name(name)[:-8]
    paths = [os.path.join(directory, entry) for entry in sorted(os.listdir(directory)) if entry.startswith(prefix)]
    return remove_leftovers(path for path in paths if len(os.path.basename(path)) == len(prefix) + 8)


def remove_leftovers(paths: Iterable[str]) -> list[str]:
    """Remove leftovers of earlier runs. Returns a sentence for each. A leftover that can't be removed does not stop the
    run.
    """
    notes = []
    for path in paths:
        left = discard(path)
        notes += left or [f"Removed {path}, which an interrupted run had left."]
    return notes


class Left(NamedTuple):
    """Something that can't be removed."""

    path: str
    error: OSError


def remove(path: str) -> None:
    """Remove a file, a link (not its target) or a tree, also with read-only directories. No error if it does not exist.

    Raises OSError when something could not be removed; everything else was.
    """
    left = _remove(path)
    if left:
        raise OSError(left[0].error.errno, left[0].error.strerror, left[0].path)


def discard(path: str) -> list[str]:
    """Remove paths that are no longer needed, as far as possible. Returns a sentence that names the rest."""
    left = _remove(path)
    if not left:
        return []
    shown = "; ".join(f"{one.path} ({one.error.strerror})" for one in left[:_SHOWN])
    more = f"; and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return [f"{path} is no longer needed but can't be removed: {shown}{more}."]


_SHOWN = 10


def _remove(path: str) -> list[Left]:
    directory, name = os.path.split(path)
    try:
        fd = os.open(directory or ".", OPEN_DIRECTORY & ~os.O_NOFOLLOW)
    except OSError as exc:
        return [] if exc.errno == errno.ENOENT else [Left(path, exc)]
    try:
        return list(_removing(fd, name, path))
    finally:
        os.close(fd)


def _removing(directory: int, name: str, path: str) -> Iterator[Left]:
    """Remove an entry and everything below it, and yield what remains."""
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=directory)
            return
        fd = _open_to_empty(directory, name)
    except FileNotFoundError:
        return
    except OSError as exc:
        yield Left(path, exc)
        return
    stays = False
    try:
        for inner in os.listdir(fd):
            for one in _removing(fd, inner, os.path.join(path, inner)):
                stays = True
                yield one
    finally:
        os.close(fd)
    if not stays:
        try:
            os.rmdir(name, dir_fd=directory)
        except FileNotFoundError:
            return
        except OSError as exc:
            yield Left(path, exc)


def _open_to_empty(directory: int, name: str) -> int:
    """Open a directory and let its owner remove entries from it."""
    handle = os.open(name, O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        if os.geteuid() != 0:
            with contextlib.suppress(OSError):
                os.chmod(f"/proc/self/fd/{handle}", 0o700)
        return os.open(".", OPEN_DIRECTORY, dir_fd=handle)
    finally:
        os.close(handle)


def exchange(first: str, second: str) -> None:
    """Swap two names in one atomic step (Linux 3.15 and newer).

    Raises OSError, also when the file system does not support it.
    """
    renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE)


def check_writable_parent(path: str) -> None:
    """Raise TargetError when the directory of `path` is missing or not writable."""
    parent = os.path.dirname(path)
    info = look(parent, TargetError)
    if info is None:
        raise TargetError(
            f"The directory {parent} does not exist.", "Create it with the owner and mode that the application needs."
        )
    if not stat.S_ISDIR(info.st_mode):
        raise TargetError(f"{parent} is {kind_of(info)}, not a directory.", "Check the path.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise TargetError(f"The directory {parent} is not writable.", "Run as a user with permission (become: true).")
    if holds_no_files(parent):
        raise TargetError(f"The file system of {parent} can't store files.", "Use another directory.")


def protection(path: bytes, directory: int = AT_FDCWD) -> str:
    """ "immutable" or "append-only" if chattr has set this; otherwise "", also if the system does not report it."""
    found = attributes(directory, path)
    return "immutable" if found & IMMUTABLE else "append-only" if found & APPEND_ONLY else ""


def check_changeable(path: str) -> None:
    """Raise TargetError when the path can't be replaced or written by anybody, as chattr +i has been set."""
    word = protection(os.fsencode(path))
    if word:
        raise TargetError(f"{path} is {word}.", f"Remove the attribute (chattr -ia {path}) and run again.")


def free_bytes(directory: str) -> int:
    """Free bytes for this user on the file system of the directory."""
    info = os.statvfs(directory)
    return info.f_bavail * info.f_frsize


LEAST = 1 << 20  # of the free bytes, for whatever is written meanwhile


def need_space(directory: str, wanted: int, purpose: str) -> None:
    """Raise NoSpace before the work rather than in the middle of it."""
    available = free_bytes(directory)
    if available < wanted:
        raise NoSpace(
            f"{purpose} needs {wanted} bytes in {directory}, where {available} are free.",
            "Nothing was changed. Free some space and run again.",
        )


def open_regular(path: str, kind: type[Day2Error]) -> int:
    """Open a regular file for reading, without following a link or waiting for a FIFO. Returns the descriptor."""
    with os_errors(kind, "Can't read", path):
        info = os.lstat(path)
        if not stat.S_ISREG(info.st_mode):  # opening a device can have side effects
            raise _irregular(path, info, kind)
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            os.close(fd)
            raise _irregular(path, info, kind)
        return fd


_WHOSE = "Find out who created it, and remove it."


def check_regular(path: str, kind: type[Day2Error]) -> Optional[os.stat_result]:
    """The attributes of a regular file, without opening it; None: there is nothing.

    :raises kind: there is something else.
    """
    info = look(path, kind)
    if info is not None and not stat.S_ISREG(info.st_mode):
        raise kind(f"{path} is {kind_of(info)}, not a regular file.", _WHOSE)
    return info


def check_own_file(path: str, kind: type[Day2Error]) -> None:
    """Check a reserved name: it must not exist, or be a regular file of this user. Other files are not changed.

    :raises kind: somebody else has made something of that name.
    """
    info = check_regular(path, kind)
    if info is None:
        return
    if info.st_uid != os.geteuid() and others_can_write(os.path.dirname(path)):
        raise kind(f"{path} belongs to another user.", _WHOSE)


def _irregular(path: str, info: os.stat_result, kind: type[Day2Error]) -> Day2Error:
    return kind(f"{path} is {kind_of(info)}, not a regular file.")


_KINDS = {
    stat.S_IFREG: "a regular file",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
}


def kind_of(info: os.stat_result) -> str:
    """The kind of a file in words: "a directory"."""
    return _KINDS.get(stat.S_IFMT(info.st_mode), "a device")
