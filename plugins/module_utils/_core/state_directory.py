# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a host keeps its state."""

from __future__ import annotations

import os

VARIABLE = "DAY2_STATE"  # of the environment: another directory


def directory() -> str:
    """Where the state of this user lies."""
    given = os.environ.get(VARIABLE)
    if given:
        return given
    if os.geteuid() == 0:
        return "/var/lib/day2/state"
    return os.path.expanduser("~/.local/state/day2")
