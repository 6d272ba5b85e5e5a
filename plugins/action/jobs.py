# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, Optional

from ansible_collections.day2.ops.plugins.module_utils._verbs.jobs import echo
from ansible_collections.day2.ops.plugins.plugin_utils.progress import ProgressActionBase


class ActionModule(ProgressActionBase):
    """Live progress, and a result without the arguments of the jobs."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        # If an argument was wrong, the module has not removed the arguments of the jobs itself.
        echoed = result.get("invocation", {}).get("module_args")
        if isinstance(echoed, dict) and isinstance(echoed.get("jobs"), list):
            result["invocation"]["module_args"] = echo(echoed)
        return result
