# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository in a directory: REPOSITORY/SET/ID/{manifest.json,SHA256SUMS,data/…} and SET/.state/."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, BinaryIO, Optional

from .._core import host_state
from .._core.errors import LockTimeout, RepositoryError
from .._core.files import (
    discard,
    free_bytes,
    fsync_directory,
    is_within,
    look,
    make_private_directory,
    open_regular,
    os_errors,
    protection,
    remove_leftovers,
    resolve,
    write_atomically,
)
from .._core.units import format_time
from .base import Listed, Removal, Staging
from .directory_layout import REMOVING, STAGING, regular_size
from .encryption import NOT_ENCRYPTED, place_of
from .manifest import ID, MANIFEST, SET, random_id

ON_HOST = ("fingerprints",)  # documents of the state that say something of the data
_STATE = ".state"
_LOCK = "lock"


class DirectoryRepository:
    """Backups in a directory that only its owner can read."""

    hides_names = False
    encrypts = False

    def __init__(self, path: str) -> None:
        self.location = resolve(path, RepositoryError)
        self.local_path: Optional[str] = self.location
        self.place = self.location
        self.compression: Optional[str] = None
        self.encryption = NOT_ENCRYPTED

    def _set(self, name: str) -> str:
        return os.path.join(self.location, name)

    def check_writable(self, name: str) -> None:
        for existing in (self._existing(), self._set(name), os.path.join(self._set(name), _STATE)):
            if look(existing, RepositoryError) is not None:
                self._check_writable(existing)

    def _check_writable(self, existing: str) -> None:
        if not os.path.isdir(existing):
            raise RepositoryError(
                f"The repository can't be {self.location}: {existing} is not a directory."
                if is_within(self.location, existing)
                else f"{self.location} can't be a repository: {existing} is not a directory.",
                "Move it elsewhere, or choose another directory.",
            )
        with os_errors(RepositoryError, "Can't look at the file system of", existing):
            read_only = os.statvfs(existing).f_flag & os.ST_RDONLY
        if read_only:
            raise RepositoryError(
                f"The repository {self.location} is not writable: its file system is mounted read-only.",
                "Mount it writable, or choose another directory.",
            )
        if protection(os.fsencode(existing)) == "immutable":
            raise RepositoryError(
                f"The repository {self.location} is not writable: {existing} is immutable.",
                f"Remove the attribute (chattr -i {existing}) and run again.",
            )
        if not os.access(existing, os.W_OK | os.X_OK):
            raise RepositoryError(
                f"The repository {self.location} is not writable: access to {existing} is denied.",
                "Run as a user with permission (become: true).",
            )

    def _existing(self) -> str:
        """The repository, or its nearest parent that exists."""
        existing = self.location
        while look(existing, RepositoryError) is None:
            existing = os.path.dirname(existing)
        return existing

    def free_bytes(self) -> int:
        existing = self._existing()
        with os_errors(RepositoryError, "Can't look at the file system of", existing):
            return free_bytes(existing)

    def trouble(self) -> str:
        if look(self.location, RepositoryError) is None:
            return "does not exist; is its file system mounted?"
        if not os.path.isdir(self.location):
            return "is not a directory"
        return ""

    def sets(self) -> list[str]:
        return [name for name in _names(self.location) if SET.fullmatch(name) and self._has_backups(name)]

    def _has_backups(self, name: str) -> bool:
        try:
            return os.path.isdir(self._set(name)) and bool(self.ids(name))
        except RepositoryError:
            return True  # reported when it is read

    def ids(self, name: str) -> list[str]:
        return [entry for entry in _names(self._set(name)) if ID.fullmatch(entry)]

    def path(self, name: str, backup_id: str) -> str:
        return os.path.join(self._set(name), backup_id)

    def listing(self, name: str) -> Iterator[Listed]:
        for backup_id in self.ids(name):
            yield self.look(name, backup_id)

    def look(self, name: str, backup_id: str) -> Listed:
        top = self.path(name, backup_id)

        def read(path: str) -> bytes:
            with self.open(name, backup_id, path) as handle:
                return handle.read()

        sizes = {
            os.path.relpath(os.path.join(directory, file), top): regular_size(os.path.join(directory, file))
            for directory, _names_, files in os.walk(top)
            for file in sorted(files)
        }
        return Listed(backup_id, sizes, read)

    def open(self, name: str, backup_id: str, path: str) -> BinaryIO:
        full = os.path.join(self.path(name, backup_id), path)
        return os.fdopen(open_regular(full, RepositoryError), "rb", buffering=0)

    @contextlib.contextmanager
    def hold(self, name: str, backup_id: str) -> Iterator[None]:
        # A lock on the manifest itself: it ends with the process, and also works in a copy of the repository.
        fd = open_regular(os.path.join(self.path(name, backup_id), MANIFEST), RepositoryError)
        try:
            with os_errors(RepositoryError, "Can't hold", self.path(name, backup_id)):
                fcntl.flock(fd, fcntl.LOCK_SH)
            if not os.path.lexists(os.path.join(self.path(name, backup_id), MANIFEST)):
                raise RepositoryError(f"Backup {backup_id} of {name} has just been removed.", "Choose another backup.")
            yield
        finally:
            os.close(fd)

    def stage(self, name: str, created: datetime) -> Staging:
        # only here: see _stores/registry.py
        from .directory_staging import DirectoryEncryptedStaging, DirectoryStaging

        if self.encryption.recipients:
            return DirectoryEncryptedStaging(self._set(name), random_id(created))
        return DirectoryStaging(self._set(name))

    def stage_copy(self, name: str, backup_id: str, sizes: Mapping[str, int]) -> Staging:
        from .directory_staging import DirectoryCopyStaging  # only here: see _stores/registry.py

        return DirectoryCopyStaging(self._set(name), backup_id, sizes)

    def drop_copies(self, name: str, backup_ids: Collection[str]) -> list[str]:
        left = (os.path.join(self._set(name), STAGING + one) for one in sorted(backup_ids))
        return remove_leftovers(one for one in left if os.path.lexists(one))

    def bytes_of_copy(self, name: str, backup_id: str) -> int:
        left = os.walk(os.path.join(self._set(name), STAGING + backup_id))
        return sum(
            regular_size(os.path.join(directory, file)) or 0 for directory, _names_, files in left for file in files
        )

    def remove(self, name: str, backup_id: str) -> Removal:
        path = self.path(name, backup_id)
        with os_errors(RepositoryError, "Can't remove", path):
            try:
                fd = os.open(os.path.join(path, MANIFEST), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                fd = -1
            try:
                if fd >= 0:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # a unique name, as the leftovers of a failed removal may lie beside it
                gone = os.path.join(self._set(name), f"{REMOVING}{backup_id}-{secrets.token_hex(4)}")
                os.rename(path, gone)
                fsync_directory(self._set(name))
                return Removal(notes=discard(gone))  # it is no longer a backup
            except BlockingIOError:
                return Removal("is being read by another process: it stays until the next run")
            finally:
                if fd >= 0:
                    os.close(fd)

    def locked_until(self, name: str, backup_id: str) -> Optional[datetime]:
        return None

    def extend_locks(self, name: str, kept: Sequence[str]) -> list[str]:
        """Nothing is locked here."""
        return []

    @contextlib.contextmanager
    def lock(self, name: str, verb: str, timeout: float, continued: Collection[str] = ()) -> Iterator[list[str]]:
        new = not os.path.lexists(self.location)
        fd = self._acquire(name, timeout)
        try:
            holder = {
                "verb": verb,
                "pid": os.getpid(),
                "host": os.uname().nodename,
                "since": format_time(datetime.now(timezone.utc)),
            }
            text = json.dumps(holder).encode()
            # the holder is only information; a full disk must not stop a run that will free space
            with contextlib.suppress(OSError):
                os.pwrite(fd, text, 0)
                os.ftruncate(fd, len(text))  # never to nothing: ext4 would write the file to the disk when it is closed
            yield self._clean(name, {STAGING + one for one in continued})
        finally:
            self._leave(name, new)
            os.close(fd)

    def _acquire(self, name: str, timeout: float) -> int:
        """The locked file. It is checked to be still the one at its path, as a run that leaves a set empty removes
        it."""
        deadline = time.monotonic() + timeout
        state = os.path.join(self._set(name), _STATE)
        path = os.path.join(state, _LOCK)
        while True:
            with os_errors(RepositoryError, "Can't write to the repository", state):
                make_private_directory(state)
                try:
                    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
                except FileNotFoundError:
                    continue
            try:
                wait_for_lock(fd, path, deadline, timeout)
                if os.path.samestat(os.fstat(fd), os.lstat(path)):
                    return fd
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def _leave(self, name: str, new: bool) -> None:
        """Remove a set without backups, and the repository if this run has created it."""
        folder, state = self._set(name), os.path.join(self._set(name), _STATE)
        with contextlib.suppress(OSError, RepositoryError):
            if os.listdir(folder) == [_STATE] and os.listdir(state) == [_LOCK]:
                os.unlink(os.path.join(state, _LOCK))
                os.rmdir(state)
                os.rmdir(folder)
                if new:
                    os.rmdir(self.location)

    def _clean(self, name: str, continued: Collection[str]) -> list[str]:
        """Remove leftovers of earlier runs: unpublished backups, and removals that were interrupted."""
        return remove_leftovers(
            os.path.join(directory, entry)
            for directory in (self._set(name), os.path.join(self._set(name), _STATE))
            for entry in _names(directory)
            if entry.startswith((STAGING, REMOVING, ".day2-")) and entry not in continued
        )

    def _is_on_host(self, document: str) -> bool:
        """Whether a document of the state says something of the data, so that it must not lie beside encrypted
        backups."""
        return document in ON_HOST and bool(self.encryption.recipients)

    def read_state(self, name: str, document: str) -> dict[str, Any]:
        if self._is_on_host(document):
            return host_state.read("directory", place_of(self.place), name, document)
        try:
            with open(os.path.join(self._set(name), _STATE, document + ".json"), "rb") as handle:
                return unwrapped(handle.read())
        except OSError:
            return {}

    def write_state(self, name: str, document: str, value: dict[str, Any]) -> None:
        path = os.path.join(self._set(name), _STATE, document + ".json")
        if self._is_on_host(document):
            host_state.write(value, "directory", place_of(self.place), name, document)
            with os_errors(RepositoryError, "Can't remove", path), contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return
        with os_errors(RepositoryError, "Can't write", path):
            # what a crash leaves of it does not have its checksum, and state can always be deleted
            write_atomically(path, wrapped(value), durable=False)

    def put_anchor(self, host: str, name: str, data: bytes) -> bool:
        from .anchors import put_in_directory  # only here: see _stores/registry.py

        # a failed run may have been given any directory
        if not any(SET.fullmatch(one) and self._has_backups(one) for one in _names(self.location)):
            raise RepositoryError(f"{self.location} is not a repository yet.")
        return put_in_directory(self.location, host, name, data)

    def anchors(self, host: str) -> Iterator[tuple[str, bytes]]:
        from .anchors import in_directory  # only here: see _stores/registry.py

        return in_directory(self.location, host)


def wrapped(value: Mapping[str, Any]) -> bytes:
    """A document of the state, with its checksum."""
    return json.dumps({"sha256": _checksum(value), "value": value}).encode()


def unwrapped(data: bytes) -> dict[str, Any]:
    """The document; {} if it is damaged."""
    try:
        document = json.loads(data)
        value = document["value"]
        if document["sha256"] != _checksum(value) or not isinstance(value, dict):
            return {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return value


def _checksum(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as exc:
        raise RepositoryError(f"Can't list {directory}: {exc.strerror}.") from exc


def wait_for_lock(fd: int, path: str, deadline: float, timeout: float) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as exc:
            if exc.errno not in (errno.EAGAIN, errno.EACCES):
                raise RepositoryError(f"Can't lock {path}: {exc.strerror}.") from exc
        if time.monotonic() >= deadline:
            raise LockTimeout(
                f"Another run is using this backup set: {_describe_holder(fd)} ({path}).",
                f"Wait for it to end, or increase lock_timeout (now {timeout:g} s).",
            )
        time.sleep(min(0.1, max(0.0, deadline - time.monotonic())))


def _describe_holder(fd: int) -> str:
    try:
        holder = json.loads(os.pread(fd, 4096, 0))
        return "{verb}, process {pid} on {host}, since {since}".format(**holder)
    except (ValueError, KeyError, TypeError, OSError):
        return "a process that has not identified itself yet"
