#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: state_write
short_description: Write the state of a playbook unless another run has changed it
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Writes a JSON file if it still has the content that the playbook has read. The comparison and the write are one step
    on the host. If several runs have read the same state, only one of them writes it, and the others fail.
  - The playbooks C(day2.ops.recover) and C(day2.ops.upgrade) use it to record their progress, so that a stopped run can
    be continued, and two runs on one host do not undo each other's work.
  - The file gets the mode V(0600). Missing directories are created with the mode V(0700).
extends_documentation_fragment:
  - day2.ops.attributes
attributes:
  check_mode:
    support: partial
    details:
      - Check mode fails if the file has changed. As it writes nothing, a later task that replaces what this one would have written fails, too.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - After the file was written, O(replaces) is no longer its content. The result has the new one.
options:
  path:
    description: Path of the file on the host. Other users must not be able to write to its directory.
    type: path
    required: true
  state:
    description:
      - The new content. It must contain something that identifies this run, such as the time at which it began. Runs
        that write the same content cannot be distinguished.
    type: dict
    required: true
  replaces:
    description:
      - The content that the file must have, in Base64, as returned by M(ansible.builtin.slurp) and by this module
        (RV(content)).
      - With an empty string, the file must not exist, or must be empty.
    type: str
    required: true
seealso:
  - module: ansible.builtin.slurp
"""

EXAMPLES = r"""
- name: Record that the work begins
  day2.ops.state_write:
    path: /var/lib/example/work.json
    state:
      run: "{{ now(utc=true, fmt='%Y-%m-%dT%H:%M:%S.%fZ') }}"
      step: begin
    replaces: ""
  register: begun

- name: Record the next step
  day2.ops.state_write:
    path: /var/lib/example/work.json
    state:
      run: "{{ (begun.content | b64decode | from_json).run }}"
      step: next
    replaces: "{{ begun.content }}"
"""

RETURN = r"""
content:
  description: The content of the file in Base64. If the task failed because the file had changed, the changed content.
  type: str
  returned: success, or if the file has changed
  sample: ewogICAgInN0ZXAiOiAiYmVnaW4iCn0K
conflict:
  description: Whether the task failed because the file has changed.
  type: bool
  returned: success, or if the file has changed
  sample: false
msg:
  description: The result in words.
  type: str
  returned: always
  sample: Wrote /var/lib/example/work.json
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs import state_write


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **state_write.ARGUMENTS), state_write.run)


if __name__ == "__main__":
    main()
