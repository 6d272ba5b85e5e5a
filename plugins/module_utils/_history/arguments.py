# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option `history` of modules that store the results of checks; documented in doc_fragments/health.py."""

from __future__ import annotations

from typing import Any

# A little more than the longest window that health_info shows by default.
KEEP_WITHIN = "8d"

HISTORY: dict[str, Any] = {
    "history": {
        "type": "dict",
        "options": {
            "path": {"type": "path", "required": True},
            "keep": {"type": "dict", "options": {"within": {"type": "str"}}},
        },
    },
}
