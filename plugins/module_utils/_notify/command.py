# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages by programs of the user."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from .._core.programs import environment
from .._core.specs import masked
from .together import NotSent

_LONGEST = 10_000  # bytes of errors


def run_command(argv: Sequence[str], text: str, variables: Mapping[str, str], secrets: set[str]) -> None:
    """Run a program that reads `text` from its standard input. Raises NotSent unless it ends with exit status 0."""
    # Not a pipe, whose end would have to be waited for: it may leave a program running.
    with open(os.memfd_create("errors"), "r+b") as errors:
        try:
            status = subprocess.run(  # pylint: disable=ansible-bad-function
                list(argv),
                input=text.encode("utf-8", "replace"),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment(**variables),
                check=False,
            ).returncode
        except (OSError, ValueError) as exc:
            raise NotSent(f"{argv[0]} can't be run: {masked(str(exc), secrets)}.") from None
        if status:
            errors.seek(max(0, os.fstat(errors.fileno()).st_size - _LONGEST))
            lines = errors.read().decode("utf-8", "replace").strip().splitlines()
            said = f": {masked(lines[-1], secrets)[:500]}" if lines else ""
            raise NotSent(f"{argv[0]} ended with exit status {status}{said}.")
