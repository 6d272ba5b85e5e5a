#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_info
short_description: Report availability, percentiles and trends from the history of health checks
version_added: 1.0.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Reads the file written by the option C(history) of the module health_check.
  - Returns for each check its last status and the time since which it has had that status, and for each window its
    availability, the 50th and 95th percentiles of its duration and value, and how these differ between the two halves
    of the window.
  - If the history does not exist, is damaged, or is a different kind of file, the task fails.
  - Results dated in the future, because the clock was ahead, are treated as of now, and a warning reports their number.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.info
options:
  path:
    description: Path of the history file.
    type: path
    required: true
  checks:
    description: Names of the checks to report. The default is all. A name that is not in the history is an error.
    type: list
    elements: str
  windows:
    description:
      - Time windows before now to report. Results older than the retention limit of the history are not available.
    type: list
    elements: str
    default: [1h, 24h, 7d]
seealso:
  - module: day2.ops.log_report
"""

EXAMPLES = r"""
- name: Report the last week of the HawkFish checks
  day2.ops.health_info:
    path: /var/lib/day2/health.db
  register: health

- name: Fail if a check was available for less than 99.9 % of the day
  ansible.builtin.assert:
    that: item.windows[1].availability is none or item.windows[1].availability >= 99.9
    fail_msg: "{{ item.name }} was available for {{ item.windows[1].availability }} % of the day"
  loop: "{{ health.checks }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
checks:
  description: Checks, sorted by name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the check.
      type: str
      sample: api
    type:
      description: Type of the check.
      type: str
      sample: http
    unit:
      description: Unit of its value.
      type: str
      sample: s
    status:
      description: Last status. One of V(ok), V(warning), V(critical), V(unknown) and V(skipped).
      type: str
      sample: ok
    message:
      description: Last message.
      type: str
      sample: 200 in 12ms
    since:
      description: Time since which the check has had this status.
      type: str
      sample: "2025-06-30T10:00:00Z"
    since_s:
      description: The same in seconds before now.
      type: float
      sample: 7200.5
    checked_at:
      description: Time of the last check.
      type: str
      sample: "2025-06-30T12:00:00Z"
    age_s:
      description: The same in seconds before now.
      type: float
      sample: 60.25
    windows:
      description: One entry for each of O(windows), in the same order.
      type: list
      elements: dict
      contains:
        name:
          description: The window as specified.
          type: str
          sample: 24h
        checks:
          description:
            - Number of results. It is the sum of RV(checks[].windows[].ok), RV(checks[].windows[].warning),
              RV(checks[].windows[].critical), RV(checks[].windows[].unknown) and RV(checks[].windows[].skipped).
          type: int
          sample: 288
        ok:
          description: Number of V(ok) results.
          type: int
          sample: 286
        warning:
          description: Number of V(warning) results.
          type: int
          sample: 1
        critical:
          description: Number of V(critical) results.
          type: int
          sample: 1
        unknown:
          description: Number of V(unknown) results.
          type: int
          sample: 0
        skipped:
          description: Number of V(skipped) results.
          type: int
          sample: 0
        quiet:
          description: Number of results whose alarm was suppressed by a maintenance window or a cooldown.
          type: int
          sample: 0
        availability:
          description:
            - Percentage of results that were V(ok) or V(warning). Skipped and quiet results are not counted, unknown
              ones are.
            - V(none) if no result is counted.
          type: float
          sample: 99.653
        duration_p50:
          description: 50th percentile of the duration in seconds.
          type: float
          sample: 0.012
        duration_p95:
          description: 95th percentile of the duration in seconds.
          type: float
          sample: 0.031
        value_p50:
          description: 50th percentile of the value, in RV(checks[].unit).
          type: float
          sample: 0.011
        value_p95:
          description: 95th percentile of the value, in RV(checks[].unit).
          type: float
          sample: 0.029
        trend:
          description: Change from the first to the second half of the window. V(none) where one half has no data.
          type: dict
          contains:
            availability:
              description: Change in percentage points.
              type: float
              sample: -0.694
            duration_p50:
              description: Change in seconds.
              type: float
              sample: 0.002
            value_p50:
              description: Change in the unit of the value.
              type: float
              sample: 0.001
msg:
  description: The state in words.
  type: str
  returned: success
  sample: 11 of 12 checks ok or skipped; api is critical for 3m20s
duration_s:
  description: Duration of the task on the host in seconds.
  type: float
  returned: success
  sample: 0.02
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.ops.plugins.module_utils._module import run
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import info as health_info


def main() -> None:
    run(AnsibleModule(supports_check_mode=True, **health_info.ARGUMENTS), health_info.run)


if __name__ == "__main__":
    main()
