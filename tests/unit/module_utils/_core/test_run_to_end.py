# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the user that are run to their end."""

from __future__ import annotations

import os

from ansible_collections.day2.ops.plugins.module_utils._core.programs import run_to_end

PROGRAM = ["sh", "-c", "read line; echo error of $line >&2; echo output; exit 3"]


def test_what_it_has_printed_last() -> None:
    assert run_to_end(PROGRAM, os.environ, b"mine\n") == (3, "error of mine")
    assert run_to_end(PROGRAM, os.environ, b"mine\n", output=True) == (3, "output")
    assert run_to_end(["sh", "-c", ""], os.environ) == (0, "")
