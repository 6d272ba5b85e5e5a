# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup in the making in a directory: a hidden directory beside the backups, renamed once it is complete."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import BinaryIO, Optional, cast

from .._core.errors import NoSpace, RepositoryError
from .._core.files import discard, fsync_directory, make_private_directory, os_errors, remove, write_atomically
from .base import continues_later
from .directory_layout import STAGING, regular_size
from .manifest import CONTENT, MANIFEST, SUMS
from .pieces import Piece

_FLUSH_EVERY_S = 0.2
_SCRATCH = "scratch"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


class _FlushedFile(io.FileIO):
    """Has the disk write while we still compress; errors are reported by the fsync at the end."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "xb", opener=_private)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._flush, daemon=True)
        self._thread.start()

    def _flush(self) -> None:
        while not self._done.wait(_FLUSH_EVERY_S):
            with contextlib.suppress(OSError):
                os.fdatasync(self.fileno())

    def close(self) -> None:
        if not self.closed:
            self._done.set()
            self._thread.join()
        super().close()


class DirectoryStaging:
    """A hidden directory beside the backups that is renamed once it is complete."""

    id: Optional[str] = None
    found: Collection[str] = ()
    read_back = CONTENT

    def __init__(self, set_path: str, unique: str = "") -> None:
        self._set_path = set_path
        self._path = os.path.join(set_path, STAGING + (unique or secrets.token_hex(4)))
        self._published = False
        self.scratch = os.path.join(self._path, _SCRATCH)

    def __enter__(self) -> DirectoryStaging:
        with os_errors(RepositoryError, "Can't write to the repository", self._path):
            os.mkdir(self._path, 0o700)
            os.mkdir(self.scratch, 0o700)
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._published:
            discard(self._path)  # the work has succeeded or failed already; the next run reports what remains

    def create(self, path: str) -> BinaryIO:
        full = os.path.join(self._path, path)
        with os_errors(RepositoryError, "Can't write to the repository", full):
            make_private_directory(os.path.dirname(full))
            return cast(BinaryIO, _FlushedFile(full))

    def discard(self, path: str) -> None:
        full = os.path.join(self._path, path)
        with os_errors(RepositoryError, "Can't remove", full), contextlib.suppress(FileNotFoundError):
            os.unlink(full)

    def seal(self, path: str) -> Sequence[str]:
        return [path]

    def reopen(self, piece: str) -> BinaryIO:
        full = os.path.join(self._path, piece)
        with os_errors(RepositoryError, "Can't read back", full):
            handle = os.fdopen(os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0)
            os.fsync(handle.fileno())
            # what is read back must come from the disk, as it will in a restore
            with contextlib.suppress(AttributeError):
                os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return handle

    def confirm(self, piece: str) -> Optional[Piece]:
        return None

    def publish(self, backup_id: str, manifest: bytes, sums: bytes) -> bool:
        target = os.path.join(self._set_path, backup_id)
        with os_errors(RepositoryError, "Can't publish", target):
            remove(os.path.join(self._path, _SCRATCH))
            if os.path.lexists(target):
                return False
            write_atomically(os.path.join(self._path, SUMS), sums)
            write_atomically(os.path.join(self._path, MANIFEST), manifest)
            for directory, _names, _files in os.walk(self._path):
                fsync_directory(directory)
            os.rename(self._path, target)
            try:
                fsync_directory(self._set_path)
            except OSError:
                os.rename(target, self._path)  # a backup whose run has failed must not be visible
                raise
            self._published = True
        return True


class DirectoryEncryptedStaging(DirectoryStaging):
    """Its scratch lies elsewhere, as the directory may be on a server, and its id tells nothing of the content."""

    def __init__(self, set_path: str, backup_id: str) -> None:
        super().__init__(set_path)
        self.id: Optional[str] = backup_id
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> DirectoryEncryptedStaging:
        from .._core.scratch import scratch_directory  # only here: see _stores/registry.py

        super().__enter__()
        try:
            self.scratch = self._stack.enter_context(scratch_directory())
        except BaseException:
            super().__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        with self._stack:
            super().__exit__(*exc)


class DirectoryCopyStaging(DirectoryStaging):
    """An unfinished copy of a backup. It has the name of the backup, so that the next run finds and continues it."""

    def __init__(self, set_path: str, backup_id: str, sizes: Mapping[str, int]) -> None:
        super().__init__(set_path, backup_id)
        self.id: Optional[str] = backup_id
        self._sizes = sizes

    def __enter__(self) -> DirectoryCopyStaging:
        try:
            with os_errors(RepositoryError, "Can't write to the repository", self._path):
                make_private_directory(self._path)
                remove(self.scratch)
                os.mkdir(self.scratch, 0o700)
                self.found = self._left()
        except (RepositoryError, NoSpace):
            discard(self._path)
            raise
        return self

    def _left(self) -> frozenset[str]:
        """The files that an interrupted run completed, as far as sizes tell. Others are removed."""
        found = []
        for directory, _names, files in os.walk(self._path):
            for file in files:
                full = os.path.join(directory, file)
                path = os.path.relpath(full, self._path)
                if regular_size(full) == self._sizes.get(path, -1):
                    found.append(path)
                else:
                    os.unlink(full)
        return frozenset(found)

    def __exit__(self, *exc: object) -> None:
        if not continues_later(exc[0]):
            super().__exit__(*exc)

    def create(self, path: str) -> BinaryIO:
        if path in self.found:
            self.found = frozenset(self.found) - {path}
            with os_errors(RepositoryError, "Can't write to the repository", os.path.join(self._path, path)):
                os.unlink(os.path.join(self._path, path))
        return super().create(path)
