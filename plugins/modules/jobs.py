#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: jobs
short_description: Run several modules of this collection in one task
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Runs any modules of this collection one after another, in one task and one process on the host. Ten tasks
    that find nothing to do take several times as long as one task with ten jobs.
  - Each job has its own result. If a job fails, the other jobs still run, and the task fails at the end.
  - Only the code of the modules that are named in O(jobs) is sent to the host.
extends_documentation_fragment:
  - day2.ops.attributes
attributes:
  check_mode:
    support: full
    details:
      - Each job runs in check mode.
  diff_mode:
    support: full
    details:
      - The diffs of all jobs, each with the name of its job.
  idempotent:
    support: partial
    details:
      - As the modules that are run.
notes:
  - If the task is stopped (by a timeout or Ctrl-C), the job that is running is stopped, and the remaining jobs are not run.
  - The arguments of the jobs are not shown in the result or written to the log of the host, as they may contain secrets.
options:
  jobs:
    description: Jobs, in the order in which they are run.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the job in results, messages, warnings and diffs. It must be unique in the task.
        type: str
        required: true
      verb:
        description: Module of this collection to run, without the prefix C(day2.ops).
        type: str
        required: true
        choices:
          - backup
          - backup_copy
          - backup_info
          - cache_clean
          - evidence_info
          - health_check
          - health_info
          - lifecycle
          - lifecycle_info
          - log_report
          - log_rotate
          - migrate
          - migrate_info
          - postgresql_pitr
          - purge
          - records_update
          - records_validate
          - restore
          - restore_drill
          - retention
          - store_info
          - store_optimize
      arguments:
        description: Options of that module. They are checked when the job runs, as the module would check them.
        type: dict
        default: {}
seealso:
  - module: day2.ops.backup
  - module: day2.ops.health_check
  - module: day2.ops.log_rotate
  - module: day2.ops.retention
"""

EXAMPLES = r"""
- name: Back up two applications and rotate their logs
  day2.ops.jobs:
    jobs:
      - name: back up hawkfish
        verb: backup
        arguments:
          name: hawkfish
          source:
            type: sqlite
            path: /var/lib/hawkfish/hawkfish.db
          repository: /var/backups/day2
      - name: back up hostfactory
        verb: backup
        arguments:
          name: hostfactory
          source:
            type: json
            path: /opt/hostfactory/data/request_database.json
          repository: /var/backups/day2
      - name: rotate logs
        verb: log_rotate
        arguments:
          paths: /var/log/hawkfish/*.log
          frequency: daily
          keep:
            last: 14
  register: nightly

- name: Show what failed
  ansible.builtin.debug:
    msg: "{{ nightly.results | selectattr('failed') | map(attribute='msg') }}"
"""

RETURN = r"""
results:
  description: The results of the jobs, in their order.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Name of the job.
      type: str
      sample: back up hawkfish
    verb:
      description: Module that was run.
      type: str
      sample: backup
    changed:
      description: Whether the job has changed something (in check mode, would change something).
      type: bool
      sample: false
    failed:
      description: Whether the job failed.
      type: bool
      sample: false
    msg:
      description: The result in words.
      type: str
      sample: hawkfish is unchanged since backup 20250630T120000Z-3f2a9c1b.
    result:
      description: The result of the module, as documented for it, without C(diff) and C(warnings).
      type: dict
      sample: {"changed": false, "failed": false, "reason": "unchanged"}
msg:
  description: The result in words. Names the jobs that failed.
  type: str
  returned: always
  sample: 3 jobs ok, 1 changed.
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: always
  sample: 0.4
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._module_jobs import verb_of
from ansible_collections.day2.ops.plugins.module_utils._verbs import jobs


def main() -> None:
    module = AnsibleModule(supports_check_mode=True, **jobs.ARGUMENTS)
    run(module, verb_of(module), jobs.echo)


if __name__ == "__main__":
    main()
