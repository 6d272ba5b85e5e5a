#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: job_info
short_description: Return the state of scheduled jobs
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Returns the results of the last runs of the jobs of the role P(day2.ops.schedule#role), and the jobs that need
    attention. Only one small file is read.
  - The task does not fail if a job needs attention, but its result says so (RV(ok), RV(findings)).
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.info
options:
  expected:
    description:
      - Jobs that the host must have, each with the time within which it must succeed, such as V(26h). With V(0) or an
        empty string, a job is never late.
    type: dict
    default: {}
  path:
    description: File with the summary.
    type: path
    default: /var/lib/day2/state/jobs/summary.json
  pushed:
    description:
      - File on the controller with a copy of the summary, which the host has pushed somewhere (as the variable
        C(schedule_push_command) of P(day2.ops.schedule#role) does). The host is then not contacted.
      - The task fails if the file does not exist. A silent host is only noticed if a job is late, so it is a finding if
        no job in O(expected) has a time.
    type: path
seealso:
  - module: day2.ops.health_info
"""

EXAMPLES = r"""
- name: Fail if a job needs attention
  day2.ops.job_info:
    expected:
      hawkfish: 26h
      logs: 2d
  register: scheduled
  failed_when: not scheduled.ok

- name: Judge what the host has pushed, without contacting it
  day2.ops.job_info:
    pushed: summaries/{{ inventory_hostname }}.json
    expected:
      hawkfish: 26h
"""

RETURN = r"""
jobs:
  description: The jobs that have run and still exist.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the job.
      type: str
      sample: hawkfish
    verb:
      description: Module that it runs.
      type: str
      sample: backup
    status:
      description: How the last run ended. One of V(ok), V(failed), V(stopped), V(wrong) (the job is not valid) and V(bug).
      type: str
      sample: ok
    failures:
      description: Number of runs since the last success.
      type: int
      sample: 0
    warnings:
      description: Number of warnings of the last run.
      type: int
      sample: 0
    msg:
      description: Message of the last run, if it failed. It may be shortened.
      type: str
      sample: ""
    last_run:
      description: When the last run began. V(null) if the recorded time is in the future.
      type: str
      sample: "2025-06-30T12:00:00Z"
    last_success:
      description: When the last successful run ended. V(null) if there is none, or if the recorded time is in the future.
      type: str
      sample: "2025-06-30T12:00:04Z"
    age_s:
      description: Seconds since the last success, by the clock of the controller.
      type: int
      sample: 3600
    days:
      description:
        - "The worst run of each of the last 90 days: the last day (UTC), then letters up to it, each with a number of days. V(f) is a day
          with a failed run, V(o) one on which a run has changed something, V(u) one on which none has, V(-) one without a run."
        - Empty if the host has too many jobs.
      type: str
      sample: 2025-06-30 o30fu5
findings:
  description: "Jobs that need attention: their last run failed, they are late, or they have never run."
  type: list
  elements: dict
  returned: success
  contains:
    job:
      description: Name of the job.
      type: str
      sample: hawkfish
    problem:
      description: The reason.
      type: str
      sample: "late: last success 3d ago, expected every 1d2h"
ok:
  description: Whether no job needs attention.
  type: bool
  returned: success
  sample: true
msg:
  description: The result in words.
  type: str
  returned: always
  sample: 3 jobs ok
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._host import info


def main() -> None:
    module = AnsibleModule(supports_check_mode=True, **info.ARGUMENTS)
    try:
        result = info.run(module.params)
    except Day2Error as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
