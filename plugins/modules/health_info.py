#!/usr/bin/python
# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_info
short_description: Availability, percentiles and trends out of the history of health checks
version_added: 0.1.0
author:
  - day2.ops contributors (@day2ops)
description:
  - Reads the file that the option C(history) of the module health_check keeps.
  - For each check returns its last status and since when it has had it, and for each window its availability, the 50th and 95th
    percentile of its duration and of its value, and how these differ between the window's two halves.
  - A history that does not exist, is damaged, or is another file fails the task.
  - Outcomes that are dated later than now, because the clock was ahead, count as of now, and a warning says how many there are.
extends_documentation_fragment:
  - day2.ops.attributes
  - day2.ops.attributes.info
options:
  path:
    description: The history.
    type: path
    required: true
  checks:
    description: Names of the checks to look at. The default is all. A name that the history does not have is an error.
    type: list
    elements: str
  windows:
    description:
      - How far to look back. What is older than the history's own limit is gone.
    type: list
    elements: str
    default: [1h, 24h, 7d]
seealso:
  - module: day2.ops.log_report
"""

EXAMPLES = r"""
- name: Look at the last week of HawkFish's checks
  day2.ops.health_info:
    path: /var/lib/day2/health.db
  register: health

- name: Fail when a check was available for less than 99.9 % of the day
  ansible.builtin.assert:
    that: item.windows[1].availability is none or item.windows[1].availability >= 99.9
    fail_msg: "{{ item.name }} was available for {{ item.windows[1].availability }} % of the day"
  loop: "{{ health.checks }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
checks:
  description: The checks, by name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the check.
      type: str
      sample: api
    type:
      description: Its type.
      type: str
      sample: http
    unit:
      description: The unit of its value.
      type: str
      sample: s
    status:
      description: What was found last; one of V(ok), V(warning), V(critical), V(unknown) and V(skipped).
      type: str
      sample: ok
    message:
      description: What was said then.
      type: str
      sample: 200 in 12ms
    since:
      description: Since when it has had that status.
      type: str
      sample: "2025-06-30T10:00:00Z"
    since_s:
      description: The same in seconds before now.
      type: float
      sample: 7200.5
    checked_at:
      description: When it was checked last.
      type: str
      sample: "2025-06-30T12:00:00Z"
    age_s:
      description: The same in seconds before now.
      type: float
      sample: 60.25
    windows:
      description: One entry for each of O(windows), in that order.
      type: list
      elements: dict
      contains:
        name:
          description: The window as it was asked for.
          type: str
          sample: 24h
        checks:
          description: How often it was checked; RV(checks[].windows[].ok), RV(checks[].windows[].warning),
            RV(checks[].windows[].critical), RV(checks[].windows[].unknown) and RV(checks[].windows[].skipped) add up to it.
          type: int
          sample: 288
        ok:
          description: How often it was ok.
          type: int
          sample: 286
        warning:
          description: How often it was a warning.
          type: int
          sample: 1
        critical:
          description: How often it was critical.
          type: int
          sample: 1
        unknown:
          description: How often it could not be found out.
          type: int
          sample: 0
        skipped:
          description: How often it was skipped.
          type: int
          sample: 0
        quiet:
          description: How often a maintenance window or a cooldown held back the alarm.
          type: int
          sample: 0
        availability:
          description:
            - Percent of the checks that were ok or a warning. Skipped and quiet ones do not count, unknown ones do.
            - V(none) when nothing counts.
          type: float
          sample: 99.653
        duration_p50:
          description: Half of the checks took at most so many seconds.
          type: float
          sample: 0.012
        duration_p95:
          description: 95 % of the checks took at most so many seconds.
          type: float
          sample: 0.031
        value_p50:
          description: Half of the values were at most this, in RV(checks[].unit).
          type: float
          sample: 0.011
        value_p95:
          description: 95 % of the values were at most this.
          type: float
          sample: 0.029
        trend:
          description: What the window's later half has more than its earlier half; V(none) where one half has nothing.
          type: dict
          contains:
            availability:
              description: In percentage points.
              type: float
              sample: -0.694
            duration_p50:
              description: In seconds.
              type: float
              sample: 0.002
            value_p50:
              description: In the unit of the value.
              type: float
              sample: 0.001
msg:
  description: The state in words.
  type: str
  returned: success
  sample: 11 of 12 checks ok or skipped; api is critical for 3m20s
duration_s:
  description: Seconds that the task took on the host.
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
