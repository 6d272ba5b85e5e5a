# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in a repository in a directory, and what counts as a file there."""

from __future__ import annotations

import os
import stat
from typing import Optional

STAGING = ".staging-"
REMOVING = ".removing-"


def regular_size(path: str) -> Optional[int]:
    """The size of a file in bytes; None if it does not exist, or is not a regular file."""
    try:
        info = os.lstat(path)
    except OSError:
        return None
    return info.st_size if stat.S_ISREG(info.st_mode) else None
