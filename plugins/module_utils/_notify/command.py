# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages by programs of the user."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from .._core.programs import environment
from .._core.specs import masked
from .together import NotSent


def run_command(argv: Sequence[str], text: str, variables: Mapping[str, str], secrets: set[str]) -> None:
    """Run a program that reads `text` from its standard input. Raises NotSent unless it ends with exit status 0."""
    try:
        done = subprocess.run(
            list(argv),
            input=text.encode("utf-8", "replace"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(**variables),
            check=False,
        )
    except (OSError, ValueError) as exc:
        raise NotSent(f"{argv[0]} can't be run: {masked(str(exc), secrets)}.") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = f": {masked(lines[-1][:500], secrets)}" if lines else ""
        raise NotSent(f"{argv[0]} ended with exit status {done.returncode}{said}.")
