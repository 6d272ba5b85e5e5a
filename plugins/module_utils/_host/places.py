# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the host program finds its jobs, and where it keeps what it knows of their runs."""

from __future__ import annotations

import os

from .._core import host_state

JOBS_VARIABLE = "DAY2_ETC"  # of the environment: another directory than /etc/day2


def configuration(*steps: str) -> str:
    """A path below /etc/day2."""
    return os.path.join(os.environ.get(JOBS_VARIABLE) or "/etc/day2", *steps)


def state(*steps: str) -> str:
    """A path below the directory with the journal, the summary and the locks of jobs."""
    return os.path.join(host_state.directory(), "jobs", *steps)
