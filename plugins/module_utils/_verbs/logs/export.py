# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes records as JSON lines into a file that only its owner can read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ..._core import files
from ..._core.errors import InvalidRequest, TargetError
from ..._core.file_lock import FileLock
from ..._core.plain_json import encode, plain
from ..._core.unordered import MODULUS, total

_MODE = 0o600
_BLOCK = 1 << 20
_LONGEST = 64 << 20  # bytes of a line


class Export:
    """A new content of a file, which takes the place of the old one in `publish`.

    :param check: nothing is written.
    :raises InvalidRequest: others can write to its directory, so that they could read or replace it.
    :raises TargetError: it can't be written there.
    """

    def __init__(self, path: str, check: bool) -> None:
        self.count = 0
        self._path = files.resolve(path, InvalidRequest)
        self._directory, self._name = os.path.split(self._path)
        files.check_writable_parent(self._path)
        if files.others_can_write(self._directory):
            raise InvalidRequest(f"export: other users can write to {self._directory}.", "Choose another directory.")
        files.check_regular(self._path, TargetError)
        self._sum = 0  # of the lines: some stores have another order in each reading
        self._lock = FileLock(self._path)
        self._lock.check(TargetError)
        self._temporary = os.path.join(self._directory, files.prepared_name(self._name))
        self._handle: Optional[Any] = None
        self._check = check

    def __enter__(self) -> Export:
        if not self._check:
            with files.os_errors(TargetError, "Can't write", self._path):
                if not self._lock.take():
                    raise TargetError(f"{self._path} is being written by another run.", "Run again once it has ended.")
                files.remove_prepared(self._directory, self._name)
                fd = os.open(self._temporary, files.CREATE_FILE, _MODE)
                self._handle = os.fdopen(fd, "wb", _BLOCK)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):
                self._handle.close()
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
        self._lock.release()

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add lines."""
        lines = [encode(_in_order(plain(one))).encode() + b"\n" for one in records]
        self._sum += total(lines)
        self.count += len(lines)
        if self._handle is not None:
            with files.os_errors(TargetError, "Can't write", self._path):
                self._handle.writelines(lines)

    def publish(self) -> bool:
        """Replace the file, if its content is another one. Returns whether it is; with `check`, whether it would be."""
        changed = self._current() != self._sum % MODULUS
        if self._handle is not None and changed:
            with files.os_errors(TargetError, "Can't write", self._path):
                self._handle.flush()
                os.fsync(self._handle.fileno())
                os.rename(self._temporary, self._path)
                files.fsync_directory(self._directory)
        return changed

    def _current(self) -> Optional[int]:
        """The sum of the file's lines; None if there is none, or others may read it."""
        info = files.check_regular(self._path, TargetError)
        if info is None or info.st_mode & 0o777 != _MODE:
            return None
        fd = files.open_regular(self._path, TargetError)
        with files.os_errors(TargetError, "Can't read", self._path), open(fd, "rb") as handle:
            return total(iter(lambda: handle.readline(_LONGEST), b"")) % MODULUS


def _in_order(value: Any) -> Any:
    """The value with the members of mappings in one order, which some stores do not have."""
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value)}
    return [_in_order(one) for one in value] if isinstance(value, (list, tuple)) else value
