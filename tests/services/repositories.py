# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories of every kind, for the tests of what all of them promise. A new kind is an entry of KINDS."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Callable

# What opens one that is empty and lies nowhere else: parameters as a module has them.
Place = Callable[[Path], AbstractContextManager[dict[str, Any]]]


@contextlib.contextmanager
def _directory(scratch: Path) -> Iterator[dict[str, Any]]:
    yield {"repository": str(scratch / "backups")}


KINDS: Mapping[str, Place] = {"directory": _directory}
