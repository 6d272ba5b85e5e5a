# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module imports before anything else of this collection: it is short, as each task compiles it, and makes the
code that follows come from what the host has kept. Modules call `run`."""

from __future__ import annotations

# First: an older Python can't import the others, which zipimport would compile twice.
from . import _node_python, _zip_import

# isort: split
from . import _zip_cache

# isort: split
from ._module_run import run

__all__ = ["_node_python", "_zip_cache", "_zip_import", "run"]
