# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus's own judge of metrics and alert rules."""

from __future__ import annotations

import subprocess


def promtool(*arguments: object, stdin: bytes = b"") -> None:
    """Fails with what it says."""
    done = subprocess.run(
        ["promtool", *map(str, arguments)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, done.stdout.decode()
