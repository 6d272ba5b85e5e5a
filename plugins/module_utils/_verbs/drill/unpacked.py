# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dump of a program, unpacked into a directory: a drill does not run programs that a backup names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any, Optional

from ..._core.errors import SourceError, TargetError
from ..._core.files import os_errors
from ..._stores.base import Change, Copy, Restoration

_BLOCK = 1 << 20


class Unpacked:
    """A directory with the files of a backup as they were dumped. Of a `Store`, it has what a restore needs."""

    type = "command"
    local_path: Optional[str] = None

    def __init__(self, path: str) -> None:
        self.path = path

    def exists(self) -> bool:
        return os.path.lexists(self.path)

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        return Unpacking(self.path, copy, os.path.join(scratch, "unpacked"), dry)


class Unpacking:
    """The files are written and verified beside the directory."""

    changes: tuple[Change, ...] = ()
    differences: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    damage = ""

    def __init__(self, path: str, copy: Copy, prepared: str, dry: bool) -> None:
        self._path, self._prepared = path, prepared
        if dry:
            self.changed = any(_read(copy, name) != _digest(os.path.join(path, name)) for name in copy.names())
            return
        self.changed = True
        with os_errors(TargetError, "Can't write", prepared):
            os.mkdir(prepared, 0o700)
            for name in copy.names():
                with open(os.path.join(prepared, name), "xb") as target:
                    _read(copy, name, target)

    def apply(self) -> None:
        with os_errors(TargetError, "Can't create", self._path):
            os.rename(self._prepared, self._path)

    def undo(self) -> None:
        with os_errors(TargetError, "Can't remove", self._path):
            os.rename(self._path, self._prepared)

    def __enter__(self) -> Restoration:
        return self

    def __exit__(self, *_exc: object) -> None:
        """What was prepared is in scratch, which is removed as a whole."""


def _read(copy: Copy, name: str, target: Any = None) -> str:
    """The digest of a file of the backup, which is written to the target. Raises DamagedBackup."""
    digest = hashlib.sha256()
    with copy.open(name) as reader:
        for data in iter(lambda: reader.read(_BLOCK), b""):
            digest.update(data)
            if target is not None:
                target.write(data)
    return digest.hexdigest()


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with os_errors(SourceError, "Can't read", path), open(path, "rb") as handle:
        for data in iter(lambda: handle.read(_BLOCK), b""):
            digest.update(data)
    return digest.hexdigest()
