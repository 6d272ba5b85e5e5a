# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report: {format: json}. The result of the task with host and time, for programs."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any, Optional

from .._core.units import format_time
from .base import Report


class JsonReport:
    """One object; a number that JSON lacks (NaN, infinity) is null."""

    def render(self, report: Report, name: str) -> bytes:
        made_at = format_time(datetime.fromtimestamp(round(report.made_at, 3), timezone.utc))
        head = {"report": name, "host": report.host, "made_at": made_at, "duration_s": round(report.duration_s, 3)}
        text = json.dumps(finite({**head, **report.result}), ensure_ascii=True, allow_nan=False, indent=1)
        return text.encode("ascii") + b"\n"

    def answers(self, text: str) -> Optional[list[tuple[str, str]]]:
        try:
            return [(one["name"], one["status"]) for one in json.loads(text)["checks"]]
        except (ValueError, TypeError, KeyError, RecursionError):
            return None


def finite(value: Any) -> Any:
    """The value without numbers that JSON lacks."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    return value
