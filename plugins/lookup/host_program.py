# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_program
short_description: Program that runs jobs on a host without Ansible
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Builds the program C(day2) from this collection, and returns its path on the controller. The same version of the
    collection always makes the same bytes.
  - The role P(day2.ops.schedule#role) installs it on hosts.
options:
  _terms:
    description: None.
    required: false
"""

EXAMPLES = r"""
- name: Install the program
  ansible.builtin.copy:
    src: "{{ lookup('day2.ops.host_program') }}"
    dest: /usr/local/bin/day2
    mode: "0755"
"""

RETURN = r"""
_raw:
  description: The path of the program, in a directory that is removed when ansible-playbook ends.
  type: list
  elements: path
"""

import os
from pathlib import Path
from typing import Any, Optional

from ansible import constants as C
from ansible.plugins.lookup import LookupBase

from ansible_collections.day2.ops.plugins.plugin_utils.host_program import build


class LookupModule(LookupBase):
    def run(self, terms: Any, variables: Optional[dict[str, Any]] = None, **options: Any) -> list[str]:
        path = Path(C.DEFAULT_LOCAL_TMP) / "day2"
        if not path.exists():
            # Several workers may come here at once.
            new = path.with_name(f"day2.{os.getpid()}")
            new.write_bytes(build(Path(__file__).parents[1] / "module_utils"))
            new.replace(path)
        return [str(path)]
