# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
from typing import Any, Optional

from ansible.plugins.action import ActionBase

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._host import info


class ActionModule(ActionBase):
    """Reads the file of the host by a module of ansible-core, which sends no code of this collection, and judges it here.

    A fleet is asked often. The module of the same name does the same on the host.
    """

    _supports_check_mode = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, values = self.validate_argument_spec(**info.ARGUMENTS)
        if values["pushed"]:
            try:
                result.update(info.judge_pushed(values["pushed"], values["expected"]))
            except Day2Error as exc:
                result.update(failed=True, msg=str(exc))
            return result
        # On the host, not here, is where ~ means something.
        path = str(self._task.args.get("path") or values["path"])
        read = self._execute_module("ansible.builtin.slurp", {"src": path}, task_vars=task_vars)
        problem = str(read.get("msg", "")) if read.get("failed") else ""
        if problem and not problem.lower().startswith("file not found"):
            hint = " Run as root (become: true)." if "not readable" in problem else ""
            return {**result, "failed": True, "msg": f"{path} cannot be read: {problem.rstrip('.')}.{hint}"}
        content = None if problem else base64.b64decode(read["content"])
        try:
            result.update(info.judge(content, path, values["expected"]))
        except Day2Error as exc:
            result.update(failed=True, msg=str(exc))
        return result
