# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-lint, with one run of ansible-playbook --syntax-check for all playbooks instead of one for each of 80.

If that fails, each is checked for itself, so that the message is what ansible-lint says.
"""

from __future__ import annotations

import subprocess
from typing import Any

from ansiblelint.__main__ import _run_cli_entrypoint
from ansiblelint.runner import Runner

_one_by_one = Runner._map_syntax_check_workers


def _together(self: Any, worker: Any, files: list[Any]) -> list[list[Any]]:
    playbooks = [str(file.path.absolute()) for file in files if file.kind == "playbook"]
    environment = {**self.app.runtime.environ, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "False"}
    if playbooks:
        command = ["ansible-playbook", "--syntax-check", *playbooks]
        if subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0:
            files = [file for file in files if file.kind != "playbook"]
    return _one_by_one(self, worker, files)


Runner._map_syntax_check_workers = _together
_run_cli_entrypoint()
