# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program prints."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print a line, at once: the journal and scripts read it while the program runs."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: object) -> None:
    """Print a line of errors."""
    sys.stderr.write(f"{text}\n")
