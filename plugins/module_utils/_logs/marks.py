# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In an old_dir, a rotated file carries the path of its log, as two logs may have the same name.

The mark is an extended attribute. Where these are not supported, rotated files are identified by their names only.
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
    """The log that a rotated file is marked with; "" without a mark."""
    path = f"/proc/self/fd/{place.fd}/{name}"
    try:
        return os.fsdecode(os.getxattr(path, LOG, follow_symlinks=False))
    except OSError:
        return ""


def mark(place: SecureDirectory, name: str, path: str) -> None:
    """Mark a rotated file with its log, where the file system supports it."""
    with contextlib.suppress(OSError):
        os.setxattr(f"/proc/self/fd/{place.fd}/{name}", LOG, os.fsencode(path), follow_symlinks=False)
