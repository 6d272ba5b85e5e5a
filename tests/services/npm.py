# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where packages of npm are that tests need (requirements/npm)."""

from __future__ import annotations

from pathlib import Path


def npm_package(name: str) -> Path:
    """Where dev/lib.sh (need_npm) has put an npm package. Copies of the tree lie somewhere below the clone's .cache."""
    for parent in Path(__file__).resolve().parents:
        found = parent / ".cache" / "npm" / "node_modules" / name
        if found.is_dir():
            return found
    raise RuntimeError(f"The npm package {name} is missing. Install it with: dev/run setup")
