# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.plugin_utils.fleet.report import ARGUMENTS, report


class ActionModule(ActionBase):
    """Makes the report on the controller; nothing runs on the host."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            _spec, params = self.validate_argument_spec(argument_spec=ARGUMENTS)
            return {**result, **report(params, self._task.check_mode)}
        except (AnsibleActionFail, Day2Error) as exc:
            return {**result, "failed": True, "msg": str(exc)}
