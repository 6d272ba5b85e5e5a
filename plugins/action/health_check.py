# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from ansible import constants as C
from ansible.plugins.loader import module_loader

from ansible_collections.day2.ops.plugins.plugin_utils.payload import checks_payload
from ansible_collections.day2.ops.plugins.plugin_utils.progress import ProgressActionBase


class ActionModule(ProgressActionBase):
    """Live progress, and a module that carries only the types of its checks."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        # Where the module did not come so far as to leave the checks out itself, as with an argument that is wrong.
        echoed = result.get("invocation", {}).get("module_args", {})
        if isinstance(echoed.get("checks"), (list, dict)):
            echoed["checks"] = f"{len(echoed['checks'])} check{'' if len(echoed['checks']) == 1 else 's'}"
        return result

    def _execute_module(self, module_name: Optional[str] = None, **options: Any) -> dict[str, Any]:
        if module_name is None:
            source = Path(__file__).parents[1] / "modules" / "health_check.py"
            path = checks_payload(source, self._task.args.get("checks"), Path(C.DEFAULT_LOCAL_TMP))
            module_loader.add_directory(str(path.parent))
            module_name = path.stem
        result: dict[str, Any] = super()._execute_module(module_name=module_name, **options)
        return result
