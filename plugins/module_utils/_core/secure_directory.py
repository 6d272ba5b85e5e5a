# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Works in a directory that other users can write to, without letting them choose what is changed.

The directory is opened once, component by component, and then identified by its descriptor: whatever is moved or linked
meanwhile, entries are those of this directory. No link in it is followed, and nothing is overwritten.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import Optional

from .errors import Day2Error, TargetError
from .files import CREATE_FILE, O_PATH, OPEN_DIRECTORY, from_os_error, kind_of, writable_by_others
from .owners import set_owner
from .run_lock import RunLock
from .system_calls import (
    APPEND_ONLY,
    IMMUTABLE,
    MOUNT_POINT,
    RENAME_NOREPLACE,
    attributes,
    holds_no_files,
    renameat2,
    syncfs,
)

# Our attributes that describe this very file, not its content.
_OF_THE_FILE = ("user.day2.filled",)


class SecureDirectory:
    """An open directory; a context manager.

    Its methods raise OSError, so that callers can distinguish cases; `errors` turns those into Day2Error.

    :param path: of the directory. Links are followed only in directories that no other user can write to.
    :param kind: the error that opening and `errors` raise.
    """

    def __init__(self, path: str, kind: type[Day2Error] = TargetError) -> None:
        self.path = os.path.abspath(path)
        self._kind = kind
        self._lock: Optional[RunLock] = None
        with self.errors("Can't open the directory", self.path):
            self.fd = _open_directory(self.path, kind)
        self.look()

    def look(self) -> None:
        """Read the attributes of the directory."""
        info = os.fstat(self.fd)
        self.device = info.st_dev
        self.owner = info.st_uid
        # Can users other than root and ourselves create entries in it? Can everybody?
        self.others_write = writable_by_others(info)
        self.all_write = bool(info.st_mode & stat.S_IWOTH)

    def __enter__(self) -> SecureDirectory:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], where: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor. May be called twice."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)
        if self._lock is not None:
            self._lock.release()

    def of(self, name: str) -> str:
        """The path of an entry, for messages."""
        return os.path.join(self.path, name)

    @contextlib.contextmanager
    def errors(self, doing: str, name: str) -> Iterator[None]:
        """Turn an OSError into a Day2Error: "<doing> <path>: <message of the system>"."""
        try:
            yield
        except OSError as exc:
            raise from_os_error(OSError(exc.errno, exc.strerror or str(exc)), self._kind, doing, self.of(name)) from exc

    def names(self) -> list[str]:
        """All entries, sorted."""
        return sorted(os.listdir(self.fd))

    def stat(self, name: str) -> os.stat_result:
        """The attributes of the entry itself, not of the target of a link."""
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def exists(self, name: str) -> bool:
        """Whether an entry of that name exists."""
        try:
            self.stat(name)
        except FileNotFoundError:
            return False
        return True

    def open_file(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Open a regular file without following a link or waiting for a FIFO. Returns the descriptor.

        Raises a Day2Error of the directory's kind when it is a link or not a regular file, or has several names in a
        directory that others can write to (it may only look as if it belonged there), and OSError when it can't be
        opened.
        """
        try:
            fd = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.fd)
        except OSError as exc:
            if exc.errno == errno.ELOOP:
                raise self._kind(
                    f"{self.of(name)} is a symbolic link and was not followed.", "Give the path of the file itself."
                ) from exc
            raise
        try:
            self.check_regular(name, os.fstat(fd))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def check_regular(self, name: str, info: os.stat_result) -> None:
        """Raise the error of the directory when the entry is not to be worked on, for the reasons given at
        `open_file`."""
        if stat.S_ISLNK(info.st_mode):
            raise self._kind(
                f"{self.of(name)} is a symbolic link and was not followed.", "Give the path of the file itself."
            )
        if not stat.S_ISREG(info.st_mode):
            raise self._kind(f"{self.of(name)} is {kind_of(info)}, not a regular file.")
        if self.others_write and info.st_nlink > 1:
            raise self._kind(
                f"{self.of(name)} has {info.st_nlink} hard links, in a directory that other users can write to. It was "
                "not changed.",
                "Remove the other hard links, or the write permission of the directory.",
            )

    def check_writable(self) -> None:
        """Raise the error of the directory when entries can't be created in it, or removed from it."""
        marks = attributes(self.fd, b"")
        if marks & IMMUTABLE:
            raise self._kind(f"{self.path} is immutable: nothing in it can be changed.", "Use chattr -i.")
        with self.errors("Can't write to", ""):
            if os.fstatvfs(self.fd).f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=self.fd, effective_ids=True):
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        if holds_no_files(self.fd):
            raise self._kind(f"The file system of {self.path} can't store files.", "Use another directory.")
        if marks & APPEND_ONLY:
            raise self._kind(f"{self.path} is append-only: nothing in it can be renamed or removed.", "Use chattr -a.")

    def check_movable(
        self, name: str, if_mounted: str = "Use method=in_place, or mount its directory instead."
    ) -> None:
        """Raise the error of the directory when the system would not let us rename or remove an entry of it.

        Whether the directory itself is writable is checked by `check_writable`.

        :param if_mounted: the hint for an entry that is a mount point.
        """
        if self.check_changeable(name, "renamed or removed") & MOUNT_POINT:
            raise self._kind(f"{self.of(name)} is a mount point: it can't be renamed or removed.", if_mounted)
        info = os.fstat(self.fd)
        if info.st_mode & stat.S_ISVTX and os.geteuid() not in (0, info.st_uid, self.stat(name).st_uid):
            raise self._kind(
                f"{self.of(name)} belongs to another user, and {self.path} is sticky: it can't be renamed or removed.",
                "Run as its owner, or as root (become: true).",
            )

    def check_changeable(self, name: str, what: str) -> int:
        """Raise the error of the directory when an attribute of an entry forbids changes. Returns the attributes.

        :param what: what can't be done with the file, for the message.
        """
        marks = attributes(self.fd, os.fsencode(name))
        if marks & (IMMUTABLE | APPEND_ONLY):
            kind, flag = ("immutable", "i") if marks & IMMUTABLE else ("append-only", "a")
            raise self._kind(
                f"{self.of(name)} is {kind}: it can't be {what}.", f"Remove the attribute first (chattr -{flag})."
            )
        return marks

    def create(self, name: str, mode: int = 0o600) -> int:
        """Create a file. Returns a descriptor to read and write it; raises FileExistsError when the name is taken."""
        return os.open(name, CREATE_FILE, mode, dir_fd=self.fd)

    def rename(self, old: str, new: str, to: Optional[SecureDirectory] = None) -> None:
        """Rename an entry, also to another directory; raises FileExistsError when the name is taken."""
        target = to or self
        try:
            renameat2(self.fd, old, target.fd, new, RENAME_NOREPLACE)
            return
        except OSError as exc:
            if exc.errno not in (errno.EINVAL, errno.ENOSYS):
                where = target.of(new) if exc.errno == errno.EEXIST else self.of(old)
                raise OSError(exc.errno, exc.strerror, where) from exc
        # A file system (NFS, some FUSE) without the flag: a second name is as safe, where hard links are supported.
        os.link(old, new, src_dir_fd=self.fd, dst_dir_fd=target.fd, follow_symlinks=False)
        os.unlink(old, dir_fd=self.fd)

    def unlink(self, name: str, only: Optional[os.stat_result] = None) -> None:
        """Remove an entry that is not a directory; no error if it does not exist.

        :param only: raise FileExistsError, and leave the entry, if it is another file.
        """
        try:
            if only is not None and not os.path.samestat(self.stat(name), only):
                raise FileExistsError(errno.EEXIST, "it has been replaced with another file", self.of(name))
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return

    def sync(self) -> None:
        """Make the entries durable."""
        os.fsync(self.fd)

    def sync_all(self) -> None:
        """Make everything on this file system durable: for many small files, in place of an fsync for each."""
        syncfs(self.fd, self.path)

    def lock(self, timeout: float) -> None:
        """Lock out other runs of this user until the directory is closed (a kill releases the lock, too).

        Raises LockTimeout when another run works in it, TargetError when the lock file can't be created.

        :param timeout: seconds to wait.
        """
        info = os.fstat(self.fd)
        lock = RunLock(self.path, info.st_dev, info.st_ino)
        lock.take(timeout)
        self._lock = lock


def copy_attributes(source: int, target: int, info: os.stat_result) -> list[str]:
    """Give an open file the owner, permissions, ACL, other attributes and finally the times of another file.

    Returns the names of what could not be copied ("owner", "user.comment"), for a note: the content is what counts.

    :param info: of the source.
    """
    lost = []
    if not set_owner(target, info.st_uid, info.st_gid):
        lost.append("owner")
    # After the owner, which clears bits. Never set-user-ID: a log does not need it.
    os.fchmod(target, stat.S_IMODE(info.st_mode) & 0o777)
    try:
        names = os.listxattr(source)
    except OSError:  # the file system does not support them
        names = []
    for name in names:
        if name in _OF_THE_FILE:
            continue
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError:
            if not name.startswith("security."):  # the system sets its own
                lost.append(name)
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))
    return lost


def _open_directory(path: str, kind: type[Day2Error]) -> int:
    pending = [part for part in path.split(os.sep) if part][::-1]
    here = os.open(os.sep, O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    followed = 0
    try:
        while pending:
            part = pending.pop()
            if part == ".":
                continue
            following = os.open(part, O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            if not stat.S_ISLNK(os.fstat(following).st_mode):
                os.close(here)
                here = following
                continue
            os.close(following)
            followed += 1
            if followed > 40:
                raise kind(f"{path}: too many symbolic links.")
            if writable_by_others(os.fstat(here)):
                raise kind(
                    f"{path}: {part} is a symbolic link in a directory that other users can write to, and was "
                    "not followed.",
                    "Give the real path, or remove the write permission.",
                )
            target = os.readlink(part, dir_fd=here)
            if target.startswith(os.sep):
                os.close(here)
                here = os.open(os.sep, O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            pending.extend([word for word in target.split(os.sep) if word][::-1])
        return os.open(".", OPEN_DIRECTORY, dir_fd=here)
    finally:
        os.close(here)
