#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_report
short_description: Write a page that shows whether a fleet meets its backup objectives
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Writes a static page, C(index.html), without scripts, that can be mailed, archived and opened offline. It first
    shows what needs attention, with the commands that help, then for each backup set the age of its newest good backup,
    copies, sizes, the last full verification, drills and the runs of the last 90 days.
  - The same verdicts are in C(fleet.json), C(fleet.csv) and C(fleet.prom) (for the textfile collector of node_exporter). C(limits)
    has files with the names of hosts, which the commands of the page name.
  - Usually used through the role P(day2.ops.fleet_report#role), which asks the hosts.
  - "A set is I(failing) if it is known not to meet an objective, I(unknown) if its host has missed three reports or if something was
    not proven in time, and otherwise I(meeting)."
  - It runs on the controller. C(history.json) in O(dest) stores the last reports of hosts that do not answer, and the
    sizes and runs of 90 days.
  - With more than 750 backup sets, each group of hosts has a page of its own.
extends_documentation_fragment:
  - day2.ops.attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode, the verdict is returned and no file is written.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each report has the time at which it was made.
options:
  dest:
    description: Directory of the controller for the files of the report. It is created if it does not exist.
    type: path
    required: true
  hosts:
    description: All hosts of the fleet, including those that did not answer.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name in the inventory.
        type: str
        required: true
      groups:
        description: Groups of the host. The page shows its backup sets under the first one.
        type: list
        elements: str
      report_every:
        description: A host is silent if it was not reached for three times this interval. The default is V(1d).
        type: str
      problem:
        description: Why the host did not answer. Empty if it did.
        type: str
      sets:
        description:
          - Backup sets that the host must have. Each is a dictionary with C(name), C(type) (of the store), C(repository),
            C(host) (if its backups are of another name than that of the host) and the objectives C(rpo), C(rto),
            C(copies) (as in M(day2.ops.backup_info)), C(drill_every) and C(verify_every).
        type: list
        elements: dict
      backups:
        description:
          - Results of M(day2.ops.backup_info), each with the C(name) of the set. If the repository was read from another host because
            this one did not answer, C(elsewhere) is V(true).
        type: list
        elements: dict
      jobs:
        description: Result of M(day2.ops.job_info).
        type: dict
      schedule:
        description: The host's C(schedule_jobs), as of the role P(day2.ops.schedule#role).
        type: list
        elements: dict
      drills:
        description: Content of C(/var/lib/day2/state/drills.json) of the host in Base64, which M(day2.ops.restore_drill) has written.
        type: str
      health:
        description: Result of M(day2.ops.health_info).
        type: dict
      evidence:
        description: Result of M(day2.ops.evidence_info).
        type: dict
      mounts:
        description: C(ansible_facts.mounts) of the host.
        type: list
        elements: dict
  fleet:
    description: Name of the fleet. The history in O(dest) belongs to it.
    type: str
    default: fleet
  inventory:
    description: Inventories that the proposed commands name.
    type: list
    elements: str
    default: [inventory]
  command:
    description: Command that makes the report. The last line of the page shows it.
    type: str
    default: ansible-playbook day2.ops.fleet_report
  next_due:
    description: When the next report is made, for example V(1d). After that time, the page says that it is out of date.
    type: str
  evidence:
    description:
      - State of a chained journal of evidence, with C(entries), C(verified), C(head), C(anchored_at) and C(anchor). If it is not
        verified, the verdict is V(failing). The default is that of O(hosts[].evidence).
    type: dict
  mode:
    description: Mode of the files, as a string.
    type: str
    default: "0644"
seealso:
  - module: day2.ops.backup_info
  - module: day2.ops.job_info
"""

EXAMPLES = r"""
- name: Report on one host
  day2.ops.fleet_report:
    dest: /var/www/fleet
    next_due: 1d
    hosts:
      - name: hawkfish1
        groups: [hawkfish]
        sets:
          - {name: hawkfish, type: sqlite, repository: /var/backups/day2, rpo: 4h, copies: {min: 2}}
        backups:
          - "{{ backups | combine({'name': 'hawkfish'}) }}"
"""

RETURN = r"""
verdict:
  description:
    - V(failing) if a backup set is failing, there is none, or the evidence was changed; otherwise V(unknown) if the state of a set or a
      host is not known, V(soon) if a disk is full or a health check is critical, and V(meeting).
  type: str
  returned: success
  sample: meeting
count:
  description: Numbers of backup sets by state, of all sets, hosts and silent hosts.
  type: dict
  returned: success
  sample: {failing: 0, unknown: 0, meeting: 4, soon: 1, sets: 4, hosts: 3, silent: 0}
attention:
  description: What needs attention, the most urgent first. Problems with the same cause are one entry.
  type: list
  elements: dict
  returned: success
  contains:
    level:
      description: One of V(failing), V(unknown) and V(soon).
      type: str
      sample: failing
    code:
      description: Kind of the problem.
      type: str
      sample: rpo
    problems:
      description: The hosts and backup sets that have it, with C(host), C(set) and C(text).
      type: list
      elements: dict
      sample:
        - host: hawkfish1
          set: hawkfish
          text: "Newest good backup is 6 h old; 4 h is allowed. No run has failed since: none has started."
    commands:
      description: Commands that help.
      type: list
      elements: str
      sample: [ansible-playbook day2.ops.backup -i inventory -l hawkfish1]
path:
  description: The page.
  type: str
  returned: success
  sample: /var/www/fleet/index.html
msg:
  description: The state in one sentence.
  type: str
  returned: always
  sample: All 4 backup sets meet their objectives.
"""
