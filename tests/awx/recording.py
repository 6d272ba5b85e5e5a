# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An action plugin that stands in for every module of awx.awx: it checks the arguments with the specs of the real
module, and records them instead of calling AWX."""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import Any, NoReturn, Optional

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

MODULES = "ansible_collections.awx.awx.plugins.modules"


class Found(Exception):
    """The arguments of AnsibleModule."""


def specs_of(name: str) -> dict[str, Any]:
    """What the module `name` passes to AnsibleModule."""
    module = import_module(f"{MODULES}.{name}")

    def found(*_arguments: Any, **options: Any) -> NoReturn:
        raise Found(options)

    real, module.ControllerAPIModule = module.ControllerAPIModule, found
    try:
        module.main()
    except Found as exc:
        return dict(exc.args[0])
    finally:
        module.ControllerAPIModule = real
    raise AssertionError(f"{name} has no specs")


class ActionModule(ActionBase):
    """Fails for arguments that the module would refuse."""

    _supports_check_mode = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        name, given = self._task.action.rpartition(".")[2], dict(self._task.args)
        known = ("argument_spec", "required_if", "mutually_exclusive", "required_one_of", "required_together")
        options = {key: one for key, one in specs_of(name).items() if key in known}
        checked = ArgumentSpecValidator(**options).validate(given)
        if checked.error_messages:
            return {"failed": True, "msg": f"{name}: {'; '.join(checked.error_messages)}"}
        with open(os.environ["DAY2_RECORDED"], "a", encoding="utf-8") as handle:
            handle.write(json.dumps({"module": name, "given": given}) + "\n")
        return {"changed": True}
