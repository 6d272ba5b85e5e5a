# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from ansible import constants as C
from ansible.plugins.loader import module_loader

from ansible_collections.day2.ops.plugins.module_utils._verbs.jobs import echo
from ansible_collections.day2.ops.plugins.plugin_utils.payload import jobs_payload
from ansible_collections.day2.ops.plugins.plugin_utils.progress import ProgressActionBase


class ActionModule(ProgressActionBase):
    """Live progress, and a module that carries only the verbs of its jobs."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        # If an argument was wrong, the module has not removed the arguments of the jobs itself.
        echoed = result.get("invocation", {}).get("module_args")
        if isinstance(echoed, dict) and isinstance(echoed.get("jobs"), list):
            result["invocation"]["module_args"] = echo(echoed)
        return result

    def _execute_module(self, module_name: Optional[str] = None, **options: Any) -> dict[str, Any]:
        if module_name is None:
            source = Path(__file__).parents[1] / "modules" / "jobs.py"
            path = jobs_payload(source, self._task.args.get("jobs"), Path(C.DEFAULT_LOCAL_TMP))
            module_loader.add_directory(str(path.parent))
            module_name = path.stem
        result: dict[str, Any] = super()._execute_module(module_name=module_name, **options)
        return result
