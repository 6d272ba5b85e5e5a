# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verb as its module calls it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress

ROUNDED = 0.001  # seconds, of which half can be too many


def run_verb(verb: Any, params: Mapping[str, Any], check: bool = False) -> dict[str, Any]:
    """Its result, which is JSON, and says of its duration what a look at the clock before and after does."""
    began = time.monotonic()
    result: dict[str, Any] = verb.run(params, check, Progress())
    assert 0 <= result["duration_s"] <= time.monotonic() - began + ROUNDED
    json.dumps(result)
    return result
