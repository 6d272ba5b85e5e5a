# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What health_check writes, as if it were a verb: a report and a history, of one check with a given status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.day2.ops.plugins.module_utils._core.outcome import Outcome
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._history.database import append
from ansible_collections.day2.ops.plugins.module_utils._reports.base import Report
from ansible_collections.day2.ops.plugins.module_utils._reports.registry import write

ARGUMENTS: dict[str, Any] = {"argument_spec": {"report": {}, "history": {}, "status": {}, "at": {}}}


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    outcome = Outcome("api", "http", params["status"], "x" * 9000, params["at"], 0.1)
    summary = {"status": params["status"], "score": 100}
    report = Report([outcome], {"checks": [], "summary": summary}, params["at"], 0.1)
    written = write([{"format": "nagios", "path": params["report"]}], report, check)
    append(params["history"], [outcome], 1e6, params["at"])
    return {"changed": written[0]["changed"]}
