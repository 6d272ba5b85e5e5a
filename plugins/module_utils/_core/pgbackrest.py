# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the repository of pgBackRest is named; apart from its code, which only its tasks need."""

from __future__ import annotations

ADDRESS = "pgbackrest"  # also with :FILE, its configuration


def is_pgbackrest(location: str) -> bool:
    """Whether a repository is that of pgBackRest."""
    return location == ADDRESS or location.startswith(ADDRESS + ":")
