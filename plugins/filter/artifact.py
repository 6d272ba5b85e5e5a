# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: artifact
short_description: Summary of a result for AWX
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Summarizes the result of a module, or the results of a role, for M(ansible.builtin.set_stats), which publishes it as an
    artifact in AWX. The playbooks of this collection use it.
  - Texts are cut after 500 characters. Entries that would make the artifact larger than 8 KiB are left out and counted in
    C(omitted). The invocation is never part of it.
options:
  _input:
    description:
      - The result of a module, or a list of C(name) and C(result) such as C(store_backup_results).
      - Entries without C(result) are kept as they are; they have a C(status).
    type: raw
    required: true
  reason:
    description: Why the play has failed. Unless empty, the status is V(failed), and this is the message.
    type: str
    default: ""
  keep:
    description: Paths of values in the result to keep, such as V(backup.id), which becomes C(backup_id).
    type: list
    elements: str
    default: []
  results:
    description: Entries to publish instead of those of the input.
    type: list
    elements: dict
"""

EXAMPLES = r"""
- name: Publish the result of a check
  ansible.builtin.set_stats:
    data:
      endpoints: "{{ {inventory_hostname: endpoints_health | day2.ops.artifact(keep=['summary.score', 'alarms'])} }}"
"""

RETURN = r"""
_value:
  description: The summary.
  type: dict
  contains:
    status:
      description: V(ok), V(changed), V(skipped) or V(failed). Of several results, the worst one.
      type: str
    msg:
      description: The message.
      type: str
    evidence:
      description: The newest head of the journal of evidence in the results (C(journal), C(count), C(digest) and C(time)), if they were recorded.
      type: dict
    results:
      description: One entry for each result of a list, with C(name), C(status), C(msg) and the values in O(keep).
      type: list
      elements: dict
    omitted:
      description: Number of entries and values that were left out.
      type: int
"""

from typing import Any, Callable

from ansible_collections.day2.ops.plugins.plugin_utils.artifact import artifact
from ansible_collections.day2.ops.plugins.plugin_utils.filters import as_filter


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"artifact": as_filter(artifact)}
