# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, Optional

from ansible_collections.day2.ops.plugins.plugin_utils.progress import ProgressActionBase


class ActionModule(ProgressActionBase):
    """Live progress, and a result without the checks of the task."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        # Where the module did not come so far as to leave the checks out itself, as with an argument that is wrong.
        echoed = result.get("invocation", {}).get("module_args", {})
        if isinstance(echoed.get("checks"), (list, dict)):
            echoed["checks"] = f"{len(echoed['checks'])} check{'' if len(echoed['checks']) == 1 else 's'}"
        if isinstance(echoed.get("notify"), list):
            echoed["notify"] = [one.get("name") if isinstance(one, dict) else one for one in echoed["notify"]]
        return result
