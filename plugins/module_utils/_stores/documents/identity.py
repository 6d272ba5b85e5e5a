# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a document exists and whether it has changed: all that a task with nothing to do asks of it."""

from __future__ import annotations

import os
import stat
from typing import Optional

from ..._core.errors import SourceError
from ..._core.files import look
from ..._core.fingerprint import attributes, combine, settled, trusted_file_system


def exists(path: str) -> bool:
    """Whether there is anything at the path. An empty file does not count."""
    info = look(path, SourceError)
    return info is not None and not (stat.S_ISREG(info.st_mode) and info.st_size == 0)


def fingerprint(path: str) -> Optional[str]:
    """The attributes of the file; None if they cannot be trusted."""
    try:
        info = os.lstat(path)
        if stat.S_ISREG(info.st_mode) and settled([info]) and trusted_file_system(path):
            return combine([attributes(info)])
    except OSError:
        pass
    return None
