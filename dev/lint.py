# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-lint, with one run of ansible-playbook --syntax-check for all playbooks and roles instead of one for each.

If that fails, each is checked for itself, so that the message is what ansible-lint says. Each task is normalized once,
and not again for each of 36 rules: that copies all that is in it.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from typing import Any

from ansiblelint import utils
from ansiblelint.__main__ import _run_cli_entrypoint
from ansiblelint.runner import Runner

_one_by_one = Runner._map_syntax_check_workers
_normalize = utils.normalize_task_v2
_normalized: dict[int, tuple[Any, Any]] = {}  # by the identity of a task, which is kept with it so that no other has it


def _together(self: Any, worker: Any, files: list[Any]) -> list[list[Any]]:
    found = {kind: [str(one.path.absolute()) for one in files if one.kind == kind] for kind in ("playbook", "role")}
    environment = {**self.app.runtime.environ, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "False"}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as roles:
        tasks = [{"ansible.builtin.import_role": {"name": one}} for one in found["role"]]
        json.dump([{"hosts": "localhost", "tasks": tasks}], roles)
        roles.flush()
        command = ["ansible-playbook", "--syntax-check", *found["playbook"], roles.name]
        if subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0:
            files = [file for file in files if file.kind not in found]
    return _one_by_one(self, worker, files)


def _normalize_once(task: Any) -> Any:
    raw = task.raw_task
    if id(raw) not in _normalized:
        _normalized[id(raw)] = (raw, _normalize(task))
    found = _normalized[id(raw)][1]
    return {**found, "action": {**found["action"]}}  # rules add to it


Runner._map_syntax_check_workers = _together
utils.normalize_task_v2 = _normalize_once
_run_cli_entrypoint()
