# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""zstd, which Python has only from 3.14 on: through its library if that is found, otherwise through its program.

Level 1: on databases and logs as small as level 3 (within 4 %) in two thirds of its time.
"""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from typing import Any, Optional

from ..programs import PATH
from .base import Readable, Writable


def missing() -> Optional[str]:
    """As `Compression.missing`: the program in any case, as it is what decompresses a backup by hand."""
    return None if shutil.which("zstd", path=os.environ.get("PATH") or PATH) else "zstd"


def writer(fd: int) -> AbstractContextManager[Writable]:
    """As `Compression.writer`."""
    opened: AbstractContextManager[Writable] = _usable().writer(fd)
    return opened


def reader(source: Readable) -> AbstractContextManager[Readable]:
    """As `Compression.reader`."""
    opened: AbstractContextManager[Readable] = _usable().reader(source)
    return opened


def _usable() -> Any:
    from . import zstd_library  # only here: see __init__.py

    if zstd_library.library():
        return zstd_library
    from . import zstd_program

    return zstd_program
