# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages by programs of the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._core.programs import environment, run_to_end
from .._core.specs import masked
from .together import NotSent


def run_command(argv: Sequence[str], text: str, variables: Mapping[str, str], secrets: set[str]) -> None:
    """Run a program that reads `text` from its standard input. Raises NotSent unless it ends with exit status 0."""
    try:
        status, line = run_to_end(argv, environment(**variables), text.encode("utf-8", "replace"))
    except (OSError, ValueError) as exc:
        raise NotSent(f"{argv[0]} can't be run: {masked(str(exc), secrets)}.") from None
    if status:
        said = f": {masked(line, secrets)[:500]}" if line else ""
        raise NotSent(f"{argv[0]} ended with exit status {status}{said}.")
