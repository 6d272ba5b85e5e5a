# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In an old_dir, a rotated file carries the path of its log: two logs may have one name, and no other way to tell.

The mark is an extended attribute. Where there are none, rotated files are told by their names alone.
"""

from __future__ import annotations

import contextlib
import os

from .._core.secure_directory import SecureDirectory

LOG = "user.day2.log"


def real_path(directory: SecureDirectory, name: str) -> str:
    """The path of a log without links."""
    return os.path.join(os.readlink(f"/proc/self/fd/{directory.fd}"), name)


def log_of(place: SecureDirectory, name: str) -> str:
    """The log that a rotated file is marked as; "" without a mark."""
    path = f"/proc/self/fd/{place.fd}/{name}"
    try:
        return os.fsdecode(os.getxattr(path, LOG, follow_symlinks=False))
    except OSError:
        return ""


def mark(place: SecureDirectory, name: str, path: str) -> None:
    """Mark a rotated file as one of this log, where the file system keeps such marks."""
    with contextlib.suppress(OSError):
        os.setxattr(f"/proc/self/fd/{place.fd}/{name}", LOG, os.fsencode(path), follow_symlinks=False)
