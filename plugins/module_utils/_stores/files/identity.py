# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cheap identity of a tree: the attributes of all its entries."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Mapping
from typing import Any, Optional

from ..._core.fingerprint import attributes, settled, trusted_file_system
from ..._core.processes import mapped_for_writing
from ..._core.walk import walk
from .selection import Selection


class Identity:
    """The cheap identity of the entries of a walk, from their attributes.

    :param reading: whether the tree is read now, to be recognised by its identity later. That is impossible for a file
        that a process can write to through memory: only the first write to a page sets its times, until the kernel has
        stored that page. (A mapping that is made later does set them.)
    """

    def __init__(self, root: str, selection: str, reading: bool) -> None:
        self._root = root
        self._began_ns = time.time_ns()  # before the processes are looked at
        self._mapped = mapped_for_writing() if reading else frozenset()
        self._digest = hashlib.sha256(selection.encode())
        self._youngest: Optional[os.stat_result] = None
        self._latest: Optional[os.stat_result] = None
        self._devices: dict[int, bytes] = {}
        self._broken = False

    def add(self, path: bytes, info: os.stat_result) -> None:
        """Add an entry, with its attributes from when it was read, or from before that."""
        self._digest.update(b"%s\0%s\n" % (path, attributes(info).encode()))
        if self._youngest is None or info.st_ctime_ns > self._youngest.st_ctime_ns:
            self._youngest = info
        if self._latest is None or info.st_mtime_ns > self._latest.st_mtime_ns:
            self._latest = info
        if info.st_ino in self._mapped and stat.S_ISREG(info.st_mode):
            self._broken = True
        if info.st_dev not in self._devices and not stat.S_ISLNK(info.st_mode):
            self._devices[info.st_dev] = path

    def distrust(self, *_args: object) -> None:
        """Something could not be read: there is no identity."""
        self._broken = True

    def value(self) -> Optional[str]:
        """The identity in hex; None if it cannot be trusted."""
        extremes = [info for info in (self._youngest, self._latest) if info is not None]
        if self._broken or not settled(extremes, self._began_ns):
            return None
        for path in self._devices.values():
            with contextlib.suppress(OSError):
                if trusted_file_system(os.path.join(self._root, os.fsdecode(path))):
                    continue
            return None
        return self._digest.hexdigest()


def identify(root: str, selection: Selection, description: str) -> Optional[str]:
    """The cheap identity of a tree as it is now; None if it cannot be trusted."""
    identity = Identity(root, description, reading=False)
    try:
        for found in walk(root, selection, identity.distrust):
            identity.add(found.path, found.info)
    except OSError:
        return None
    return identity.value()


def describe(parameters: Mapping[str, Any]) -> str:
    """The selection as part of an identity: another selection is another tree."""
    return json.dumps(parameters, sort_keys=True)
