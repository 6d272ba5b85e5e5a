# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, Optional

from ansible_collections.day2.ops.plugins.module_utils._verbs.drill.drill import echo
from ansible_collections.day2.ops.plugins.plugin_utils.progress import ProgressActionBase


class ActionModule(ProgressActionBase):
    """Live progress, and a result without the checks of its probe."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        # If an argument was wrong, the module has not hidden the checks itself.
        echoed = result.get("invocation", {}).get("module_args")
        if isinstance(echoed, dict):
            result["invocation"]["module_args"] = echo(echoed)
        return result
