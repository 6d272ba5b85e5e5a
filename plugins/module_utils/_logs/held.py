# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes write to logs and rotated files, also where not all processes are visible."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Optional

from .._core.errors import Day2Error
from .._core.open_files import PERHAPS, UNSEEN, FileId, Writer, file_id, has_writer, sees_all, writers
from .._core.progress import Progress
from .._core.secure_directory import SecureDirectory

Files = Mapping[FileId, tuple[SecureDirectory, str]]


def find_writers(files: Files) -> dict[FileId, list[Writer]]:
    """The writers of some files. A file that is not in the answer has none.

    If not all processes are visible, the kernel is asked about each file. A file whose state is unknown counts as
    written to.
    """
    found = writers(files)
    if sees_all():
        return found
    for one, (place, name) in files.items():
        if one not in found:
            writer = _ask(place, name, one)
            if writer is not None:
                found[one] = [writer]
    return found


def wait_for_nobody(files: Files, timeout: float, progress: Progress) -> dict[FileId, list[Writer]]:
    """Wait until no process writes to some files. Returns those that still do after this number of seconds."""
    end = time.monotonic() + timeout
    delay = 0.02
    while True:
        held = find_writers(files)
        if not held or time.monotonic() >= end:
            return held
        progress.check()
        time.sleep(delay)
        delay = min(0.5, delay * 1.5)


def _ask(place: SecureDirectory, name: str, one: FileId) -> Optional[Writer]:
    try:
        fd = place.open_file(name)
    except FileNotFoundError:
        return None
    except (OSError, Day2Error):
        return PERHAPS
    try:
        if file_id(os.fstat(fd)) != one:
            return None
        answer = has_writer(fd)
    finally:
        os.close(fd)
    if answer is None:
        return PERHAPS
    return UNSEEN if answer else None
