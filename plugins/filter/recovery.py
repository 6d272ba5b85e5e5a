# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: recovery
short_description: Decisions of the playbook recover
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Decides which backups the sets of a host are recovered from, and what an earlier run of the playbook
    C(day2.ops.recover) has completed.
  - The playbook calls it again with each fact that it learns.
options:
  _input:
    description:
      - Known facts. Required are C(host) (in the inventory), C(machine) (its machine ID), C(nodename), C(now) and
        C(defaults).
      - C(stores), C(jobs) and C(credentials) are C(store_backup_stores), C(schedule_jobs) and C(schedule_credentials). C(defaults) has
        options for all sets, such as C(repository), C(s3), C(copy_to), C(identity_file), C(on_existing) and C(rto).
      - C(state) is the text of the state of an earlier run, and C(restart) ignores it.
      - C(looks) and C(doubts) are the results of the jobs that the filter has asked for, C(log) lists the actions of
        this run, and C(in_use) is the time at which services were started. C(mounts) is the content of
        C(/proc/self/mounts) of the host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what would be recovered
  ansible.builtin.debug:
    msg: "{{ (facts | day2.ops.recovery).sets | map(attribute='name') }}"
  vars:
    facts:
      host: hawkfish1.example.com
      machine: 5be01c9f3f2a9c1b5be01c9f3f2a9c1b
      nodename: hawkfish1
      now: "2025-06-30T12:00:00Z"
      defaults: {repository: "s3://hawkfish-backups/day2"}
      stores:
        - name: hawkfish
          source: {type: sqlite, path: /var/lib/hawkfish/hawkfish.db}
"""

RETURN = r"""
_value:
  description: The decisions.
  type: dict
  contains:
    sets:
      description: >-
        The sets in their order, each with C(backup), C(repository), C(paths) of its targets, their C(parents), and whether it is C(believed)
        to be recovered.
      type: list
      elements: dict
    looks:
      description: Jobs for M(day2.ops.jobs) that look at the sets in all their repositories.
      type: list
      elements: dict
    doubts:
      description: Jobs that read, in check mode, sets that were recovered and have been in use since.
      type: list
      elements: dict
    restores:
      description: The job that restores each set, by name.
      type: dict
    stores:
      description: Jobs that look at the recovered stores.
      type: list
      elements: dict
    backups:
      description: Scheduled jobs that back up a set.
      type: list
      elements: str
    problems:
      description: Obstacles, one sentence for each set.
      type: list
      elements: str
    warnings:
      description: Repositories that could not be considered.
      type: list
      elements: str
    state:
      description: The state to keep on the host.
      type: dict
    resumed:
      description: Whether an earlier run has begun.
      type: bool
    finished:
      description: When the recovery has ended. V(none) if it has not.
      type: str
    table:
      description: A line for each stage and set.
      type: list
      elements: str
    results:
      description: An entry for each stage and set.
      type: list
      elements: dict
    missing:
      description: Sets that are not recovered.
      type: list
      elements: str
    unfinished:
      description: Stages that have not succeeded.
      type: list
      elements: str
    objective:
      description: When the system was back (C(after), in seconds), and its C(rto).
      type: dict
"""

from typing import Any, Callable

from ansible_collections.day2.ops.plugins.plugin_utils.filters import as_filter
from ansible_collections.day2.ops.plugins.plugin_utils.recovery import recovery


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"recovery": as_filter(recovery)}
